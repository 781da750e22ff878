"""200 joins at once with an RSA-4096 certificate: the server's polls stay short."""

import json

import harness

JOINS = 200
POLL_MS_MAX = 10


class Joins(harness.TestCase):
    def test_polls_stay_short_while_200_join(self):
        key, cert = self.path("key.pem"), self.path("cert.pem")
        harness.run("openssl", "req", "-x509", "-newkey", "rsa:4096", "-nodes", "-keyout", key,
                    "-out", cert, "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", check=True)
        result = harness.run(harness.program("e2e_joins"), cert, key, cert, JOINS, timeout=120)
        print(result.stdout.strip())
        self.assertEqual(result.returncode, 0, result.stderr)
        numbers = json.loads(result.stdout)
        self.assertEqual((numbers["connected"], numbers["joined"]), (JOINS, JOINS))
        # On the processor, not on the wall: other programs' turns are not the poll's.
        self.assertLess(numbers["poll_cpu_ms_max"], POLL_MS_MAX)


harness.main()
