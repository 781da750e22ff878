/*
 * secrets.h: the secrets of one session, all from one TLS exporter value (RFC 8446 section 7.5).
 *
 *   context  = SHA-256( u32be(len HELLO) HELLO u32be(len WELCOME) WELCOME )
 *   exporter = TLS-Exporter(label of the kind of session, context, 32 bytes)
 *   secret[] = HKDF-Expand-Label(exporter, label, "", 32), see FN_SECRETS_MAP
 *
 * Nothing of this is ever on a wire. The exporter value is erased by fn_secrets_derive.
 */
#ifndef FN_CRYPTO_SECRETS_H
#define FN_CRYPTO_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FN_SECRETS_BYTES = 32 };

/* Exporter labels. One per use: the same TLS connection never makes the same bytes for two uses. */
#define FN_SECRETS_EXPORTER_MAP(X)                      \
    X(CLIENT_SERVER, "EXPORTER-fastnet1 client-server") \
    X(P2P, "EXPORTER-fastnet1 p2p")                     \
    X(SIGNALLING, "EXPORTER-fastnet1 signalling")       \
    X(ATTACH, "EXPORTER-fastnet1 attach")

typedef enum fn_secrets_exporter {
#define X(name, label) FN_SECRETS_EXPORTER_##name,
    FN_SECRETS_EXPORTER_MAP(X)
#undef X
        FN_SECRETS_EXPORTER_COUNT
} fn_secrets_exporter;

/* What is derived from the exporter value: member, HKDF label (after the prefix "fastnet1 "). */
#define FN_SECRETS_MAP(X)                                                                    \
    X(client_to_server, "client to server") /* traffic secret of the TLS client's packets */ \
    X(server_to_client, "server to client") /* traffic secret of the TLS server's packets */ \
    X(attach_key, "attach")                 /* proves the session on a new TLS connection */

typedef struct fn_secrets {
#define X(name, label) uint8_t name[FN_SECRETS_BYTES];
    FN_SECRETS_MAP(X)
#undef X
} fn_secrets;

/* Static string, for fn_tls_export. */
const char *fn_secrets_exporter_label(fn_secrets_exporter which);

/* HELLO and WELCOME as they were on the TLS stream, without their framing. Each is shorter than
 * 2^32 bytes. For an ATTACH the context is empty (no bytes), not this hash. */
void fn_secrets_context(const uint8_t *hello, size_t hello_bytes, const uint8_t *welcome,
                        size_t welcome_bytes, uint8_t out[FN_SECRETS_BYTES]);

/* Fills `out` and erases `exporter`. */
void fn_secrets_derive(uint8_t exporter[FN_SECRETS_BYTES], fn_secrets *out);

/* The proof inside ATTACH: HMAC-SHA256(attach_key, exporter of the new TLS connection). It is worth
 * nothing on any other TLS connection. */
void fn_secrets_attach_proof(const uint8_t attach_key[FN_SECRETS_BYTES],
                             const uint8_t exporter[FN_SECRETS_BYTES],
                             uint8_t out[FN_SECRETS_BYTES]);

/* Compares in constant time. */
bool fn_secrets_attach_verify(const uint8_t attach_key[FN_SECRETS_BYTES],
                              const uint8_t exporter[FN_SECRETS_BYTES],
                              const uint8_t proof[FN_SECRETS_BYTES]);

void fn_secrets_wipe(fn_secrets *secrets);

#endif
