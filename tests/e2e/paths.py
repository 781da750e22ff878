"""t1, p5: one session over whatever path there is, on real sockets through `fastnet netem`."""

import json
import signal
import time

import harness

MESSAGES = 5000
ROAMING_S = 20


class Emulator(harness.Process):
    """`fastnet netem` on loopback in front of a server in the neighbour's network."""

    def __init__(self, server, link, control, *options):
        to, udp, tls = link.address, server.udp, server.tls
        self.control = control
        super().__init__([harness.FASTNET, "netem", "--control", control, *options,
                          "--forward", f"udp:127.0.0.1:{udp}={to}:{udp}",
                          "--forward", f"tcp:127.0.0.1:{tls}={to}:{tls}"])
        self.wait_line("ready")

    def tell(self, command):
        return harness.fastnet("netem", "--tell", self.control, command, check=True).stdout


class Paths(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.certs = self.certificates("localhost", "127.0.0.1", harness.Neighbour.address)
        self.link = harness.Neighbour()
        self.addCleanup(self.link.close)

    def emulate(self, server, *options):
        emulator = Emulator(server, self.link, self.path("control"), *options)
        self.addCleanup(emulator.stop)
        return emulator

    def echo(self, **ports):
        server = harness.echo(self.certs, prefix=self.link.prefix, **ports)
        self.addCleanup(server.stop)
        return server

    def begin_transfer(self, *options):
        """5,000 ordered messages on their way through the emulator."""
        bulk = harness.program("e2e_bulk")
        receiver = harness.Server([bulk, "receive", self.certs.cert, self.certs.key, MESSAGES],
                                  prefix=self.link.prefix)
        self.addCleanup(receiver.stop)
        emulator = self.emulate(receiver, *options)
        sender = harness.Process([bulk, "send", f"127.0.0.1:{receiver.tls}", self.certs.ca,
                                  MESSAGES, 0])
        self.addCleanup(sender.stop)
        return receiver, emulator, sender

    def assert_all_arrived(self, receiver, sender):
        self.assertEqual(receiver.wait(timeout=120), 0, receiver.lines)
        self.assertEqual(sender.wait(timeout=30), 0, sender.errors)
        told = json.loads(receiver.lines[-1])
        self.assertEqual((told["received"], told["doubled"], told["damaged"],
                          told["out_of_order"]), (MESSAGES, 0, 0, 0))

    def test_t1_udp_blocked_from_the_start(self):
        server = self.echo()
        emulator = self.emulate(server, "--set", "block udp")
        for channel in range(4):
            began = time.monotonic()
            result = harness.ping(f"127.0.0.1:{server.tls}", "--ca", self.certs.ca, "--count", "20",
                                  "--interval-us", "20000", "--channel", str(channel))
            took = time.monotonic() - began
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            self.assertEqual(result.json["transport"], "tcp")
            self.assertGreaterEqual(result.json["received"], 19 if channel % 2 else 20, channel)
            self.assertLess(took, 2.5 + 1.0)  # the pings and the goodbye are in it
        self.assertIn("udp", emulator.tell("stats"))

    def test_t1_udp_blocked_in_the_middle(self):
        receiver, emulator, sender = self.begin_transfer("--rate", "6000", "--delay", "5")
        time.sleep(1.5)
        emulator.tell("block udp")
        time.sleep(5)
        emulator.tell("unblock udp")
        self.assert_all_arrived(receiver, sender)

    def test_a_new_source_port_every_second(self):
        receiver, emulator, sender = self.begin_transfer("--rate", "2200", "--delay", "5")
        for _ in range(ROAMING_S):
            time.sleep(1)
            emulator.tell("port new")
        self.assert_all_arrived(receiver, sender)

    def test_a_blackout_of_ten_seconds(self):
        receiver, emulator, sender = self.begin_transfer("--rate", "6000", "--delay", "5")
        time.sleep(1.5)
        emulator.tell("block all")
        time.sleep(10)
        emulator.tell("unblock all")
        self.assert_all_arrived(receiver, sender)

    def test_p5_the_tcp_path_is_reset_again_and_again(self):
        receiver, emulator, sender = self.begin_transfer("--rate", "6000", "--delay", "5",
                                                         "--set", "block udp")
        for _ in range(4):
            time.sleep(2.5)
            emulator.tell("reset tcp")
        self.assert_all_arrived(receiver, sender)

    def test_p5_the_tcp_path_stalls(self):
        """The relay reads no more: TCP's window closes. UDP, which works again, takes over."""
        receiver, emulator, sender = self.begin_transfer("--rate", "6000", "--delay", "5",
                                                         "--set", "block udp")
        time.sleep(3.5)
        emulator.tell("block tcp")
        time.sleep(1)
        emulator.tell("unblock udp")
        self.assert_all_arrived(receiver, sender)

    def test_60_hz_over_tcp_that_loses_two_percent(self):
        """There and back: twice the time to live of 500 ms, and the two round trips."""
        server = self.echo()
        rules = ("table inet lossy { chain arriving { type filter hook input priority 0; "
                 "meta l4proto udp drop; meta l4proto tcp numgen random mod 100 < 2 drop; }; }")
        for prefix in ([], self.link.prefix):
            harness.run(*prefix, "nft", rules, check=True)
        self.addCleanup(harness.run, "nft", "delete table inet lossy")
        result = harness.ping(f"{self.link.address}:{server.tls}", "--ca", self.certs.ca,
                              "--count", "600", "--interval-us", "16667", "--channel", "1")
        self.assertEqual(result.json["transport"], "tcp", result.stderr)
        self.assertGreater(result.json["received"], 540)
        self.assertLess(result.json["rtt_us"]["max"], 1.1e6)

    def test_a_server_killed_and_restarted_says_gone(self):
        server = self.echo()
        client = harness.Process([harness.FASTNET, "ping", f"{self.link.address}:{server.tls}",
                                  "--ca", self.certs.ca, "--count", "100000",
                                  "--interval-us", "20000", "--json"])
        self.addCleanup(client.stop)
        time.sleep(1.5)
        server.signal(signal.SIGKILL)
        server.wait()
        time.sleep(1)
        self.echo(udp=server.udp, tls=server.tls)
        back = time.monotonic()
        client.wait(timeout=30)
        self.assertLess(time.monotonic() - back, 3.0)
        self.assertEqual(json.loads(client.lines[-1])["error"]["result"], "FASTNET_ERR_GONE")


harness.enter_new_network()
harness.main()
