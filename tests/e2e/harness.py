"""Real processes for the end-to-end tests: the command, the test programs, networks.

Every test file is run by CTest as `python3 -B NAME.py --build DIR --source DIR [--sanitize LIST]`;
without CTest the same line works by hand. A test that cannot run here prints why and exits with 77.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SKIP = 77
PATIENCE_S = 60  # a sanitizer build on a busy machine is slow; nothing waits this long when all is well

_parser = argparse.ArgumentParser()
_parser.add_argument("--build", default="build/dev", help="a build folder")
_parser.add_argument("--source", default=".", help="the project's folder")
_parser.add_argument("--sanitize", default="", help="the sanitizers of that build")
_parser.add_argument("--full", action="store_true", help="the long form of what has one")
OPTIONS, _rest = _parser.parse_known_args()
BUILD = os.path.abspath(OPTIONS.build)
SOURCE = os.path.abspath(OPTIONS.source)
FASTNET = os.path.join(BUILD, "fastnet")


def program(name):
    """A test program (tests/e2e/*.c) or an example of this build."""
    for folder in ("tests/e2e", "examples"):
        path = os.path.join(BUILD, folder, name)
        if os.path.exists(path):
            return path
    raise FileNotFoundError(name)


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIP)


def main():
    unittest.main(argv=[sys.argv[0], *_rest], verbosity=2)


def _tests_of(suite):
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from _tests_of(each)
        else:
            yield each.id().removeprefix("__main__.")


def _run_apart(name):
    result = subprocess.run([sys.executable, "-B", *sys.argv, name], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False)
    print(result.stdout, flush=True)
    return result.returncode


def main_apart(at_once):
    """Each test in a process and a network namespace of its own; so many at once: they mostly wait."""
    if _rest:
        enter_new_network()
        main()
    names = list(_tests_of(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])))
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        codes = list(pool.map(_run_apart, names))
    sys.exit(SKIP if SKIP in codes else max(map(abs, codes)))


def environment(**changes):
    """Ours without what would change the outcome."""
    result = {name: value for name, value in os.environ.items() if name != "FASTNET_CA_FILE"}
    result.update(changes)
    return result


def run(*command, timeout=PATIENCE_S, ca=None, check=False, **options):
    """Runs to the end and returns the result with its texts."""
    changes = {"FASTNET_CA_FILE": ca} if ca else {}
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                            timeout=timeout, env=environment(**changes), **options)
    if check and result.returncode != 0:
        raise AssertionError(f"{command}: exit code {result.returncode}\n"
                             f"{result.stdout}\n{result.stderr}")
    return result


def fastnet(*arguments, **options):
    return run(FASTNET, *arguments, **options)


def ping(host, *arguments, **options):
    """`fastnet ping --json`; the result gets the object as .json."""
    result = fastnet("ping", host, "--json", *arguments, **options)
    lines = result.stdout.splitlines()
    result.json = json.loads(lines[-1]) if lines else None
    return result


class Certificates:
    """The four files that `fastnet cert` makes."""

    def __init__(self, folder, *names, renew=False):
        arguments = [part for name in names or ("localhost", "127.0.0.1", "::1")
                     for part in ("--name", name)]
        fastnet("cert", "--out", folder, "--quiet", *arguments, *(["--renew"] if renew else []),
                check=True)
        self.folder = folder
        self.ca = os.path.join(folder, "ca.pem")
        self.ca_key = os.path.join(folder, "ca-key.pem")
        self.cert = os.path.join(folder, "cert.pem")
        self.key = os.path.join(folder, "key.pem")


class Process:
    """A process in the background; its lines are collected as they come."""

    def __init__(self, command, prefix=(), ca=None, stdin=None):
        changes = {"FASTNET_CA_FILE": ca} if ca else {}
        self.command = [str(part) for part in (*prefix, *command)]
        self.lines = []
        self.errors = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(self.command, stdin=stdin, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, text=True,
                                         env=environment(**changes))
        self._readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                         for pair in ((self._process.stdout, self.lines),
                                      (self._process.stderr, self.errors))]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, lines):
        for line in stream:
            with self._changed:
                lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    @property
    def pid(self):
        return self._process.pid

    @property
    def stdin(self):
        return self._process.stdin

    def wait_until(self, condition, what, timeout=PATIENCE_S):
        """Waits for condition(lines); returns what it returned."""
        limit = time.monotonic() + timeout
        with self._changed:
            while True:
                result = condition(self.lines)
                if result:
                    return result
                ended = self._process.poll() is not None and not any(
                    reader.is_alive() for reader in self._readers)
                if ended or time.monotonic() > limit:
                    raise AssertionError(f"{what} never came from {' '.join(self.command)}\n"
                                         + "\n".join(self.lines[-20:] + self.errors[-20:]))
                self._changed.wait(0.1)

    def wait_line(self, pattern, timeout=PATIENCE_S):
        def search(lines):
            return next((match for line in lines if (match := re.search(pattern, line))), None)
        return self.wait_until(search, pattern, timeout)

    def poll(self):
        """Its exit code, or None while it runs."""
        return self._process.poll()

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self, timeout=PATIENCE_S):
        code = self._process.wait(timeout)
        for reader, stream in zip(self._readers, (self._process.stdout, self._process.stderr)):
            reader.join(timeout)
            stream.close()
        return code

    def resident_kib(self):
        """How much memory it holds now."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])

    def stop(self):
        """Asks it to end, and returns its exit code."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.wait()
            raise AssertionError(f"did not stop: {' '.join(self.command)}") from None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        code = self.stop()
        if kind is None and code not in (0, -signal.SIGTERM):
            raise AssertionError(f"exit code {code}: {' '.join(self.command)}\n"
                                 + "\n".join(self.errors[-40:]))


class Server(Process):
    """Anything that prints "listening udp=N tls=N" once it does."""

    def __init__(self, command, **options):
        super().__init__(command, **options)
        try:
            ports = self.wait_line(r"listening udp=(\d+) tls=(\d+)")
        except AssertionError:
            self.stop()
            raise
        self.udp, self.tls = int(ports[1]), int(ports[2])


def echo(certificates, *arguments, udp=0, tls=0, **options):
    """A running `fastnet echo` on any free ports."""
    return Server([FASTNET, "echo", "--udp", udp, "--tls", tls, "--cert", certificates.cert,
                   "--key", certificates.key, *arguments], **options)


class TestCase(unittest.TestCase):
    """With a folder of its own that goes away afterwards."""

    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="fastnet-e2e-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def certificates(self, *names, folder="certs", renew=False):
        return Certificates(self.path(folder), *names, renew=renew)

    def assert_pings(self, server, certificates, *arguments, host="127.0.0.1"):
        """A real client connects, verified, and gets everything back."""
        result = ping(f"{host}:{server.tls}", "--ca", certificates.ca, "--count", "5",
                      "--interval-us", "1000", *arguments)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.json


# --- networks of our own ----------------------------------------------------------------------


def _unshare():
    """The prefix that starts a program in a new network namespace, or None."""
    for prefix in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            if subprocess.run([*prefix, "true"], capture_output=True, timeout=10).returncode == 0:
                return prefix
    return None


def enter_new_network():
    """Goes on in a network namespace of its own, where every port is free; skips if there is none."""
    if os.environ.get("FASTNET_E2E_NETWORK") == str(os.getpid()):  # exec keeps the id
        run("ip", "link", "set", "lo", "up", check=True)
        return
    prefix = _unshare()
    if not prefix:
        skip("no new network namespace can be made here (needs root or user namespaces)")
    environ = dict(os.environ, FASTNET_E2E_NETWORK=str(os.getpid()))
    os.execvpe(prefix[0], [*prefix, sys.executable, "-B", *sys.argv], environ)


class Namespace:
    """A second network namespace. Use after enter_new_network()."""

    def __init__(self):
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "3600"])
        self._wait_for_namespace()
        self.prefix = ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net"]
        run(*self.prefix, "ip", "link", "set", "lo", "up", check=True)

    def join(self, near, own, far, address):
        """A pair of virtual cables between an interface of ours and one there."""
        run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns",
            str(self._holder.pid), check=True)
        for prefix, name, ip in (([], near, own), (self.prefix, far, address)):
            run(*prefix, "ip", "address", "add", f"{ip}/24", "dev", name, check=True)
            run(*prefix, "ip", "link", "set", name, "up", check=True)

    def _wait_for_namespace(self):
        ours = os.readlink("/proc/self/ns/net")
        limit = time.monotonic() + PATIENCE_S
        while os.readlink(f"/proc/{self._holder.pid}/ns/net") == ours:
            if time.monotonic() > limit:
                raise AssertionError("the neighbour's network did not appear")
            time.sleep(0.01)

    def close(self):
        self._holder.kill()
        self._holder.wait()


class Neighbour(Namespace):
    """Joined to ours by one pair: ours is 10.77.0.1, the neighbour's is 10.77.0.2."""

    own, address = "10.77.0.1", "10.77.0.2"

    def __init__(self):
        super().__init__()
        self.join("near", self.own, "far", self.address)

    def lose(self, percent):
        """Drops that share of the UDP datagrams that come in, on both sides."""
        rules = ("table inet loss { chain arriving { type filter hook input priority 0; "
                 f"meta l4proto udp numgen random mod 100 < {percent} counter drop; }}; }}")
        for prefix in ([], self.prefix):
            run(*prefix, "nft", rules, check=True)

    def dropped(self):
        """How many datagrams were dropped, on both sides together."""
        total = 0
        for prefix in ([], self.prefix):
            listing = run(*prefix, "nft", "list", "table", "inet", "loss", check=True).stdout
            total += int(re.search(r"packets (\d+)", listing)[1])
        return total
