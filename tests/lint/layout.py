#!/usr/bin/env python3
"""clang-format has nothing to change."""

import re
import shutil
import subprocess
import sys

import source

VERSION = "14"
FOLDERS = ("include", "src", "tools", "examples", "bindings", "tests", "bench")
REPLACED = re.compile(r"^(?P<path>.*?):(?P<line>\d+):\d+: error: code should be clang-formatted")


def formatter():
    for name in (f"clang-format-{VERSION}", "clang-format"):
        program = shutil.which(name)
        if program:
            output = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
            if f"version {VERSION}." in output:
                return program
    return None


def check(root):
    program = formatter()
    paths = [path for folder in FOLDERS for path in source.files(root, folder, (".c", ".h"))]
    if not paths:
        return []
    result = subprocess.run([program, "--dry-run", "-Werror", *paths], cwd=root,
                            capture_output=True, text=True)
    first_line = {}
    for match in filter(None, map(REPLACED.match, result.stderr.splitlines())):
        first_line.setdefault(match["path"], match["line"])
    findings = [f"{path}:{line}: not as clang-format has it (make format)"
                for path, line in sorted(first_line.items())]
    if result.returncode and not findings:
        findings.append(f"clang-format: {result.stderr.strip()}")
    return findings


if __name__ == "__main__":
    if not formatter():
        print(f"skipped: no clang-format {VERSION} here")
        sys.exit(source.SKIP)
    source.main(check)
