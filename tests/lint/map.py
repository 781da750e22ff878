#!/usr/bin/env python3
"""ARCHITECTURE.md names files that exist: a map that has gone stale misleads."""

import glob
import os
import re

import source

NAME = re.compile(r"`((?:base|crypto|core|p2p|assets|platform|host|io|api|tests|tools|cmake|include)/[\w./]*)`")


def exists(root, name):
    """A path, or a noun such as core/ack: a source or header in src/ or one of its backends."""
    if os.path.exists(os.path.join(root, name)) or os.path.exists(os.path.join(root, "src", name)):
        return True
    folder, noun = os.path.split(name)
    return any(glob.glob(os.path.join(root, "src", folder, where, noun + ".[ch]"))
               for where in ("", "*"))


def check(root):
    findings = []
    for number, line in enumerate(source.text(root, "ARCHITECTURE.md").splitlines(), 1):
        for name in NAME.findall(line):
            if not exists(root, name):
                findings.append(f"ARCHITECTURE.md:{number}: there is no {name}")
    return findings


if __name__ == "__main__":
    source.main(check)
