/*
 * A deterministic random generator (xoshiro256** seeded by splitmix64): the same seed gives the
 * same numbers on every platform. For tests, the simulator and jitter. Never for secrets, ids or
 * tokens: whoever sees a few outputs knows all others.
 */
#ifndef FN_BASE_RNG_H
#define FN_BASE_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fn_rng {
    uint64_t state[4];
} fn_rng;

/* Any seed is a good seed, 0 too. */
void fn_rng_init(fn_rng *rng, uint64_t seed);

uint64_t fn_rng_u64(fn_rng *rng);

/* 0 .. bound - 1, every value equally likely; 0 when bound is 0. */
uint64_t fn_rng_below(fn_rng *rng, uint64_t bound);

/* low .. high, both included. */
uint64_t fn_rng_between(fn_rng *rng, uint64_t low, uint64_t high);

/* 0 <= x < 1, in steps of 2^-53. */
double fn_rng_double01(fn_rng *rng);

/* True in `permille` of 1000 calls: never for 0, always from 1000 on. */
bool fn_rng_chance(fn_rng *rng, uint32_t permille);

void fn_rng_bytes(fn_rng *rng, void *to, size_t bytes);

#endif
