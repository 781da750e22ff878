#include "crypto/random.h"

#include "base/bytes.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static_assert(FN_RANDOM_SEED_BYTES == crypto_stream_chacha20_ietf_KEYBYTES, "a seed is a key");

/* A key is used for one refill only, so a fixed nonce never repeats with it. */
static void refill(fn_random *random)
{
    static const uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES];
    uint8_t stream[FN_RANDOM_SEED_BYTES + FN_RANDOM_POOL_BYTES];
    crypto_stream_chacha20_ietf(stream, sizeof stream, nonce, random->key);
    memcpy(random->key, stream, FN_RANDOM_SEED_BYTES);
    memcpy(random->pool, stream + FN_RANDOM_SEED_BYTES, FN_RANDOM_POOL_BYTES);
    random->used_bytes = 0;
    fn_bytes_wipe(stream, sizeof stream);
}

void fn_random_start(fn_random *random, const uint8_t seed[FN_RANDOM_SEED_BYTES])
{
    memset(random, 0, sizeof *random);
    memcpy(random->key, seed, FN_RANDOM_SEED_BYTES);
    random->used_bytes = FN_RANDOM_POOL_BYTES;
}

void fn_random_fill(fn_random *random, void *out, size_t out_bytes)
{
    uint8_t *to = out;
    while (out_bytes > 0) {
        if (random->used_bytes == FN_RANDOM_POOL_BYTES)
            refill(random);
        size_t left = FN_RANDOM_POOL_BYTES - random->used_bytes;
        size_t taken = out_bytes < left ? out_bytes : left;
        uint8_t *from = random->pool + random->used_bytes;
        memcpy(to, from, taken);
        fn_bytes_wipe(from, taken);
        random->used_bytes += (uint32_t)taken;
        to += taken;
        out_bytes -= taken;
    }
}

uint32_t fn_random_u32(fn_random *random)
{
    uint8_t bytes[4];
    fn_random_fill(random, bytes, sizeof bytes);
    return fn_load_be32(bytes);
}

uint64_t fn_random_u64(fn_random *random)
{
    uint8_t bytes[8];
    fn_random_fill(random, bytes, sizeof bytes);
    return fn_load_be64(bytes);
}

uint32_t fn_random_below(fn_random *random, uint32_t bound)
{
    assert(bound > 0);
    /* The lowest 2^32 mod bound values are drawn again: otherwise small results came oftener. */
    uint32_t unfair = (0u - bound) % bound;
    for (;;) {
        uint32_t drawn = fn_random_u32(random);
        if (drawn >= unfair)
            return drawn % bound;
    }
}

void fn_random_fork(fn_random *random, fn_random *child)
{
    uint8_t seed[FN_RANDOM_SEED_BYTES];
    fn_random_fill(random, seed, sizeof seed);
    fn_random_start(child, seed);
    fn_bytes_wipe(seed, sizeof seed);
}

void fn_random_wipe(fn_random *random)
{
    fn_bytes_wipe(random, sizeof *random);
}
