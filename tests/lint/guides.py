#!/usr/bin/env python3
"""Every public name stands in a guide or in an example: what nobody explains, nobody finds."""

import re

import source

NAME = re.compile(r"\b(?:fastnet_\w+|FastNet\w+|FASTNET_\w+)\b")
RESULT = re.compile(r"\bX\((\w+), -?\d+,")
WORD = re.compile(r"\w+")

# What only makes the header work: guards, export markers, what pads an enum, and the functions
# behind the fastnet_*_init() macros, which stand for them.
INNER = re.compile(r"^(FASTNET_\w+_H|FASTNET_(API|SHARED|BUILDING)|FASTNET_\w+_FORCE_INT32"
                   r"|fastnet_\w+_init_sized|fastnet_h)$")


def public_names(root):
    """{name: where it stands first}"""
    names = {}
    for path in source.files(root, "include", (".h",)):
        code = source.without_comments(source.text(root, path))
        for number, line in enumerate(code.splitlines(), 1):
            if line.lstrip().startswith("#include"):
                continue
            found = NAME.findall(line) + ["FASTNET_" + name for name in RESULT.findall(line)]
            for name in found:
                if not INNER.match(name):
                    names.setdefault(name, f"{path}:{number}")
    return names


def explained(root):
    words = set()
    for folder, suffixes in (("docs/guide", (".md",)), ("examples", (".c", ".h"))):
        for path in source.files(root, folder, suffixes):
            words.update(WORD.findall(source.text(root, path)))
    return words | {"FASTNET_" + word for word in words if word.startswith("ERR_")}


def check(root):
    words = explained(root)
    return [f"{place}: {name} stands in no guide (docs/guide) and in no example"
            for name, place in public_names(root).items() if name not in words]


if __name__ == "__main__":
    source.main(check)
