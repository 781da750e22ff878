#!/usr/bin/env python3
"""Who may include whom (ARCHITECTURE.md), and which system headers each layer may use."""

import os
import re

import source

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

FREESTANDING = {
    "assert.h", "inttypes.h", "limits.h", "stdalign.h", "stdarg.h", "stdbool.h", "stddef.h",
    "stdint.h", "string.h",
}
STANDARD_C = FREESTANDING | {
    "ctype.h", "errno.h", "math.h", "stdatomic.h", "stdio.h", "stdlib.h",
}
CRYPTO = re.compile(r"^(openssl/.*|sodium\.h|sodium/.*)$")
COMPILER = {"intrin.h"}  # bit operations where the compiler has no builtins

# layer: (layers it may include besides itself, whether it may use the public header's vocabulary)
LAYERS = {
    "base": (set(), True),
    "crypto": ({"base"}, False),
    "core": ({"base", "crypto"}, True),
    "p2p": ({"base", "crypto", "core"}, True),
    "assets": ({"base", "crypto"}, True),
    "platform": ({"base"}, False),
    "io": ({"base", "platform"}, False),
    "host": ({"base", "crypto", "core", "platform"}, True),
    "api": ({"base", "crypto", "core", "p2p", "assets", "host", "platform", "io"}, True),
}
SIMULATION = {"base", "crypto", "core", "p2p", "assets", "platform", "host", "api", "link"}

# Libraries of the tools: the command may include their headers as "link/link.h". The link model
# stands beside the layers, above base (docs/decisions/0002-link-model.md).
TOOL_LIBRARIES = {"link": {"base"}, "netem": set()}


def is_test(path):
    """A test, or a helper of tests: <noun>_test.c, test_<noun>.h, test_<noun>.c."""
    name = os.path.basename(path)
    return name.endswith("_test.c") or name.startswith("test_")


def is_public(name):
    return name == "fastnet.h" or name.startswith("fastnet/")


def system_header_is_fine(layer, name):
    if layer == "io":
        return not CRYPTO.match(name)
    if layer == "crypto" and (CRYPTO.match(name) or name == "stdatomic.h"):
        return True  # a TLS context is counted, for it may serve several endpoints
    if layer == "base" and name in COMPILER:
        return True
    return name in (STANDARD_C if layer == "api" else FREESTANDING)


def layer_finding(path, quote, name):
    layer = path.split("/")[1]
    if layer not in LAYERS:
        return f"src/{layer} is no layer that this lint knows"
    below, may_include_public = LAYERS[layer]
    if quote == "<":
        if is_test(path) or system_header_is_fine(layer, name):
            return None
        return f"{layer} may not include <{name}>"
    if is_public(name):
        return None if may_include_public else f"{layer} may not include the public header"
    target = name.split("/")[0]
    if "/" not in name:
        return f'write the path from src/, as in "{layer}/{name}"'
    return None if target == layer or target in below else f"{layer} may not include {target}"


def user_finding(root, path, quote, name):
    """Tools, examples and bindings: the public headers, their own files, the system's.

    Examples that are server and client in one program share examples/local.h."""
    if quote == "<":
        return f"users of the library need no <{name}>" if CRYPTO.match(name) else None
    own = os.path.join(root, os.path.dirname(path), name)
    if path.startswith("tools/") and "/" in name and not is_public(name):
        target = name.split("/")[0]
        allowed = set(TOOL_LIBRARIES) | TOOL_LIBRARIES.get(path.split("/")[1], set())
        return None if target in allowed else f"tools may not include {target}"
    if is_public(name) or (os.path.exists(own) and ".." not in name):
        return None
    if path.startswith("examples/") and name == "../local.h":
        return None
    return f'"{name}" is neither public nor in the same folder'


def simulation_finding(root, path, quote, name):
    if quote == "<" or os.path.exists(os.path.join(root, os.path.dirname(path), name)):
        return None
    target = name.split("/")[0]
    if is_public(name):
        return None
    return None if target in SIMULATION | {"sim"} else f"the simulation may not include {name}"


def public_finding(quote, name):
    if quote == "<":
        return None if name in FREESTANDING else f"a public header may not include <{name}>"
    return None if is_public(name) else f'a public header may not include "{name}"'


def finding(root, path, quote, name):
    top = path.split("/")[0]
    if top == "src":
        return layer_finding(path, quote, name)
    if top in ("tools", "examples", "bindings"):
        return user_finding(root, path, quote, name)
    if top == "include":
        return public_finding(quote, name)
    if path.startswith("tests/sim/"):
        return simulation_finding(root, path, quote, name)
    return None


def check(root):
    findings = []
    for path in source.files(root, suffixes=(".c", ".h", ".cpp", ".hpp")):
        code = source.without_comments(source.text(root, path) or "")
        for number, line in enumerate(code.splitlines(), 1):
            match = INCLUDE.match(line)
            sentence = match and finding(root, path, match[1], match[2])
            if sentence:
                findings.append(f"{path}:{number}: {sentence}")
    return findings


if __name__ == "__main__":
    source.main(check)
