"""What all lints share: which files there are, C without its comments, and how findings are told."""

import os
import re
import sys

SKIPPED_FOLDERS = {".git", "build", "__pycache__", "samples", "corpus"}
SKIP = 77  # CTest counts this exit code as "skipped"


def files(root, top="", suffixes=None):
    """Paths below root/top, relative to root, sorted."""
    found = []
    for folder, folders, names in os.walk(os.path.join(root, top)):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        for name in names:
            if name in SKIPPED_FOLDERS:
                continue  # `.git` is a file in a second working tree
            if suffixes is None or name.endswith(suffixes):
                found.append(os.path.relpath(os.path.join(folder, name), root))
    return sorted(found)


def text(root, path):
    """The file's text, or None for a binary file."""
    with open(os.path.join(root, path), "rb") as stream:
        data = stream.read()
    try:
        return None if b"\0" in data else data.decode("utf-8")
    except UnicodeDecodeError:
        return None


_COMMENT_OR_STRING = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)


def without_comments(code):
    """Comments become blanks; line numbers and strings stay."""

    def blank(match):
        piece = match.group()
        return piece if piece[0] in "\"'" else re.sub(r"[^\n]", " ", piece)

    return _COMMENT_OR_STRING.sub(blank, code)


def report(findings, good):
    """Prints findings, each `path:line: sentence`, and returns the exit code."""
    for finding in findings:
        print(finding)
    print(f"{len(findings)} finding(s)" if findings else good)
    return 1 if findings else 0


def main(check):
    """Runs check(root) -> findings for `lint.py ROOT`."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} ROOT")
    sys.exit(report(check(sys.argv[1]), "clean"))
