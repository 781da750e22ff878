/*
 * tls.h: one TLS 1.3 connection, bytes in, bytes out. No socket, no clock.
 *
 *   fn_tls_receive   takes cipher text that arrived          (no cryptography, only a copy)
 *   fn_tls_step      does the handshake work that it allows  (the only expensive call)
 *   fn_tls_read      gives plain text       fn_tls_write     takes plain text
 *   fn_tls_transmit  gives cipher text that is to be sent
 *
 * A driver loops: receive, step, read, write, transmit. After a failure it still transmits once:
 * the alert that tells the other side why is in there. The failure stays and is returned by every
 * later call.
 *
 * Server drivers create the object only when fn_tls_record_complete says COMPLETE, and call
 * fn_tls_step only when their budget allows it if fn_tls_may_sign says true.
 *
 * Memory: OpenSSL allocates by itself, see FN_TLS_OBJECT_BYTES_*. Receiving never buffers more than
 * FN_TLS_INPUT_BYTES_MAX, sending never more than FN_TLS_OUTPUT_BYTES_MAX plus one handshake flight
 * (our own certificate chain).
 *
 * OpenSSL looks at its own clock and entropy for two things only: the age of session tickets, and
 * the randomness of the handshake.
 */
#ifndef FN_CRYPTO_TLS_H
#define FN_CRYPTO_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/failure.h"
#include "crypto/tls_context.h"
#include "crypto/tls_record.h"

enum {
    FN_TLS_INPUT_BYTES_MAX = 32 * 1024,   /* cipher text waiting for step or read */
    FN_TLS_OUTPUT_BYTES_MAX = 32 * 1024,  /* cipher text waiting for transmit, before write stops */
    FN_TLS_SESSION_BYTES_MAX = 16 * 1024, /* a resumption blob */
    FN_TLS_EXPORT_BYTES = 32,
    FN_TLS_NAME_BYTES_MAX = 253, /* a DNS name */
    /* Key updates and tickets that one connection may bring: each costs far more work, and asks for
     * a longer answer, than it has bytes. */
    FN_TLS_LATE_MESSAGES_MAX = 64,
};

/* Upper bounds of what OpenSSL and we hold per connection, with OpenSSL 3.0 and a P-256
 * certificate on 64-bit Linux; measured and kept true by tls_memory_test.c. */
enum {
    FN_TLS_OBJECT_BYTES_CREATED = 12 * 1024,   /* measured: 9.7 KiB */
    FN_TLS_OBJECT_BYTES_HANDSHAKE = 56 * 1024, /* 45 KiB: a server that waits for the client */
    FN_TLS_OBJECT_BYTES_OPEN = 48 * 1024,      /* idle: a server 16 KiB, a client 36 KiB */
    FN_TLS_OBJECT_BYTES_MAX = 160 * 1024,      /* 116 KiB: all buffers full */
};

typedef struct fn_tls fn_tls;

typedef struct fn_tls_options {
    const char *server_name; /* client: DNS name or IP address (without brackets) to verify; copied.
                                May be NULL only with pins or insecure. Server: ignored. */
    int64_t unix_time_s;     /* now, for the validity dates of certificates */
    const void *session;     /* client: a blob from fn_tls_session, or NULL; borrowed. A blob that
                                is malformed, expired, for another name or made under other trust
                                is ignored: the handshake is then a full one. */
    size_t session_bytes;
} fn_tls_options;

typedef struct fn_tls_info {
    bool resumed;
    const char *alpn;    /* "fastnet/1"; static while the fn_tls lives */
    const char *cipher;  /* "TLS_AES_256_GCM_SHA384" */
    bool peer_certified; /* the peer showed a certificate (also when it was not verified) */
    fn_certificate_info peer;
} fn_tls_info;

/* Server or client as the context says; keeps a reference to the context. NULL with `failure`:
 * ERR_ARGUMENT (no usable server name), ERR_MEMORY. */
fn_tls *fn_tls_create(fn_tls_context *context, const fn_tls_options *options, fn_failure *failure);

/* Frees and erases, says nothing to the peer. NULL is fine. */
void fn_tls_destroy(fn_tls *tls);

/* Takes up to bytes_count bytes; *consumed says how many; the rest is to be offered again after
 * step or read made room. OK or the failure. */
int fn_tls_receive(fn_tls *tls, const uint8_t *bytes, size_t bytes_count, size_t *consumed);

/* The transport ended. What was received before can still be read; a missing close_notify is then
 * reported as ERR_CLOSED: a truncation is never mistaken for a proper end. */
void fn_tls_receive_end(fn_tls *tls);

/* True when the next step may do a private-key operation: a server that has not signed yet and has
 * unprocessed input. */
bool fn_tls_may_sign(const fn_tls *tls);

/* Goes on with the handshake as far as the input allows. *key_operation (may be NULL) says whether
 * the private key was used. OK (done or waiting for input), or the failure. After the handshake it
 * does nothing. A client's first call writes the ClientHello. */
int fn_tls_step(fn_tls *tls, bool *key_operation);

/* True from the moment when the handshake is complete and ALPN and peer are verified. */
bool fn_tls_handshake_done(const fn_tls *tls);

/* OK with *read_bytes 0: nothing now. ERR_CLOSED: the peer closed properly (or the transport ended,
 * see fn_tls_failure). ERR_STATE: not before the handshake is done. */
int fn_tls_read(fn_tls *tls, uint8_t *out, size_t out_capacity, size_t *read_bytes);

/* OK with *written_bytes less than asked: transmit first. ERR_STATE: handshake not done, or closed
 * by us. */
int fn_tls_write(fn_tls *tls, const uint8_t *bytes, size_t bytes_count, size_t *written_bytes);

/* Moves up to out_capacity bytes of cipher text into out; returns how many. */
size_t fn_tls_transmit(fn_tls *tls, uint8_t *out, size_t out_capacity);

size_t fn_tls_pending_output(const fn_tls *tls);

/* Queues close_notify. Nothing can be written any more; reading goes on. */
void fn_tls_close(fn_tls *tls);

/* TLS exporter (RFC 8446 section 7.5) of FN_TLS_EXPORT_BYTES. `context` NULL with 0 bytes is the
 * empty context. ERR_STATE before the handshake is done. */
int fn_tls_export(fn_tls *tls, const char *label, const uint8_t *context, size_t context_bytes,
                  uint8_t out[FN_TLS_EXPORT_BYTES]);

/* The newest ticket as a blob for fn_tls_options.session. Servers send it right after the
 * handshake, so it is there after the first reads. ERR_NOT_FOUND: none (yet). ERR_TOO_LARGE:
 * capacity. The blob is secret, holds the server's certificate and a resumption key, and is best
 * used once (an observer could link two uses). Client only. */
int fn_tls_session(fn_tls *tls, uint8_t *out, size_t out_capacity, size_t *out_bytes);

/* ERR_STATE before the handshake is done. */
int fn_tls_describe(fn_tls *tls, fn_tls_info *out);

/* Code OK while all is well. Valid while the fn_tls lives. */
const fn_failure *fn_tls_failure(const fn_tls *tls);

#endif
