/*
 * ahead.h: ChaCha20-Poly1305 with the keystream and the one-time key of the next few packets
 * computed ahead, from libsodium's public primitives: sealing is then an XOR and a MAC. A floor, to
 * see what the idea is worth; bytes are those of RFC 8439. Packet numbers are counters and each is
 * sealed once.
 */
#ifndef BENCH_COMMON_AHEAD_H
#define BENCH_COMMON_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    AHEAD_PACKETS = 4,
    AHEAD_TEXT_BYTES_MAX = 1472,
    AHEAD_TAG_BYTES = 16,
    AHEAD_AAD_BYTES_MAX = 16,
    AHEAD_BLOCK_BYTES = 64, /* the first block of keystream is the one-time key */
    AHEAD_STREAM_BYTES = AHEAD_BLOCK_BYTES + AHEAD_TEXT_BYTES_MAX,
};

typedef struct ahead_slot {
    uint64_t number; /* 0 = empty */
    uint8_t stream[AHEAD_STREAM_BYTES];
} ahead_slot;

/* One direction. The packet that comes next is at least number 1. */
typedef struct ahead {
    uint8_t key[32];
    uint8_t nonce_prefix;
    size_t text_bytes; /* how much keystream is made for each packet */
    ahead_slot slots[AHEAD_PACKETS];
} ahead;

void ahead_init(ahead *a, const uint8_t key[32], uint8_t nonce_prefix, size_t text_bytes);

/* One unit of work: makes what is missing for one packet of [next, next + AHEAD_PACKETS); false
 * when nothing is. */
bool ahead_prepare(ahead *a, uint64_t next);

/* In place; the tag goes behind the text. What was not prepared is computed now. */
void ahead_seal(ahead *a, uint64_t number, const uint8_t *aad, size_t aad_bytes, uint8_t *text,
                size_t text_bytes);

/* In place; the tag stands behind the text. */
bool ahead_open(ahead *a, uint64_t number, const uint8_t *aad, size_t aad_bytes, uint8_t *text,
                size_t text_bytes);

#endif
