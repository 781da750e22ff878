"""Two network namespaces with a bad link between them: bench_tunnel carries the packets."""

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

    def __init__(self, program, index, delay_ms, loss_permille, rate_kbit, queue_bytes, seed):
        base = f"fastnet-bench-{os.getpid()}-{index}"
        self.namespaces = (f"{base}s", f"{base}c")
        self.server_address = f"10.77.{index}.1"
        self.client_address = f"10.77.{index}.2"
        self.command = [program, *self.namespaces, str(delay_ms), str(loss_permille),
                        str(rate_kbit), str(queue_bytes), str(seed)]
        self.tunnel = None

    def __enter__(self):
        try:
            for namespace in self.namespaces:
                ip("netns", "add", namespace)
                ip("-n", namespace, "link", "set", "lo", "up")
            self.tunnel = Program(self.command)
            self.tunnel.line(5)
            addresses = (self.server_address, self.client_address)
            for namespace, own, other in zip(self.namespaces, addresses, addresses[::-1]):
                ip("-n", namespace, "addr", "add", own, "peer", other, "dev", "bench0")
                ip("-n", namespace, "link", "set", "bench0", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.tunnel:
            self.tunnel.end()
        for namespace in self.namespaces:
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True)
