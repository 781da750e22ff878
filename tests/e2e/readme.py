"""What README.md shows works as it stands: its C programs, its commands, its links."""

import os
import re

import harness


class Readme(harness.TestCase):
    def setUp(self):
        super().setUp()
        with open(os.path.join(harness.SOURCE, "README.md"), encoding="utf-8") as stream:
            self.text = stream.read()

    def build(self, name):
        """The C block that follows the mention of the file."""
        block = re.search(rf"`{name}\.c`.*?```c\n(.*?)```", self.text, re.DOTALL)[1]
        source, binary = self.path(f"{name}.c"), self.path(name)
        with open(source, "w", encoding="utf-8") as stream:
            stream.write(block)
        sanitize = [f"-fsanitize={harness.OPTIONS.sanitize}"] if harness.OPTIONS.sanitize else []
        harness.run("cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", *sanitize,
                    f"-I{harness.SOURCE}/include", source, "-o", binary, f"-L{harness.BUILD}",
                    f"-Wl,-rpath,{harness.BUILD}", "-lfastnet", check=True)
        return binary

    def test_the_echo_echoes(self):
        server_binary, client_binary = self.build("server"), self.build("client")
        certificates = self.certificates("localhost")
        with harness.Process([server_binary, certificates.cert, certificates.key]) as server:
            for _ in range(100):  # until it listens
                result = harness.run(client_binary, ca=certificates.ca)
                if result.returncode == 0:
                    break
            self.assertEqual(result.stdout, "received 5 bytes\n", result.stderr)
            server.stop()

    def test_local_links_exist(self):
        for target in re.findall(r"\]\(([^)#:]+)\)", self.text):
            self.assertTrue(os.path.exists(os.path.join(harness.SOURCE, target)), target)

    def test_options_in_commands_exist(self):
        for command, line in re.findall(r"fastnet (cert|echo|ping) (--[^\n`]*|\w+ --[^\n`]*)",
                                        self.text):
            known = harness.fastnet(command, "--help", check=True).stdout
            for option in re.findall(r"--[a-z-]+", line):
                self.assertIn(f"  {option}", known, f"fastnet {command} {line}")


harness.enter_new_network()  # the echo's ports are fixed
harness.main()
