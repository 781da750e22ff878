"""s6: a hundred TLS connections sit idle half-way through; a real client does not notice."""

import socket
import time

import harness

STALE = 100
ADDRESSES = 10  # attackers share them, so that per-address limits meet them and nobody else
DEADLINE_S = 5  # handshake_timeout_ms of `fastnet echo`


class HalfOpen(harness.TestCase):
    def measure(self, server, certificates):
        return self.assert_pings(server, certificates, "--count", "300", "--interval-us", "2000",
                                 "--channel", "1")["rtt_us"]["p50"]

    def open_half(self, server, number):
        connection = socket.socket()
        self.addCleanup(connection.close)
        connection.bind((f"127.0.0.{2 + number % ADDRESSES}", 0))
        connection.connect(("127.0.0.1", server.tls))
        # A record header that promises 300 bytes, and some of them: never a whole ClientHello.
        connection.sendall(b"\x16\x03\x01\x01\x2c\x01" + bytes(number))
        return connection

    def test_s6_idle_handshakes_harm_nobody_and_go_away(self):
        certificates = self.certificates()
        with harness.echo(certificates) as server:
            quiet_us = self.measure(server, certificates)
            began = time.monotonic()
            stale = [self.open_half(server, number) for number in range(STALE)]
            opened_s = time.monotonic() - began
            crowded_us = self.measure(server, certificates)
            still_open = time.monotonic() - began < DEADLINE_S
            for connection in stale:
                limit = began + opened_s + DEADLINE_S + 3
                connection.settimeout(max(0.1, limit - time.monotonic()))
                try:
                    self.assertEqual(connection.recv(100), b"")
                except ConnectionError:
                    pass
            print(f"rtt p50: {quiet_us:.0f} us alone, {crowded_us:.0f} us beside {STALE} half-open")
            self.assertTrue(still_open, "the measurement came too late to mean anything")
            # Scheduling noise is far below this; a server that waits for one of them is far above.
            self.assertLess(crowded_us, 5 * quiet_us + 2000)
            self.assert_pings(server, certificates)


harness.main()
