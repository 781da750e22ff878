#!/usr/bin/env python3
"""docs/regressions.md explains every code that test names begin with (s7_, r5_, r1_r3_r4_), and the
tests that it names exist."""

import re

import source

DOCUMENT = "docs/regressions.md"
CODED = re.compile(r"\b((?:[srptfa]\d{1,2}_)+)[a-z]{2}\w*(?=\()|\"((?:[srptfa]\d{1,2}_)+)[a-z]{2}\w*\"")
CODE = re.compile(r"([srptfa]\d{1,2})_")
ROW = re.compile(r"^\| ([A-Z]\d+) \|")
TEST = re.compile(r"`([a-z][a-z0-9]*_\w+)`")


def test_sources(root):
    for folder in ("src", "tests", "tools"):
        for path in source.files(root, folder, (".c", ".h", ".py", ".sh", ".txt")):
            if folder != "src" or "_test.c" in path:
                yield path, source.text(root, path) or ""


def last_cell(line):
    return line.rstrip().rstrip("|").rsplit("|", 1)[-1]


def check(root):
    rows, named, findings = set(), {}, []
    for number, line in enumerate((source.text(root, DOCUMENT) or "").splitlines(), 1):
        rows.update(ROW.findall(line))
        if line.startswith("|"):
            for name in TEST.findall(last_cell(line)):
                named.setdefault(name, number)
    words = set()
    for path, text in test_sources(root):
        words.update(re.findall(r"\w+", text))
        if path.startswith("tests/lint/"):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for match in CODED.finditer(line):
                for code in CODE.findall(match[1] or match[2]):
                    if code.upper() not in rows:
                        rows.add(code.upper())  # told once
                        findings.append(f"{path}:{number}: {DOCUMENT} does not explain {code.upper()}")
    return findings + [f"{DOCUMENT}:{number}: there is no test {name}"
                       for name, number in named.items() if name not in words]


if __name__ == "__main__":
    source.main(check)
