"""fastnet netem --tun: two namespaces, and the real stack on a bad cable between them."""

import hashlib
import os
import socket
import subprocess
import sys
import time

from emulator import Emulator, exchange, harness, passes, udp_socket

OWN, OTHER = "10.78.0.1", "10.78.0.2"
OWN6, OTHER6 = "fd00:78::1", "fd00:78::2"

UDP_SERVER = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 5000))
print("ready", flush=True)
last = None
while True:
    data, sender = s.recvfrom(65536)
    if sender[1] != last:
        print("port", sender[1], flush=True)
        last = sender[1]
    s.sendto(data, sender)
"""

TCP_SERVER = """
import hashlib, socket
s = socket.create_server(("", 5000))
print("ready", flush=True)
while True:
    c, _ = s.accept()
    digest = hashlib.sha256()
    while data := c.recv(65536):
        digest.update(data)
    c.sendall(digest.hexdigest().encode())
    c.close()
"""


class Tun(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "3600"])
        self.addCleanup(self.holder.wait)
        self.addCleanup(self.holder.kill)
        limit = time.monotonic() + harness.PATIENCE_S
        path = f"/proc/{self.holder.pid}/ns/net"
        while os.readlink(path) == os.readlink("/proc/self/ns/net"):
            self.assertLess(time.monotonic(), limit)
            time.sleep(0.01)
        self.prefix = ["nsenter", f"--net={path}"]
        harness.run(*self.prefix, "ip", "link", "set", "lo", "up", check=True)

    def emulate(self, *options):
        addresses = (f"{OWN}/24,{OWN6}/64", f"{OTHER}/24,{OTHER6}/64")
        if not os.path.exists("/proc/net/if_inet6"):
            addresses = [both.split(",")[0] for both in addresses]
        emulator = Emulator(self.folder, "--tun", f".={addresses[0]}",
                            "--tun", f"{self.holder.pid}={addresses[1]}", *options)
        self.addCleanup(emulator.stop)
        return emulator

    def serve(self, program):
        server = harness.Process([sys.executable, "-c", program], prefix=self.prefix)
        self.addCleanup(server.stop)
        server.wait_line("ready")
        return server

    def test_datagrams_are_lost_and_late(self):
        emulator = self.emulate("--loss", 5, "--delay", 10)
        self.serve(UDP_SERVER)
        times, damaged = exchange(udp_socket(5000, OTHER), 1000)
        stats = emulator.stats()
        self.assertEqual(damaged, 0)
        self.assertAlmostEqual(len(times) / 1000, 0.95 * 0.95, delta=0.05)
        self.assertGreaterEqual(min(times.values()), 0.020)
        self.assertGreaterEqual(stats["up"]["entered"], 1000)

    def transfer(self, data):
        with socket.create_connection((OTHER, 5000), timeout=harness.PATIENCE_S) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            return sock.recv(100).decode()

    def test_tcp_survives_two_percent_loss(self):
        emulator = self.emulate("--loss", 2, "--delay", 2)
        self.serve(TCP_SERVER)
        data = os.urandom(2 << 20)
        self.assertEqual(self.transfer(data), hashlib.sha256(data).hexdigest())
        stats = emulator.stats()
        self.assertGreater(stats["up"]["lost"], 10)
        self.assertGreater(stats["up"]["entered_bytes"], len(data))

    def test_tcp_finds_the_rate(self):
        self.emulate("--rate", 8000, "--queue", 50000, "--delay", 2)
        self.serve(TCP_SERVER)
        data = bytes(1000000)
        start = time.monotonic()
        self.transfer(data)
        took = time.monotonic() - start
        self.assertGreater(took, 0.95)
        self.assertLess(took, 2.5)

    def test_udp_is_blocked_alone(self):
        emulator = self.emulate()
        self.serve(UDP_SERVER)
        self.serve(TCP_SERVER)
        sock = udp_socket(5000, OTHER)
        self.assertTrue(passes(sock))
        emulator.tell("block udp")
        self.assertFalse(passes(sock, 0.3))
        self.assertEqual(self.transfer(b"x"), hashlib.sha256(b"x").hexdigest())
        emulator.tell("unblock udp")
        self.assertTrue(passes(sock))

    def test_a_new_source_port_is_what_the_server_sees(self):
        emulator = self.emulate()
        server = self.serve(UDP_SERVER)
        sockets = [udp_socket(5000, OTHER)]
        if os.path.exists("/proc/net/if_inet6"):
            sockets.append(udp_socket(5000, OTHER6, socket.AF_INET6))
        for count, sock in enumerate(sockets, 1):
            own = sock.getsockname()[1]
            for _ in range(4):
                self.assertTrue(passes(sock))
                emulator.tell("port new")
            self.assertTrue(passes(sock))

            def seen(lines, wanted=5 * count):
                ports = [line.split()[1] for line in lines if line.startswith("port")]
                return ports if len(ports) >= wanted else None

            ports = server.wait_until(seen, "a line for each port")
            self.assertEqual(len(ports), 5 * count)
            self.assertEqual(len(set(ports)), len(ports), f"{ports}, ours is {own}")

    def test_fastnet_ping_gets_everything_back(self):
        emulator = self.emulate("--loss", 10, "--delay", 5)
        certificates = self.certificates(OTHER, "localhost")
        with harness.Server([harness.FASTNET, "echo", "--udp", 0, "--tls", 0, "--cert",
                             certificates.cert, "--key", certificates.key],
                            prefix=self.prefix) as server:
            result = harness.ping(f"{OTHER}:{server.tls}", "--ca", certificates.ca, "--channel", 0,
                                  "--count", 300, "--interval-us", 2000)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertGreater(emulator.stats()["up"]["lost"], 10)

    def test_the_same_namespace_twice_is_refused(self):
        result = harness.fastnet("netem", "--tun", f".={OWN}/24", "--tun", f".={OTHER}/24")
        self.assertEqual(result.returncode, 2)
        self.assertIn("same namespace", result.stderr)

    def test_a_bad_address_is_refused(self):
        for address in ("10.0.0.1", "10.0.0.1/33", "10.0.0/24", "fd00::1/129", "x/1"):
            result = harness.fastnet("netem", "--tun", f".={address}", "--tun", f".={OTHER}/24")
            self.assertEqual(result.returncode, 2, address)
            self.assertIn("as in 10.9.0.1/24", result.stderr)


def check_permission():
    """One device is enough to know; a side that does not exist ends the attempt."""
    result = harness.fastnet("netem", "--tun", f".={OWN}/24", "--tun", f"no-such={OTHER}/24")
    if "no-such" not in result.stderr:
        harness.skip(result.stderr.strip())


harness.enter_new_network()
check_permission()
harness.main()
