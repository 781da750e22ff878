"""Runs one benchmark program, or a server and a client, and reads the JSON lines they print."""

import json
import os
import select
import signal
import subprocess
import time

START_SECONDS = 10


class Trouble(Exception):
    """One sentence for a person; the rest of the run goes on."""


def prefix(namespace):
    return ["ip", "netns", "exec", namespace] if namespace else []


def arguments(options):
    return [part for name, value in options.items() for part in (f"--{name}", str(value))]


class Program:
    """A running program; leaving the `with` block ends it."""

    def __init__(self, command):
        self.command = command
        self.buffer = b""
        try:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as error:
            raise Trouble(f"{command[0]}: {error.strerror}") from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def line(self, seconds):
        """The next line, which is JSON, or Trouble."""
        return json.loads(self.text_line(seconds))

    def text_line(self, seconds):
        deadline = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Trouble(f"{self.name()} said nothing for {seconds:.0f} s")
            if not select.select([self.process.stdout], [], [], left)[0]:
                continue
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                self.process.wait()
                raise Trouble(self.complaint() or f"{self.name()} ended with "
                              f"code {self.process.returncode}")
            self.buffer += data
        text, self.buffer = self.buffer.split(b"\n", 1)
        return text.decode(errors="replace")

    def name(self):
        return os.path.basename(next((part for part in self.command if "bench_" in part),
                                     self.command[0]))

    def complaint(self):
        return self.process.stderr.read().decode(errors="replace").strip().replace("\n", "; ")

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Bench:
    """Where the programs are, which cores they may use, and the certificate for them."""

    def __init__(self, build, certificate, key, cores, tell):
        self.build = build
        self.certificate = certificate
        self.key = key
        self.server_core, self.client_core = cores
        self.tell = tell
        self.notices = set()

    def path(self, name):
        return os.path.join(self.build, "bench", "bin", f"bench_{name}")

    def fastnet(self):
        """The command `fastnet`, which has the link emulator."""
        return os.path.join(self.build, "fastnet")

    def has(self, name):
        return os.access(self.fastnet() if name == "netem" else self.path(name), os.X_OK)

    def notice(self, text):
        for sentence in filter(None, text.split("; ")):
            if sentence not in self.notices:
                self.notices.add(sentence)
                self.tell(f"note: {sentence}")

    def lines(self, name, mode, options, seconds):
        """All lines of a program that runs alone."""
        found = []
        with Program([self.path(name), mode, *arguments(options)]) as program:
            deadline = time.monotonic() + seconds
            while True:
                try:
                    found.append(program.line(deadline - time.monotonic()))
                except Trouble:
                    if not found or program.process.returncode != 0:
                        raise
                    return found

    def pair(self, name, server_options, client_options, seconds, namespaces=(None, None),
             host="127.0.0.1", pinned=True):
        """Runs a server and a client of it to the end; returns what each of them reported."""
        common = {"host": host, "certificate": self.certificate}
        server_options = {**common, "key": self.key, **server_options}
        if pinned:
            server_options["cpu"] = self.server_core
        command = [*prefix(namespaces[0]), self.path(name), "serve", *arguments(server_options)]
        with Program(command) as server:
            ports = server.line(START_SECONDS)
            options = {**common, "port": ports["port"], "tls_port": ports.get("tls_port", 0),
                       "server_pid": server.process.pid, **client_options}
            if pinned:
                options["cpu"] = self.client_core
            command = [*prefix(namespaces[1]), self.path(name), "run", *arguments(options)]
            with Program(command) as client:
                try:
                    said = client.line(seconds)
                except Trouble as trouble:
                    server.end()
                    told = server.complaint()
                    raise Trouble(f"{trouble}{'; server: ' + told if told else ''}") from trouble
                client.process.wait(START_SECONDS)
                self.notice(client.complaint())
            server.end()
            answered = server.line(START_SECONDS)
            self.notice(server.complaint())
        return answered, said
