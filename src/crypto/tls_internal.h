/*
 * tls_internal.h: what the TLS files share. Inside this layer only.
 *
 *   tls_context.c  trust and the settings that every connection has
 *   tls_identity.c our own certificate and key
 *   tls_hello.c    what a server demands of a ClientHello: TLS 1.3 and our ALPN
 *   tls_verify.c   whether the peer's certificate is believed, and the sentence when not
 *   tls_observe.c  what alerts mean, and what passes by
 *   tls_session.c  resumption blobs
 *   tls_failure.c  the first thing that went wrong with a connection
 *   tls.c          one connection
 *
 * The arrows between them: tls.c uses tls_context.c and tls_session.c; tls_context.c registers what
 * hello, verify, observe and session do; all of them use tls_failure.c, and none uses tls.c.
 */
#ifndef FN_CRYPTO_TLS_INTERNAL_H
#define FN_CRYPTO_TLS_INTERNAL_H

#include "crypto/hash.h"
#include "crypto/tls.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

enum { FN_TLS_ALPN_BYTES_MAX = 255 };

typedef enum fn_tls_trust_kind {
    FN_TLS_TRUST_CHAIN = 0, /* system roots or a CA file: chain, name and dates */
    FN_TLS_TRUST_PINS,
    FN_TLS_TRUST_ANYBODY, /* the insecure client; a server that asks for no certificate */
} fn_tls_trust_kind;

struct fn_tls_context {
    SSL_CTX *ssl;
    atomic_uint references;
    bool server;
    fn_tls_trust_kind trust;
    uint8_t pins[FN_TLS_PINS_MAX][FN_CERTIFICATE_PIN_BYTES];
    size_t pins_count;
    uint8_t trust_digest[FN_HASH_BYTES];           /* of the whole trust, for session blobs */
    unsigned char alpn[1 + FN_TLS_ALPN_BYTES_MAX]; /* as on the wire: length, name */
    char alpn_text[FN_TLS_ALPN_BYTES_MAX + 1];
    fn_tls_key_log key_log;
    void *key_log_user;
};

struct fn_tls {
    SSL *ssl;
    BIO *input;  /* owned by ssl */
    BIO *output; /* owned by ssl */
    fn_tls_context *context;
    SSL_SESSION *ticket; /* client: the newest, or NULL */
    fn_failure failure;  /* the first that happened stays */
    int64_t unix_time_s;
    char server_name[FN_TLS_NAME_BYTES_MAX + 1]; /* client; "" = none to verify */
    bool done;                                   /* handshake complete and everything verified */
    bool signed_once;                            /* our CertificateVerify is written */
    bool unprocessed;                            /* input came after the last step */
    bool input_ended;
    bool close_sent;
    uint32_t late_messages; /* of the other side's TLS, after the handshake */
};

/* The other side: "server" or "client". */
const char *fn_tls_peer_word(const fn_tls *tls);
static inline fn_tls *fn_tls_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

/* Keeps the first failure; returns the code that stays. */
int fn_tls_fail(fn_tls *tls, int code, const char *format, ...) FN_FAILURE_FORMAT;

/* OpenSSL's callbacks, registered by tls_context.c. */
int fn_tls_check_hello(SSL *ssl, int *alert, void *unused);
int fn_tls_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
                       const unsigned char *offered, unsigned offered_bytes, void *unused);
int fn_tls_verify(X509_STORE_CTX *store, void *unused);
int fn_tls_keep_ticket(SSL *ssl, SSL_SESSION *ticket);
void fn_tls_observe(const SSL *ssl, int where, int value);
void fn_tls_observe_message(int sent, int version, int type, const void *bytes, size_t count,
                            SSL *ssl, void *unused);

/* Chain and key go into the context. ERR_CERTIFICATE with a sentence that names the file. */
int fn_tls_identity_load(SSL_CTX *ssl, const fn_tls_identity *identity, fn_failure *failure);

/* Client: offers the blob of an earlier session, when it fits this connection. */
void fn_tls_offer_session(fn_tls *tls, const void *blob, size_t blob_bytes);

#endif
