/*
 * random.h: a random stream from a 32-byte seed; the same seed gives the same stream everywhere.
 *
 * ChaCha20 keystream with fast key erasure: each refill replaces the key by the first bytes of the
 * keystream, and bytes are erased as they are handed out, so that a later look into memory tells
 * nothing about numbers given before. For receiver ids, path challenges, skipped packet numbers.
 * The seed comes from the caller: the system's entropy in a game, a number in a simulation.
 */
#ifndef FN_CRYPTO_RANDOM_H
#define FN_CRYPTO_RANDOM_H

#include <stddef.h>
#include <stdint.h>

enum {
    FN_RANDOM_SEED_BYTES = 32,
    FN_RANDOM_POOL_BYTES = 224, /* one refill: 256 bytes of keystream, 32 of them the next key */
};

typedef struct fn_random {
    uint8_t key[FN_RANDOM_SEED_BYTES];
    uint8_t pool[FN_RANDOM_POOL_BYTES];
    uint32_t used_bytes; /* of the pool */
} fn_random;

void fn_random_start(fn_random *random, const uint8_t seed[FN_RANDOM_SEED_BYTES]);
void fn_random_fill(fn_random *random, void *out, size_t out_bytes);
uint32_t fn_random_u32(fn_random *random);
uint64_t fn_random_u64(fn_random *random);
/* Evenly in 0 .. bound-1. bound is not 0 (asserted). */
uint32_t fn_random_below(fn_random *random, uint32_t bound);
/* A seed for another generator, independent of what this one gives later. */
void fn_random_fork(fn_random *random, fn_random *child);
void fn_random_wipe(fn_random *random);

#endif
