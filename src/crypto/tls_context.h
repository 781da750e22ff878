/*
 * tls_context.h: what many TLS connections share: identity, trust, ticket keys.
 *
 * TLS 1.3 only, ALPN checked by both sides, no early data (RFC 8446 section 8: it can be replayed),
 * resumption only with a fresh (EC)DHE exchange, by X25519 or P-256 only (where a FIPS provider
 * knows no X25519, by P-256 alone); certificates may be on other curves.
 *
 * A context is counted: connections keep theirs alive. To reload a certificate, create a second
 * context, swap the pointer, release the first. Each context has its own random ticket keys, so a
 * reload costs every client one full handshake and nothing else. A context may be shared by
 * threads: the count is atomic, and nothing else in it changes.
 *
 * OpenSSL allocates its objects itself: 16 KiB per server context, 14 KiB per
 * client context with one CA, about 700 KiB with the system's roots (which are read
 * from files, the only ones in this layer).
 */
#ifndef FN_CRYPTO_TLS_CONTEXT_H
#define FN_CRYPTO_TLS_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/certificate.h"
#include "crypto/failure.h"
#include "crypto/tls_identity.h"

#define FN_TLS_ALPN "fastnet/1"

enum { FN_TLS_PINS_MAX = 16 };

/*
 * Whom to believe. All borrowed for the call. The first that is given counts:
 *   pins    the peer's public key is one of these: replaces chain, name and dates;
 *   ca_pem  the peer's chain ends in one of these certificates, roots or not, self-signed or not;
 *   neither the roots that OpenSSL finds on this system (SSL_CERT_FILE, SSL_CERT_DIR, built-in
 *           paths). On Windows there are none: hand over the system's store as ca_pem.
 */
typedef struct fn_tls_trust {
    const uint8_t *pins; /* pins_count times FN_CERTIFICATE_PIN_BYTES, one behind the other */
    size_t pins_count;   /* at most FN_TLS_PINS_MAX */
    const void *ca_pem;
    size_t ca_pem_bytes;
} fn_tls_trust;

/* One line in NSS key log format, without line end. Whoever reads it can decrypt everything. */
typedef void (*fn_tls_key_log)(void *user, const char *line);

typedef struct fn_tls_config {
    const char *alpn;                /* NULL = FN_TLS_ALPN; at most 255 bytes */
    const fn_tls_identity *identity; /* server: required; client: NULL = no client certificate */
    const fn_tls_trust *trust;       /* client: NULL = system roots; server: NULL = does not ask for
                                        a client certificate, else asks for one, and verifies it if
                                        the client has one */
    fn_tls_key_log key_log;          /* NULL = off. Debugging only. */
    void *key_log_user;
} fn_tls_config;

/*
 * Each returns a context with one reference, or NULL with `failure` filled:
 *   ERR_CERTIFICATE  chain, key or CA missing, malformed, encrypted, in the wrong order, of a kind
 *                    that TLS 1.3 cannot use, or key and certificate differ
 *   ERR_ARGUMENT     ALPN or pins out of range
 *   ERR_MEMORY       OpenSSL could not allocate
 */
fn_tls_context *fn_tls_context_create_server(const fn_tls_config *config, fn_failure *failure);
fn_tls_context *fn_tls_context_create_client(const fn_tls_config *config, fn_failure *failure);

/* A client that believes anybody: encrypted, not authenticated. Never the default; whoever calls it
 * logs a warning. `config->trust` is ignored. */
fn_tls_context *fn_tls_context_create_client_insecure(const fn_tls_config *config,
                                                      fn_failure *failure);

fn_tls_context *fn_tls_context_retain(fn_tls_context *context);
/* The last release frees and erases. NULL is fine. */
void fn_tls_context_release(fn_tls_context *context);

#endif
