/* For tests only: a certificate made with the openssl command; its key was thrown away. */
#ifndef FN_CRYPTO_TEST_PINNED_H
#define FN_CRYPTO_TEST_PINNED_H

#include <stdint.h>

static const char test_pinned_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBrDCCAVOgAwIBAgIUF2uIiLaTiofqjoO/bC+aAxaAqPgwCgYIKoZIzj0EAwIw\n"
    "KzEQMA4GA1UECgwHRXhhbXBsZTEXMBUGA1UEAwwOcGlubmVkLmV4YW1wbGUwIBcN\n"
    "MjYxMTIyMTMwNjU3WhgPMjEyNjEwMjkxMzA2NTdaMCsxEDAOBgNVBAoMB0V4YW1w\n"
    "bGUxFzAVBgNVBAMMDnBpbm5lZC5leGFtcGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0D\n"
    "AQcDQgAE8cKEpE/lhUMbDLU/omTrmT74V9ujblcoI4ioL9A4WfE4l/TjxSBGFL4p\n"
    "kT8nq21wQofmETqv3iparS/eVehcE6NTMFEwHQYDVR0OBBYEFLPNbPEj5MUAHACQ\n"
    "5JNPdD5qG25XMB8GA1UdIwQYMBaAFLPNbPEj5MUAHACQ5JNPdD5qG25XMA8GA1Ud\n"
    "EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgUAgr/Uvsg7C+FySjHu3oh9tP\n"
    "IotLmTFl4k+8+mxfij4CIGYlfVyytV2hBY/OYhAj5pMTFzW3pX6yntYw4gFAhDoo\n"
    "-----END CERTIFICATE-----\n";
static const char test_pinned_pin[] =
    "sha256:4579774698ea846da7d127ec8ac3fa992b8e846c6bb2875ddff1616879f363cf";
static const char test_pinned_subject[] = "O=Example,CN=pinned.example";
static const int64_t test_pinned_not_after = 4948952817;

#endif
