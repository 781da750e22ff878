"""fastnet netem --forward: what it promises, seen from both ends."""

import json
import os
import signal
import socket
import statistics
import subprocess
import threading
import time

from emulator import Emulator, TcpEcho, UdpEcho, exchange, harness, passes, udp_socket


def read_exactly(sock, count):
    data = b""
    while len(data) < count:
        part = sock.recv(count - len(data))
        if not part:
            break
        data += part
    return data


class Udp(harness.TestCase):
    def emulate(self, *options, echo=None):
        self.echo = echo or UdpEcho()
        emulator = Emulator(self.folder, "--forward", f"udp:127.0.0.1:0=127.0.0.1:{self.echo.port}",
                            *options)
        self.addCleanup(emulator.stop)
        return emulator, udp_socket(emulator.ports[0])

    def test_five_percent_are_lost_and_the_rest_takes_twice_twenty_milliseconds(self):
        emulator, sock = self.emulate("--loss", 5, "--delay", 20)
        times, damaged = exchange(sock, 2000)
        stats = emulator.stats()
        print("late:", stats["late_us_mean"], stats["late_us_max"], "us")
        self.assertEqual(damaged, 0)
        self.assertAlmostEqual(len(times) / 2000, 0.95 * 0.95, delta=0.03)
        self.assertGreaterEqual(min(times.values()), 0.040)
        self.assertLess(statistics.median(times.values()), 0.060)
        self.assertEqual(stats["up"]["entered"], 2000)
        self.assertEqual(stats["up"]["lost"] + stats["down"]["lost"], 2000 - len(times))
        self.assertEqual(stats["up"]["delivered"], len(self.echo.seen))

    def test_the_same_seed_loses_the_same_datagrams(self):
        survivors = []
        for seed in (7, 7, 8):
            emulator, sock = self.emulate("--loss", 20, "--burst-enter", 3, "--seed", seed)
            survivors.append(sorted(exchange(sock, 300, patience_s=0.5)[0]))
            emulator.stop()
        self.assertEqual(survivors[0], survivors[1])
        self.assertNotEqual(survivors[0], survivors[2])

    def test_duplicates_reordering_and_damage_reach_the_target(self):
        emulator, sock = self.emulate("--set", "up duplicate 20 reorder 20 reorder-delay 5 corrupt 10")
        exchange(sock, 1000)
        numbers = [data[:4] for data, _ in self.echo.seen]
        damaged = sum(data != data[:4] * 25 for data, _ in self.echo.seen)
        overtaken = sum(a > b for a, b in zip(numbers, numbers[1:]))
        self.assertAlmostEqual(len(numbers), 1200, delta=60)
        self.assertAlmostEqual(damaged, 120, delta=50)
        self.assertGreater(overtaken, 100)
        stats = emulator.stats()
        self.assertEqual(stats["up"]["duplicated"], len(numbers) - 1000)
        self.assertEqual(stats["down"]["duplicated"], 0)

    def test_the_queue_before_the_rate_is_finite(self):
        emulator, sock = self.emulate("--set", "up rate 800 queue 20000")
        start = time.monotonic()
        times, _ = exchange(sock, 200, interval_s=0, size=1000)
        took = time.monotonic() - start
        # 20,000 bytes wait, one more may enter, and 100 bytes leave each millisecond.
        self.assertGreaterEqual(len(times), 20)
        self.assertLess(len(times), 22 + took * 100)
        self.assertLess(len(times), 150)
        self.assertGreater(max(times.values()), 0.15)
        self.assertEqual(emulator.stats()["up"]["queue_full"], 200 - len(times))

    def test_switches_flip_while_it_runs(self):
        emulator, sock = self.emulate("--delay", 1)
        self.assertTrue(passes(sock))
        for on, off in (("block udp", "unblock udp"), ("up block udp", "unblock all"),
                        ("down block all", "down unblock udp"), ("loss 100", "loss 0"),
                        ("cut 1", "cut 0"), ("mtu 4", "mtu 0")):
            with self.subTest(on):
                self.assertEqual(emulator.tell(on), "ok")
                self.assertFalse(passes(sock, 0.3))
                self.assertEqual(emulator.tell(off), "ok")
                self.assertTrue(passes(sock))
        self.assertGreater(emulator.stats()["up"]["blocked"], 0)

    def test_one_direction_alone(self):
        emulator, sock = self.emulate()
        emulator.tell("down block udp")
        self.assertFalse(passes(sock, 0.3))
        self.assertGreater(len(self.echo.seen), 0)

    def test_a_new_source_port_is_what_the_target_sees(self):
        emulator, sock = self.emulate()
        ports = []
        for _ in range(5):
            self.assertTrue(passes(sock))
            ports.append(self.echo.seen[-1][1][1])
            emulator.tell("port new")
        self.assertTrue(all(a != b for a, b in zip(ports, ports[1:])), ports)
        emulator.tell("source 127.0.0.9")
        self.assertTrue(passes(sock))
        self.assertEqual(self.echo.seen[-1][1][0], "127.0.0.9")
        self.assertEqual(emulator.stats()["source_port_changes"], 6)

    def test_what_is_sent_to_the_old_port_reaches_nobody(self):
        emulator, sock = self.emulate()
        self.assertTrue(passes(sock))
        old = self.echo.seen[-1][1]
        emulator.tell("port new")
        self.echo.socket.sendto(b"late", old)
        sock.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            sock.recv(100)

    def test_every_client_has_its_own_way_back(self):
        emulator, _ = self.emulate("--clients", 10)
        socks = [udp_socket(emulator.ports[0]) for _ in range(10)]
        for sock in socks:
            self.assertTrue(passes(sock))
        self.assertEqual(emulator.stats()["udp_clients"], 10)
        more = udp_socket(emulator.ports[0])
        self.assertTrue(passes(more))
        stats = emulator.stats()
        self.assertEqual((stats["udp_clients"], stats["udp_clients_evicted"]), (10, 1))
        self.assertTrue(all(passes(sock) for sock in socks[1:] + [more]))

    def test_what_was_on_its_way_for_one_client_never_reaches_the_next(self):
        emulator, first = self.emulate("--clients", 1, "--delay", 200)
        second = udp_socket(emulator.ports[0])
        first.send(b"first")
        while emulator.stats()["up"]["entered"] == 0:
            pass
        second.send(b"second")
        second.settimeout(harness.PATIENCE_S)
        self.assertEqual(second.recv(100), b"second")
        self.assertEqual([data for data, _ in self.echo.seen], [b"second"])

    def test_ipv6(self):
        try:
            echo = UdpEcho("::1", socket.AF_INET6)
        except OSError as error:
            self.skipTest(f"no IPv6 here: {error}")
        emulator = Emulator(self.folder, "--forward", f"[::1]:0=[::1]:{echo.port}")
        self.addCleanup(emulator.stop)
        self.assertTrue(passes(udp_socket(emulator.ports[0], "::1", socket.AF_INET6)))


class Tcp(harness.TestCase):
    def emulate(self, *options):
        self.echo = TcpEcho()
        emulator = Emulator(self.folder, "--forward", f"tcp:127.0.0.1:0=127.0.0.1:{self.echo.port}",
                            *options)
        self.addCleanup(emulator.stop)
        return emulator

    def connect(self, emulator):
        sock = socket.create_connection(("127.0.0.1", emulator.ports[0]))
        sock.settimeout(harness.PATIENCE_S)
        self.addCleanup(sock.close)
        return sock

    def round_trip(self, sock):
        start = time.monotonic()
        sock.sendall(b"x")
        self.assertEqual(sock.recv(1), b"x")
        return time.monotonic() - start

    def test_bytes_arrive_unchanged_late_and_with_their_end(self):
        emulator = self.emulate("--loss", 5, "--delay", 20, "--jitter", 5)
        sock = self.connect(emulator)
        self.assertGreaterEqual(self.round_trip(sock), 0.040)
        data = os.urandom(1 << 20)
        sender = threading.Thread(target=sock.sendall, args=(data,))
        sender.start()
        self.assertEqual(read_exactly(sock, len(data)), data)
        sender.join()
        sock.shutdown(socket.SHUT_WR)
        self.assertEqual(sock.recv(1), b"")
        limit = time.monotonic() + 10
        while emulator.stats()["tcp_connections"] > 0:
            self.assertLess(time.monotonic(), limit)
        self.assertEqual(emulator.stats()["tcp_resets"], 0)

    def test_the_rate_holds(self):
        emulator = self.emulate("--set", "up rate 4000 queue 20000")
        sock = self.connect(emulator)
        start = time.monotonic()
        sock.sendall(bytes(500000))
        sock.shutdown(socket.SHUT_WR)
        self.assertEqual(len(read_exactly(sock, 500000)), 500000)
        self.assertAlmostEqual(time.monotonic() - start, 1.0, delta=0.25)

    def test_a_stream_gets_its_turn_after_datagrams_that_filled_the_queue(self):
        echo = UdpEcho()
        emulator = self.emulate("--set", "up rate 800 queue 20000",
                                "--forward", f"udp:127.0.0.1:0=127.0.0.1:{echo.port}")
        sock = self.connect(emulator)
        datagrams = udp_socket(emulator.ports[1])
        for _ in range(18):
            datagrams.send(bytes(1000))
        while emulator.stats()["up"]["entered"] < 18:
            pass
        sock.settimeout(10)
        self.round_trip(sock)

    def test_a_blocked_connection_stalls_and_goes_on(self):
        emulator = self.emulate()
        sock = self.connect(emulator)
        self.round_trip(sock)
        emulator.tell("block tcp")
        sock.settimeout(0.3)
        sock.sendall(b"y")
        with self.assertRaises(TimeoutError):
            sock.recv(1)
        self.assertEqual(emulator.stats()["up"]["entered_bytes"], 1)
        sock.settimeout(harness.PATIENCE_S)
        emulator.tell("unblock tcp")
        self.assertEqual(sock.recv(1), b"y")

    def test_blocking_also_holds_what_was_on_its_way(self):
        emulator = self.emulate("--set", "up delay 300")
        sock = self.connect(emulator)
        sock.sendall(b"y")
        while emulator.stats()["up"]["held"] == 0:
            pass
        emulator.tell("up block tcp")
        sock.settimeout(0.6)
        with self.assertRaises(TimeoutError):
            sock.recv(1)
        self.assertEqual(emulator.stats()["up"]["held"], 0)
        sock.settimeout(harness.PATIENCE_S)
        emulator.tell("unblock tcp")
        self.assertEqual(sock.recv(1), b"y")

    def test_nothing_enters_a_blocked_line(self):
        emulator = self.emulate("--delay", 5)
        sock = self.connect(emulator)
        emulator.tell("block tcp")
        sock.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            sock.sendall(bytes(64 << 20))
        self.assertEqual(emulator.stats()["up"]["entered_bytes"], 0)

    def test_a_target_that_does_not_read_stops_the_sender(self):
        with socket.create_server(("127.0.0.1", 0)) as target, \
                Emulator(self.folder, "--forward", "tcp:127.0.0.1:0=127.0.0.1:"
                         f"{target.getsockname()[1]}") as emulator:
            sock = self.connect(emulator)
            sock.settimeout(1.0)
            with self.assertRaises(TimeoutError):
                sock.sendall(bytes(64 << 20))
            # The emulator's own megabyte, and what the kernel takes for the target.
            self.assertLess(emulator.stats()["up"]["entered_bytes"], 32 << 20)
            taken, _ = target.accept()
            taken.close()

    def test_reset_and_refuse(self):
        emulator = self.emulate()
        sock = self.connect(emulator)
        self.round_trip(sock)
        emulator.tell("reset tcp")
        with self.assertRaises(ConnectionResetError):
            sock.recv(1)
        emulator.tell("refuse tcp")
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            self.round_trip(self.connect(emulator))
        emulator.tell("accept tcp")
        self.round_trip(self.connect(emulator))

    def test_nobody_at_the_target_is_a_reset(self):
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        with Emulator(self.folder, "--forward", f"tcp:127.0.0.1:0=127.0.0.1:{port}") as emulator:
            with self.assertRaises((ConnectionResetError, BrokenPipeError)):
                self.round_trip(self.connect(emulator))


class FastNet(harness.TestCase):
    def test_ping_gets_everything_back_through_ten_percent_loss(self):
        certificates = self.certificates()
        # The server tells its clients the address to use for UDP, so that has to be ours.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            udp_port = free.getsockname()[1]
        with harness.echo(certificates, "--advertise", f"127.0.0.1:{udp_port}") as server, \
                Emulator(self.folder, "--loss", 10, "--delay", 5,
                         "--forward", f"udp:127.0.0.1:{udp_port}=127.0.0.1:{server.udp}",
                         "--forward", f"tcp:127.0.0.1:0=127.0.0.1:{server.tls}") as emulator:
            result = harness.ping(f"localhost:{emulator.ports[1]}", "--ca", certificates.ca,
                                  "--channel", 0, "--count", 300, "--interval-us", 2000)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            stats = emulator.stats()
            self.assertGreater(stats["up"]["lost"] + stats["down"]["lost"], 20)
            self.assertGreater(stats["tcp_connections_seen"], 0)


class Command(harness.TestCase):
    def test_what_is_wrong_is_said_and_has_its_code(self):
        good = ("--forward", "udp:127.0.0.1:0=127.0.0.1:9")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for code, arguments, text in (
                    (2, (), "--forward"),
                    (2, ("--forward", "127.0.0.1:1"), "HOST:PORT=HOST:PORT"),
                    (2, ("--forward", "::1:1=127.0.0.1:2"), "[HOST]:PORT"),
                    (2, ("--forward", "127.0.0.1:0=127.0.0.1:0"), "port 0"),
                    (2, (*good, "--loss", "101"), "from 0 to 100"),
                    (2, (*good, "--loss", "-1"), "from 0 to 100"),
                    (2, (*good, "--loss", "nan"), "from 0 to 100"),
                    (2, (*good, "--loss", "1.25"), "steps of 0.1"),
                    (2, (*good, "--set", "block everything"), "udp, tcp and all"),
                    (2, (*good, "--set", "loss 5 delay"), "with a value each"),
                    (2, (*good, "--set", "up seed 5"), "no direction"),
                    (2, (*good, "stats"), "--tell"),
                    (2, (*good, "--spin", "--realtime"), "exclude"),
                    (2, (*good, "--tun", "a=10.0.0.1/24"), "either"),
                    (2, ("--tun", ".=10.0.0.1/24"), "twice"),
                    (3, ("--forward", f"tcp:127.0.0.1:{port}=127.0.0.1:9"), "in use"),
                    (3, ("--tell", self.path("nobody"), "stats"), "nobody listens"),
                    (3, ("--tun", "no-such=10.0.0.1/24", "--tun", ".=10.0.0.2/24"), "no-such")):
                with self.subTest(arguments):
                    result = harness.fastnet("netem", *arguments)
                    self.assertEqual(result.returncode, code, result.stderr)
                    self.assertIn(text, result.stderr)

    def test_a_refused_command_changes_nothing_and_tell_says_so(self):
        with Emulator(self.folder, "--forward", "udp:127.0.0.1:0=127.0.0.1:9") as emulator:
            result = harness.fastnet("netem", "--tell", emulator.socket, "loss 5 delay x")
            self.assertEqual(result.returncode, 2)
            self.assertIn("delay needs a number", result.stderr)
            self.assertEqual(emulator.stats()["up"]["parameters"]["loss"], 0)
            emulator.tell("up loss 2.5 delay 0.25 rate 512")
            parameters = emulator.stats()["up"]["parameters"]
            self.assertEqual([parameters[name] for name in ("loss", "delay", "rate")],
                             [2.5, 0.25, 512])
            self.assertEqual(emulator.stats()["down"]["parameters"]["loss"], 0)

    def test_commands_on_standard_input_and_the_last_report(self):
        with harness.Process([harness.FASTNET, "netem", "--stdin", "--forward",
                              "udp:127.0.0.1:0=127.0.0.1:9"], stdin=subprocess.PIPE) as process:
            process.wait_line("^ready$")
            process.stdin.write("loss 5\nbogus\nstats\nquit\n")
            process.stdin.close()
            self.assertEqual(process.wait(), 0)
            told = process.lines[process.lines.index("ready") + 1:]
            self.assertEqual(told[0], "ok")
            self.assertIn("error: ", told[1])
            self.assertEqual(json.loads(told[2])["up"]["parameters"]["loss"], 5)
            self.assertEqual(told[3], "ok")
            self.assertRegex(told[4], r"^--- netem statistics, \d+\.\d s ---$")
            self.assertRegex(told[5], r"^up +0 packets in \(0\.0 kB\), 0 out, 0 lost \(0 %\)$")
            self.assertIn("UDP clients 0, TCP connections 0", told[7])
        with harness.Process([harness.FASTNET, "netem", "--stdin", "--json", "--forward",
                              "udp:127.0.0.1:0=127.0.0.1:9"], stdin=subprocess.PIPE) as process:
            process.wait_line("^ready$")
            process.stdin.write("quit\n")
            process.stdin.close()
            self.assertEqual(process.wait(), 0)
            json.loads(process.lines[-1])

    def test_the_summary_names_what_was_lost_and_why(self):
        echo = UdpEcho()
        with Emulator(self.folder, "--loss", "100", "--forward",
                      f"udp:127.0.0.1:0=127.0.0.1:{echo.port}") as emulator:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                for _ in range(4):
                    client.sendto(b"x" * 500, ("127.0.0.1", emulator.ports[0]))
            while emulator.stats()["up"]["lost"] < 4:
                pass
            emulator.tell("quit")
            self.assertEqual(emulator.wait(), 0)
            text = "\n".join(emulator.lines)
            self.assertIn("4 packets in (2.0 kB), 0 out, 4 lost (100 %)\n", text)
            self.assertIn("UDP clients 1,", text)

    def test_answers_and_statistics_that_cannot_be_written_are_a_failure(self):
        for commands in ("loss 5\nquit\n", "quit\n"):
            with open("/dev/full", "wb") as full:
                result = subprocess.run(
                    [harness.FASTNET, "netem", "--stdin", "--forward",
                     "udp:127.0.0.1:0=127.0.0.1:9"], input=commands, stdout=full,
                    stderr=subprocess.PIPE, text=True, timeout=60, env=harness.environment(),
                    check=False)
            self.assertEqual(result.returncode, 3)
            self.assertIn("could not be written", result.stderr)

    def test_a_file_at_the_control_path_stays(self):
        path = self.path("notes.txt")
        for text in ("", "not yours"):
            with open(path, "w", encoding="ascii") as stream:
                stream.write(text)
            result = harness.fastnet("netem", "--control", path, "--forward",
                                     "udp:127.0.0.1:0=127.0.0.1:9")
            self.assertEqual(result.returncode, 3)
            self.assertIn(f"cannot listen on '{path}': Address already in use", result.stderr)
            with open(path, encoding="ascii") as stream:
                self.assertEqual(stream.read(), text)

    def test_a_file_that_replaced_the_socket_stays(self):
        with Emulator(self.folder, "--stdin", "--forward", "udp:127.0.0.1:0=127.0.0.1:9",
                      stdin=subprocess.PIPE) as emulator:
            os.unlink(emulator.socket)
            with open(emulator.socket, "w", encoding="ascii") as stream:
                stream.write("mine now")
            emulator.stdin.write("quit\n")
            emulator.stdin.close()
            self.assertEqual(emulator.wait(), 0)
            with open(emulator.socket, encoding="ascii") as stream:
                self.assertEqual(stream.read(), "mine now")

    def test_a_client_whose_udp_goes_past_is_told_once(self):
        """The server names its own UDP address: without --advertise, nothing of it comes here."""
        certificates = self.certificates()
        for advertised in (False, True):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            more = ("--advertise", f"127.0.0.1:{port}") if advertised else ()
            with harness.echo(certificates, *more) as server, Emulator(
                    self.folder, "--forward", f"udp:127.0.0.1:{port}=127.0.0.1:{server.udp}",
                    "--forward", f"tcp:127.0.0.1:0=127.0.0.1:{server.tls}") as emulator:
                for _ in range(2):
                    result = harness.ping(f"localhost:{emulator.ports[-1]}", "--ca",
                                          certificates.ca, "--count", "2", "--interval-us", "0")
                    self.assertEqual(result.returncode, 0, result.stderr)
                emulator.tell("quit")
                self.assertEqual(emulator.wait(), 0)
                told = [line for line in emulator.errors if "goes past this emulator" in line]
                self.assertEqual(len(told), 0 if advertised else 1, emulator.errors)

    def test_the_socket_goes_away_and_a_stale_one_is_replaced(self):
        emulator = Emulator(self.folder, "--forward", "udp:127.0.0.1:0=127.0.0.1:9")
        path = emulator.socket
        second = harness.fastnet("netem", "--control", path, "--forward", "udp:127.0.0.1:0=[::1]:9")
        self.assertEqual(second.returncode, 3)
        emulator.signal(signal.SIGKILL)
        emulator.wait()
        self.assertTrue(os.path.exists(path))
        with harness.Process([harness.FASTNET, "netem", "--control", path, "--forward",
                              "udp:127.0.0.1:0=127.0.0.1:9"]) as process:
            process.wait_line("^ready$")
        self.assertFalse(os.path.exists(path))


harness.main()
