"""Pictures, drawn by gnuplot as SVG and PNG."""

import os
import shutil
import subprocess

from . import summary

TERMINALS = {
    "svg": 'svg size 900,520 enhanced font "sans-serif,13" background "#ffffff"',
    "png": 'pngcairo size 1350,780 enhanced font "sans-serif,15" background "#ffffff"',
}
COLOURS = {
    "raw UDP": "#808080", "raw UDP + AEAD": "#404040", "raw UDP + AEAD ahead": "#a0a0c0", "floor": "#808080",
    "floor, GSO": "#808080", "floor, sendmmsg": "#a0a0a0",
    "FastNet unreliable": "#0060c0", "FastNet reliable ordered": "#00a0e0", "FastNet": "#0060c0",
    "FastNet, default waiting": "#00a0e0",
    "FastNet reliable": "#0060c0",
    "ENet unreliable": "#e08000", "ENet reliable": "#b05000",
    "QUIC datagrams": "#20a040", "QUIC datagrams, ChaCha20": "#80c040", "QUIC stream": "#20a040",
    "TLS over TCP": "#c02050", "TCP": "#c02050", "TCP, CUBIC": "#f08080",
    "libsodium": "#0060c0", "openssl": "#c02050", "ahead": "#20a040",
}
STYLE = ["set border 3 lc '#606060'", "set tics nomirror textcolor '#303030'",
         "set grid ytics lc '#e0e0e0'", "set key outside right top samplen 2 spacing 1.2"]


def missing():
    return None if shutil.which("gnuplot") else "no pictures: gnuplot is not installed (gnuplot-nox)"


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', "'").replace("_", "\\\\_") + '"'


def draw(folder, name, commands, tell):
    for kind, terminal in TERMINALS.items():
        path = os.path.join(folder, f"{name}.{kind}")
        script = "\n".join([f"set terminal {terminal}", f"set output '{path}'", *STYLE, *commands])
        result = subprocess.run(["gnuplot"], input=script + "\n", text=True, capture_output=True)
        if result.returncode:
            tell(f"no picture {name}.{kind}: {result.stderr.strip().splitlines()[-1:]}")


def line_plot(curves, commands):
    """curves: [(name, [(x, y)...])]. Data goes inline, so that no file is left behind."""
    blocks, parts = [], []
    for number, (name, points) in enumerate(curves):
        blocks.append(f"$data{number} << EOD")
        blocks += [f"{x} {y}" for x, y in points]
        blocks.append("EOD")
        colour = COLOURS.get(name, "#000000")
        parts.append(f"$data{number} using 1:2 with linespoints lw 2 pt 7 ps 0.5 lc rgb '{colour}' "
                     f"title {quoted(name)}")
    return [*blocks, *commands, "plot " + ", ".join(parts)]


def bar_plot(rows, commands, unit):
    """rows: [(name, value, low, high)]; each bar with its number and the spread of the rounds."""
    lines = ["$bars << EOD"]
    for number, (name, value, low, high) in enumerate(rows):
        lines.append(f"{number} {value} {low} {high} {quoted(name)} {quoted(summary.number(value))} "
                     f"{int(COLOURS.get(name, '#000000')[1:], 16)}")
    lines.append("EOD")
    return [*lines, *commands, "set nokey", "set boxwidth 0.6", "set style fill solid 0.85 noborder",
            "set xtics rotate by -20", f"set ylabel {quoted(unit)}", "set yrange [0:*]",
            f"set xrange [-0.6:{len(rows) - 0.4}]",
            "plot $bars using 1:2:7:xtic(5) with boxes lc rgb variable, "
            "$bars using 1:2:3:4 with yerrorbars pt 0 lc rgb '#202020', "
            "$bars using 1:4:6 with labels offset 0,0.8"]


def distribution(results, load):
    """Latency by percentile, stretched so that each further nine takes the same room."""
    curves = []
    for key in results.keys("rtt"):
        name = key.split("/")[1]
        curve = results.cases[key].get("curve")
        if key == f"rtt/{name}/{load}" and curve:
            points = [(1 / (1 - fraction), value) for fraction, value in curve
                      if fraction <= 0.9999]
            curves.append((name, points))
    if not curves:
        return None
    tics = "set xtics ('0' 1, '50 %%' 2, '90 %%' 10, '99 %%' 100, '99.9 %%' 1000, '99.99 %%' 10000)"
    return line_plot(curves, [f"set title {quoted('Round trip, 64 B, ' + load)}", "set logscale xy",
                              tics, "set xlabel 'share of round trips that are faster'",
                              "set ylabel 'µs'", "set xrange [1:10000]"])


def bars(results, suite, load, figure, title, unit):
    rows = []
    for key in results.keys(suite):
        _, name, this_load = key.split("/", 2)
        entry = results.cases[key]["figures"].get(figure)
        if this_load == load and entry:
            rows.append((name, entry["median"], entry["min"], entry["max"]))
    return bar_plot(rows, [f"set title {quoted(title)}"], unit) if rows else None


def over_loss(results, load, figure, title, unit):
    by_name = {}
    for key in results.keys("loss"):
        _, name, this_load = key.split("/", 2)
        value = results.median(key, figure)
        if this_load.startswith(load) and value is not None:
            percent = float(this_load.split(", ")[1].split(" ")[0])
            by_name.setdefault(name, []).append((percent, value))
    if not by_name:
        return None
    curves = [(name, sorted(points)) for name, points in by_name.items()]
    return line_plot(curves, [f"set title {quoted(title)}", "set xlabel 'loss, % each way'",
                              f"set ylabel {quoted(unit)}", "set yrange [0:*]",
                              "set xrange [-0.3:*]"])


def cipher(results):
    case = results.cases.get("crypto/ChaCha20-Poly1305/one operation")
    if not case:
        return None
    by_name = {}
    for figure, entry in case["figures"].items():
        backend, size, what = figure.split("/")
        if what == "seal_ns":
            by_name.setdefault(backend, []).append((int(size), entry["median"]))
    curves = [(name, sorted(points)) for name, points in sorted(by_name.items())]
    return line_plot(curves, ["set title 'Sealing one packet, ChaCha20-Poly1305'",
                              "set logscale x 2", "set xlabel 'bytes'", "set ylabel 'ns'",
                              "set yrange [0:*]"])


def all_plots(results):
    yield "rtt-ping-pong", distribution(results, "ping-pong, spin")
    yield "rtt-10000", distribution(results, "10000/s, spin")
    yield "rtt-10000-blocking", distribution(results, "10000/s, block")
    yield "rtt-p50", bars(results, "rtt", "ping-pong, spin", "p50_us",
                          "Round trip, 64 B, spinning, p50 (spread of the rounds)", "µs")
    yield "throughput", bars(results, "throughput", "1200 B", "received_per_cpu_s",
                             "1200 B datagrams received per second of one core", "datagrams/s")
    yield "fanout", bars(results, "fanout", "1000 clients, 60 Hz", "cpu_us_per_packet",
                         "Server with 1,000 clients at 60 Hz: CPU per packet", "µs")
    yield "loss-p99", over_loss(results, "messages", "p99_ms",
                                "Reliable messages, 100/s, 50 ms RTT: delivery p99", "ms")
    yield "loss-p50", over_loss(results, "messages", "p50_ms",
                                "Reliable messages, 100/s, 50 ms RTT: delivery p50", "ms")
    yield "loss-bulk", over_loss(results, "bulk", "mbit_per_s",
                                 "Bulk over 20 Mbit/s, 50 ms RTT", "Mbit/s")
    yield "crypto", cipher(results)


def draw_all(results, folder, tell):
    trouble = missing()
    if trouble:
        tell(trouble)
        return
    for name, commands in all_plots(results):
        if commands:
            draw(folder, name, commands, tell)
