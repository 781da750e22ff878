"""Each example runs, does what its first comment says, and ends."""

import os
import re
import subprocess

import harness


class Examples(harness.TestCase):
    def serve(self, name):
        certificates = self.certificates()
        command = [harness.program(name), "server", certificates.cert, certificates.key, 0, 0]
        return certificates, harness.Server(command)

    def test_all_are_tested_here(self):
        folder = os.path.join(harness.SOURCE, "examples")
        found = {name for name in os.listdir(folder) if os.path.isdir(os.path.join(folder, name))}
        self.assertLessEqual({"01-echo", "02-channels", "03-chat", "04-game-loop",
                              "07-own-event-loop", "08-shards", "10-join"}, found)

    def test_01_echo(self):
        certificates, server = self.serve("01-echo")
        with server:
            result = harness.run(harness.program("01-echo"), "client", f"localhost:{server.tls}",
                                 ca=certificates.ca, check=True)
            self.assertEqual(result.stdout, "received: Hello, server!\n")
            server.wait_line("peer .* left")

    def test_02_channels(self):
        result = harness.run(harness.program("02-channels"), check=True)
        for channel in (0, 2):
            self.assertRegex(result.stdout, rf"(?m)^{channel} reliable.* 300 +300 ")
        self.assertRegex(result.stdout, r"(?m)^0 .* 0$")
        self.assertRegex(result.stdout, r"(?m)^3 .* 0$")

    def test_03_chat(self):
        certificates, server = self.serve("03-chat")
        command = [harness.program("03-chat"), "client", f"localhost:{server.tls}"]
        with server:
            first = harness.Process([*command, "ann"], ca=certificates.ca, stdin=subprocess.PIPE)
            first.wait_line("^ann joined$")
            second = harness.Process([*command, "bob"], ca=certificates.ca, stdin=subprocess.PIPE)
            first.wait_line("^bob joined$")
            second.stdin.write("hello\nsecond line\n")
            second.stdin.flush()
            first.wait_line("^bob: second line$")
            self.assertIn("bob: hello", first.lines)
            second.stdin.close()  # the end of input ends the client
            self.assertEqual(second.wait(), 0)
            first.wait_line("^bob left$")
            first.stdin.close()
            self.assertEqual(first.wait(), 0)

    def test_04_game_loop(self):
        result = harness.run(harness.program("04-game-loop"), "2", check=True)
        self.assertEqual(len(result.stdout.splitlines()), 5)

    def test_07_own_event_loop(self):
        result = harness.run(harness.program("07-own-event-loop"), "1", check=True)
        self.assertRegex(result.stdout, r"^10 ticks, \d+ answers, \d+ wake-ups\n$")
        wakeups = int(result.stdout.split()[4])
        self.assertLess(wakeups, 1000)  # it waits; it does not spin

    def test_08_shards(self):
        result = harness.run(harness.program("08-shards"), "3", check=True)
        players = re.findall(r"(?m)^shard \d+: (\d+) players$", result.stdout)
        self.assertIn(len(players), (1, 3))  # one where nothing can steer
        self.assertEqual(sum(map(int, players)), 8)

    def test_10_join(self):
        lines = harness.run(harness.program("10-join"), check=True).stdout.splitlines()
        self.assertIn("eve: unknown player or wrong token (FASTNET_ERR_REJECTED, code 1)", lines)
        self.assertIn("bob: faster than the game allows (FASTNET_ERR_CLOSED, code 2)", lines)
        ann = [line for line in lines if re.match("ann:|server: ann", line)]
        self.assertEqual(ann, [
            "server: ann joined, session 1", "server: ann's session is ended for maintenance",
            "ann: back in a moment (FASTNET_ERR_CLOSED, code 3)", "server: ann joined, session 2",
            "server: ann moves"])
        self.assertEqual(len([line for line in lines if "bob joined" in line]), 1)


harness.main()
