"""What a network does to UDP that no firewall has to: tunnels that are too small, hosts that drop
bursts in one piece, a system that sends no UDP at all. Whatever it is, the session goes on."""

import json
import time

import harness

AT_ONCE = 4
UDP_HEADERS_BYTES = 28  # of IPv4: the rules below see them
PAUSE_US = 50000
# A client that waits for UDP to be silent needs 1.5 s before it tries TCP at all.
AT_ONCE_S = 1.2


class PoorPath(harness.TestCase):
    """A server in the neighbour's network, and rules on both sides."""

    def setUp(self):
        super().setUp()
        self.link = harness.Neighbour()
        self.addCleanup(self.link.close)
        self.certs = self.certificates(harness.Neighbour.address)
        self.server = harness.echo(self.certs, prefix=self.link.prefix)
        self.addCleanup(self.server.stop)
        self.host = f"{harness.Neighbour.address}:{self.server.tls}"
        self.sides = {"up": self.link.prefix, "down": []}  # where it arrives

    def drop(self, way, hook, rule):
        harness.run(*self.sides[way], "nft", f"table inet poor_{way} {{ chain passing {{ type filter "
                    f"hook {hook} priority 0; meta l4proto udp {rule}; }}; }}", check=True)

    def cut_bursts(self):
        """What leaves in one piece is cut before it comes to the rules, as on a real wire."""
        harness.run("ip", "link", "set", "near", "gso_max_segs", "1", check=True)
        harness.run(*self.link.prefix, "ip", "link", "set", "far", "gso_max_segs", "1", check=True)

    def carry_at_most(self, mtu, ways):
        for way in ways:
            self.drop(way, "input", f"meta length > {mtu} counter drop")

    def begin(self, count, size):
        client = harness.Process([harness.FASTNET, "ping", self.host, "--ca", self.certs.ca,
                                  "--channel", "0", "--size", size, "--count", count,
                                  "--interval-us", PAUSE_US, "--timeout-ms", "20000"])
        self.addCleanup(client.stop)
        return client

    def assert_all_come_back(self, client, count):
        self.assertEqual(client.wait(), 0, client.lines[-5:] + client.errors)
        self.assertIn(f"{count} sent, {count} received", "\n".join(client.lines))

    def ping(self, *options, count=20, size=3000):
        result = harness.ping(self.host, "--ca", self.certs.ca, "--channel", "0", "--size",
                              str(size), "--count", str(count), "--interval-us", str(PAUSE_US),
                              *options)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual(result.json["received"], count)
        return result.json


class TooSmall(PoorPath):
    """A path that does not carry 1200 bytes is no UDP path, and large messages arrive all the same."""

    def assert_tcp_from_the_start(self, mtu, ways):
        self.cut_bursts()
        self.carry_at_most(mtu, ways)
        self.assertEqual(self.ping()["transport"], "tcp")

    def test_1196_from_the_start(self):
        self.assert_tcp_from_the_start(1196, ("up", "down"))

    def test_1100_from_the_start_up(self):
        self.assert_tcp_from_the_start(1100, ("up",))

    def test_1100_from_the_start_down(self):
        self.assert_tcp_from_the_start(1100, ("down",))

    def test_576_from_the_start(self):
        self.assert_tcp_from_the_start(576, ("up", "down"))

    def test_what_carries_just_1200_bytes_is_one(self):
        self.cut_bursts()
        self.carry_at_most(1200 + UDP_HEADERS_BYTES, ("up", "down"))
        self.assertEqual(self.ping()["transport"], "udp")

    def assert_goes_on_when_it_shrinks(self, mtu, ways):
        self.cut_bursts()
        client = self.begin(100, 3000)
        client.wait_line(r"seq=10\b")
        self.carry_at_most(mtu, ways)
        self.assert_all_come_back(client, 100)

    def test_1196_in_the_middle(self):
        self.assert_goes_on_when_it_shrinks(1196, ("up", "down"))

    def test_1000_in_the_middle_up(self):
        self.assert_goes_on_when_it_shrinks(1000, ("up",))

    def test_1000_in_the_middle_down(self):
        self.assert_goes_on_when_it_shrinks(1000, ("down",))

    def test_576_in_the_middle(self):
        self.assert_goes_on_when_it_shrinks(576, ("up", "down"))

    def test_thirty_percent_of_loss_are_no_reason_to_leave_udp(self):
        client = self.begin(200, 3000)
        client.wait_line(r"seq=5\b")
        for way in self.sides:
            self.drop(way, "input", "numgen random mod 100 < 30 counter drop")
        client.wait_line(r"seq=150\b")
        streams = harness.run("ss", "-Htn", "dst", harness.Neighbour.address, check=True).stdout
        self.assert_all_come_back(client, 200)
        self.assertIn(", udp)", client.lines[0])
        self.assertEqual(streams, "", "it was on TCP in the end")


class Bursts(PoorPath):
    """A host that drops what is longer than its link, before it is cut."""

    def test_bursts_that_vanish_arrive_one_by_one(self):
        for way in self.sides:
            self.drop(way, "input", "meta length > 1500 counter drop")
        told = self.ping(size=5000, count=40)
        self.assertEqual(told["transport"], "udp")
        for way, prefix in self.sides.items():  # it is found out, and not tried for ever
            shown = harness.run(*prefix, "nft", "-j", "list", "table", "inet", f"poor_{way}").stdout
            rules = [each["rule"] for each in json.loads(shown)["nftables"] if "rule" in each]
            dropped = sum(part["counter"]["packets"] for rule in rules for part in rule["expr"]
                          if "counter" in part)
            self.assertLess(dropped, 20, way)


class Unsendable(PoorPath):
    """The system answers an error instead of sending: TCP at once, never a failed connect."""

    def assert_tcp_at_once(self):
        began = time.monotonic()
        told = self.ping(count=1)
        took = time.monotonic() - began
        self.assertEqual(told["transport"], "tcp")
        if not harness.OPTIONS.sanitize:
            self.assertLess(took, AT_ONCE_S)

    def route(self, kind):
        """ip rule: only UDP is without a way."""
        harness.run("ip", "rule", "add", "ipproto", "udp", *kind, "pref", "10", check=True)

    def test_no_route_prohibited(self):
        self.route(["prohibit"])
        self.assert_tcp_at_once()

    def test_no_route_unreachable(self):
        self.route(["unreachable"])
        self.assert_tcp_at_once()

    def test_no_route_blackhole(self):
        self.route(["blackhole"])
        self.assert_tcp_at_once()

    def test_a_firewall_that_drops_what_leaves(self):
        self.drop("down", "output", "drop")
        self.assert_tcp_at_once()

    def test_a_firewall_that_rejects_what_leaves(self):
        self.drop("down", "output", "reject")
        self.assert_tcp_at_once()

    def test_an_advertised_address_of_a_family_without_a_route(self):
        server = harness.echo(self.certs, "--advertise", f"[2001:db8::1]:{self.server.udp}",
                              prefix=self.link.prefix)
        self.addCleanup(server.stop)
        self.host = f"{harness.Neighbour.address}:{server.tls}"
        self.assert_tcp_at_once()

    def assert_goes_on(self, trouble):
        client = self.begin(60, 3000)
        client.wait_line(r"seq=10\b")
        trouble()
        self.assert_all_come_back(client, 60)

    def test_a_firewall_in_the_middle_of_a_session(self):
        self.assert_goes_on(lambda: self.drop("down", "output", "drop"))

    def test_no_route_in_the_middle_of_a_session(self):
        self.assert_goes_on(lambda: self.route(["prohibit"]))

    def test_a_firewall_of_the_server_in_the_middle_of_a_session(self):
        self.assert_goes_on(lambda: self.drop("up", "output", "drop"))

    def test_a_firewall_that_drops_by_chance_is_no_reason_to_leave_udp(self):
        self.drop("down", "output", "numgen random mod 100 < 30 drop")
        self.assertEqual(self.ping(count=100)["transport"], "udp")


harness.main_apart(AT_ONCE)
