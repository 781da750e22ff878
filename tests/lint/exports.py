#!/usr/bin/env python3
"""libfastnet.so exports what the public headers mark with FASTNET_API, and nothing else.

usage: exports.py ROOT LIBRARY
"""

import os
import re
import sys

import source
import symbols

DECLARATION = re.compile(r"\bFASTNET_API\b[^;{}]*?\b(fastnet_\w+)\s*\(")
INSTRUMENTATION = re.compile(r"^(__odr_asan|__asan|__ubsan|__start___sancov|__stop___sancov|__gcov)")


def declared(root):
    names = set()
    for path in source.files(root, "include", (".h",)):
        code = source.without_comments(source.text(root, path))
        code = "\n".join("" if line.lstrip().startswith("#") else line for line in code.splitlines())
        names.update(DECLARATION.findall(code))
    return names


def check(root, library):
    exported = {name for name in symbols.defined(library, "-D") if not INSTRUMENTATION.match(name)}
    promised = declared(root)
    return [f"{name}: declared, but not exported" for name in sorted(promised - exported)] + [
        f"{name}: exported, but not declared" for name in sorted(exported - promised)
    ]


def main():
    root, library = sys.argv[1:]
    if not os.path.exists(library):
        print(f"skipped: there is no {library} (run scripts/build release)")
        return source.SKIP
    return source.report(check(root, library), "clean")


if __name__ == "__main__":
    sys.exit(main())
