"""The command: help, usage errors, certificates, echo's life, ping's numbers and exit codes."""

import os
import shutil
import signal
import stat
import subprocess

import harness

COMMANDS = ("cert", "echo", "ping", "demo")
RELIABLE = (0, 2)


class Help(harness.TestCase):
    def test_help_and_version(self):
        for arguments in (["--help"], ["help"], ["-h"]):
            result = harness.fastnet(*arguments, check=True)
            for command in COMMANDS:
                self.assertIn(f"  {command} ", result.stdout)
            self.assertEqual(result.stderr, "")
        self.assertRegex(harness.fastnet("--version", check=True).stdout, r"^fastnet \d+\.\d+\.\d+\n$")

    def test_help_of_each_command(self):
        for command in COMMANDS:
            with self.subTest(command):
                text = harness.fastnet(command, "--help", check=True).stdout
                self.assertTrue(text.startswith(f"Usage: fastnet {command}"))
                self.assertEqual(harness.fastnet("help", command, check=True).stdout, text)
                self.assertLessEqual(max(map(len, text.splitlines())), 120)


class Usage(harness.TestCase):
    # arguments, what stderr must say; exit code 2 and nothing on stdout
    ROWS = [
        (["nonsense"], "unknown command 'nonsense'"),
        (["help", "nonsense"], "unknown command 'nonsense'"),
        (["ping"], "a HOST[:TLS_PORT] is needed"),
        (["ping", "a", "b"], "found 'a' and 'b'"),
        (["ping", "a", "--bogus"], "unknown option '--bogus'"),
        (["ping", "a", "--bogus=1"], "unknown option '--bogus=1'"),
        (["ping", "a", "--count"], "--count needs a value"),
        (["ping", "a", "--count", "0"], "--count must be between 1 and"),
        (["ping", "a", "--count", "-1"], "--count needs a whole number, not '-1'"),
        (["ping", "a", "--count", "ten"], "--count needs a whole number, not 'ten'"),
        (["ping", "a", "--count", "99999999999999999999"], "--count must be between"),
        (["ping", "a", "--channel", "4"], "--channel must be between 0 and 3"),
        (["ping", "a", "--size", "7"], "--size must be between 8 and"),
        (["ping", "a", "--spin=1"], "--spin takes no value"),
        (["ping", "a", "--ca="], "--ca needs a value"),
        (["ping", "127.0.0.1", "--pin", "abc"], "--pin needs 64 hexadecimal digits"),
        (["echo"], "--cert FILE and --key FILE are needed"),
        (["echo", "extra"], "'extra' is not an option"),
        (["echo", "--udp", "65536"], "--udp must be between 0 and 65535"),
        (["cert", "--name", "localhost"], "--out DIR is needed"),
        (["cert", "--out", "x"], "at least one --name HOST_OR_IP is needed"),
        (["cert", "--out", "x", "--name", "a", "--days", "0"], "--days must be between 1 and 3650"),
        (["cert", "--out", "x", "--name", "two words"], "two words"),
        (["cert", "--out", "x", "--name", "a", "--renew", "--keep-key"], "--keep-key keeps"),
        (["cert", "--show", "x", "--renew"], "--show FILE stands alone"),
    ]

    def test_usage_errors_say_what_is_wrong(self):
        for arguments, text in self.ROWS:
            with self.subTest(" ".join(arguments)):
                result = harness.fastnet(*arguments, cwd=self.folder)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(text, result.stderr)
                self.assertEqual(result.stdout, "")

    def test_no_command_is_a_usage_error(self):
        result = harness.fastnet()
        self.assertEqual(result.returncode, 2)
        self.assertIn("Usage: fastnet COMMAND", result.stderr)


class Cert(harness.TestCase):
    def test_files_modes_and_pin(self):
        result = harness.fastnet("cert", "--out", self.path("new/dir"), "--name", "game.example",
                                 "--name", "192.0.2.1", "--name", "2001:db8::1", check=True)
        self.assertRegex(result.stdout, r"pin [0-9a-f]{64}\n")
        for name, mode in (("ca.pem", 0o644), ("ca-key.pem", 0o600), ("cert.pem", 0o644),
                           ("key.pem", 0o600)):
            found = stat.S_IMODE(os.stat(self.path("new/dir", name)).st_mode)
            self.assertEqual(found, mode, name)
        text = harness.run("openssl", "x509", "-in", self.path("new/dir/cert.pem"), "-noout",
                           "-ext", "subjectAltName", check=True).stdout
        for name in ("DNS:game.example", "IP Address:192.0.2.1", "IP Address:2001:DB8"):
            self.assertIn(name, text)
        harness.run("openssl", "verify", "-x509_strict", "-CAfile", self.path("new/dir/ca.pem"),
                    self.path("new/dir/cert.pem"), check=True)

    def test_a_second_run_keeps_the_authority(self):
        first = self.certificates()
        with open(first.ca, encoding="ascii") as stream:
            ca = stream.read()
        with open(first.cert, encoding="ascii") as stream:
            cert = stream.read()
        second = self.certificates("other.example", renew=True)
        with open(second.ca, encoding="ascii") as stream:
            self.assertEqual(stream.read(), ca)
        with open(second.cert, encoding="ascii") as stream:
            self.assertNotEqual(stream.read(), cert)

    def test_an_authority_without_its_key_is_not_replaced(self):
        certificates = self.certificates()
        os.unlink(certificates.ca_key)
        result = harness.fastnet("cert", "--out", certificates.folder, "--name", "localhost",
                                 "--renew")
        self.assertEqual(result.returncode, 3)
        self.assertIn("ca-key.pem", result.stderr)

    def content(self, folder):
        found = {}
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), "rb") as stream:
                found[name] = stream.read()
        return found

    def test_a_key_is_replaced_only_when_told_to(self):
        folder = self.certificates().folder
        before = self.content(folder)
        refused = harness.fastnet("cert", "--out", folder, "--name", "localhost")
        self.assertEqual(refused.returncode, 3)
        self.assertRegex(refused.stderr, r"key\.pem: is there already .*--renew.*--keep-key")
        self.assertEqual(self.content(folder), before)
        kept = harness.fastnet("cert", "--out", folder, "--name", "x.example", "--keep-key",
                               check=True)
        after = self.content(folder)
        self.assertEqual(after["key.pem"], before["key.pem"])
        self.assertNotEqual(after["cert.pem"], before["cert.pem"])
        renewed = harness.fastnet("cert", "--out", folder, "--name", "x.example", "--renew",
                                  check=True)
        self.assertNotEqual(self.content(folder)["key.pem"], before["key.pem"])
        self.assertNotEqual(kept.stdout, renewed.stdout)  # the pin

    def test_a_failed_renewal_leaves_the_pair(self):
        """cert.pem is a mount of a single file, which cannot be replaced."""
        if os.geteuid() != 0:
            self.skipTest("needs root")
        folder = self.certificates().folder
        before = self.content(folder)
        shutil.copy(os.path.join(folder, "cert.pem"), self.path("mounted.pem"))
        result = subprocess.run(
            ["unshare", "-m", "sh", "-c",
             'mount --bind "$1" "$2/cert.pem" && exec "$3" cert --out "$2" --name x --renew', "sh",
             self.path("mounted.pem"), folder, harness.FASTNET],
            capture_output=True, text=True, timeout=60, check=False)
        if "mount:" in result.stderr or "unshare:" in result.stderr:
            self.skipTest(result.stderr)
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertRegex(result.stderr, r"cannot write .*cert\.pem: in use by the system, as a mount")
        self.assertEqual(self.content(folder), before)

    def test_show_prints_names_expiry_and_pin(self):
        certificates = self.certificates("game.example", "192.0.2.1")
        text = harness.fastnet("cert", "--show", certificates.cert, check=True).stdout
        self.assertRegex(text, r"(?m)^names +game\.example, 192\.0\.2\.1$")
        self.assertRegex(text, r"(?m)^valid +\d{4}-\d\d-\d\d .* UTC to .* UTC \(36[45] days left\)$")
        self.assertRegex(text, r"(?m)^pin [0-9a-f]{64}$")
        self.assertRegex(text, r"(?m)^key +EC P-256$")
        self.assertRegex(text, r"(?m)^chain +2 certificates in the file$")
        bad = harness.fastnet("cert", "--show", certificates.key)
        self.assertEqual((bad.returncode, bad.stdout), (3, ""))
        self.assertIn("key.pem", bad.stderr)


class Output(harness.TestCase):
    def test_output_that_cannot_be_written_is_a_failure(self):
        certificates = self.certificates()
        with harness.echo(certificates) as server:
            target = [f"localhost:{server.tls}", "--ca", certificates.ca]
            few = ["--count", "3", "--interval-us", "0"]
            rows = [["--version"], ["--help"], ["help", "ping"], ["ping", "--help"],
                    ["ping", *target, *few], ["ping", *target, *few, "--json"],
                    ["ping", *target, "--count", "2", "--interval-us", "10000"],
                    ["demo", *target], ["cert", "--show", certificates.cert],
                    ["cert", "--out", self.path("full"), "--name", "x"], ["netem", "--help"]]
            for row in rows:
                with self.subTest(" ".join(map(str, row))), open("/dev/full", "wb") as full:
                    result = subprocess.run([harness.FASTNET, *map(str, row)], stdout=full,
                                            stderr=subprocess.PIPE, text=True, timeout=60,
                                            env=harness.environment(), check=False)
                    self.assertEqual(result.returncode, 3, result.stderr)
                    self.assertIn("output could not be written", result.stderr)


class Echo(harness.TestCase):
    def test_stops_cleanly_and_counts(self):
        certificates = self.certificates()
        for number in (signal.SIGINT, signal.SIGTERM):
            server = harness.echo(certificates)
            self.assert_pings(server, certificates)
            server.signal(number)
            self.assertEqual(server.wait(), 0)
            self.assertEqual(server.lines[-1], "stopped after 1 connections, 5 messages, 320 bytes")

    def test_quiet_prints_only_the_ports(self):
        certificates = self.certificates()
        with harness.echo(certificates, "--quiet") as server:
            self.assert_pings(server, certificates)
        self.assertEqual(len(server.lines), 1)
        self.assertEqual(server.errors, [])

    def test_a_disconnect_is_told_to_clients(self):
        certificates = self.certificates()
        with harness.echo(certificates) as server:
            client = harness.Process([harness.FASTNET, "ping", f"localhost:{server.tls}", "--ca",
                                      certificates.ca, "--count", "100000"])
            client.wait_line(r"seq=3 ")
        self.assertEqual(client.wait(), 1)
        self.assertRegex("\n".join(client.errors), r"session ended.*FASTNET_ERR_CLOSED")

    def test_sighup_loads_a_new_certificate(self):
        certificates = self.certificates()
        with harness.echo(certificates) as server:
            old = harness.Process([harness.FASTNET, "ping", f"localhost:{server.tls}", "--ca",
                                   certificates.ca, "--count", "100000"])
            old.wait_line(r"seq=1 ")
            harness.fastnet("cert", "--out", certificates.folder, "--name", "other.example",
                            "--renew", check=True)
            server.signal(signal.SIGHUP)
            server.wait_line("certificate reloaded")
            seen = len(old.lines)
            old.wait_until(lambda lines: len(lines) > seen + 2, "pings after the reload")
            self.assertEqual(harness.ping(f"localhost:{server.tls}", "--ca",
                                          certificates.ca).returncode, 3)
            self.assert_pings(server, certificates, "--name", "other.example")
            old.signal(signal.SIGINT)
            self.assertEqual(old.wait(), 0)

    def test_a_reload_that_fails_keeps_the_old_certificate(self):
        certificates = self.certificates()
        with harness.echo(certificates) as server:
            with open(certificates.cert, "w", encoding="ascii") as stream:
                stream.write("junk")
            server.signal(signal.SIGHUP)
            server.wait_until(lambda _: any("not reloaded" in line for line in server.errors),
                              "the failed reload")
            self.assert_pings(server, certificates)


class Ping(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.certs = self.certificates()
        self.server = harness.echo(self.certs)
        self.addCleanup(self.server.stop)

    def test_json_has_the_contracted_fields(self):
        numbers = self.assert_pings(self.server, self.certs)
        self.assertEqual((numbers["sent"], numbers["received"], numbers["lost"]), (5, 5, 0))
        self.assertEqual(numbers["transport"], "udp")
        self.assertGreater(numbers["path_rtt_us"], 0)
        self.assertGreater(numbers["answered_ms"], 0)
        rtt = numbers["rtt_us"]
        self.assertLessEqual({"avg", "p50", "p99", "p999", "max"}, set(rtt))
        self.assertTrue(0 < rtt["min"] <= rtt["p50"] <= rtt["p99"] <= rtt["p999"] <= rtt["max"])
        self.assertTrue(rtt["min"] <= rtt["avg"] <= rtt["max"] < 10e6)

    def test_every_channel_size_and_way_of_waiting(self):
        for channel in range(4):
            for size in (8, 64, 1200, 5000, 100000):
                with self.subTest(channel=channel, size=size):
                    numbers = self.assert_pings(self.server, self.certs, "--channel", channel,
                                                "--size", size,
                                                *(["--spin"] if size == 64 else []))
                    # Channel 1 may drop large ones at this rate; 3 replaces what waits.
                    if channel in RELIABLE or (channel == 1 and size <= 1200):
                        self.assertEqual(numbers["received"], numbers["sent"])

    def test_one_after_the_other(self):
        numbers = self.assert_pings(self.server, self.certs, "--interval-us", "0", "--count",
                                    "200")
        self.assertEqual(numbers["received"], 200)

    def test_largest_message(self):
        self.assert_pings(self.server, self.certs, "--size", 1 << 20, "--count", "2")

    def test_the_server_is_found_by_name_ipv4_and_ipv6(self):
        for host in ("localhost", "127.0.0.1", "[::1]"):
            with self.subTest(host):
                numbers = self.assert_pings(self.server, self.certs, host=host)
                if host == "[::1]":
                    self.assertTrue(numbers["address"].startswith("[::1]:"), numbers["address"])

    def test_text_output_reads_like_ping(self):
        result = harness.fastnet("ping", f"localhost:{self.server.tls}", "--ca", self.certs.ca,
                                 "--count", "3", "--interval-us", "10000", check=True)
        lines = result.stdout.splitlines()
        self.assertRegex(lines[0], r"^PING localhost:\d+ \(.*, udp\): 64 bytes on channel 0$")
        self.assertRegex(lines[1], r"^64 bytes from .*: seq=0 time=\d+\.\d{3} ms$")
        self.assertIn("3 sent, 3 received, 0% lost", result.stdout)
        self.assertRegex(lines[-1], r"^rtt min/avg/p50/p99/p999/max = ")

    def test_trust_by_environment_pin_and_the_insecure_way(self):
        target = f"127.0.0.1:{self.server.tls}"
        pin = harness.fastnet("cert", "--out", self.path("unused"), "--name", "x", check=True)
        wrong = pin.stdout.split("pin ")[1].strip()
        der = subprocess.run(["openssl", "x509", "-in", self.certs.cert, "-pubkey", "-noout"],
                             capture_output=True, check=True).stdout
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=der,
                             capture_output=True, check=True).stdout
        right = subprocess.run(["openssl", "dgst", "-sha256", "-r"], input=der,
                               capture_output=True, check=True).stdout.decode().split()[0]
        few = ["--count", "2", "--interval-us", "0"]
        self.assertEqual(harness.ping(target, *few, ca=self.certs.ca).returncode, 0)
        self.assertEqual(harness.ping(target, *few).returncode, 3)
        self.assertEqual(harness.ping(target, "--pin", right, *few).returncode, 0)
        self.assertEqual(harness.ping(target, "--pin", "sha256:" + right.upper(), *few).returncode, 0)
        self.assertEqual(harness.ping(target, "--pin", wrong, *few).returncode, 3)
        insecure = harness.ping(target, "--insecure-without-verification", *few)
        self.assertEqual(insecure.returncode, 0)
        self.assertIn("warning: ", insecure.stderr)

    def test_a_server_of_another_application_says_what_it_can(self):
        with harness.echo(self.certs, "--application-id", "game") as server:
            target = [f"localhost:{server.tls}", "--ca", self.certs.ca, "--count", "2",
                      "--interval-us", "0"]
            refused = harness.fastnet("ping", *target)
            self.assertEqual(refused.returncode, 3)
            self.assertRegex(refused.stdout, r"^localhost:\d+ answered over TLS after \d+\.\d+ ms, "
                                             r"and its certificate is accepted; UDP was not tried")
            self.assertIn("--application-id", refused.stderr)
            self.assertGreater(harness.ping(*target).json["answered_ms"], 0)
            self.assertEqual(harness.ping(*target, "--application-id", "game").returncode, 0)

    def test_a_server_that_is_not_believed_has_not_answered(self):
        other = self.certificates(folder="other")
        refused = harness.fastnet("ping", f"localhost:{self.server.tls}", "--ca", other.ca)
        self.assertEqual((refused.returncode, refused.stdout), (3, ""))
        self.assertIn("same name, other key", refused.stderr)

    def test_a_server_that_does_not_echo_is_measured_all_the_same(self):
        receiver = harness.Server([harness.program("e2e_bulk"), "receive", self.certs.cert,
                                   self.certs.key, 1000000])
        self.addCleanup(receiver.stop)
        target = [f"localhost:{receiver.tls}", "--ca", self.certs.ca, "--channel", "1", "--count",
                  "2", "--timeout-ms", "3000"]
        result = harness.fastnet("ping", *target)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("nothing came back: the server does not echo", result.stdout)
        self.assertRegex(result.stdout, r"the certificate \(CN=localhost\) is accepted, connected "
                                        r"over udp after \d+\.\d+ ms, round trip \d+\.\d+ ms")

    def test_interrupt_ends_with_the_summary(self):
        client = harness.Process([harness.FASTNET, "ping", f"localhost:{self.server.tls}", "--ca",
                                  self.certs.ca, "--count", "1000000"])
        client.wait_line(r"seq=2 ")
        client.signal(signal.SIGINT)
        self.assertEqual(client.wait(), 0)
        self.assertTrue(any(line.startswith("rtt min/avg") for line in client.lines))


class Demo(harness.TestCase):
    def test_prints_one_table_and_leaves_nothing_behind(self):
        script = os.path.join(harness.SOURCE, "scripts/demo")
        os.mkdir(self.path("tmp"))
        result = subprocess.run([script, harness.FASTNET], capture_output=True, text=True,
                                timeout=60, env=harness.environment(TMPDIR=self.path("tmp")))
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        rows = [line for line in result.stdout.splitlines() if line[:1] in "0123" and line[:1]]
        self.assertEqual(len(rows), 4, result.stdout)
        for row in rows:
            self.assertRegex(row, r"^[0-3]  [a-z ]+ +500 +\d+ +\d+ us +\d+ us +\d+ us$")
        for channel in RELIABLE:
            self.assertRegex(rows[channel], r" 500 +500 ")
        self.assertIn("only the latest counts", result.stdout)
        self.assertEqual(os.listdir(self.path("tmp")), [])


harness.main()
