#!/usr/bin/env python3
"""Runs the benchmarks: FastNet, its peers and its floors side by side, interleaved and shuffled.

`make bench` builds everything first. What is missing here (a peer's library, the right to pin or to
make network namespaces) is said once and left out; the rest still runs."""

import argparse
import concurrent.futures
import json
import os
import random
import signal
import subprocess
import sys
import time

from harness import cases, machine, network, plots, summary, targets
from harness.programs import Bench, Trouble

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGES = {"enet": "libenet-dev", "quic": "libngtcp2-crypto-gnutls-dev",
            "netem": "the command fastnet, built without netem"}


def tell(text):
    print(text, flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="SUITE,...",
                        help=f"of: {', '.join(cases.SUITES)}")
    parser.add_argument("--peer", default="", metavar="NAME,...",
                        help="only cases whose name contains one of these")
    parser.add_argument("--rounds", type=int, default=None, help="default 3; with --quick 1")
    parser.add_argument("--quick", action="store_true", help="about three minutes, rough numbers")
    parser.add_argument("--minutes", type=float, default=25, help="starts nothing after that")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the cases")
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "bench"),
                        help="build directory")
    parser.add_argument("--out", default=None,
                        help="default bench/results; of partial runs, results/ in the build directory")
    options = parser.parse_args()
    options.only = [word for word in options.only.split(",") if word] or list(cases.SUITES)
    unknown = [word for word in options.only if word not in cases.SUITES]
    if unknown:
        parser.error(f"no suite {', '.join(unknown)}; there is: {', '.join(cases.SUITES)}")
    partial = options.quick or options.peer or len(options.only) < len(cases.SUITES)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.out = options.out or (os.path.join(options.build, "results") if partial
                                  else os.path.join(ROOT, "bench", "results"))
    return options


def certificate(folder):
    """A certificate for localhost, P-256, that is its own trust anchor."""
    paths = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", "/CN=localhost",
               "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", paths[0], "-keyout",
               paths[1]]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"bench: no certificate: {result.stderr.strip()}")
    return paths


def wanted_cases(options, offers, bench):
    """The cases that can run here; says what is left out and why, once for each reason."""
    names = [name.lower() for name in options.peer.split(",") if name]
    found, reasons = [], {}
    no_links = network.why_not() if "loss" in options.only else None
    for suite in options.only:
        for case in cases.SUITES[suite](options.quick, offers):
            if names and not any(name in case.name.lower() for name in names):
                continue
            lacking = [program for program in case.needs() if not bench.has(program)]
            if lacking:
                package = PACKAGES.get(lacking[0], "see the build's messages")
                reason = f"{lacking[0]} was not built ({package})"
            else:
                reason = no_links if suite == "loss" else None
            if reason:
                reasons.setdefault(reason, set()).add(f"{suite}: {case.name}")
            else:
                found.append(case)
    for reason, skipped in reasons.items():
        tell(f"skipped: {', '.join(sorted(skipped))}: {reason}")
    if names and not found and not reasons:
        sys.exit(f"bench: no case has a name with {' or '.join(names)} in it")
    return found


class Run:
    """Runs the cases round by round and collects what they yield."""

    def __init__(self, options, bench, found):
        self.options = options
        self.bench = bench
        self.cases = found
        self.order = random.Random(options.seed)
        self.begin = time.monotonic()
        self.rounds = {case.key: [] for case in found}
        self.troubles = {}

    def minutes(self):
        return (time.monotonic() - self.begin) / 60

    def one(self, case, round_number):
        try:
            figures = case.run(self.bench)
        except Trouble as trouble:
            self.troubles.setdefault(case.key, str(trouble))
            tell(f"  {case.key}: {trouble}")
            return
        self.rounds[case.key].append(figures)
        shown = [f"{name} {summary.number(value)}" for name, value in figures.items()
                 if name in ("p50_us", "p99_us", "p50_ms", "p99_ms", "sent_per_cpu_s",
                             "received_per_cpu_s", "cpu_us_per_packet", "mbit_per_s", "per_s")]
        tell(f"  [{round_number + 1}/{self.options.rounds} {self.minutes():4.1f} min] "
             f"{case.key}: {', '.join(shown)}")

    def batches(self, round_number):
        """Lists of cases that run at once: alone, or all of one load over their bad links."""
        due = [case for case in self.cases if case.rounds is None or round_number < case.rounds]
        result = []
        for case in due:
            if case.suite not in cases.PARALLEL:
                result += [[case]] * case.repeats
        loads = {case.load for case in due if case.suite in cases.PARALLEL}
        for load in sorted(loads):
            result.append([case for case in due if case.suite in cases.PARALLEL
                           and case.load == load])
        self.order.shuffle(result)
        return result

    def all_rounds(self):
        for round_number in range(self.options.rounds):
            for batch in self.batches(round_number):
                if self.minutes() > self.options.minutes:
                    tell(f"stopping: {self.options.minutes:g} minutes are over")
                    return
                with concurrent.futures.ThreadPoolExecutor(len(batch)) as pool:
                    list(pool.map(lambda case: self.one(case, round_number), batch))

    def results(self):
        found = {}
        for case in self.cases:
            rounds = self.rounds[case.key]
            if rounds:
                plain = [{name: value for name, value in one.items() if name != "curve"}
                         for one in rounds]
                found[case.key] = {"figures": summary.of_rounds(rounds), "rounds": plain,
                                   "curve": summary.curve_of_rounds(rounds)}
        return summary.Results(found)


def command_line():
    return "make bench" + (f" BENCH='{' '.join(sys.argv[1:])}'" if len(sys.argv) > 1 else "")


def write_json(options, about, run, results, found):
    document = {"command": command_line(), "machine": about, "rounds": options.rounds,
                "minutes": round(run.minutes(), 1), "troubles": run.troubles,
                "targets": [line.as_json() for line in found], "cases": results.cases}
    with open(os.path.join(options.out, "results.json"), "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1, ensure_ascii=False, sort_keys=True)
        file.write("\n")


def write_markdown(options, about, results, found):
    lines = ["# Results", "", f"Machine: {machine.sentence(about)}. {options.rounds} rounds, "
             f"interleaved and shuffled; medians. TCP's congestion control: {about['tcp']}.", "",
             f"Command: `{command_line()}`.", "", "## What must hold", "",
             *targets.as_markdown(found)]
    titles = {"rtt": "Round trip", "throughput": "Throughput", "fanout": "Fan-out",
              "loss": "Bad links: 50 ms RTT, loss each way", "handshake": "Handshakes"}
    for suite, title in titles.items():
        rows = summary.table(results, suite)
        if rows:
            lines += ["", f"## {title}", *rows]
    for title, rows in (("Where the time goes", summary.breakdown(results)),
                        ("One datagram through the kernel", summary.system_table(results)),
                        ("One ChaCha20-Poly1305 operation", summary.crypto_table(results))):
        if rows:
            lines += ["", f"## {title}", *rows]
    with open(os.path.join(options.out, "README.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def main():
    options = arguments()
    programs = os.path.join(options.build, "bench", "bin")
    if not os.path.isdir(programs):
        sys.exit("bench: the programs are not built; use `make bench`")
    os.makedirs(options.out, exist_ok=True)
    about = machine.describe()
    about["busy_before_percent"] = round(100 * machine.busy_share(1), 1)
    tell(f"machine: {machine.sentence(about)}")
    if about["busy_before_percent"] > 10:
        tell(f"note: others use {about['busy_before_percent']:.0f} % of this machine: "
             "tails and maxima will be theirs")
    cores = machine.cores()
    if cores[0] < 0:
        tell("note: one core only: client and server share it, round trips are those of a scheduler")
    folder = os.path.join(options.build, "bench")
    bench = Bench(options.build, *certificate(folder), cores, tell)
    offers = cases.offered_settings(ROOT)
    run = Run(options, bench, wanted_cases(options, offers, bench))
    run.all_rounds()

    results = run.results()
    found = list(targets.lines(results, offers))
    write_json(options, about, run, results, found)
    write_markdown(options, about, results, found)
    plots.draw_all(results, options.out, tell)
    tell("")
    for line in targets.as_text(found):
        tell(line)
    tell(f"\n{run.minutes():.1f} minutes; results in {os.path.relpath(options.out)}")
    return 0 if results.cases else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("bench: stopped")
