/*
 * certificate.h: X.509 certificates: make them for development and tests, read them, pin them.
 *
 * Everything is PEM in memory: files are the caller's business. OpenSSL allocates inside; the
 * results lie in the caller's fixed-size structures. Keys come from OpenSSL's own generator.
 */
#ifndef FN_CRYPTO_CERTIFICATE_H
#define FN_CRYPTO_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/failure.h"

enum {
    FN_CERTIFICATE_PIN_BYTES = 32,      /* SHA-256 of the DER SubjectPublicKeyInfo */
    FN_CERTIFICATE_PIN_TEXT_BYTES = 72, /* "sha256:" + 64 hex digits + terminator */
    FN_CERTIFICATE_PEM_BYTES_MAX = 16 * 1024,
    FN_CERTIFICATE_KEY_PEM_BYTES_MAX = 4 * 1024,
    FN_CERTIFICATE_SUBJECT_BYTES = 256,
    FN_CERTIFICATE_NAMES_BYTES = 512,
    FN_CERTIFICATE_TIME_TEXT_BYTES = 32,
    FN_CERTIFICATE_KEY_BYTES = 48,
};

typedef enum fn_certificate_key_kind {
    FN_CERTIFICATE_KEY_P256 = 0,
    FN_CERTIFICATE_KEY_ED25519,
    FN_CERTIFICATE_KEY_RSA_2048,
    FN_CERTIFICATE_KEY_RSA_4096, /* seconds to generate */
    FN_CERTIFICATE_KEY_P384,     /* this and the following: for tests */
    FN_CERTIFICATE_KEY_P521,
    FN_CERTIFICATE_KEY_SECP256K1, /* TLS 1.3 cannot use it */
} fn_certificate_key_kind;

typedef enum fn_certificate_role {
    FN_CERTIFICATE_LEAF = 0,  /* a server's or client's own; may not sign others */
    FN_CERTIFICATE_AUTHORITY, /* signs leaves, only */
    FN_CERTIFICATE_PLAIN,     /* as `openssl req -x509` makes it: CA:TRUE, no key usage */
} fn_certificate_role;

typedef struct fn_certificate_request {
    fn_certificate_role role;
    fn_certificate_key_kind key_kind;
    const char *common_name;   /* up to 64 characters; not NULL */
    const char *const *names;  /* DNS names and IP addresses for the SAN; NULL when none */
    size_t names_count;        /* 0 = no SAN at all */
    int64_t not_before_unix_s; /* seconds since 1970 */
    int64_t not_after_unix_s;
    const char *key_pem; /* the key to certify, which `out` does not get; NULL = a new one */
    size_t key_pem_bytes;
} fn_certificate_request;

/* About 20 KiB: keep it off small stacks. The key part is secret: wipe it. */
typedef struct fn_certificate_pem {
    char certificate[FN_CERTIFICATE_PEM_BYTES_MAX]; /* terminated */
    char key[FN_CERTIFICATE_KEY_PEM_BYTES_MAX];     /* terminated, PKCS #8 */
    size_t certificate_bytes;                       /* without the terminator */
    size_t key_bytes;
} fn_certificate_pem;

/*
 * Makes a certificate for a new key, or for the one given, signed by `issuer` (NULL = self-signed).
 * The certificate holds one PEM block; chains are made by appending the issuer's. Returns OK;
 * ERR_ARGUMENT (a name that is neither a DNS name nor an address, an empty or reversed period);
 * ERR_CERTIFICATE (the issuer's PEM is malformed or does not match, or the key's PEM is malformed);
 * ERR_MEMORY; ERR_TOO_LARGE (so many names that the PEM does not fit).
 */
int fn_certificate_create(const fn_certificate_request *request, const fn_certificate_pem *issuer,
                          fn_certificate_pem *out, fn_failure *failure);

void fn_certificate_wipe(fn_certificate_pem *pem);

/* All text is printable ASCII; what does not fit is cut. */
typedef struct fn_certificate_info {
    char subject[FN_CERTIFICATE_SUBJECT_BYTES]; /* "CN=localhost" */
    char issuer[FN_CERTIFICATE_SUBJECT_BYTES];
    char names[FN_CERTIFICATE_NAMES_BYTES]; /* "localhost, 127.0.0.1": the SAN, or without one the
                                               common name */
    bool names_in_san;
    bool self_signed; /* subject and issuer are the same */
    int64_t not_before_unix_s;
    int64_t not_after_unix_s;
    char key[FN_CERTIFICATE_KEY_BYTES]; /* "EC P-256", "RSA 2048", "ED25519" */
    uint8_t pin[FN_CERTIFICATE_PIN_BYTES];
} fn_certificate_info;

/* Reads the first certificate in a PEM text. ERR_CERTIFICATE when there is none. */
int fn_certificate_read(const void *pem, size_t pem_bytes, fn_certificate_info *out,
                        fn_failure *failure);

/* How many certificates there are before the end, or before the first that is malformed. */
uint32_t fn_certificate_count(const void *pem, size_t pem_bytes);

/* "sha256:" and 64 lower-case hex digits. */
void fn_certificate_pin_format(const uint8_t pin[FN_CERTIFICATE_PIN_BYTES],
                               char out[FN_CERTIFICATE_PIN_TEXT_BYTES]);

/* Reads what fn_certificate_pin_format writes; "sha256:" may be missing, case does not matter. */
bool fn_certificate_pin_parse(const char *text, uint8_t out[FN_CERTIFICATE_PIN_BYTES]);

/* "2030-01-02 03:04:05 UTC". Pure: converts, does not look at a clock. */
void fn_certificate_time_format(int64_t unix_s, char out[FN_CERTIFICATE_TIME_TEXT_BYTES]);

#endif
