"""What must hold: each line is a figure of one run, its limit, and PASS or the distance. A limit of
None: the figure is only shown."""

SPIN = "ping-pong, spin"
FAN = "1000 clients, 60 Hz"
IDLE = "fanout/FastNet, default waiting/1000 clients, 20 Hz"
TLS_KEPT = "fanout/FastNet, TLS kept/1000 clients, 20 Hz"


class Line:
    def __init__(self, what, limit, value=None, spread=None, at_least=False, unit="", why="",
                 aim=None):
        self.what = what
        self.limit = limit
        self.value = value
        self.spread = spread
        self.at_least = at_least
        self.unit = unit
        self.why = why
        self.aim = aim

    def passes(self):
        if self.value is None or self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def verdict(self):
        if self.value is None:
            return f"not measured: {self.why}"
        if self.limit is None:
            return "for comparison"
        if self.passes():
            reached = self.aim is not None and (self.value >= self.aim if self.at_least
                                                else self.value <= self.aim)
            return "PASS, aim reached" if reached else "PASS"
        return f"misses by {abs(self.value - self.limit):.3g}{self.unit}"

    def measured(self):
        if self.value is None:
            return "-"
        text = f"{self.value:.3g}{self.unit}"
        return f"{text} ({self.spread[0]:.3g}–{self.spread[1]:.3g})" if self.spread else text

    def wanted(self):
        if self.limit is None:
            return "-"
        aim = f", aim {self.aim:g}" if self.aim is not None else ""
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}{self.unit}{aim}"

    def as_json(self):
        return {"what": self.what, "limit": self.limit, "at_least": self.at_least,
                "value": self.value, "spread": self.spread, "unit": self.unit,
                "verdict": self.verdict()}


def rtt(name, load=SPIN):
    return f"rtt/{name}/{load}"


def ratio_line(results, what, limit, above, below, figure, at_least=False, why="not run",
               aim=None, other_figure=None):
    found = results.ratio(above, below, figure, other_figure)
    if not found:
        return Line(what, limit, at_least=at_least, why=why, aim=aim)
    return Line(what, limit, found[0], found[1:], at_least=at_least, aim=aim)


def value_line(results, what, limit, key, figure, unit="", why="not run"):
    rounds = results.rounds(key, figure)
    if not rounds:
        return Line(what, limit, unit=unit, why=why)
    return Line(what, limit, results.median(key, figure), (min(rounds), max(rounds)), unit=unit)


def both_ways(results, what, limit, aim, why):
    """The smaller of what one core sends and receives, against the better of the two floors."""
    ours = "throughput/FastNet unreliable/1200 B"
    found = []
    for figure in ("sent_per_cpu_s", "received_per_cpu_s"):
        floors = [results.ratio(ours, f"throughput/{floor}/1200 B", figure)
                  for floor in ("floor, GSO", "floor, sendmmsg")]
        floors = [entry for entry in floors if entry]
        if floors:
            found.append(min(floors))
    if len(found) < 2:
        return Line(what, limit, at_least=True, why=why, aim=aim)
    worst = min(found)
    return Line(what, limit, worst[0], worst[1:], at_least=True, aim=aim)


def allocations(results):
    keys = [rtt(name) for name in ("FastNet unreliable", "FastNet reliable ordered")]
    counts = [max(results.rounds(key, "allocations")) for key in keys
              if results.rounds(key, "allocations")]
    what = "allocations, steady state, both sides"
    return Line(what, 0, max(counts)) if counts else Line(what, 0, why="not run")


def lines(results, offers):
    unreliable, ordered = rtt("FastNet unreliable"), rtt("FastNet reliable ordered")
    no_setting = "this version has no setting {}"
    yield ratio_line(results, "p50 RTT 64 B, spinning, channel 1 ÷ raw UDP", 1.25, unreliable,
                     rtt("raw UDP"), "p50_us", aim=1.16)
    yield ratio_line(results, "p50 RTT 64 B, spinning, channel 0 ÷ raw UDP", 1.35, ordered,
                     rtt("raw UDP"), "p50_us")
    yield ratio_line(results, "p50 RTT ÷ ENet unreliable, spinning", 0.90, unreliable,
                     rtt("ENet unreliable"), "p50_us", why="ENet did not run")
    yield ratio_line(results, "p50 RTT ÷ QUIC datagrams, spinning", 0.60, unreliable,
                     rtt("QUIC datagrams"), "p50_us", why="QUIC did not run")
    yield ratio_line(results, "  the same, QUIC with FastNet's cipher", 0.60, unreliable,
                     rtt("QUIC datagrams, ChaCha20"), "p50_us", why="QUIC did not run")
    yield ratio_line(results, "p99 RTT ÷ raw UDP's p99, spinning", 1.5, unreliable,
                     rtt("raw UDP"), "p99_us")
    yield ratio_line(results, "default waiting: p50 RTT ÷ pure spin", 1.15,
                     rtt("FastNet unreliable", "ping-pong, default"), unreliable, "p50_us")
    yield value_line(results, "CPU of an endpoint with 1,000 idle peers", 1, IDLE,
                     "idle_cpu_percent", unit=" %")
    yield both_ways(results, "1200 B datagrams per core second ÷ floor, send and receive", 0.75,
                    0.85, "not run")
    yield ratio_line(results, "CPU per packet, 1,000-client fan-out ÷ floor", 1.3,
                     f"fanout/FastNet/{FAN}", f"fanout/floor/{FAN}", "cpu_us_per_packet")
    yield value_line(results, "resident memory per idle peer, TLS closed", 10, IDLE,
                     "resident_kib_per_peer", unit=" KiB")
    yield value_line(results, "  the same, TLS kept", None, TLS_KEPT, "resident_kib_per_peer",
                     unit=" KiB")
    yield ratio_line(results, "p50 RTT at 60/s, spinning, kept warm ÷ not", 0.4,
                     rtt("FastNet unreliable, kept warm", "60/s, spin"),
                     rtt("FastNet unreliable", "60/s, spin"), "p50_us",
                     why="not run" if "keep_warm_us" in offers else
                     no_setting.format("keep_warm_us"))
    yield ratio_line(results, "full handshakes per server CPU second ÷ OpenSSL alone", 0.8,
                     "handshake/FastNet/full", "handshake/OpenSSL alone/full", "per_server_cpu_s",
                     at_least=True)
    yield ratio_line(results, "  the same, resumed on both sides", None,
                     "handshake/FastNet/resumed", "handshake/OpenSSL alone/resumed",
                     "per_server_cpu_s", at_least=True)
    yield value_line(results, "connect, TCP to CONNECTED, loopback, P-256", 10,
                     "handshake/FastNet/one at a time", "p50_ms", unit=" ms")
    yield value_line(results, "connect over a link of 50 ms RTT", 4 * 50 + 10,
                     "loss/FastNet reliable/messages, 0 % loss", "connect_ms", unit=" ms")
    yield ratio_line(results, "cost of sharding (2 shards): server CPU per packet ÷ one endpoint",
                     1.10, f"fanout/FastNet, 2 shards, frames/{FAN}",
                     f"fanout/FastNet, frames/{FAN}", "cpu_us_per_packet")
    yield ratio_line(results, "  the same, each thread woken by its datagrams", 1.10,
                     f"fanout/FastNet, 2 shards/{FAN}", f"fanout/FastNet/{FAN}",
                     "cpu_us_per_packet")
    yield allocations(results)


def printed(all_lines):
    widths = [max(len(row[column]) for row in all_lines) for column in range(3)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)) + "  " + row[3]
            for row in all_lines]


def as_text(found):
    rows = [("figure", "must be", "measured (rounds)", "verdict")]
    rows += [(line.what, line.wanted(), line.measured(), line.verdict()) for line in found]
    return printed(rows)


def as_markdown(found):
    return ["| figure | must be | measured (rounds) | verdict |", "|---|---|---|---|",
            *(f"| {line.what.strip()} | {line.wanted()} | {line.measured()} | {line.verdict()} |"
              for line in found)]
