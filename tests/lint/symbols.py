#!/usr/bin/env python3
"""What a pure archive may take from outside: memory and string functions, assert, the archives of
the layers below it, and for crypto the named libraries. So no clock, socket, file or malloc gets in
unseen. Nor may it hold writable data: the layers have no global state.

usage: symbols.py [--library NAME]... [--below ARCHIVE]... ARCHIVE
"""

import argparse
import os
import re
import subprocess
import sys

import source

ALLOWED = re.compile(
    r"^("
    r"(__)?(mem(cpy|move|set|cmp|chr)|str(n?len|n?cmp|r?chr|str|c?spn))(_chk)?"
    r"|__assert_fail|__stack_chk_(fail|guard)|_GLOBAL_OFFSET_TABLE_"
    r"|__(asan|ubsan|lsan|tsan|msan|sanitizer|sancov|gcov|llvm)_\w+"
    r")$"
)
INSTRUMENTED = re.compile(r"^__(asan|ubsan|tsan|gcov|sanitizer)_")
WRITABLE = re.compile(r"^(\.data(?!\.rel\.ro)|\.bss|\.tdata|\.tbss|\*COM\*)")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def symbols(path, *options):
    """(name, type) of each symbol."""
    for line in run("nm", "-P", *options, path).splitlines():
        fields = line.split()
        if len(fields) >= 2 and len(fields[1]) == 1:
            yield fields[0].split("@")[0], fields[1]


def defined(path, *options):
    return {name for name, kind in symbols(path, "--defined-only", *options)}


def library_symbols(name):
    path = run("cc", f"-print-file-name=lib{name}.so").strip()
    return defined(path, "-D")


def writable_objects(archive):
    """Named objects that lie in a writable section."""
    for line in run("objdump", "-t", archive).splitlines():
        match = re.match(r"^[0-9a-f]+ .{6}O (\S+)\s+[0-9a-f]+ (?:\.hidden )?(\S+)$", line)
        if match and WRITABLE.match(match[1]):
            yield match[2]


def check(archive, below=(), libraries=()):
    known = defined(archive).union(*(defined(path) for path in below),
                                   *(library_symbols(name) for name in libraries))
    name = os.path.basename(archive)
    wanted = {symbol for symbol, kind in symbols(archive, "-u")}
    findings = [f"{name}: uses {symbol}" for symbol in sorted(wanted - known)
                if not ALLOWED.match(symbol)]
    if not any(INSTRUMENTED.match(symbol) for symbol in wanted):
        findings += [f"{name}: writable data {symbol}" for symbol in writable_objects(archive)]
    return findings


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", action="append", default=[])
    parser.add_argument("--below", action="append", default=[])
    parser.add_argument("archive")
    arguments = parser.parse_args()
    if not os.path.exists(arguments.archive):
        print(f"skipped: there is no {arguments.archive} (run scripts/build release)")
        return source.SKIP
    findings = check(arguments.archive, arguments.below, arguments.library)
    return source.report(findings, "clean")


if __name__ == "__main__":
    sys.exit(main())
