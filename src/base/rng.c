#include "base/rng.h"

#include "base/bytes.h"
#include "base/units.h"

static uint64_t split_mix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void fn_rng_init(fn_rng *rng, uint64_t seed)
{
    for (size_t i = 0; i < FN_ARRAY_COUNT(rng->state); i++)
        rng->state[i] = split_mix(&seed);
}

static uint64_t rotate(uint64_t value, uint32_t bits)
{
    return value << bits | value >> (64 - bits);
}

uint64_t fn_rng_u64(fn_rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t fn_rng_below(fn_rng *rng, uint64_t bound)
{
    if (bound == 0)
        return 0;
    /* The first 2^64 mod bound values are one too many for an even share: draw again. */
    uint64_t uneven = (0 - bound) % bound;
    uint64_t drawn = fn_rng_u64(rng);
    while (drawn < uneven)
        drawn = fn_rng_u64(rng);
    return drawn % bound;
}

uint64_t fn_rng_between(fn_rng *rng, uint64_t low, uint64_t high)
{
    if (low == 0 && high == UINT64_MAX)
        return fn_rng_u64(rng);
    return low + fn_rng_below(rng, high - low + 1);
}

double fn_rng_double01(fn_rng *rng)
{
    return (double)(fn_rng_u64(rng) >> 11) * 0x1p-53;
}

bool fn_rng_chance(fn_rng *rng, uint32_t permille)
{
    return fn_rng_below(rng, 1000) < permille;
}

void fn_rng_bytes(fn_rng *rng, void *to, size_t bytes)
{
    uint8_t *at = to;
    uint64_t word = 0;
    for (size_t i = 0; i < bytes; i++) {
        word = i % 8 == 0 ? fn_rng_u64(rng) : word >> 8;
        at[i] = (uint8_t)word;
    }
}
