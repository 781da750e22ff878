"""What is measured: each case is one way of sending under one load, with the numbers it yields."""

import os

from . import network
from .programs import Trouble

NS_PER_US = 1e3
NS_PER_MS = 1e6
NS_PER_S = 1e9


class Case:
    """suite/name/load is its key. run() returns {figure: number} and maybe a "curve"."""

    rounds = None  # None = every round
    repeats = 1    # within a round

    def __init__(self, suite, name, load, **settings):
        self.suite = suite
        self.name = name
        self.load = load
        self.settings = settings
        self.program = settings.get("program")

    @property
    def key(self):
        return f"{self.suite}/{self.name}/{self.load}"

    def needs(self):
        return [self.program]


def delays(histogram, unit_ns, unit):
    figures = {f"{name}_{unit}": histogram[name] / unit_ns for name in ("avg", "p50", "p99")}
    figures[f"p999_{unit}"] = histogram["p999"] / unit_ns
    figures[f"max_{unit}"] = histogram["max"] / unit_ns
    figures["curve"] = [[fraction, value / unit_ns] for fraction, value in histogram["curve"]]
    return figures


class RoundTrip(Case):
    def run(self, bench):
        settings = self.settings
        wait = settings["wait"]
        client = {"channel": settings["channel"], "wait": wait, "workload": settings["workload"],
                  "count": settings["count"], "rate": settings.get("rate", 0),
                  "warmup": settings["warmup"], "seconds": settings["seconds"],
                  "keep_warm": settings.get("keep_warm", 0)}
        server = {"channel": settings["channel"], "wait": wait, "warmup": settings["warmup"],
                  "keep_warm": settings.get("keep_warm", 0)}
        answered, said = bench.pair(self.program, server, client, 60 + 2 * settings["seconds"])
        count = said["received"]
        if not count:
            raise Trouble("no message came back")
        figures = delays(said["delay_ns"], NS_PER_US, "us")
        figures["client_cpu_us_per_packet"] = said["cpu_ns"] / NS_PER_US / (2 * count)
        figures["server_cpu_us_per_packet"] = said["server_cpu_ns"] / NS_PER_US / (2 * count)
        figures["lost"] = said["sent"] - count
        figures["allocations"] = said["allocations"] + answered["allocations"]
        return figures


class Throughput(Case):
    """Per second of wall clock, and per second of CPU: what one core could do."""

    def run(self, bench):
        seconds, size = self.settings["seconds"], self.settings["bytes"]
        if self.program == "floor_throughput":
            options = {"channel": self.settings["channel"], "bytes": size}
            answered, said = bench.pair(self.program, options, {**options, "seconds": seconds}, 60)
            sent, sent_ns, sent_cpu_ns = said["datagrams"], said["elapsed_ns"], said["cpu_ns"]
            received, received_ns = answered["datagrams"], answered["elapsed_ns"]
            received_cpu_ns = answered["cpu_ns"]
        else:
            common = {"channel": self.settings["channel"], "bytes": size, "wait": "block",
                      "workload": "bulk", "warmup": 0, "tuning": "throughput"}
            answered, said = bench.pair(self.program, {**common, "role": "sink"},
                                        {**common, "count": 0, "seconds": seconds}, 60)
            sent = said["sent"] - said.get("dropped_messages", 0)
            sent_ns, sent_cpu_ns = said["wall_ns"], said["cpu_ns"]
            received, received_ns = answered["received"], answered["elapsed_ns"]
            received_cpu_ns = said["server_cpu_ns"]
        if not received or not received_ns:
            raise Trouble("nothing was received")
        return {
            "sent_per_s": sent * NS_PER_S / sent_ns,
            "sent_per_cpu_s": sent * NS_PER_S / max(sent_cpu_ns, 1),
            "received_per_s": received * NS_PER_S / received_ns,
            "received_per_cpu_s": received * NS_PER_S / max(received_cpu_ns, 1),
            "received_mb_per_s": received * size * 1e3 / received_ns,
            "lost_share": 1 - received / sent,
        }


class FanOut(Case):
    def run(self, bench):
        settings = self.settings
        server = {"clients": settings["clients"], "hz": settings["hz"], "wait": settings["wait"],
                  "keep_tls": settings["keep_tls"]}
        client = {**server, "seconds": settings["seconds"], "per_socket": settings["per_socket"],
                  "idle_seconds": settings["idle_seconds"]}
        server.update({"shards": settings["shards"], "frame_us": settings["frame_us"]})
        answered, said = bench.pair(self.program, server, client, 240)
        packets = said["inputs"] + said["states"]
        if said["connected"] < settings["clients"] or not said["states"]:
            raise Trouble(f"{said['connected']} of {settings['clients']} clients, "
                          f"{said['states']} states")
        figures = delays(said["delay_ns"], NS_PER_MS, "ms")
        resident = said["server_resident_idle_bytes"] - said["server_resident_before_bytes"]
        figures.update({
            "cpu_us_per_packet": said["server_cpu_ns"] / NS_PER_US / packets,
            "server_cpu_percent": 100 * said["server_cpu_ns"] / said["wall_ns"],
            "client_cpu_percent": 100 * said["cpu_ns"] / said["wall_ns"],
            "packets_per_s": packets * NS_PER_S / said["wall_ns"],
            "resident_kib_per_peer": resident / 1024 / settings["clients"],
            "connects_per_s": settings["clients"] * NS_PER_S / said["connect_ns"],
            "connect_cpu_ms": said["connect_server_cpu_ns"] / NS_PER_MS / settings["clients"],
            "late_ticks": answered["late_ticks"],
        })
        if settings["idle_seconds"]:
            figures["idle_cpu_percent"] = 100 * said["idle_server_cpu_ns"] / said["idle_ns"]
        return figures


class Crypto(Case):
    def run(self, bench):
        figures = {}
        for row in bench.lines("crypto", "run", {"cpu": bench.client_core}, 60):
            for what in ("seal_ns", "open_ns", "prepare_ns"):
                if what in row:
                    figures[f"{row['backend']}/{row['bytes']}/{what}"] = row[what]
        return figures


class System(Case):
    def run(self, bench):
        figures = {}
        for row in bench.lines("system", "run", {"cpu": bench.client_core}, 60):
            for what in ("send_ns", "receive_ns", "call_ns"):
                if what in row:
                    figures[f"{row['way']}/{row['bytes']}/{what}"] = row[what]
        return figures


class Handshake(Case):
    def run(self, bench):
        settings = self.settings
        wait = "default" if settings["clients"] == 1 else "block"
        options = {"clients": settings["clients"], "seconds": settings["seconds"],
                   "resume": settings["resume"], "wait": wait}
        _, said = bench.pair(self.program, {"wait": wait}, options, 60)
        if not said["completed"]:
            raise Trouble("no connection was made")
        figures = {
            "per_s": said["completed"] * NS_PER_S / said["wall_ns"],
            "per_server_cpu_s": said["completed"] * NS_PER_S / max(said["server_cpu_ns"], 1),
            "server_cpu_ms": said["server_cpu_ns"] / NS_PER_MS / said["completed"],
            "client_cpu_ms": said["cpu_ns"] / NS_PER_MS / said["completed"],
            "p50_ms": said["connect_ns"]["p50"] / NS_PER_MS,
            "p99_ms": said["connect_ns"]["p99"] / NS_PER_MS,
            "failed": said["failed"],
        }
        if "resumed" in said:
            figures["resumed_share"] = said["resumed"] / said["completed"]
        return figures


class BadLink(Case):
    """Over two network namespaces with `fastnet netem` between them."""

    TRIES = 3

    def run(self, bench):
        for attempt in range(self.TRIES):
            try:
                return self.once(bench, attempt)
            except Trouble:
                if attempt == self.TRIES - 1:
                    raise
        return None

    def once(self, bench, attempt):
        settings = self.settings
        with network.Link(bench.fastnet(), settings["index"], settings["delay_ms"],
                          settings["loss_percent"], settings["rate_kbit"],
                          settings["queue_bytes"], settings["seed"] + attempt) as link:
            common = {"channel": settings["channel"], "bytes": settings["bytes"], "wait": "block",
                      "workload": settings["workload"], "warmup": settings["warmup"]}
            client = {**common, "seconds": settings["seconds"], "rate": settings.get("rate", 0),
                      "count": settings.get("count", 0)}
            answered, said = bench.pair(self.program, {**common, "role": "sink"}, client,
                                        40 + settings["seconds"], namespaces=link.namespaces,
                                        host=link.server_address, pinned=False)
        if not answered["received"]:
            raise Trouble("nothing arrived")
        figures = delays(answered["delay_ns"], NS_PER_MS, "ms")
        figures["delivered_share"] = answered["received"] / said["sent"]
        figures["connect_ms"] = said["connect_ns"] / NS_PER_MS
        if settings["workload"] == "bulk":
            figures["mbit_per_s"] = answered["received_bytes"] * 8e3 / max(answered["elapsed_ns"], 1)
        return figures

    def needs(self):
        return [self.program, "netem"]


# --- the lists --------------------------------------------------------------------------------

PEERS = [
    ("raw UDP", "raw_udp", "plain"),
    ("raw UDP + AEAD", "raw_udp", "sealed"),
    ("raw UDP + AEAD ahead", "raw_udp", "ahead"),
    ("FastNet unreliable", "fastnet", "1"),
    ("FastNet reliable ordered", "fastnet", "0"),
    ("ENet unreliable", "enet", "unreliable"),
    ("ENet reliable", "enet", "reliable"),
    ("QUIC datagrams", "quic", "datagram"),
    ("QUIC datagrams, ChaCha20", "quic", "datagram-chacha20"),
    ("TLS over TCP", "tls_tcp", "tls"),
]
AT_GAME_RATES = {"raw UDP", "FastNet unreliable", "ENet unreliable", "QUIC datagrams"}
WAITS_BY_DEFAULT = {"raw UDP", "FastNet unreliable", "FastNet reliable ordered"}


def round_trips(quick, offers):
    for name, program, channel in PEERS:
        waits = ["spin", "block"] + (["default"] if name in WAITS_BY_DEFAULT else [])
        for wait in waits:
            count = (3000 if quick else 20000) if wait == "spin" else (1000 if quick else 5000)
            case = RoundTrip("rtt", name, f"ping-pong, {wait}", program=program, channel=channel,
                             wait=wait, workload="pingpong", count=count, warmup=500, seconds=5)
            case.repeats = 1 if quick else 2
            yield case
        for wait in ("spin", "block"):
            count = 5000 if quick else 50000
            yield RoundTrip("rtt", name, f"10000/s, {wait}", program=program, channel=channel,
                            wait=wait, workload="paced", rate=10000, count=count, warmup=500,
                            seconds=count // 10000 + 2)
            for rate, seconds in ((1000, 2), (60, 3)) if name in AT_GAME_RATES else ():
                seconds = 1 if quick else seconds
                yield RoundTrip("rtt", name, f"{rate}/s, {wait}", program=program, channel=channel,
                                wait=wait, workload="paced", rate=rate, count=rate * seconds,
                                warmup=rate // 10, seconds=seconds + 2)
    if "keep_warm_us" in offers:
        seconds = 1 if quick else 3
        yield RoundTrip("rtt", "FastNet unreliable, kept warm", "60/s, spin", program="fastnet",
                        channel="1", wait="spin", workload="paced", rate=60, count=60 * seconds,
                        warmup=6, seconds=seconds + 2, keep_warm=1)


def throughputs(quick, _offers):
    for size in (64, 1200):
        for name, program, channel in (("floor, GSO", "floor_throughput", "gso"),
                                       ("floor, sendmmsg", "floor_throughput", "mmsg"),
                                       ("FastNet unreliable", "fastnet", "1"),
                                       ("FastNet reliable", "fastnet", "2")):
            yield Throughput("throughput", name, f"{size} B", program=program, channel=channel,
                             bytes=size, seconds=1 if quick else 2)


def fan_outs(quick, _offers):
    loads = [(1000, 60), (1000, 20)] if quick else [(100, 20), (100, 60), (1000, 20), (1000, 60),
                                                   (10000, 5), (10000, 20)]
    for clients, hz in loads:
        ways = [("FastNet", "fanout", "block"), ("floor", "floor_fanout", "block")]
        if (clients, hz) == (1000, 20):
            ways.append(("FastNet, default waiting", "fanout", "default"))
            ways.append(("FastNet, TLS kept", "fanout", "block"))
        if (clients, hz) == (1000, 60):
            ways += [(f"FastNet{shards}{frames}", "fanout", "block")
                     for shards in ("", ", 2 shards") for frames in ("", ", frames")][1:]
        for name, program, wait in ways:
            idle = (2 if quick else 5) if wait == "default" else 0
            case = FanOut("fanout", name, f"{clients} clients, {hz} Hz", program=program,
                          clients=clients, hz=hz, seconds=2 if quick else 4, idle_seconds=idle,
                          wait=wait, per_socket=10 if clients >= 10000 else 1,
                          shards=2 if "2 shards" in name else 1,
                          keep_tls=1 if "TLS kept" in name else 0,
                          frame_us=2000 if "frames" in name else 0)
            case.rounds = 1 if clients >= 10000 else None
            yield case


LINK_PEERS = [
    ("FastNet reliable ordered", "fastnet", "0"),
    ("FastNet reliable", "fastnet", "2"),
    ("ENet reliable", "enet", "reliable"),
    ("QUIC stream", "quic", "stream"),
    ("TCP", "tls_tcp", "tcp"),
    ("TCP, CUBIC", "tls_tcp", "tcp-cubic"),
]


def bad_links(quick, _offers):
    for percent in (0, 5) if quick else (0, 1, 5, 10):
        for index, (name, program, channel) in enumerate(LINK_PEERS):
            common = {"program": program, "channel": channel, "index": index, "delay_ms": 25,
                      "loss_percent": percent, "seed": 1000 * percent + index}
            loss = f"{percent} % loss"
            seconds = 3 if quick else 10
            yield BadLink("loss", name, f"messages, {loss}", workload="oneway", rate=100,
                          bytes=200, count=100 * seconds, warmup=100 if quick else 200,
                          seconds=seconds + 2,
                          rate_kbit=0, queue_bytes=65536, **common)
            yield BadLink("loss", name, f"bulk, {loss}", workload="bulk", bytes=1000, warmup=0,
                          seconds=2 if quick else 5, rate_kbit=20000, queue_bytes=125000, **common)


def cryptos(_quick, _offers):
    yield Crypto("crypto", "ChaCha20-Poly1305", "one operation", program="crypto")


def systems(_quick, _offers):
    yield System("system", "kernel", "one datagram", program="system")


def handshakes(quick, _offers):
    seconds = 1 if quick else 3
    for name, program in (("FastNet", "handshake"), ("OpenSSL alone", "floor_handshake")):
        for load, resume, clients in (("full", 0, 16), ("resumed", 1, 16), ("one at a time", 0, 1)):
            yield Handshake("handshake", name, load, program=program, resume=resume,
                            clients=clients, seconds=seconds)


SUITES = {
    "rtt": round_trips,
    "throughput": throughputs,
    "fanout": fan_outs,
    "loss": bad_links,
    "system": systems,
    "crypto": cryptos,
    "handshake": handshakes,
}
PARALLEL = {"loss"}  # a few hundred packets a second each: those of one load run side by side


def offered_settings(root):
    """Which settings, that some cases need, this version's public header has."""
    with open(os.path.join(root, "include", "fastnet.h"), encoding="utf-8") as header:
        text = header.read()
    return {name for name in ("spin_us", "keep_warm_us") if f" {name};" in text}
