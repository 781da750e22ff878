"""A running `fastnet netem`, and the sockets that tests put on both ends of it."""

import json
import os
import re
import socket
import sys
import threading
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import harness  # noqa: E402


class Emulator(harness.Process):
    """Options as on the command line; ready when the constructor returns."""

    def __init__(self, folder, *options, **more):
        self.socket = os.path.join(folder, f"netem-{id(self)}")
        super().__init__([harness.FASTNET, "netem", "--control", self.socket, *options], **more)
        try:
            self.wait_line("^ready$")
        except AssertionError:
            self.stop()
            raise
        self.ports = [int(port) for line in self.lines
                      for port in re.findall(r"^listening.*?:(\d+) .*target=", line)]

    def tell(self, command):
        return harness.fastnet("netem", "--tell", self.socket, command, check=True).stdout.strip()

    def stats(self):
        return json.loads(self.tell("stats"))


class UdpEcho:
    """Sends everything back; remembers from where it came."""

    def __init__(self, address="127.0.0.1", family=socket.AF_INET):
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind((address, 0))
        self.port = self.socket.getsockname()[1]
        self.seen = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            data, sender = self.socket.recvfrom(65536)
            self.seen.append((data, sender))
            self.socket.sendto(data, sender)


class TcpEcho:
    def __init__(self, address="127.0.0.1"):
        self.socket = socket.create_server((address, 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self.socket.accept()
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    @staticmethod
    def _echo(connection):
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                pass


_sockets = []  # open until the program ends: servers hold what their threads use


def udp_socket(port, address="127.0.0.1", family=socket.AF_INET):
    result = socket.socket(family, socket.SOCK_DGRAM)
    _sockets.append(result)
    result.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    result.connect((address, port))
    return result


def exchange(sock, count, interval_s=0.0005, size=100, patience_s=1.0):
    """Sends numbered datagrams; {number: round trip in s} of those that came back, and damaged."""
    sent, times, damaged = {}, {}, 0
    ended = threading.Event()

    def send():
        for number in range(count):
            sent[number] = time.monotonic()
            sock.send(number.to_bytes(4, "big") * (size // 4))
            time.sleep(interval_s)
        ended.set()

    sender = threading.Thread(target=send)
    sender.start()
    sock.settimeout(0.05)
    quiet_since = time.monotonic()
    while not ended.is_set() or time.monotonic() < quiet_since + patience_s:
        try:
            data = sock.recv(65536)
        except TimeoutError:
            continue
        quiet_since = time.monotonic()
        number = int.from_bytes(data[:4], "big")
        if data != data[:4] * (size // 4) or number not in sent:
            damaged += 1
        elif number not in times:
            times[number] = quiet_since - sent[number]
        if len(times) == count:
            break
    sender.join()
    return times, damaged


def passes(sock, patience_s=5.0):
    """Whether a datagram makes the round trip; tries until then."""
    sock.settimeout(0.1)
    limit = time.monotonic() + patience_s
    token = os.urandom(8)
    while time.monotonic() < limit:
        sock.send(token)
        try:
            while True:
                if sock.recv(65536) == token:
                    return True
        except (TimeoutError, ConnectionRefusedError):
            pass
    return False
