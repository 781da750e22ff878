#!/usr/bin/env python3
"""Words that mark unfinished work, and paths or hosts of somebody's machine."""

import re

import source

# One letter in brackets keeps this file from finding itself.
MARKERS = [
    (re.compile(r"\b(TO[D]O|FIX[M]E|XX[X]|HAC[K])\b"), "unfinished work"),
    (re.compile(r"\b(not implemente[d]|placeholde[r])\b", re.I), "unfinished work"),
    (re.compile(r"(^|[^\w.-])/(wor[k]|far[m]|hom[e]|roo[t]|User[s])/"), "a path of one machine"),
    (re.compile(r"https?://[a-z.]*(debia[n]|npmj[s]|pyp[i])"), "a registry's host"),
]


def check(root):
    findings = []
    for path in source.files(root):
        if path.startswith("LICENSE"):
            continue
        for number, line in enumerate((source.text(root, path) or "").splitlines(), 1):
            for pattern, sentence in MARKERS:
                if pattern.search(line):
                    findings.append(f"{path}:{number}: {sentence}: {line.strip()[:80]}")
    return findings


if __name__ == "__main__":
    source.main(check)
