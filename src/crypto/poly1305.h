/*
 * poly1305.h: the MAC of short datagrams (RFC 8439 §2.5), as its AEAD uses it: every piece is
 * padded with zeros to whole blocks of 16 bytes (§2.8).
 *
 * libsodium's is made for long messages: on the hundred bytes of a game's packet it spends most of
 * its time getting ready (docs/decisions/0010-mac-of-short-packets.md has the figures). This one
 * is two 64-bit limbs and a small third, one multiplication modulo 2^130 - 5 per block, nothing
 * else. Constant time: no branch and no address depends on the key or the data.
 *
 * Only where the compiler has a 128-bit integer; elsewhere the caller keeps to libsodium.
 */
#ifndef FN_CRYPTO_POLY1305_H
#define FN_CRYPTO_POLY1305_H

#include <stddef.h>
#include <stdint.h>

enum { FN_POLY1305_KEY_BYTES = 32, FN_POLY1305_TAG_BYTES = 16, FN_POLY1305_BLOCK_BYTES = 16 };

#ifdef __SIZEOF_INT128__
#define FN_POLY1305_AVAILABLE 1
#else
#define FN_POLY1305_AVAILABLE 0
#endif

/* Secret: wipe it when it is not used up by finish. */
typedef struct fn_poly1305 {
    uint64_t sum[3];  /* below 2^131 */
    uint64_t r[2];    /* clamped: RFC 8439 §2.5.1 */
    uint64_t r1_by_5; /* 5/4 of r[1], which is a multiple of 4 */
    uint64_t s[2];
} fn_poly1305;

/* The key is for this one message: RFC 8439 §2.6. */
void fn_poly1305_start(fn_poly1305 *mac, const uint8_t key[FN_POLY1305_KEY_BYTES]);

/* One piece, padded with zeros to whole blocks; data may be NULL when bytes is 0. */
void fn_poly1305_add_padded(fn_poly1305 *mac, const uint8_t *data, size_t bytes);

/* The lengths that end the AEAD's input: one block. */
void fn_poly1305_add_lengths(fn_poly1305 *mac, size_t aad_bytes, size_t text_bytes);

/* Writes the tag and wipes the rest. */
void fn_poly1305_finish(fn_poly1305 *mac, uint8_t tag[FN_POLY1305_TAG_BYTES]);

#endif
