#!/usr/bin/env python3
"""clang-format has nothing to change."""

import re
import shutil
import subprocess
import sys

import source

VERSION = "14"
FOLDERS = ("include", "src", "tools", "examples", "bindings", "tests", "bench")
REPLACED = re.compile(r"^(?P<where>.*?:\d+):\d+: error: code should be clang-formatted")


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
    matches = [REPLACED.match(line) for line in result.stderr.splitlines()]
    findings = sorted({f"{match['where']}: not as clang-format has it" for match in matches if match})
    if result.returncode and not findings:
        findings.append(f"clang-format: {result.stderr.strip()}")
    return findings


if __name__ == "__main__":
    if not formatter():
        print(f"skipped: no clang-format {VERSION} here")
        sys.exit(source.SKIP)
    source.main(check)
