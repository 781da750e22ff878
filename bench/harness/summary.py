"""Medians and spreads of rounds, and tables of them."""

import statistics


def of_rounds(rounds):
    """{figure: {"median", "min", "max"}} of a list of {figure: number}; curves point by point."""
    result = {}
    for figure in {name for one in rounds for name in one if name != "curve"}:
        values = [one[figure] for one in rounds if figure in one]
        result[figure] = {"median": statistics.median(values), "min": min(values),
                          "max": max(values)}
    return result


def curve_of_rounds(rounds):
    curves = [one["curve"] for one in rounds if one.get("curve")]
    if not curves:
        return None
    return [[points[0][0], statistics.median(point[1] for point in points)]
            for points in zip(*curves)]


def number(value):
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:.3g} M"
    if size >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


class Results:
    """Looks numbers up by case key and figure."""

    def __init__(self, cases):
        self.cases = cases

    def median(self, key, figure):
        case = self.cases.get(key)
        entry = case and case["figures"].get(figure)
        return entry["median"] if entry else None

    def rounds(self, key, figure):
        case = self.cases.get(key)
        return [one[figure] for one in case["rounds"] if figure in one] if case else []

    def ratio(self, above, below, figure, other_figure=None):
        """(ratio of the medians, smallest and largest ratio of the rounds), or None."""
        numerators = self.rounds(above, figure)
        denominators = self.rounds(below, other_figure or figure)
        pairs = [a / b for a, b in zip(numerators, denominators) if b]
        if not pairs:
            return None
        median = statistics.median(numerators) / statistics.median(denominators)
        return median, min(pairs), max(pairs)

    def keys(self, suite):
        return [key for key in self.cases if key.startswith(suite + "/")]


COLUMNS = {
    "rtt": [("p50_us", "p50 µs"), ("avg_us", "avg"), ("p99_us", "p99"), ("p999_us", "p99.9"),
            ("max_us", "max"), ("client_cpu_us_per_packet", "client CPU µs/packet"),
            ("server_cpu_us_per_packet", "server CPU"), ("lost", "lost")],
    "throughput": [("sent_per_s", "sent/s"), ("received_per_s", "received/s"),
                   ("sent_per_cpu_s", "sent per CPU second"),
                   ("received_per_cpu_s", "received per CPU second"),
                   ("received_mb_per_s", "MB/s")],
    "fanout": [("cpu_us_per_packet", "CPU µs/packet"), ("p50_ms", "delay p50 ms"),
               ("p99_ms", "p99"), ("server_cpu_percent", "server CPU %"),
               ("resident_kib_per_peer", "KiB/peer"), ("idle_cpu_percent", "idle CPU %"),
               ("connects_per_s", "connects/s")],
    "loss": [("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"), ("max_ms", "max ms"),
             ("mbit_per_s", "Mbit/s"), ("connect_ms", "connect ms")],
    "handshake": [("per_s", "per s"), ("server_cpu_ms", "server CPU ms"),
                  ("client_cpu_ms", "client CPU ms"), ("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"),
                  ("resumed_share", "resumed")],
}


def table(results, suite):
    """Markdown lines, one table for each load."""
    lines = []
    loads = {}
    for key in results.keys(suite):
        _, name, load = key.split("/", 2)
        loads.setdefault(load, []).append((name, key))
    for load, rows in loads.items():
        columns = [(figure, title) for figure, title in COLUMNS[suite]
                   if any(results.median(key, figure) is not None for _, key in rows)]
        lines += ["", f"**{load}**", "", "| | " + " | ".join(title for _, title in columns) + " |",
                  "|---" * (len(columns) + 1) + "|"]
        for name, key in rows:
            values = [results.median(key, figure) for figure, _ in columns]
            cells = ["" if value is None else number(value) for value in values]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def crypto_table(results):
    key = "crypto/ChaCha20-Poly1305/one operation"
    case = results.cases.get(key)
    if not case:
        return []
    figures = sorted({name.split("/")[0] + "/" + name.split("/")[2] for name in case["figures"]})
    sizes = sorted({int(name.split("/")[1]) for name in case["figures"]})
    lines = ["", "| ns | " + " | ".join(f"{size} B" for size in sizes) + " |",
             "|---" * (len(sizes) + 1) + "|"]
    for figure in figures:
        backend, what = figure.split("/")
        cells = [number(case["figures"][f"{backend}/{size}/{what}"]["median"]) for size in sizes]
        lines.append(f"| {backend}, {what.removesuffix('_ns')} | " + " | ".join(cells) + " |")
    return lines


def system_table(results):
    case = results.cases.get("system/kernel/one datagram")
    if not case:
        return []
    median = {name: entry["median"] for name, entry in case["figures"].items()}
    ways = sorted({tuple(name.split("/")[:2]) for name in median if name.endswith("send_ns")},
                  key=lambda way: (int(way[1]), way[0]))
    lines = ["", "| ns per datagram | send | receive |", "|---|---|---|"]
    for way, size in ways:
        sending, receiving = (median[f"{way}/{size}/{what}_ns"] for what in ("send", "receive"))
        lines.append(f"| {size} B, {way} | {number(sending)} | {number(receiving)} |")
    calls = [f"{name.split('/')[0]} {number(value)} ns" for name, value in sorted(median.items())
             if name.endswith("call_ns")]
    return [*lines, "", f"One call: {', '.join(calls)}."]


def breakdown(results):
    """Where the round trip of 64 bytes goes: differences of the medians of one run."""
    load = "ping-pong, spin"
    p50 = {name: results.median(f"rtt/{name}/{load}", "p50_us")
           for name in ("raw UDP", "raw UDP + AEAD ahead", "raw UDP + AEAD", "FastNet unreliable",
                        "FastNet reliable ordered")}
    if None in p50.values():
        return []
    raw, ahead, plain, ours, ordered = p50.values()
    rows = [("the kernel: two sends, two receives, on two cores", raw),
            ("two seals and two opens, keystream computed ahead", ahead - raw),
            ("(the same without computing ahead)", plain - raw),
            ("the protocol, both sides, channel 1", ours - ahead),
            ("reliability and order on top, channel 0", ordered - ours)]
    return ["", "| of a round trip of 64 B, spinning | µs |", "|---|---|",
            *(f"| {what} | {value:.2f} |" for what, value in rows)]
