"""What the numbers were measured on."""

import os
import platform
import re


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def describe():
    model = re.search(r"^model name\s*:\s*(.+)$", read("/proc/cpuinfo"), re.M)
    system = re.search(r'^PRETTY_NAME="?([^"\n]+)', read("/etc/os-release"), re.M)
    memory = re.search(r"^MemTotal:\s*(\d+)", read("/proc/meminfo"), re.M)
    return {
        "processor": model[1].strip() if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory[1]) / (1 << 20), 1) if memory else None,
        "virtual": "hypervisor" in read("/proc/cpuinfo"),
        "system": system[1] if system else platform.system(),
        "kernel": platform.release(),
        "tcp": read("/proc/sys/net/ipv4/tcp_congestion_control").strip(),
    }


def sentence(machine):
    kind = "virtual " if machine["virtual"] else ""
    return (f"{machine['cores']} {kind}cores of {machine['processor']}, {machine['system']}, "
            f"kernel {machine['kernel']}, loopback")


def cores():
    """(server's core, client's core): two different ones where there are two."""
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else (-1, -1)


def busy_share(seconds):
    """How much of all cores others use, watched for so long: noise that a reader should know of."""
    import time

    def sample():
        fields = [int(field) for field in read("/proc/stat").split("\n", 1)[0].split()[1:]]
        return sum(fields), fields[3] + fields[4]

    before = sample()
    time.sleep(seconds)
    after = sample()
    total = after[0] - before[0]
    return 1 - (after[1] - before[1]) / total if total > 0 else 0
