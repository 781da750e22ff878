"""t1, p5: one session over whatever path there is, on real sockets through `fastnet netem`."""

import json
import signal
import socket
import struct
import threading
import time

import harness

AT_ONCE = 5
MESSAGES = 5000
HOUR_US = 3600 * 1000 * 1000
ROAMING_S = 60 if harness.OPTIONS.full else 20
MESSAGES_PER_ROAMING_S = 290  # at 2.2 Mbit/s more than a second's load
ROAMING_START_S = 5
BYSTANDER_RTT_US_P99 = 250000  # far below the stall; a sanitizer build on a busy machine, alone 1,000
ROAMING_GROWTH_KIB = 1024  # of the 17 MB that come in 60 s

# A sanitizer build uses freed memory again at once: else it only grows.
NO_QUARANTINE = "ASAN_OPTIONS=quarantine_size_mb=0:thread_local_quarantine_size_kb=0"


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


class Relay:
    """Carries TCP to a server. The first connection comes to grief after so many bytes; later ones
    are carried to their end.

    reset: in the middle of a TLS record of that connection, both sides get a reset.
    stall: nothing is read from the server any more, until resume(): its window goes to zero.
    """

    HEADER_BYTES = 5
    RECEIVE_BYTES = 16384  # a small window

    def __init__(self, target, grief, after_bytes):
        self._target, self._grief, self._after_bytes = target, grief, after_bytes
        self._sockets = []
        self.connections = 0
        self.came_to_grief = threading.Event()
        self._resumed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near = self._listener.accept()[0]
                far = socket.socket()
                far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.RECEIVE_BYTES)
                far.connect(self._target)
            except OSError:
                return
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [near, far]
            is_first = self.connections == 0
            self.connections += 1
            threading.Thread(target=self._carry, args=(near, far, is_first), daemon=True).start()
            threading.Thread(target=self._copy, args=(far, near, is_first), daemon=True).start()

    def _copy(self, source, sink, is_first):
        try:
            while data := source.recv(65536):
                if is_first and self._grief == "stall" and self.came_to_grief.is_set():
                    self._resumed.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    @staticmethod
    def _exactly(source, count):
        data = b""
        while len(data) < count:
            piece = source.recv(count - len(data))
            if not piece:
                raise OSError("ended")
            data += piece
        return data

    def _carry(self, near, far, is_first):
        """Client to server, record by record."""
        total = 0
        try:
            while True:
                header = self._exactly(near, self.HEADER_BYTES)
                body = self._exactly(near, int.from_bytes(header[3:], "big"))
                total += len(header) + len(body)
                if is_first and total > self._after_bytes:
                    self.came_to_grief.set()
                    if self._grief == "reset":
                        far.sendall(header + body[:len(body) // 2])
                        self._reset(near, far)
                        return
                far.sendall(header + body)
        except OSError:
            far.close()

    @staticmethod
    def _reset(*sides):
        time.sleep(0.05)  # the half is read before
        for side in sides:
            side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            side.shutdown(socket.SHUT_RD)  # wakes the other thread
            side.close()

    def resume(self):
        self._resumed.set()

    def close(self):
        self.resume()
        self._listener.close()
        for each in self._sockets:
            each.close()


class PathsTestCase(harness.TestCase):
    """The server runs in the network behind self.link."""

    def setUp(self):
        super().setUp()
        self.certs = self.certificates("localhost", "127.0.0.1", harness.Neighbour.address)

    def receive(self, messages, environment=()):
        receiver = harness.Server([harness.program("e2e_bulk"), "receive", self.certs.cert,
                                   self.certs.key, messages],
                                  prefix=[*self.link.prefix, "env", *environment])
        self.addCleanup(receiver.stop)
        return receiver

    def send(self, address, messages, *options):
        sender = harness.Process([harness.program("e2e_bulk"), "send", address, self.certs.ca,
                                  messages, 0, *options])
        self.addCleanup(sender.stop)
        return sender

    def assert_all_arrived(self, receiver, sender, messages=MESSAGES):
        """Returns what the receiver told."""
        self.assertEqual(receiver.wait(timeout=120), 0, receiver.lines)
        self.assertEqual(sender.wait(timeout=30), 0, sender.errors)
        told = json.loads(receiver.lines[-1])
        self.assertEqual((told["connected"], told["received"], told["doubled"], told["damaged"],
                          told["out_of_order"]), (1, messages, 0, 0, 0))
        return told


class Paths(PathsTestCase):
    def setUp(self):
        super().setUp()
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

    def begin_transfer(self, *options, messages=MESSAGES, environment=()):
        """So many ordered messages on their way through the emulator."""
        receiver = self.receive(messages, environment)
        emulator = self.emulate(receiver, *options)
        return receiver, emulator, self.send(f"127.0.0.1:{receiver.tls}", messages)

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
        told = self.assert_all_arrived(receiver, sender)
        print(f"no message for {told['pause_ms']} ms")
        self.assertLess(told["pause_ms"], 3000)

    def test_a_new_source_port_every_second(self):
        """Nothing lost, one session, and a server that does not grow."""
        messages = ROAMING_S * MESSAGES_PER_ROAMING_S
        receiver, emulator, sender = self.begin_transfer("--rate", "2200", "--delay", "5",
                                                         messages=messages,
                                                         environment=[NO_QUARANTINE])
        resident = []
        for second in range(ROAMING_S):
            time.sleep(1)
            emulator.tell("port new")
            self.assertIsNone(receiver.poll(), "the load ended before the roaming did")
            if second >= ROAMING_START_S:
                resident.append(receiver.resident_kib())
        print(f"resident KiB after {ROAMING_START_S} s: {resident[0]}, at most {max(resident)}, "
              f"at the end {resident[-1]}; {messages} messages")
        self.assertLess(max(resident) - resident[0], ROAMING_GROWTH_KIB)
        self.assert_all_arrived(receiver, sender, messages)

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

    def begin_relayed_ping(self, server, grief):
        """A client that has only a TCP path, which breaks."""
        relay = Relay((self.link.address, server.tls), grief, after_bytes=100000)
        self.addCleanup(relay.close)
        client = harness.Process([harness.FASTNET, "ping", f"127.0.0.1:{relay.port}",
                                  "--ca", self.certs.ca, "--count", "400", "--size", "1000",
                                  "--interval-us", "8000", "--timeout-ms", "20000", "--json"])
        self.addCleanup(client.stop)
        return relay, client

    def ended_relayed_ping(self, client):
        """It lost nothing. Returns its longest round trip."""
        client.wait()
        told = json.loads(client.lines[-1])
        self.assertEqual((told["transport"], told["received"]), ("tcp", 400), told)
        return told["rtt_us"]["max"]

    def test_p5_a_reset_in_a_record_and_a_zero_window_harm_nobody_else(self):
        server = self.echo()
        bystander = harness.Process([harness.FASTNET, "ping", f"{self.link.address}:{server.tls}",
                                     "--ca", self.certs.ca, "--count", "400", "--channel", "1",
                                     "--interval-us", "16667", "--json"])
        self.addCleanup(bystander.stop)
        reset, cut_client = self.begin_relayed_ping(server, "reset")
        stall, stalled_client = self.begin_relayed_ping(server, "stall")
        for relay in (reset, stall):
            self.assertTrue(relay.came_to_grief.wait(harness.PATIENCE_S))
        self.assertIsNone(bystander.poll(), "the bystander ended before it happened")
        bystander.wait()
        stall.resume()
        told = json.loads(bystander.lines[-1])
        self.assertEqual((told["transport"], told["received"]), ("udp", 400), told)
        self.assertLess(told["rtt_us"]["p99"], BYSTANDER_RTT_US_P99)
        self.ended_relayed_ping(cut_client)
        self.assertGreater(self.ended_relayed_ping(stalled_client), 1e6, "it did not stall")
        self.assertGreaterEqual(reset.connections, 2)
        # Silent for three seconds, it was left for another one.
        self.assertGreaterEqual(stall.connections, 2)
        print(f"the bystander's round trip: {told['rtt_us']}")

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

    def kill_and_restart(self, interval_us, away_s):
        """The client hears of it within three seconds of the server's return."""
        server = self.echo()
        client = harness.Process([harness.FASTNET, "ping", f"{self.link.address}:{server.tls}",
                                  "--ca", self.certs.ca, "--count", "100000",
                                  "--interval-us", str(interval_us), "--json"])
        self.addCleanup(client.stop)
        time.sleep(2)
        server.signal(signal.SIGKILL)
        server.wait()
        time.sleep(away_s)
        self.echo(udp=server.udp, tls=server.tls)
        back = time.monotonic()
        client.wait(timeout=30)
        took = time.monotonic() - back
        print(f"GONE {took:.2f} s after the server was back")
        self.assertLess(took, 3.0)
        told = json.loads(client.lines[-1])
        self.assertEqual(told["error"]["result"], "FASTNET_ERR_GONE")
        return told

    def test_a_server_killed_and_restarted_says_gone(self):
        self.kill_and_restart(20000, away_s=1)

    def test_an_idle_client_hears_gone_after_a_quick_restart(self):
        self.assertEqual(self.kill_and_restart(HOUR_US, away_s=0)["sent"], 1)

    def test_an_idle_client_hears_gone_after_a_long_absence(self):
        self.assertEqual(self.kill_and_restart(HOUR_US, away_s=5.3)["sent"], 1)

    def test_a_server_answers_from_the_address_that_was_called(self):
        """Its interface has two addresses; the system would answer from the first one."""
        second = "10.77.0.3"
        harness.run(*self.link.prefix, "ip", "address", "add", f"{second}/24", "dev", "far",
                    check=True)
        server = self.echo()
        for address in (second, self.link.address):
            began = time.monotonic()
            told = self.assert_pings(server, self.certs, "--name", "localhost", host=address)
            self.assertEqual(told["transport"], "udp")
            self.assertLess(time.monotonic() - began, 1.4)  # TCP begins after 1.5


class Interfaces(PathsTestCase):
    """A server that two interfaces lead to; the client sends through the first one."""

    address = "10.77.0.2"

    def setUp(self):
        super().setUp()
        self.link = harness.Namespace()
        self.addCleanup(self.link.close)
        harness.run(*self.link.prefix, "ip", "address", "add", f"{self.address}/32", "dev", "lo",
                    check=True)
        for number in (1, 2):
            near, far = f"10.78.{number}.1", f"10.78.{number}.2"
            self.link.join(f"near{number}", near, f"far{number}", far)
            harness.run("ip", "route", "add", self.address, "via", far, "metric", str(number),
                        check=True)
            harness.run("tc", "qdisc", "add", "dev", f"near{number}", "root", "tbf", "rate",
                        "6mbit", "burst", "6000", "latency", "50ms", check=True)

    @staticmethod
    def sent_bytes(name):
        shown = harness.run("ip", "-json", "-statistics", "link", "show", name, check=True).stdout
        return json.loads(shown)[0]["stats64"]["tx"]["bytes"]

    def lose_interface(self, peers_max, and_udp, pause_ms_max):
        receiver = self.receive(MESSAGES)
        sender = self.send(f"{self.address}:{receiver.tls}", MESSAGES, peers_max)
        time.sleep(2)
        self.assertIsNone(receiver.poll(), "the load ended too soon")
        self.assertGreater(self.sent_bytes("near1"), 100 * self.sent_bytes("near2"))
        if and_udp:
            harness.run(*self.link.prefix, "nft", "table inet blocked { chain arriving { type "
                        "filter hook input priority 0; meta l4proto udp drop; }; }", check=True)
        harness.run("ip", "link", "set", "near1", "down", check=True)
        told = self.assert_all_arrived(receiver, sender)
        print(f"no message for {told['pause_ms']} ms")
        self.assertLess(told["pause_ms"], pause_ms_max)
        return json.loads(sender.lines[-1])["transport"]

    def test_the_interface_in_use_is_lost(self):
        """A socket that is not connected follows the routes: the server sees a new address."""
        self.assertEqual(self.lose_interface(64, and_udp=False, pause_ms_max=2000), "udp")

    def test_the_interface_in_use_is_lost_to_a_connected_socket(self):
        """It sticks to its address, and is replaced when nothing is heard."""
        self.assertEqual(self.lose_interface(1, and_udp=False, pause_ms_max=3000), "udp")

    def test_the_interface_in_use_is_lost_and_udp_with_it(self):
        self.assertEqual(self.lose_interface(1, and_udp=True, pause_ms_max=3000), "tcp")


harness.main_apart(AT_ONCE)
