#!/usr/bin/env python3
"""Reads and writes the FastNet wire, version 1, as PROTOCOL.md has it, and nothing else.

Standard library only; ChaCha20-Poly1305 (RFC 8439) and HKDF-Expand (RFC 5869) are below.

  reader.py check  VECTORS EXPECT         the vectors mean what was written by hand
  reader.py make   VECTORS EXPECT         prints the same datagrams and messages, made here
  reader.py same   DUMP EXPECT            a dump says what was written by hand
  reader.py refuse FILE                   none of these frames, messages and streams can be read
  reader.py selftest                      the cryptography against the RFCs' own vectors
"""

import hashlib
import hmac
import struct
import sys


class Refused(Exception):
    pass


# --- RFC 8439 ----------------------------------------------------------------------------------

def rotate(value, bits):
    return (value << bits & 0xFFFFFFFF) | value >> (32 - bits)


def quarter_round(s, a, b, c, d):
    s[a] = (s[a] + s[b]) & 0xFFFFFFFF
    s[d] = rotate(s[d] ^ s[a], 16)
    s[c] = (s[c] + s[d]) & 0xFFFFFFFF
    s[b] = rotate(s[b] ^ s[c], 12)
    s[a] = (s[a] + s[b]) & 0xFFFFFFFF
    s[d] = rotate(s[d] ^ s[a], 8)
    s[c] = (s[c] + s[d]) & 0xFFFFFFFF
    s[b] = rotate(s[b] ^ s[c], 7)


def chacha20_block(key, counter, nonce):
    start = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key)
                 + (counter,) + struct.unpack("<3I", nonce))
    s = start[:]
    for _ in range(10):
        for column in range(4):
            quarter_round(s, column, 4 + column, 8 + column, 12 + column)
        for i in range(4):
            quarter_round(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(s, start)))


def chacha20(key, counter, nonce, data):
    out = bytearray()
    for at in range(0, len(data), 64):
        stream = chacha20_block(key, counter + at // 64, nonce)
        out += bytes(a ^ b for a, b in zip(data[at:at + 64], stream))
    return bytes(out)


def poly1305(key, data):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    s = int.from_bytes(key[16:], "little")
    total = 0
    for at in range(0, len(data), 16):
        total = (total + int.from_bytes(data[at:at + 16] + b"\1", "little")) * r % ((1 << 130) - 5)
    return (total + s & (1 << 128) - 1).to_bytes(16, "little")


def pad16(data):
    return data + bytes(-len(data) % 16)


def tag_of(key, nonce, aad, sealed):
    one_time = chacha20_block(key, 0, nonce)[:32]
    return poly1305(one_time, pad16(aad) + pad16(sealed) + struct.pack("<QQ", len(aad), len(sealed)))


def seal(key, nonce, aad, text):
    sealed = chacha20(key, 1, nonce, text)
    return sealed + tag_of(key, nonce, aad, sealed)


def open_sealed(key, nonce, aad, sealed):
    if len(sealed) < 16 or not hmac.compare_digest(tag_of(key, nonce, aad, sealed[:-16]), sealed[-16:]):
        raise Refused("does not open")
    return chacha20(key, 1, nonce, sealed[:-16])


# --- section 4: keys -----------------------------------------------------------------------------

def hkdf_expand(secret, info, length):
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.new(secret, block + info + bytes([counter]), hashlib.sha256).digest()
        out += block
        counter += 1
    return out[:length]


def label(secret, name, length):
    text = b"fastnet1 " + name.encode()
    return hkdf_expand(secret, struct.pack(">HB", length, len(text)) + text + b"\0", length)


def generation_of(secret, generation):
    for _ in range(generation):
        secret = label(secret, "next", 32)
    return secret


def traffic_key(secret):
    return label(secret, "key", 32), label(secret, "iv", 12)


def context_of(hello, welcome):
    return hashlib.sha256(struct.pack(">I", len(hello)) + hello
                          + struct.pack(">I", len(welcome)) + welcome).digest()


# --- bytes -----------------------------------------------------------------------------------------

class Bytes:
    """A reader that refuses to go beyond the end."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, count):
        if count > self.left():
            raise Refused("beyond the end")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, count):
        return int.from_bytes(self.take(count), "big")

    def varint(self):
        first = self.number(1)
        more = (1 << (first >> 6)) - 1
        value = (first & 0x3F) << 8 * more | self.number(more)
        if varint(value) != self.data[self.at - more - 1:self.at]:
            raise Refused("a varint longer than needed")
        return value


def varint(value):
    for power, bits in ((0, 6), (1, 14), (2, 30), (3, 62)):
        if value < 1 << bits:
            return (value | power << (8 << power) - 2).to_bytes(1 << power, "big")
    raise Refused("no varint holds it")


# --- section 5: datagrams ----------------------------------------------------------------------------

def nonce_of(iv, number):
    return bytes(a ^ b for a, b in zip(iv, struct.pack(">IQ", 0, number)))


def recover(expected, truncated, count):
    """RFC 9000 A.3."""
    window = 1 << 8 * count
    candidate = expected & ~(window - 1) | truncated
    if candidate <= expected - window // 2 and candidate < (1 << 62) - window:
        return candidate + window
    if candidate > expected + window // 2 and candidate >= window:
        return candidate - window
    return candidate


def read_datagram(data, secrets, sender, generation, expected):
    if not 22 <= len(data) <= 65535:
        raise Refused("length")
    first = data[0]
    if first >> 6 != 3 or first >> 4 & 3 != 0 or first & 4:
        raise Refused("top, kind or reserved bits")
    phase, count = first >> 3 & 1, (first & 3) + 1
    receiver = int.from_bytes(data[1:5], "big")
    if len(data) < 5 + count + 16:
        raise Refused("length")
    number = recover(expected, int.from_bytes(data[5:5 + count], "big"), count)
    key, iv = traffic_key(generation_of(secrets[sender], generation))
    frames = open_sealed(key, nonce_of(iv, number), data[:5 + count], data[5 + count:])
    if phase != generation % 2:
        raise Refused("phase")
    return [f"receiver {receiver:08x} phase {phase} number {number} in {count}"] + read_frames(frames)


# --- section 11.4: datagrams on a stream -----------------------------------------------------------

DATAGRAM_BYTES_MAX = 1452  # that the receiver of these streams said it accepts


def read_stream(data, secrets, sender, generation, expected):
    b, lines = Bytes(data), []
    while b.left():
        length = b.number(2)
        if not 22 <= length <= DATAGRAM_BYTES_MAX:
            raise Refused("a length that ends the stream")
        datagram = read_datagram(b.take(length), secrets, sender, generation, expected)
        expected = int(datagram[0].split()[5]) + 1
        lines += [f"length {length}"] + datagram
    return lines


# --- section 6: frames -------------------------------------------------------------------------------

UNIT = 1024


def payload_text(data):
    if len(data) > 16 and len(set(data)) == 1:
        return f"{data[0]:02x}*{len(data)}"
    return data.hex() or "-"


def read_ack(b):
    largest, delay, more, first = b.varint(), b.varint(), b.varint(), b.varint()
    if more > 31 or first > largest:
        raise Refused("ACK")
    ranges = [(largest - first, largest)]
    for _ in range(more):
        gap, length = b.varint(), b.varint()
        last = ranges[-1][0] - gap - 2
        if last < 0 or length > last:
            raise Refused("ACK range below zero")
        ranges.append((last - length, last))
    return f"ACK delay {delay} " + " ".join(f"{low}..{high}" for low, high in ranges)


def read_close(b):
    origin, code, length = b.number(1), b.varint(), b.varint()
    if origin > 1 or code >= 1 << 32 or length > 256:
        raise Refused("CLOSE")
    text = b.take(length).decode()
    return f'CLOSE {("protocol", "application")[origin]} {code} "{text}"'


def read_message(b, kind):
    channel, number = b.number(1), b.varint()
    text = f"MESSAGE channel {channel} id {number}"
    if not kind & 1:
        return f"{text} {payload_text(b.take(b.varint() if kind & 2 else b.left()))}"
    unit, total = b.varint(), b.varint()
    data = b.take(b.varint() if kind & 2 else b.left())
    end = unit * UNIT + len(data)
    if total <= UNIT or total > 1 << 24 or not data or end > total or (end < total and len(data) % UNIT):
        raise Refused("a run of units")
    return f"{text} unit {unit} total {total} {payload_text(data)}"


def read_frame(b):
    kind = b.number(1)
    if kind == 0x00:
        start = b.at - 1
        while b.left() and b.data[b.at] == 0:
            b.at += 1
        return f"PADDING {b.at - start}"
    if kind == 0x01:
        return f"PING {b.number(8)}"
    if kind == 0x02:
        return read_ack(b)
    if kind in (0x03, 0x04):
        return f'{("PATH_CHALLENGE", "PATH_RESPONSE")[kind - 3]} {b.number(8):016x}'
    if kind in (0x05, 0x06):
        return f'{("WINDOW", "BLOCKED")[kind - 5]} {b.varint()}'
    if kind == 0x07:
        return read_close(b)
    if kind == 0x08:
        return "PATH_TOO_SMALL"
    if 0x10 <= kind <= 0x13:
        return read_message(b, kind)
    raise Refused("an unknown type")


def read_frames(data):
    if not data:
        raise Refused("no frame")
    b, lines = Bytes(data), []
    while b.left():
        lines.append(read_frame(b))
    return lines


# --- section 3: handshake messages -------------------------------------------------------------------

def read_extensions(b):
    while b.left():
        b.take(2)
        b.take(b.number(2))


def read_limits(b):
    return "limits " + " ".join(str(b.number(4)) for _ in range(6))


def read_hello(b):
    count = b.number(1)
    if not 1 <= count <= 8:
        raise Refused("versions")
    versions = " ".join(str(b.number(2)) for _ in range(count))
    length = b.number(1)
    if length > 64:
        raise Refused("application id")
    name = b.take(length).decode()
    build, receiver = b.number(4), b.number(4)
    lines = [f"HELLO versions {versions}",
             f'application "{name}" build {build} receiver {receiver:08x}',
             read_limits(b), f"channels {b.take(32).hex()}"]
    length = b.number(2)
    if length > 2048:
        raise Refused("token")
    lines.append(f"token {payload_text(b.take(length))}")
    read_extensions(b)
    return lines


def read_welcome(b):
    version, peer, receiver, port = b.number(2), b.number(4), b.number(4), b.number(2)
    host = b.take(b.number(1)).decode()
    lines = [f"WELCOME version {version} peer {peer:08x} receiver {receiver:08x}",
             f'udp {port} "{host}"', read_limits(b)]
    read_extensions(b)
    return lines


def read_reject(b):
    result, code, length = b.number(4), b.number(4), b.number(2)
    if length > 256:
        raise Refused("text")
    text = b.take(length).decode()
    if b.left():
        raise Refused("bytes left over")
    return [f'REJECT {result} {code} "{text}"']


def read_attach(b):
    """Section 11.4."""
    lines = [f"ATTACH receiver {b.number(4):08x}", f"proof {b.take(32).hex()}"]
    if b.left():
        raise Refused("bytes left over")
    return lines


def read_empty(name):
    def read(b):
        if b.left():
            raise Refused("an empty body was to come")
        return [name]
    return read


def read_handshake(data):
    b = Bytes(data)
    kind, length = b.number(1), b.number(4)
    if length > 4096 or length != b.left():
        raise Refused("length")
    read = {1: read_hello, 2: read_welcome, 3: read_reject, 4: read_attach,
            5: read_empty("ATTACHED"), 6: read_empty("GONE")}.get(kind)
    if read is None:
        raise Refused("an unknown type")
    return read(b)


def channel_table_hash(rows):
    """Section 7.1. A row: mode, priority, weight, real-time, queue bytes, time to live in ms."""
    return hashlib.sha256(b"".join(struct.pack(">BBBBBII", number, *row)
                                   for number, row in enumerate(rows))).hexdigest()


# The four channels that an endpoint has unless it is told otherwise.
DEFAULT_CHANNELS = channel_table_hash([(0, 1, 1, 1, 1 << 20, 0), (1, 0, 1, 0, 1 << 18, 500),
                                       (2, 1, 1, 0, 1 << 20, 0), (3, 0, 1, 0, 1 << 18, 500)])


# --- writing -----------------------------------------------------------------------------------------

def payload_of(text):
    if text == "-":
        return b""
    if "*" in text:
        byte, count = text.split("*")
        return bytes.fromhex(byte) * int(count)
    return bytes.fromhex(text)


def quoted(line):
    return line.split('"')[1]


def write_ack(words):
    ranges = [tuple(map(int, word.split(".."))) for word in words[3:]]
    out = b"\x02" + varint(ranges[0][1]) + varint(int(words[2])) + varint(len(ranges) - 1)
    out += varint(ranges[0][1] - ranges[0][0])
    for above, (low, high) in zip(ranges, ranges[1:]):
        out += varint(above[0] - high - 2) + varint(high - low)
    return out


def write_message(words, is_last):
    data = payload_of(words[-1])
    fragment = "unit" in words
    kind = 0x10 | (1 if fragment else 0) | (0 if is_last else 2)
    out = bytes([kind, int(words[2])]) + varint(int(words[4]))
    if fragment:
        out += varint(int(words[6])) + varint(int(words[8]))
    return out + (b"" if is_last else varint(len(data))) + data


def write_frame(line, is_last):
    words = line.split()
    name = words[0]
    if name == "PADDING":
        return bytes(int(words[1]))
    if name == "PING":
        return b"\x01" + int(words[1]).to_bytes(8, "big")
    if name == "ACK":
        return write_ack(words)
    if name in ("PATH_CHALLENGE", "PATH_RESPONSE"):
        return (b"\x03" if name == "PATH_CHALLENGE" else b"\x04") + bytes.fromhex(words[1])
    if name in ("WINDOW", "BLOCKED"):
        return (b"\x05" if name == "WINDOW" else b"\x06") + varint(int(words[1]))
    if name == "PATH_TOO_SMALL":
        return b"\x08"
    if name == "CLOSE":
        text = quoted(line).encode()
        return bytes([7, words[1] == "application"]) + varint(int(words[2])) + varint(len(text)) + text
    return write_message(words, is_last)


def write_datagram(lines, secrets, sender, generation):
    words = lines[0].split()
    phase, number, count = int(words[3]), int(words[5]), int(words[7])
    header = bytes([0xC0 | phase << 3 | count - 1]) + bytes.fromhex(words[1])
    header += (number % (1 << 8 * count)).to_bytes(count, "big")
    frames = b"".join(write_frame(line, i == len(lines) - 2) for i, line in enumerate(lines[1:]))
    key, iv = traffic_key(generation_of(secrets[sender], generation))
    return header + seal(key, nonce_of(iv, number), header, frames)


def write_stream(lines, secrets, sender, generation):
    out, starts = b"", [i for i, line in enumerate(lines) if line.startswith("length")]
    for start, end in zip(starts, starts[1:] + [len(lines)]):
        datagram = write_datagram(lines[start + 1:end], secrets, sender, generation)
        out += len(datagram).to_bytes(2, "big") + datagram
    return out


def write_limits(line):
    return b"".join(int(word).to_bytes(4, "big") for word in line.split()[1:])


def write_hello(lines):
    versions = [int(word) for word in lines[0].split()[2:]]
    words, name, token = lines[1].split(), quoted(lines[1]).encode(), payload_of(lines[4].split()[1])
    out = bytes([len(versions)]) + b"".join(v.to_bytes(2, "big") for v in versions)
    out += bytes([len(name)]) + name + int(words[3]).to_bytes(4, "big") + bytes.fromhex(words[5])
    out += write_limits(lines[2]) + bytes.fromhex(lines[3].split()[1])
    out += len(token).to_bytes(2, "big") + token
    return out + b"\x7f\x01\x00\x03new"  # an extension that nobody knows


def write_welcome(lines):
    words, host = lines[0].split(), quoted(lines[1]).encode()
    out = int(words[2]).to_bytes(2, "big") + bytes.fromhex(words[4]) + bytes.fromhex(words[6])
    out += int(lines[1].split()[1]).to_bytes(2, "big") + bytes([len(host)]) + host
    return out + write_limits(lines[2])


def write_reject(lines):
    words, text = lines[0].split(), quoted(lines[0]).encode()
    return (int(words[1]).to_bytes(4, "big") + int(words[2]).to_bytes(4, "big")
            + len(text).to_bytes(2, "big") + text)


def write_attach(lines):
    return bytes.fromhex(lines[0].split()[2]) + bytes.fromhex(lines[1].split()[1])


def write_empty(_):
    return b""


def write_handshake(lines):
    kind, write = {"HELLO": (1, write_hello), "WELCOME": (2, write_welcome),
                   "REJECT": (3, write_reject), "ATTACH": (4, write_attach),
                   "ATTACHED": (5, write_empty), "GONE": (6, write_empty)}[lines[0].split()[0]]
    body = write(lines)
    return bytes([kind]) + len(body).to_bytes(4, "big") + body


# --- files -------------------------------------------------------------------------------------------

def read_blocks(path):
    """{(kind, name): (further words, lines)}"""
    blocks, lines = {}, None
    for line in open(path, encoding="utf-8"):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith(" "):
            lines.append(line.strip().replace("@default", DEFAULT_CHANNELS))
        else:
            kind, name, *more = line.split()
            lines = []
            blocks[kind, name] = (more, lines)
    return blocks


def read_vectors(path):
    return [line.split() for line in open(path, encoding="utf-8") if line.strip()]


def compare(what, found, expected):
    if found == expected:
        return 0
    print(f"{what}:\n  found    {found}\n  expected {expected}")
    return 1


def check_secrets(values, keys):
    root = bytes.fromhex(values["root"])
    faults = compare("client", values["client"], label(root, "client to server", 32).hex())
    faults += compare("server", values["server"], label(root, "server to client", 32).hex())
    attach = label(root, "attach", 32)
    faults += compare("attach", values["attach"], attach.hex())
    proof = hmac.new(attach, bytes.fromhex(values["attach_exporter"]), hashlib.sha256).hexdigest()
    faults += compare("attach_proof", values["attach_proof"], proof)
    for generation, key, iv in keys:
        secret = generation_of(bytes.fromhex(values["client"]), int(generation))
        faults += compare(f"key {generation}", (key, iv), tuple(x.hex() for x in traffic_key(secret)))
    return faults + (0 if len(keys) == 3 else compare("keys", len(keys), 3))


def secrets_of(vectors):
    return {row[0]: bytes.fromhex(row[1]) for row in vectors if row[0] in ("client", "server")}


def check(vectors_path, expect_path):
    vectors, expected = read_vectors(vectors_path), read_blocks(expect_path)
    values = {row[0]: row[1] for row in vectors if len(row) == 2}
    faults = check_secrets(values, [row[1:] for row in vectors if row[0] == "key"])
    secrets, bodies = secrets_of(vectors), {}
    for row in vectors:
        if row[0] not in ("datagram", "message", "stream"):
            continue
        more, lines = expected.pop((row[0], row[1]))
        data = bytes.fromhex(row[-1])
        if row[0] == "message":
            bodies[row[1]] = data[5:]
            found = read_handshake(data)
        else:
            faults += compare(row[1], row[2:-1], more)
            read = read_datagram if row[0] == "datagram" else read_stream
            found = read(data, secrets, row[2], int(row[3]), int(row[4]))
        faults += compare(row[1], found, lines)
    faults += compare("context", values["context"], context_of(bodies["hello"], bodies["welcome"]).hex())
    return faults + compare("left over", sorted(expected), [])


def make(vectors_path, expect_path):
    secrets = secrets_of(read_vectors(vectors_path))
    for name, secret in secrets.items():
        print(name, secret.hex())
    for (kind, name), (more, lines) in read_blocks(expect_path).items():
        if kind == "message":
            print(kind, name, write_handshake(lines).hex())
        else:
            write = write_datagram if kind == "datagram" else write_stream
            data = write(lines, secrets, more[0], int(more[1]))
            print(kind, name, *more, data.hex())
    return 0


def same(dump_path, expect_path):
    dump, expected = read_blocks(dump_path), read_blocks(expect_path)
    faults = compare("names", sorted(dump), sorted(expected))
    for block, (_, lines) in expected.items():
        faults += compare(block, dump.get(block, (None, None))[1], lines)
    return faults


def read_any(kind, data):
    if kind == ["message"]:
        return read_handshake(data)
    if kind == ["stream"]:
        return read_stream(data, {"client": bytes(32)}, "client", 0, 0)
    return read_frames(data)


def refuse(path):
    faults = 0
    for line in open(path, encoding="utf-8"):
        if line.startswith("#") or not line.strip():
            continue
        *kind, name, data = line.split()
        try:
            faults += compare(name, read_any(kind, bytes.fromhex(data)), "refused")
        except Refused:
            pass
    return faults


def selftest():
    key = bytes(range(0x80, 0xA0))
    nonce = bytes.fromhex("070000004041424344454647")
    aad = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    text = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
            b"future, sunscreen would be it.")
    sealed = seal(key, nonce, aad, text)
    faults = compare("RFC 8439 2.8.2", sealed[-16:].hex(), "1ae10b594f09e26a7e902ecbd0600691")
    faults += compare("RFC 8439 2.8.2", sealed[:16].hex(), "d31a8d34648e60db7b86afbc53ef7ec2")
    faults += compare("opens", open_sealed(key, nonce, aad, sealed), text)
    for at in range(len(sealed)):
        try:
            open_sealed(key, nonce, aad, sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1:])
            faults += compare("damaged", "opened", "refused")
        except Refused:
            pass
    secret = bytes.fromhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
    found = hkdf_expand(secret, bytes.fromhex("f0f1f2f3f4f5f6f7f8f9"), 42).hex()
    faults += compare("RFC 5869 A.1", found, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c"
                                             "5db02d56ecc4c5bf34007208d5b887185865")
    faults += compare("RFC 9000 A.3", recover(0xA82F30EB, 0x9B32, 2), 0xA82F9B32)
    for value, encoded in ((151288809941952652, "c2197c5eff14e88c"), (494878333, "9d7f3e7d"),
                           (15293, "7bbd"), (37, "25")):
        faults += compare("RFC 9000 A.1", varint(value).hex(), encoded)
        faults += compare("RFC 9000 A.1", Bytes(bytes.fromhex(encoded)).varint(), value)
    return faults


COMMANDS = {"check": check, "make": make, "same": same, "refuse": refuse, "selftest": selftest}

if __name__ == "__main__":
    sys.exit(1 if COMMANDS[sys.argv[1]](*sys.argv[2:]) else 0)
