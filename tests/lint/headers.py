#!/usr/bin/env python3
"""Every header compiles alone: public ones as C11 and C++17, internal ones as C11."""

import os
import shutil
import subprocess
import tempfile

import source

FLAGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]


GNU_FOLDERS = ("src/io/", "src/api/")  # as in CMakeLists.txt


def compiles(root, path, compiler, suffix):
    """The compiler's first complaint, or None."""
    top, name = path.split("/", 1)
    with tempfile.TemporaryDirectory() as folder:
        stub = os.path.join(folder, "alone" + suffix)
        with open(stub, "w") as stream:
            stream.write(f'#include "{name}"\ntypedef int header_stands_alone;\n')
        flags = ["-Iinclude"] if top == "include" else ["-Iinclude", "-Isrc"]
        if path.startswith(GNU_FOLDERS):
            flags.append("-D_GNU_SOURCE")
        result = subprocess.run([*compiler, *FLAGS, *flags, stub], cwd=root, capture_output=True,
                                text=True)
    errors = [line for line in result.stderr.splitlines() if "error:" in line]
    return (errors or ["it does not compile"])[0] if result.returncode else None


def check(root):
    c11 = ["cc", "-std=c11"]
    ways = {"include": [(c11, ".c"), (["c++", "-std=c++17"], ".cpp")], "src": [(c11, ".c")]}
    if shutil.which("clang"):
        ways["include"].append((["clang", "-std=c11"], ".c"))
    findings = []
    for folder, compilers in ways.items():
        for path in source.files(root, folder, (".h",)):
            for compiler, suffix in compilers:
                complaint = compiles(root, path, compiler, suffix)
                if complaint:
                    findings.append(f"{path}:1: not alone as {compiler[1][5:]}: {complaint}")
    return findings


if __name__ == "__main__":
    source.main(check)
