/*
 * wire.h: the bytes of PROTOCOL.md, in its order: section 5 (datagrams), section 6 (frames).
 *
 * Encoding and decoding only; what a frame means is decided elsewhere. Decoders check every field's
 * form and range, so whoever gets a frame may rely on what is stated beside its members.
 */
#ifndef FN_CORE_WIRE_H
#define FN_CORE_WIRE_H

#include "base/cursor.h"
#include "core/ack.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- section 5: datagrams --- */

enum {
    FN_WIRE_TOP_BITS = 0xc0,
    FN_WIRE_RESERVED_BITS = 0x34, /* kind 0 is the session; the others are not ours to read */
    FN_WIRE_PHASE_BIT = 0x08,
    FN_WIRE_NUMBER_BITS = 0x03,
    FN_WIRE_ID_OFFSET = 1,
    FN_WIRE_NUMBER_OFFSET = 5,
    FN_WIRE_TAG_BYTES = 16,
    FN_WIRE_HEADER_BYTES_MAX = FN_WIRE_NUMBER_OFFSET + 4,
    FN_WIRE_OVERHEAD_BYTES_MAX = FN_WIRE_HEADER_BYTES_MAX + FN_WIRE_TAG_BYTES,
    FN_WIRE_DATAGRAM_BYTES_MIN = FN_WIRE_NUMBER_OFFSET + 1 + FN_WIRE_TAG_BYTES,
    FN_WIRE_DATAGRAM_BYTES_MAX = 65535
};

static_assert(FN_WIRE_OVERHEAD_BYTES_MAX == 25, "stated in PROTOCOL.md section 5");

typedef struct fn_header {
    uint32_t receiver_id;
    uint32_t truncated;   /* packet number, its low number_bytes */
    uint8_t number_bytes; /* 1..4 */
    uint8_t phase;        /* 0 or 1 */
    uint8_t bytes;        /* of the whole header: the associated data */
} fn_header;

/* False for what is not a sealed session datagram; nothing was read beyond `bytes`. */
bool fn_header_decode(const uint8_t *datagram, size_t bytes, fn_header *out);

/* Writes the header for packet `number` and returns its
 * length. out has FN_WIRE_HEADER_BYTES_MAX. */
size_t fn_header_encode(uint8_t *out, uint32_t receiver_id, uint8_t phase, uint64_t number,
                        uint32_t number_bytes);

/* --- section 6: frames --- */

#define FN_FRAME_MAP(X)     \
    X(PADDING, 0x00)        \
    X(PING, 0x01)           \
    X(ACK, 0x02)            \
    X(PATH_CHALLENGE, 0x03) \
    X(PATH_RESPONSE, 0x04)  \
    X(WINDOW, 0x05)         \
    X(BLOCKED, 0x06)        \
    X(CLOSE, 0x07)          \
    X(PATH_TOO_SMALL, 0x08) \
    X(MESSAGE, 0x10)

typedef enum fn_frame_type {
#define X(name, value) FN_FRAME_##name = (value),
    FN_FRAME_MAP(X)
#undef X
} fn_frame_type;

enum {
    FN_FRAME_MESSAGE_FRAGMENT = 0x01, /* bits of the type byte */
    FN_FRAME_MESSAGE_LENGTH = 0x02,
    FN_FRAME_PING_BYTES = 9,
    FN_FRAME_PATH_BYTES = 9,
    FN_FRAME_CREDIT_BYTES_MAX = 9,
    FN_FRAME_PATH_TOO_SMALL_BYTES = 1,
    FN_FRAME_CLOSE_TEXT_MAX = 256,
    FN_FRAME_ACK_BYTES_MIN = 5, /* type, largest and delay of one byte, no further ranges */
    FN_UNIT_BYTES = 1024,       /* of fragmentation, always */
    FN_MESSAGE_BYTES_MAX = 1 << 24
};

typedef struct fn_ack_frame {
    uint64_t delay_us;
    uint32_t range_count;                   /* 1..FN_ACK_RANGES_MAX */
    fn_ack_range ranges[FN_ACK_RANGES_MAX]; /* descending, disjoint, not adjacent */
} fn_ack_frame;

typedef struct fn_message_frame {
    uint64_t id;
    const uint8_t *payload; /* in the datagram */
    uint32_t bytes;         /* of payload */
    uint32_t first_unit;    /* 0 for a whole message */
    uint32_t total_bytes;   /* of the message, ≤ FN_MESSAGE_BYTES_MAX; the run lies inside it */
    uint8_t channel;
    bool fragment;
} fn_message_frame;

typedef struct fn_close_frame {
    uint32_t code;
    uint32_t text_bytes; /* ≤ FN_FRAME_CLOSE_TEXT_MAX */
    const uint8_t *text; /* in the datagram */
    bool application;
} fn_close_frame;

typedef struct fn_frame {
    fn_frame_type type;
    union {
        uint64_t time_ns; /* PING */
        uint64_t data;    /* PATH_CHALLENGE, PATH_RESPONSE */
        uint64_t credit;  /* WINDOW, BLOCKED */
        fn_ack_frame ack;
        fn_message_frame message;
        fn_close_frame close;
    } as;
} fn_frame;

/* Reads the next frame; runs of PADDING count as one. False: malformed, close with FRAME. */
bool fn_frame_read(fn_reader *reader, fn_frame *out);

/* True for frames that only probe a path (section 6, last column). */
bool fn_frame_is_probing(fn_frame_type type);

/* Units that a message of that length has; an empty message has one. */
static inline uint32_t fn_unit_count(uint32_t message_bytes)
{
    return message_bytes <= FN_UNIT_BYTES ? 1 : (message_bytes + FN_UNIT_BYTES - 1) / FN_UNIT_BYTES;
}

/* Writers fail like the cursor does: sticky, nothing half written is meant to be sent. */
void fn_frame_write_ping(fn_writer *writer, uint64_t time_ns);
void fn_frame_write_path(fn_writer *writer, fn_frame_type type, uint64_t data);
void fn_frame_write_path_too_small(fn_writer *writer);
void fn_frame_write_credit(fn_writer *writer, fn_frame_type type, uint64_t credit);
void fn_frame_write_close(fn_writer *writer, const fn_close_frame *close);

/* As many of the ledger's ranges as fit; false, and nothing written, when not even one does. */
bool fn_frame_write_ack(fn_writer *writer, const fn_ack_ledger *ledger, uint64_t delay_us);

/* Bytes that a MESSAGE frame takes before its payload; with_length: other frames follow it. */
size_t fn_frame_message_overhead(const fn_message_frame *message, bool with_length);

/* Leaves the length out when the payload fills the writer to its end exactly. */
void fn_frame_write_message(fn_writer *writer, const fn_message_frame *message);

/* --- section 11.4: datagrams on a stream, each behind its length --- */

enum { FN_WIRE_STREAM_LENGTH_BYTES = 2 };

/* out has FN_WIRE_STREAM_LENGTH_BYTES. */
void fn_stream_length_encode(uint8_t *out, size_t datagram_bytes);

/* False: no datagram has that length, or none that is accepted here: the stream ends. */
bool fn_stream_length_decode(const uint8_t *length, uint32_t datagram_bytes_max,
                             uint32_t *datagram_bytes);

#endif
