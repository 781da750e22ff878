#!/usr/bin/env python3
"""Files of a library or tool that need each other in a circle, by the symbols that their object
files define and need. None is larger than two files.

Circles that are older than this lint stand in KNOTS: such a one may lose files, and then its entry
shrinks with it; it may not gain any. The list takes no new entries.

usage: circles.py LIBRARY OBJECT...
"""

import os
import re
import sys

import source
import symbols

CIRCLE_FILES_MAX = 2

# library: its knots, each the set of its files.
KNOTS = {
    "core": [
        "core/closing core/conn core/loss",
        "core/handshake core/handshake_attach core/handshake_client core/handshake_server",
    ],
}

INSTRUMENTATION = re.compile(r"^(__odr_asan|__asan|__ubsan|__tsan|__sancov|__gcov|asan\.)")


def noun(library, path):
    """What a file is called in ARCHITECTURE.md: .../src/core/ack.c.o is core/ack."""
    name = re.sub(r"^.*\.dir/(src/|tools/)?", "", re.sub(r"(\.c)?\.o$", "", os.path.normpath(path)))
    return name if "/" in name else f"{library}/{name}"


def arrows(library, objects):
    """{file: files whose symbols it needs}"""
    home, needs = {}, {}
    for path in objects:
        name = noun(library, path)
        for symbol in symbols.defined(path, "-g"):
            if not INSTRUMENTATION.match(symbol):
                home[symbol] = name
        needs[name] = {symbol for symbol, _ in symbols.symbols(path, "-u")}
    return {name: {home[symbol] for symbol in wanted if symbol in home} - {name}
            for name, wanted in needs.items()}


def reachable(graph, start):
    seen, waiting = set(), [start]
    while waiting:
        for name in graph[waiting.pop()] - seen:
            seen.add(name)
            waiting.append(name)
    return seen


def circles(graph):
    """The strongly connected components that are larger than allowed, largest first."""
    reach = {name: reachable(graph, name) for name in graph}
    found = {frozenset(other for other in reach[name] if name in reach[other])
             for name in graph if name in reach[name]}
    return sorted((circle for circle in found if len(circle) > CIRCLE_FILES_MAX),
                  key=lambda circle: (-len(circle), sorted(circle)))


def check(library, objects, knots=None):
    known = [frozenset(files.split()) for files in (KNOTS if knots is None else knots).get(library, ())]
    found = circles(arrows(library, objects))
    findings = []
    for circle in found:
        home = next((knot for knot in known if circle <= knot), None)
        names = " ".join(sorted(circle))
        if home is None:
            nearest = max(known, key=lambda knot: len(knot & circle), default=frozenset())
            joined = sorted(circle - nearest) if nearest & circle else None
            grown = f", joined by {' '.join(joined)}" if joined else ""
            findings.append(f"{library}: a circle of {len(circle)}{grown}: {names}")
        elif circle != home:
            findings.append(f"{library}: a knot lost {' '.join(sorted(home - circle))}: "
                            f"its entry is now {names}")
    return findings + [f"{library}: a knot is gone, take it out of the list: {' '.join(sorted(knot))}"
                       for knot in known if not any(circle <= knot for circle in found)]


def main():
    library, objects = sys.argv[1], [path for path in sys.argv[2:] if os.path.exists(path)]
    if len(objects) < len(sys.argv) - 2:
        print(f"skipped: {library} has not been built")
        return source.SKIP
    return source.report(check(library, objects), "clean")


if __name__ == "__main__":
    sys.exit(main())
