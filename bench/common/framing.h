/*
 * framing.h: messages on a byte stream: a length of four bytes, then the message.
 */
#ifndef BENCH_COMMON_FRAMING_H
#define BENCH_COMMON_FRAMING_H

#include "common/peer.h"

enum { FRAMING_HEADER_BYTES = 4 };

typedef struct framing {
    size_t held;
    uint8_t bytes[FRAMING_HEADER_BYTES + PEER_MESSAGE_BYTES_MAX];
} framing;

/* Writes header and message; returns their length. `to` has room for both. */
size_t framing_encode(uint8_t *to, const void *message, size_t bytes);

/* Takes the next bytes of the stream; calls driver_received() for each message that is complete. */
void framing_decode(framing *stream, const uint8_t *from, size_t bytes);

#endif
