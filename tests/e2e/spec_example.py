"""The C example of the specification: compiled as it stands, talking to `fastnet echo`."""

import os
import re
import shutil

import harness

TIMES = 100
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


class SpecExample(harness.TestCase):
    def compile(self, *command):
        sanitize = [f"-fsanitize={harness.OPTIONS.sanitize}"] if harness.OPTIONS.sanitize else []
        harness.run(*command, *WARNINGS, *sanitize, f"-I{harness.SOURCE}/include", check=True)

    def example(self):
        source, binary = self.path("example.c"), self.path("example")
        shutil.copy(os.path.join(harness.SOURCE, "tests/e2e/spec_example.c.txt"), source)
        self.compile("cc", "-std=c11", source, "-o", binary, f"-L{harness.BUILD}",
                     f"-Wl,-rpath,{harness.BUILD}", "-lfastnet")
        return binary

    def test_header_is_c11_and_cxx17(self):
        for compiler, suffix in ((["cc", "-std=c11"], "c"), (["c++", "-std=c++17"], "cpp")):
            source = self.path(f"header.{suffix}")
            with open(source, "w", encoding="ascii") as stream:
                stream.write('#include "fastnet.h"\n#include "fastnet/certificate.h"\n'
                             '#include "fastnet/shards.h"\n'
                             "int main(void) { return fastnet_version()[0] == 0; }\n")
            self.compile(*compiler, "-fsyntax-only", source)

    def test_four_bytes_arrive_before_it_disconnects_100_times_of_100(self):
        example, certificates = self.example(), self.certificates()
        with harness.echo(certificates, "--print", "--verbose", "--joins-per-address", "0",
                          udp=7777, tls=7778) as server:
            for _ in range(TIMES):
                result = harness.run(example, ca=certificates.ca)
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
                self.assertRegex(result.stdout, r"^Connected as peer \d+\n")
            server.wait_until(
                lambda lines: sum(line.startswith("disconnected ") for line in lines) == TIMES,
                "the last disconnect")
            self.assert_arrived_in_order(server.lines)

    def assert_arrived_in_order(self, lines):
        """Per peer: connected, the message, disconnected in an orderly way; nothing else."""
        stories = {}
        for line in lines:
            match = re.match(r"(\w+) peer=(\d+) (.*)", line)
            if match:
                stories.setdefault(match[2], []).append((match[1], match[3]))
        self.assertEqual(len(stories), TIMES)
        for story in stories.values():
            self.assertEqual([what for what, _ in story], ["connected", "message", "disconnected"])
            self.assertEqual(story[1][1], "channel=0 bytes=4 hex=01020304")
            self.assertIn("result=FASTNET_ERR_CLOSED", story[2][1])

    def test_without_a_ca_it_says_that_it_failed(self):
        example, certificates = self.example(), self.certificates()
        with harness.echo(certificates, udp=7777, tls=7778):
            result = harness.run(example)
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stdout, "Failed to connect\n")


harness.enter_new_network()  # the example's port is fixed
harness.main()
