/*
 * stream.h: what one side sends on one channel, and the judgement of what the other side's
 * application gets of it.
 *
 * Content is a function of (seed, id), so a message is checked byte for byte without being kept.
 * From 8 bytes on a message begins with its id; shorter ones are matched by content, which can only
 * be too lenient, never too strict.
 */
#ifndef FN_SIM_STREAM_H
#define FN_SIM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fn_stream_message {
    uint64_t queued_ns;
    uint32_t bytes;
    bool received;
    bool tagged;
    bool told; /* DELIVERED or LOST was reported */
    bool left; /* its first fragment was on the wire */
} fn_stream_message;

typedef struct fn_stream {
    fn_stream_message *messages; /* by id */
    uint64_t count;              /* accepted by fn_conn_send */
    uint64_t capacity;
    uint64_t seed;
    uint64_t received;
    uint64_t received_bytes;
    uint64_t told;
    uint64_t tagged;
    uint64_t next; /* mode 0: next to be received; mode 3: one above the newest received */
    uint64_t latency_ns_max;      /* of what was received, from send to event */
    uint64_t fragmented_received; /* longer than one datagram */
    uint64_t scan_from;           /* below it every short message was received */
    uint8_t mode;
} fn_stream;

void fn_stream_init(fn_stream *stream, uint64_t seed, uint8_t mode);
void fn_stream_free(fn_stream *stream);

/* The content of message `id`. */
void fn_stream_content(const fn_stream *stream, uint64_t id, uint8_t *out, size_t bytes);

/* fn_conn_send() said OK to the message with id stream->count. */
void fn_stream_sent(fn_stream *stream, uint64_t now_ns, size_t bytes, bool tagged);

/* The other application got this. NULL, or which promise was broken. */
const char *fn_stream_receive(fn_stream *stream, uint64_t now_ns, const uint8_t *data,
                              size_t bytes);

/* DELIVERED or LOST for the message whose tag is its id. NULL, or which promise was broken. That a
 * reliable one is lost is right only when the session ends: the caller's affair. */
const char *fn_stream_tell(fn_stream *stream, uint64_t id, bool delivered);

/* No tag is left that was not told of. */
bool fn_stream_all_told(const fn_stream *stream);

bool fn_stream_is_reliable(const fn_stream *stream);

/* Everything promised has happened (unreliable: nothing is promised but the fate of tags). */
bool fn_stream_complete(const fn_stream *stream);

#endif
