#!/usr/bin/env python3
"""Functions of at most 60 lines and 6 parameters; files of at most 500 lines, tests of at most 900.

What was larger when a limit came stands in EXCEPTIONS with its size: it may shrink, never grow, and
leaves the list once it keeps the limit. The list takes no new entries.
"""

import re

import layers
import source

FUNCTION_LINES_MAX = 60
PARAMETERS_MAX = 6
FILE_LINES_MAX = 500
LONG_FILE_LINES_MAX = 900  # tests are lists of cases, public headers carry their manual
FOLDERS = ("src", "include", "tools", "examples")

# "path" or "path: function": lines or parameters.
EXCEPTIONS = {
    "src/api/config.c: fn_config_read_sized": 7,
    "src/host/carrier/datagrams.c": 541,
    "src/host/connect/outgoing.c": 553,
    "src/api/peer_calls.c: fastnet_send_tagged": 7,
    "src/core/handshake.c": 615,
    "src/core/handshake_test.c: derive_bare": 7,
    "src/core/keys.c: fn_receive_keys_open": 7,
    "src/core/packet_out.c": 556,
    "src/crypto/aead_run.c: long_tag": 7,
    "src/crypto/test_tls.h: test_make_certificate": 8,
    "src/crypto/tls_observe.c: fn_tls_observe_message": 7,
}

# A name and its opening parenthesis in column 0, where clang-format puts every definition.
FUNCTION = re.compile(r"^[A-Za-z_](?:[\w \t*]*[\s*])?(\w+)\(", re.MULTILINE)


def functions(lines):
    """(first line, number of lines between the braces). clang-format puts both in column 0."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            yield start, number - start - 1
            start = None


def parameters(code, start):
    """(how many parameters stand from start to the closing parenthesis, what follows that)"""
    depth, commas = 1, 0
    for position in range(start, len(code)):
        letter = code[position]
        depth += (letter in "([{") - (letter in ")]}")
        if depth == 0:
            return commas + bool(code[start:position].strip()), code[position + 1:position + 8]
        commas += letter == "," and depth == 1
    return 0, ""


def defined_functions(code):
    """(line, name, number of parameters) of each definition."""
    for match in FUNCTION.finditer(code):
        count, rest = parameters(code, match.end())
        if rest.lstrip().startswith("{"):
            yield code.count("\n", 0, match.start()) + 1, match[1], count


def file_lines_max(path):
    return LONG_FILE_LINES_MAX if layers.is_test(path) or path.startswith("include/") else FILE_LINES_MAX


def oversized(path, code):
    """(key in EXCEPTIONS, line, size, sentence) of what is over a limit."""
    lines = [line.rstrip() for line in code.splitlines()]
    limit = file_lines_max(path)
    if len(lines) > limit:
        yield path, len(lines), len(lines), f"a file of {len(lines)} lines, limit {limit}"
    for start, length in functions(lines):
        if length > FUNCTION_LINES_MAX:
            yield None, start, length, f"a function of {length} lines, limit {FUNCTION_LINES_MAX}"
    for line, name, count in defined_functions(code):
        if count > PARAMETERS_MAX:
            sentence = f"{name} has {count} parameters, limit {PARAMETERS_MAX}"
            yield f"{path}: {name}", line, count, sentence


def check(root, exceptions=None):
    exceptions = EXCEPTIONS if exceptions is None else exceptions
    findings, used = [], set()
    for folder in FOLDERS:
        for path in source.files(root, folder, (".c", ".h")):
            code = source.without_comments(source.text(root, path) or "")
            for key, line, size, sentence in oversized(path, code):
                if key in exceptions:
                    used.add(key)
                    sentence = f"{sentence}, was {exceptions[key]} when it was listed"
                if size > exceptions.get(key, 0):
                    findings.append(f"{path}:{line}: {sentence}")
    return findings + [f"{key.split(':')[0]}:1: {key} keeps the limit now: take it out of the list"
                       for key in sorted(set(exceptions) - used)]


if __name__ == "__main__":
    source.main(check)
