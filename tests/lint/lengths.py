#!/usr/bin/env python3
"""Functions of at most 60 lines, files of at most 900."""

import source

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 900
FOLDERS = ("src", "include", "tools", "examples")


def functions(lines):
    """(first line, number of lines between the braces). clang-format puts both in column 0."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            yield start, number - start - 1
            start = None


def check(root):
    findings = []
    for folder in FOLDERS:
        for path in source.files(root, folder, (".c", ".h")):
            lines = source.without_comments(source.text(root, path) or "").splitlines()
            if len(lines) > FILE_LINES_MAX:
                findings.append(f"{path}:{len(lines)}: more than {FILE_LINES_MAX} lines")
            for start, length in functions([line.rstrip() for line in lines]):
                if length > FUNCTION_LINES_MAX:
                    findings.append(f"{path}:{start}: a function of {length} lines")
    return findings


if __name__ == "__main__":
    source.main(check)
