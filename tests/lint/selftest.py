#!/usr/bin/env python3
"""Each lint finds what is wrong in its sample, and nothing else: a lint that cannot fail is no test."""

import os
import shutil
import subprocess
import tempfile
import unittest

import circles
import exports
import guides
import headers
import layers
import layout
import lengths
import map as map_lint
import markers
import regressions
import symbols

SAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "samples")


def write(root, path, text):
    os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
    with open(os.path.join(root, path), "w") as stream:
        stream.write(text)


def places(findings):
    """`path:line` of each finding."""
    return sorted({":".join(finding.split(":")[:2]) for finding in findings})


class SampleTrees(unittest.TestCase):
    """Lints of a source tree: samples/<lint>/expected lists what must be found."""

    def check_tree(self, lint):
        root = os.path.join(SAMPLES, lint.__name__)
        with open(os.path.join(root, "expected")) as stream:
            expected = stream.read().split()
        self.assertEqual(places(lint.check(root)), sorted(expected))

    def test_layers(self):
        self.check_tree(layers)

    def test_headers(self):
        self.check_tree(headers)

    @unittest.skipUnless(layout.formatter(), "no clang-format of the right version")
    def test_layout(self):
        self.check_tree(layout)


class GeneratedTrees(unittest.TestCase):
    """Samples that may not lie in the tree, because the lint would find them there."""

    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)

    def test_markers(self):
        lines = ["fine, and so is fixing me", "// TO" + "DO: later", "/ho" + "me/someone/x",
                 "not imple" + "mented", "src/wo" + "rk/fine.c", "see http://ftp.debi" + "an.org/x"]
        write(self.root, "src/a.c", "\n".join(lines))
        write(self.root, "build/ignored.c", lines[1])
        self.assertEqual(places(markers.check(self.root)), [f"src/a.c:{n}" for n in (2, 3, 4, 6)])

    def test_lengths(self):
        def function(length, parameters="void"):
            return f"int f({parameters})\n{{\n" + "    ;\n" * length + "}\n"

        write(self.root, "src/base/a.c", function(60) + function(61))
        write(self.root, "src/base/long.h", "\n" * 501)
        write(self.root, "src/base/just.h", "\n" * 500)
        write(self.root, "src/base/a_test.c", "\n" * 900)
        write(self.root, "src/base/b_test.c", "\n" * 901)
        six = "int a,\n      void (*b)(int, int, int), int c[2], int d, int e, int f"
        write(self.root, "src/base/wide.c",
              function(1, six) + function(1, six + ", int g") + f"int f({six}, int g);\n")
        write(self.root, "tests/any.c", function(100))
        self.assertEqual(places(lengths.check(self.root, {})), [
            "src/base/a.c:65", "src/base/b_test.c:901", "src/base/long.h:501", "src/base/wide.c:6"])

    def test_exceptions_of_lengths_only_shrink(self):
        write(self.root, "src/base/a.c", "\n" * 510)
        listed = "src/base/a.c"
        self.assertEqual(lengths.check(self.root, {listed: 510}), [])
        self.assertEqual(places(lengths.check(self.root, {listed: 509})), ["src/base/a.c:510"])
        write(self.root, "src/base/a.c", "\n" * 500)
        self.assertEqual(places(lengths.check(self.root, {listed: 510})), ["src/base/a.c:1"])

    def test_guides(self):
        write(self.root, "include/a.h", "#ifndef FASTNET_A_H\n#define FASTNET_MAP(X) \\\n"
              "X(ERR_TOLD, -1, \"x\") \\\nX(ERR_SILENT, -2, \"x\")\n"
              "/* fastnet_of_a_comment */ void fastnet_told(void);\nvoid fastnet_silent(void);\n"
              "typedef int FastNetInExample;\nvoid fastnet_tol(void);\n#include \"fastnet.h\"\n")
        write(self.root, "docs/guide/a.md", "`FASTNET_MAP` and `ERR_TOLD`: fastnet_told() tells.")
        write(self.root, "docs/other.md", "fastnet_silent")
        write(self.root, "examples/x/main.c", "FastNetInExample x;")
        self.assertEqual(places(guides.check(self.root)),
                         ["include/a.h:4", "include/a.h:6", "include/a.h:8"])

    def test_regressions(self):
        write(self.root, "docs/regressions.md", "| S1 | forged `no_test` | `s1_known`, `joins_last` |\n"
              "| R2 | lost | `r2_gone` |\n`r9_prose`\n")
        write(self.root, "src/core/a_test.c", "static void s1_known(void **state)\n"
              "static void s1_r3_new(void **state)\nx = s6_addr; f(p50_ns);\n")
        write(self.root, "src/core/a.c", "static void s8_is_no_test(void)\n")
        write(self.root, "tests/sim/b.c", "{\"t4_scenario\", 1},\nvoid joins_last(void)\n")
        self.assertEqual(places(regressions.check(self.root)),
                         ["docs/regressions.md:2", "src/core/a_test.c:2", "tests/sim/b.c:1"])

    def test_map(self):
        write(self.root, "src/core/ack.c", "")
        write(self.root, "src/io/posix/udp.c", "")
        write(self.root, "ARCHITECTURE.md",
              "`core/ack` `core/ack.c` `io/udp` `core/`\n`core/gone`\n`core/gone.c`, and/or `x/y`\n")
        self.assertEqual(places(map_lint.check(self.root)),
                         ["ARCHITECTURE.md:2", "ARCHITECTURE.md:3"])


class Binaries(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def archive(self, name):
        sample = os.path.join(SAMPLES, "symbols", f"{name}.c")
        subprocess.run(["cc", "-fPIC", "-O0", "-c", sample, "-o", self.path(name + ".o")], check=True)
        subprocess.run(["ar", "rc", self.path(f"lib{name}.a"), self.path(name + ".o")], check=True)
        return self.path(f"lib{name}.a")

    def test_symbols_of_a_pure_archive(self):
        good, below = self.archive("good"), self.archive("below")
        self.assertEqual(symbols.check(good, [below]), [])
        self.assertEqual(symbols.check(good), ["libgood.a: uses fn_below"])

    def test_symbols_of_an_archive_with_clock_heap_and_state(self):
        found = symbols.check(self.archive("bad"))
        self.assertEqual(found[:4], [f"libbad.a: uses {name}"
                                     for name in ("fn_unknown", "free", "malloc", "time")])
        self.assertEqual(sorted(found[4:]), [f"libbad.a: writable data {name}"
                                             for name in ("bad_calls", "bad_counter")])

    def objects(self, **sources):
        """Compiles each, and returns the paths that circles.py takes."""
        paths = []
        for name, text in sources.items():
            write(self.folder, name + ".c", text)
            paths.append(self.path(f"fn_x.dir/./src/x/{name}.c.o"))
            os.makedirs(os.path.dirname(paths[-1]), exist_ok=True)
            subprocess.run(["cc", "-O0", "-c", self.path(name + ".c"), "-o", paths[-1]], check=True)
        return paths

    def test_circles(self):
        def file(own, *needed):
            declarations = "".join(f"void fn_{name}(void);" for name in (own, *needed))
            calls = "".join(f"fn_{name}();" for name in needed)
            return f"{declarations} void fn_{own}(void) {{ {calls} }}"

        pair = self.objects(a=file("a", "b"), b=file("b", "a", "c"), c=file("c"))
        self.assertEqual(circles.check("x", pair, {}), [])  # two may
        three = self.objects(a=file("a", "b"), b=file("b", "c"), c=file("c", "a"), d=file("d", "a"))
        self.assertEqual(circles.check("x", three, {}), ["x: a circle of 3: x/a x/b x/c"])
        self.assertEqual(circles.check("x", three, {"x": ["x/a x/b x/c"]}), [])
        self.assertEqual(circles.check("x", three, {"x": ["x/a x/b x/c x/d"]}),
                         ["x: a knot lost x/d: its entry is now x/a x/b x/c"])
        four = self.objects(a=file("a", "b"), b=file("b", "c"), c=file("c", "d"), d=file("d", "a"))
        self.assertEqual(circles.check("x", four, {"x": ["x/a x/b x/c"]})[0],
                         "x: a circle of 4, joined by x/d: x/a x/b x/c x/d")
        self.assertEqual(circles.check("x", pair, {"x": ["x/a x/b x/c"]}),
                         ["x: a knot is gone, take it out of the list: x/a x/b x/c"])

    def test_circles_know_data_and_statics(self):
        found = self.objects(
            a="extern int fn_table[]; int fn_a(void); int fn_a(void) { return fn_table[0]; }",
            b="extern int fn_c; static void same(void) {} int *fn_table[]; int *fn_table[] = {&fn_c};"
              "void fn_b(void); void fn_b(void) { same(); }",
            c="int fn_a(void); static void same(void) {} int fn_c; void fn_d(void);"
              "void fn_d(void) { fn_a(); same(); }")
        found += self.objects(z="static void fn_b(void) {} void fn_z(void); void fn_z(void) { fn_b(); }")
        self.assertEqual(circles.check("x", found, {}), ["x: a circle of 3: x/a x/b x/c"])

    def test_exports(self):
        root, library = os.path.join(SAMPLES, "exports"), self.path("libsample.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-fvisibility=hidden", os.path.join(root, "sample.c"),
                        "-o", library], check=True)
        self.assertEqual(exports.check(root, library), [
            "fastnet_missing: declared, but not exported", "fn_leaked: exported, but not declared"])


if __name__ == "__main__":
    unittest.main()
