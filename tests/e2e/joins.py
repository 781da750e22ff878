"""200 joins at once with an RSA-4096 certificate: the server's polls stay short."""

import json
import os

import harness

JOINS = 200
POLL_MS_MAX = 10
SANITIZER_FACTOR = 2  # what instrumented code may cost more
ATTEMPTS = 3  # other programs on this machine only ever add to a poll: the best one counts


class Joins(harness.TestCase):
    def measure(self, program, cert, key):
        result = harness.run(program, cert, key, cert, JOINS, timeout=120)
        print(result.stdout.strip())
        self.assertEqual(result.returncode, 0, result.stderr)
        numbers = json.loads(result.stdout)
        self.assertEqual((numbers["connected"], numbers["joined"]), (JOINS, JOINS))
        # On the processor, not on the wall: other programs' turns are not the poll's.
        return numbers["poll_cpu_ms_max"]

    def release_program(self):
        """The same program with the library that users get, when `make test` built it."""
        folder = os.path.join(harness.SOURCE, "build/release")
        if not os.path.exists(os.path.join(folder, "libfastnet.so")):
            return None
        program = self.path("joins")
        harness.run("cc", "-std=c11", "-O2", "-D_GNU_SOURCE", f"-I{harness.SOURCE}/include",
                    f"{harness.SOURCE}/tests/e2e/joins.c", "-o", program, f"-L{folder}",
                    f"-Wl,-rpath,{folder}", "-lfastnet", "-pthread", check=True)
        return program

    def test_polls_stay_short_while_200_join(self):
        key, cert = self.path("key.pem"), self.path("cert.pem")
        harness.run("openssl", "req", "-x509", "-newkey", "rsa:4096", "-nodes", "-keyout", key,
                    "-out", cert, "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", check=True)
        program, limit = self.release_program(), POLL_MS_MAX
        if not program:
            program = harness.program("e2e_joins")
            limit *= SANITIZER_FACTOR if harness.OPTIONS.sanitize else 1
        best = limit
        for _ in range(ATTEMPTS):
            best = min(best, self.measure(program, cert, key))
            if best < limit:
                return
        self.fail(f"no attempt had all its polls below {limit} ms")


harness.main()
