"""Two network namespaces with a bad link between them: `fastnet netem` carries the packets."""

import os
import subprocess

from .programs import Program, Trouble


def why_not():
    """None, or why bad links cannot be made here."""
    if os.geteuid() != 0:
        return "bad links need root: network namespaces and TUN devices"
    if not os.path.exists("/dev/net/tun"):
        return "bad links need TUN devices, and /dev/net/tun does not exist"
    name = f"fastnet-bench-{os.getpid()}"
    try:
        subprocess.run(["ip", "netns", "add", name], check=True, capture_output=True)
        subprocess.run(["ip", "netns", "del", name], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return "bad links need network namespaces, and `ip netns add` fails here"
    return None


def ip(*words):
    result = subprocess.run(["ip", *words], capture_output=True, text=True)
    if result.returncode:
        raise Trouble(f"ip {' '.join(words)}: {result.stderr.strip()}")


class Link:
    """Namespaces and tunnel live as long as the `with` block. index keeps parallel ones apart."""

    def __init__(self, fastnet, index, delay_ms, loss_percent, rate_kbit, queue_bytes, seed):
        base = f"fastnet-bench-{os.getpid()}-{index}"
        self.namespaces = (f"{base}s", f"{base}c")
        self.server_address = f"10.77.{index}.1"
        sides = [part for namespace, address in zip(self.namespaces, (
                     f"{self.server_address}/24", f"10.77.{index}.2/24"))
                 for part in ("--tun", f"{namespace}={address}")]
        self.command = [fastnet, "netem", *sides, "--delay", str(delay_ms), "--loss",
                        str(loss_percent), "--rate", str(rate_kbit), "--queue", str(queue_bytes),
                        "--seed", str(seed)]
        self.emulator = None

    def __enter__(self):
        try:
            for namespace in self.namespaces:
                ip("netns", "add", namespace)
                ip("-n", namespace, "link", "set", "lo", "up")
            self.emulator = Program(self.command)
            while self.emulator.text_line(5) != "ready":
                pass
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.emulator:
            self.emulator.end()
        for namespace in self.namespaces:
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True)
