/*
 * hello.h: the messages inside TLS (PROTOCOL.md sections 3, 11.4): HELLO, WELCOME, REJECT, ATTACH,
 * their framing, and the limits that both sides tell each other.
 *
 * Decoding never copies: tokens, ids and texts are borrowed from the bytes that were decoded. Every
 * length is checked against its limit and against the end before it is believed; what is left over
 * is an error. A failed decode gives ERR_PROTOCOL and a sentence that names the field.
 */
#ifndef FN_CORE_HELLO_H
#define FN_CORE_HELLO_H

#include "base/cursor.h"
#include "base/text.h"
#include "crypto/failure.h"
#include "fastnet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FN_HELLO_VERSION 1 /* of the protocol that this code speaks */

enum {
    FN_HELLO_VERSIONS_MAX = 8,
    FN_HELLO_APPLICATION_BYTES_MAX = 64,
    FN_HELLO_TABLE_HASH_BYTES = 32,
    FN_HELLO_TOKEN_BYTES_MAX = FASTNET_TOKEN_BYTES_MAX,
    FN_HELLO_HOST_BYTES_MAX = 255,
    FN_HELLO_TEXT_BYTES_MAX = FASTNET_TEXT_BYTES_MAX,
    FN_HELLO_PROOF_BYTES = 32,
    FN_HELLO_ATTACH_BODY_BYTES = 4 + FN_HELLO_PROOF_BYTES,
    FN_HELLO_FRAME_HEADER_BYTES = 5,
    FN_HELLO_BODY_BYTES_MAX = 4096,
    FN_HELLO_FRAME_BYTES_MAX = FN_HELLO_FRAME_HEADER_BYTES + FN_HELLO_BODY_BYTES_MAX,
    FN_LIMITS_BYTES = 24,
};

/* name, number on the wire */
#define FN_HELLO_TYPE_MAP(X) \
    X(HELLO, 1)              \
    X(WELCOME, 2)            \
    X(REJECT, 3)             \
    X(ATTACH, 4)             \
    X(ATTACHED, 5)           \
    X(GONE, 6)

typedef enum fn_hello_type {
#define X(name, value) FN_HELLO_TYPE_##name = (value),
    FN_HELLO_TYPE_MAP(X)
#undef X
} fn_hello_type;

/* --- limits --------------------------------------------------------------------------- */

/* What one side accepts: field, smallest, largest value. All are u32, in the order of the wire. */
#define FN_LIMITS_MAP(X)                                                  \
    X(message_bytes_max, 1, UINT32_C(1) << 24)                            \
    X(receive_window_bytes, 1 + FN_LIMITS_MESSAGE_COST_BYTES, UINT32_MAX) \
    X(replay_window_packets, 1024, 65536) /* and a power of two */        \
    X(message_window, 64, 65536)                                          \
    X(idle_timeout_ms, 0, UINT32_MAX) /* 0 = never */                     \
    X(datagram_bytes_max, 1200, 65535)

#define FN_LIMITS_MESSAGE_COST_BYTES 64 /* credit that a message costs besides its length */

typedef struct fn_limits {
#define X(field, low, high) uint32_t field;
    FN_LIMITS_MAP(X)
#undef X
} fn_limits;

/* What holds for one session: `send_` from the other side's limits, `receive_` from our own. */
typedef struct fn_limits_agreed {
    uint32_t message_bytes_max; /* the smaller of both, both directions */
    uint32_t idle_timeout_ms;   /* the smaller non-zero one; 0 = never */
    uint32_t send_window_bytes; /* credit that we start with */
    uint32_t receive_window_bytes;
    uint32_t send_packets_max; /* in flight: half of the other side's replay window */
    uint32_t receive_replay_window_packets;
    uint32_t send_message_window;
    uint32_t receive_message_window;
    uint32_t send_datagram_bytes_max;
    uint32_t receive_datagram_bytes_max;
} fn_limits_agreed;

/* NULL when all values are in range, else the name of the first field that is not. Static. */
const char *fn_limits_check(const fn_limits *limits);

/* Both sets have passed fn_limits_check. */
fn_limits_agreed fn_limits_agree(const fn_limits *ours, const fn_limits *theirs);

/* --- messages ------------------------------------------------------------------------- */

typedef struct fn_hello {
    uint16_t versions[FN_HELLO_VERSIONS_MAX];
    uint32_t version_count;        /* 1..8 */
    const uint8_t *application_id; /* not terminated */
    size_t application_id_bytes;
    uint32_t application_build;
    uint32_t receiver_id;
    fn_limits limits; /* ranges are not checked by decode: see fn_limits_check */
    uint8_t channel_table_hash[FN_HELLO_TABLE_HASH_BYTES];
    const uint8_t *token;
    size_t token_bytes;
} fn_hello;

typedef struct fn_welcome {
    uint16_t version;
    uint32_t peer_id;
    uint32_t receiver_id;
    uint16_t udp_port;       /* not 0 */
    const uint8_t *udp_host; /* not terminated; printable ASCII without spaces */
    size_t udp_host_bytes;   /* 0 = the address of the TLS connection */
    fn_limits limits;        /* ranges are not checked by decode */
} fn_welcome;

typedef struct fn_attach_message {
    uint32_t receiver_id;                /* of the side addressed */
    uint8_t proof[FN_HELLO_PROOF_BYTES]; /* fn_secrets_attach_proof */
} fn_attach_message;

typedef struct fn_reject {
    uint32_t result; /* positive: 12 means FASTNET_ERR_REJECTED */
    uint32_t app_code;
    const uint8_t *text; /* not terminated; any bytes */
    size_t text_bytes;
} fn_reject;

/* Each decodes the whole body of a message. OK or ERR_PROTOCOL. `out` borrows from `body`. */
int fn_hello_decode(const uint8_t *body, size_t body_bytes, fn_hello *out, fn_failure *failure);
int fn_welcome_decode(const uint8_t *body, size_t body_bytes, fn_welcome *out, fn_failure *failure);
int fn_reject_decode(const uint8_t *body, size_t body_bytes, fn_reject *out, fn_failure *failure);

/* ATTACH, ATTACHED and GONE have one length each: true when it is that, and for other types. */
bool fn_attach_length_is_good(fn_hello_type type, size_t body_bytes);

/* The body of an ATTACH of that length. */
void fn_attach_decode(const uint8_t body[FN_HELLO_ATTACH_BODY_BYTES], fn_attach_message *out);

/* Each writes the body of a message; lengths beyond their limit are our own mistake (asserted),
 * except the text of a REJECT, which is cut at a character. */
void fn_hello_encode(fn_writer *writer, const fn_hello *hello);
void fn_welcome_encode(fn_writer *writer, const fn_welcome *welcome);
void fn_reject_encode(fn_writer *writer, const fn_reject *reject);
void fn_attach_encode(fn_writer *writer, const fn_attach_message *attach);

/* Does the client speak that version? */
bool fn_hello_offers(const fn_hello *hello, uint16_t version);

/* The FASTNET_ERR_* that a REJECT stands for; ERR_REJECTED for numbers that are none. */
int fn_reject_code(const fn_reject *reject);

/* --- framing -------------------------------------------------------------------------- */

/* Reads type and body length. ERR_PROTOCOL: an unknown type, or a length above the limit. */
int fn_hello_frame_decode(const uint8_t header[FN_HELLO_FRAME_HEADER_BYTES], fn_hello_type *type,
                          size_t *body_bytes, fn_failure *failure);

/* Leaves room for a header, first in an empty writer; `end` fills it in behind the written body. */
void fn_hello_frame_begin(fn_writer *writer);
void fn_hello_frame_end(fn_writer *writer, fn_hello_type type);

#endif
