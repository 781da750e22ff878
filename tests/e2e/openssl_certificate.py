"""The certificate that the specification's own openssl line makes: CN=localhost, no other name."""

import os

import harness


class OpensslCertificate(harness.TestCase):
    def setUp(self):
        super().setUp()
        harness.run("openssl", "req", "-x509", "-newkey", "rsa:4096", "-keyout", "key.pem", "-out",
                    "cert.pem", "-days", "365", "-nodes", "-subj", "/CN=localhost", check=True,
                    cwd=self.folder)
        self.cert = self.ca = os.path.join(self.folder, "cert.pem")
        self.key = os.path.join(self.folder, "key.pem")

    def test_by_name_it_connects_and_by_address_the_error_helps(self):
        with harness.echo(self) as server:
            self.assert_pings(server, self, host="localhost")
            result = harness.ping(f"127.0.0.1:{server.tls}", "--ca", self.cert)
            self.assertEqual(result.returncode, 3)
            self.assertEqual(result.json["error"]["result"], "FASTNET_ERR_CERTIFICATE")
            text = result.json["error"]["text"]
            for part in ("localhost", "127.0.0.1", "fastnet cert --name 127.0.0.1"):
                self.assertIn(part, text)
            # and the remedies work: the right name, or a pin
            self.assert_pings(server, self, "--name", "localhost")


harness.main()
