"""Bad input gets a clear error and harms nobody: files, ports, hosts, certificates, TLS, datagrams."""

import contextlib
import os
import random
import select
import socket
import ssl
import struct
import subprocess
import threading
import time

import harness

DEADLINE_S = 5  # handshake_timeout_ms of `fastnet echo`
BLACK_HOLE = "127.0.0.66"  # nft drops what goes there


class Files(harness.TestCase):
    """What `fastnet echo` says about its own files and ports."""

    def setUp(self):
        super().setUp()
        self.good = self.certificates()
        with open(self.good.cert, encoding="ascii") as stream:
            cut = stream.read()[:200]
        for name, text in (("empty", ""), ("junk", "this is no PEM\n"), ("cut", cut)):
            with open(self.path(name), "w", encoding="ascii") as stream:
                stream.write(text)
        os.mkdir(self.path("directory"))

    def refused(self, certificate, key, *more):
        return harness.fastnet("echo", "--udp", "0", "--tls", "0", "--cert", certificate, "--key",
                               key, *more, timeout=20)

    def test_certificate_and_key_files(self):
        good, other = self.good, self.certificates(folder="other")
        rows = [  # certificate, key, words in the error
            (self.path("missing"), good.key, ["missing"]),
            (good.cert, self.path("missing"), ["missing"]),
            (self.path("directory"), good.key, ["directory"]),
            (good.cert, self.path("directory"), ["directory"]),
            (self.path("empty"), good.key, ["certificate"]),
            (good.cert, self.path("empty"), ["key"]),
            (self.path("junk"), good.key, ["certificate"]),
            (self.path("cut"), good.key, ["certificate"]),
            (good.cert, self.path("junk"), ["key"]),
            (good.key, good.cert, ["certificate"]),
            (good.cert, other.key, ["does not belong"]),
        ]
        for certificate, key, words in rows:
            with self.subTest(f"{os.path.basename(certificate)} {os.path.basename(key)}"):
                result = self.refused(certificate, key)
                self.assertEqual(result.returncode, 3, result.stdout)
                self.assertEqual(result.stdout, "")
                for word in words:
                    self.assertIn(word, result.stderr)

    def test_unreadable_files(self):
        if os.geteuid() == 0 and not os.path.exists("/usr/bin/setpriv"):
            self.skipTest("root reads everything, and there is no setpriv")
        os.chmod(self.folder, 0o755)
        os.chmod(self.good.folder, 0o755)
        os.chmod(self.good.key, 0)
        prefix = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        with contextlib.suppress(PermissionError):
            if harness.run(*prefix, harness.FASTNET, "--version").returncode != 0:
                self.skipTest("another user cannot run this build")
        result = harness.run(*prefix, harness.FASTNET, "echo", "--udp", "0", "--tls", "0",
                             "--cert", self.good.cert, "--key", self.good.key)
        self.assertEqual(result.returncode, 3)
        self.assertIn("key.pem", result.stderr)
        self.assertIn("not permitted", result.stderr)

    def test_ports_in_use(self):
        with harness.echo(self.good) as server:
            for option, port, word in (("--udp", server.udp, "UDP"), ("--tls", server.tls, "TCP")):
                with self.subTest(word):
                    result = self.refused(self.good.cert, self.good.key, option, port)
                    self.assertEqual(result.returncode, 3)
                    for part in (word, str(port), "in use"):
                        self.assertIn(part, result.stderr)
            self.assert_pings(server, self.good)

    def test_address_of_another_machine(self):
        result = self.refused(self.good.cert, self.good.key, "--bind", "192.0.2.1")
        self.assertEqual(result.returncode, 3)
        self.assertIn("192.0.2.1", result.stderr)


class Authority:
    """Certificates with any dates, by openssl's own tools."""

    CONFIG = """
[ca]
default_ca = here
[here]
database = {0}/index
serial = {0}/serial
new_certs_dir = {0}
certificate = {0}/ca.pem
private_key = {0}/ca-key.pem
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""

    def __init__(self, folder):
        self.folder = folder
        harness.Certificates(folder, "unused.example")
        self.ca = os.path.join(folder, "ca.pem")
        for name, text in (("config", self.CONFIG.format(folder)), ("index", ""),
                           ("serial", "1000\n")):
            with open(os.path.join(folder, name), "w", encoding="ascii") as stream:
                stream.write(text)

    def issue(self, label, start, end):
        """A certificate for localhost, valid between two dates (YYYYMMDD)."""
        issued = type("Issued", (), {"ca": self.ca})()
        issued.cert = os.path.join(self.folder, f"{label}.pem")
        issued.key = os.path.join(self.folder, f"{label}-key.pem")
        request = os.path.join(self.folder, f"{label}.csr")
        harness.run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", issued.key,
                    "-out", request, "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", check=True)
        harness.run("openssl", "ca", "-batch", "-notext", "-config",
                    os.path.join(self.folder, "config"), "-startdate", f"{start}000000Z",
                    "-enddate", f"{end}000000Z", "-in", request, "-out", issued.cert, check=True)
        return issued


class Hosts(harness.TestCase):
    """What `fastnet ping` says about servers it must not, or cannot, connect to."""

    def setUp(self):
        super().setUp()
        self.good = self.certificates()

    def assert_refused(self, target, result_name, *words, arguments=()):
        began = time.monotonic()
        result = harness.ping(target, "--ca", self.good.ca, "--timeout-ms", "2000", *arguments)
        self.assertEqual(result.returncode, 3, result.stdout + result.stderr)
        self.assertEqual(result.json["transport"], "none")
        self.assertEqual(result.json["error"]["result"], result_name, result.stdout)
        for word in words:
            self.assertIn(word, result.json["error"]["text"])
        return time.monotonic() - began

    def test_a_name_that_does_not_resolve(self):
        self.assert_refused("no-such-host.invalid", "FASTNET_ERR_ADDRESS", "no-such-host.invalid",
                            "resolve")

    def test_a_host_that_refuses(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        self.assert_refused(f"127.0.0.1:{port}", "FASTNET_ERR_ADDRESS", "refused", str(port))

    def test_a_host_that_never_answers(self):
        took = self.assert_refused(f"{BLACK_HOLE}:7778", "FASTNET_ERR_TIMEOUT", BLACK_HOLE)
        self.assertTrue(1.5 < took < 20)

    def test_a_host_that_accepts_and_says_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            took = self.assert_refused(f"127.0.0.1:{listener.getsockname()[1]}",
                                       "FASTNET_ERR_TIMEOUT")
            self.assertTrue(1.5 < took < 20)

    def test_nonsense_hosts(self):
        for host in ("a b", "host:port", "host:99999", "[::1", "::1]:5", ":7778", "x" * 300):
            with self.subTest(host[:20]):
                result = harness.ping(host, "--ca", self.good.ca, "--timeout-ms", "2000")
                self.assertIn(result.returncode, (2, 3))
                self.assertIn(result.json["error"]["text"], result.stderr)
                self.assertGreater(len(result.json["error"]["text"]), 10)

    def test_certificates_that_must_not_be_trusted(self):
        authority = Authority(self.path("authority"))
        other = self.certificates(folder="other")
        named = self.certificates("game.example", folder="named")
        alone = type("SelfSigned", (), {"cert": self.path("alone.pem"),
                                        "key": self.path("alone-key.pem")})()
        harness.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
                    alone.key, "-out", alone.cert, "-subj", "/CN=localhost", check=True)
        rows = [  # certificate, the CA that the client trusts, words in the error
            (authority.issue("expired", "20200101", "20210101"), authority.ca,
             ["expired", "2021-01-01"]),
            (authority.issue("early", "20900101", "20910101"), authority.ca,
             ["not yet valid", "2090-01-01"]),
            (named, named.ca, ["game.example", "localhost"]),
            (other, self.good.ca, ["not trusted", "FASTNET_CA_FILE"]),
            (alone, self.good.ca, ["self-signed", "FASTNET_CA_FILE"]),
        ]
        for certificates, ca, words in rows:
            with self.subTest(words[0]), harness.echo(certificates) as server:
                self.assert_refused(f"localhost:{server.tls}", "FASTNET_ERR_CERTIFICATE", *words,
                                    arguments=["--ca", ca])

    @contextlib.contextmanager
    def openssl_server(self, *arguments):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", self.good.cert,
                   "-key", self.good.key, *arguments]
        process = harness.Process(command, stdin=subprocess.PIPE)
        process.wait_line("^ACCEPT")
        try:
            yield f"localhost:{port}"
        finally:
            process.stop()

    def test_a_server_with_tls_1_2_only(self):
        with self.openssl_server("-tls1_2") as target:
            self.assert_refused(target, "FASTNET_ERR_VERSION", "TLS 1.3")

    def test_servers_of_another_protocol(self):
        for arguments in (["-alpn", "h2"], []):
            with self.subTest(arguments), self.openssl_server(*arguments) as target:
                self.assert_refused(target, "FASTNET_ERR_PROTOCOL", "FastNet")

    @contextlib.contextmanager
    def scripted_server(self, talk):
        """Accepts connections and lets talk(socket) answer."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve():
                with contextlib.suppress(OSError):
                    while True:
                        with contextlib.suppress(ConnectionError, ssl.SSLError):
                            talk(listener.accept()[0])
            threading.Thread(target=serve, daemon=True).start()
            yield f"localhost:{listener.getsockname()[1]}"

    def test_a_server_that_is_not_even_tls(self):
        def talk(connection):
            connection.recv(100)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 50)
            connection.close()
        with self.scripted_server(talk) as target:
            self.assert_refused(target, "FASTNET_ERR_PROTOCOL")

    def test_a_server_that_hangs_up(self):
        with self.scripted_server(lambda connection: connection.close()) as target:
            result = harness.ping(target, "--ca", self.good.ca)
            self.assertEqual(result.returncode, 3)
            self.assertIn(result.json["error"]["result"],
                          ("FASTNET_ERR_CLOSED", "FASTNET_ERR_PROTOCOL", "FASTNET_ERR_ADDRESS"))

    def test_a_verified_server_that_talks_nonsense_inside_tls(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.good.cert, self.good.key)
        context.set_alpn_protocols(["fastnet/1"])
        for answer in (b"\xff" * 5000, b"\x02" + b"\xff" * 100, os.urandom(3000)):
            def talk(connection, answer=answer):
                with context.wrap_socket(connection, server_side=True) as stream:
                    stream.recv(1000)
                    stream.sendall(answer)
                    stream.recv(1000)
            with self.subTest(answer[:2]), self.scripted_server(talk) as target:
                self.assert_refused(target, "FASTNET_ERR_PROTOCOL")

    def test_udp_that_is_blocked_on_the_way(self):
        """Not an error: the session goes over TCP (paths.py has the rest of it)."""
        with harness.echo(self.good, "--bind", "127.0.0.1") as server:
            rules = ("table inet udp_blocked { chain arriving { type filter hook input priority 0; "
                     f"udp dport {server.udp} drop; }}; }}")
            harness.run("nft", rules, check=True)
            try:
                told = self.assert_pings(server, self.good, host="localhost")
                self.assertEqual(told["transport"], "tcp")
            finally:
                harness.run("nft", "delete table inet udp_blocked", check=True)


def hello_record():
    """A ClientHello as Python's TLS would send it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.set_alpn_protocols(["fastnet/1"])
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


class TlsPort(harness.TestCase):
    """Clients that misbehave on the TLS port, while a real one goes on."""

    def setUp(self):
        super().setUp()
        self.certs = self.certificates()
        self.server = harness.echo(self.certs, "--verbose")
        self.addCleanup(self.server.stop)

    def connect(self, host="127.0.0.2"):
        connection = socket.create_connection(("127.0.0.1", self.server.tls),
                                              source_address=(host, 0))
        self.addCleanup(connection.close)
        return connection

    def tls(self, **changes):
        context = ssl.create_default_context(cafile=self.certs.ca)
        context.set_alpn_protocols(changes.pop("alpn", ["fastnet/1"]))
        for name, value in changes.items():
            setattr(context, name, value)
        stream = context.wrap_socket(self.connect(), server_hostname="localhost")
        self.addCleanup(stream.close)
        return stream

    def assert_closed(self, connection, within_s):
        """The server hangs up in time; returns how long it took."""
        began = time.monotonic()
        connection.settimeout(within_s)
        try:
            while connection.recv(4096):
                pass
        except (ConnectionError, ssl.SSLError):
            pass
        except TimeoutError:
            self.fail(f"still open after {within_s} s")
        return time.monotonic() - began

    def test_garbage_is_hung_up_on_at_once(self):
        hello = hello_record()
        rows = [
            ("http", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            ("zeros", bytes(4096)),
            ("random", random.Random(1).randbytes(4096)),
            ("record too long", b"\x16\x03\x01\xff\xff" + bytes(4096)),
            ("empty records", b"\x16\x03\x01\x00\x00" * 1000),
            ("alert first", b"\x15\x03\x01\x00\x02\x02\x28"),
            ("data first", b"\x17\x03\x03\x00\x10" + bytes(16)),
            ("hello with junk behind it", hello + b"\xff" * 2000),
            ("hello with flipped bits", hello[:60] + bytes(b ^ 0x55 for b in hello[60:])),
        ]
        for label, data in rows:
            with self.subTest(label):
                connection = self.connect()
                with contextlib.suppress(ConnectionError):
                    connection.sendall(data)
                self.assertLess(self.assert_closed(connection, 3 * DEADLINE_S), DEADLINE_S - 1)
                self.assert_pings(self.server, self.certs)

    def test_tls_clients_of_another_kind(self):
        rows = [
            ("TLS 1.2", {"maximum_version": ssl.TLSVersion.TLSv1_2}),
            ("another protocol", {"alpn": ["h2", "http/1.1"]}),
        ]
        for label, changes in rows:
            with self.subTest(label), self.assertRaises((ssl.SSLError, ConnectionError)):
                self.tls(**changes).recv(1)
        with self.subTest("no protocol"), self.assertRaises((ssl.SSLError, ConnectionError)):
            context = ssl.create_default_context(cafile=self.certs.ca)
            context.wrap_socket(self.connect(), server_hostname="localhost").recv(1)
        self.assert_pings(self.server, self.certs)

    def test_nonsense_inside_tls(self):
        rows = [
            ("unknown type", b"\xff\x00\x00\x10" + bytes(16)),
            ("random", random.Random(2).randbytes(3000)),
            ("endless length", b"\x01\xff\xff\xff\xff\xff\xff" + bytes(3000)),
            ("zeros", bytes(3000)),
        ]
        for label, data in rows:
            with self.subTest(label):
                stream = self.tls()
                with contextlib.suppress(ConnectionError):
                    stream.sendall(data)
                self.assert_closed(stream, 3 * DEADLINE_S)
                self.assert_pings(self.server, self.certs)

    def test_silence_and_dripping_end_at_the_deadline_and_harm_nobody(self):
        hello = hello_record()
        silent, half = self.connect("127.0.0.3"), self.connect("127.0.0.4")
        half.sendall(hello[:100])
        finished = self.tls()  # TLS done, no HELLO of ours
        dripping = self.connect("127.0.0.5")
        began = time.monotonic()
        ended = None
        for byte in hello[:3 * DEADLINE_S]:  # one byte a second
            readable, _, _ = select.select([dripping], [], [], 1)
            try:
                if readable and not dripping.recv(100):
                    ended = time.monotonic() - began
                    break
                dripping.sendall(bytes([byte]))
            except ConnectionError:
                ended = time.monotonic() - began
                break
            self.assert_pings(self.server, self.certs)
        self.assertIsNotNone(ended, "the dripping client was never hung up on")
        self.assertTrue(DEADLINE_S - 1 < ended < DEADLINE_S + 4, ended)
        for connection in (silent, half, finished):
            self.assert_closed(connection, DEADLINE_S)


class Relay:
    """A UDP relay in front of a server that may also say wrong things."""

    def __init__(self, mangle):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.server = None
        self._client = None
        self._mangle = mangle
        self._upstream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._stop = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop:
            ready, _, _ = select.select([self.socket, self._upstream], [], [], 0.1)
            for source in ready:
                data, sender = source.recvfrom(65536)
                if source is self.socket:
                    self._client = sender
                    self._forward(data, self._upstream, self.server)
                elif self._client:
                    self._forward(data, self.socket, self._client)

    def _forward(self, data, through, target):
        for copy in self._mangle(data):
            through.sendto(copy, target)

    def close(self):
        self._stop = True
        self._thread.join()
        self.socket.close()
        self._upstream.close()


class Datagrams(harness.TestCase):
    def test_s3_s4_replayed_forged_and_cut_datagrams_do_nothing(self):
        random_ = random.Random(7)
        old = []

        def mangle(data):
            old.append(data)
            flipped = bytearray(data)
            flipped[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
            wrong = [bytes(flipped), data[:random_.randrange(len(data))],
                     data + b"\0", random_.choice(old), random_.randbytes(len(data))]
            random_.shuffle(wrong)
            return [*wrong[:3], data, data, *wrong[3:]]

        certificates = self.certificates()
        relay = Relay(mangle)
        self.addCleanup(relay.close)
        with harness.echo(certificates, "--print", "--bind", "127.0.0.1", "--advertise",
                          f"127.0.0.1:{relay.port}") as server:
            relay.server = ("127.0.0.1", server.udp)
            for channel in range(4):
                numbers = self.assert_pings(server, certificates, "--channel", channel, "--count",
                                            "300")
                if channel in (0, 2):
                    self.assertEqual(numbers["received"], 300)
        for channel in range(4):
            got = [line.split("hex=")[1] for line in server.lines
                   if f" channel={channel} " in line]
            # Each message reached the server at most once, also where no order is kept.
            self.assertEqual(len(got), len(set(got)), f"channel {channel}")
            self.assertGreater(len(got), 200)

    def test_random_datagrams_get_no_answer(self):
        certificates = self.certificates()
        random_ = random.Random(3)
        with harness.echo(certificates, "--bind", "127.0.0.1") as server:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:
                attacker.bind(("127.0.0.7", 0))
                attacker.setblocking(False)
                for i in range(3000):
                    data = random_.randbytes(random_.choice((0, 1, 5, 22, 23, 64, 1200, 1472)))
                    if i % 2 and data:  # half of them look sealed
                        data = struct.pack("B", 0xc0 | data[0] & 0x3f) + data[1:]
                    attacker.sendto(data, ("127.0.0.1", server.udp))
                self.assert_pings(server, certificates)
                with self.assertRaises(BlockingIOError):
                    attacker.recv(2000)


harness.enter_new_network()
harness.run("nft", "table inet hole { chain arriving { type filter hook input priority 0; "
            f"ip daddr {BLACK_HOLE} drop; }}; }}", check=True)
harness.main()
