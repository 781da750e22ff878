#include "base/siphash.h"

#include "base/bytes.h"

typedef struct state {
    uint64_t v0, v1, v2, v3;
} state;

static inline uint64_t rotate(uint64_t value, uint32_t bits)
{
    return value << bits | value >> (64 - bits);
}

static inline void round_once(state *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 = rotate(s->v2, 32);
}

static inline void compress(state *s, uint64_t word)
{
    s->v3 ^= word;
    round_once(s);
    round_once(s);
    s->v0 ^= word;
}

static inline state start(const uint8_t key[FN_SIPHASH_KEY_BYTES])
{
    uint64_t k0 = fn_load_le64(key);
    uint64_t k1 = fn_load_le64(key + 8);
    return (state){
        .v0 = k0 ^ UINT64_C(0x736f6d6570736575), /* "somepseudorandomlygeneratedbytes" */
        .v1 = k1 ^ UINT64_C(0x646f72616e646f6d),
        .v2 = k0 ^ UINT64_C(0x6c7967656e657261),
        .v3 = k1 ^ UINT64_C(0x7465646279746573),
    };
}

static inline uint64_t finish(state *s)
{
    s->v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        round_once(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

uint64_t fn_siphash(const uint8_t key[FN_SIPHASH_KEY_BYTES], const void *data, size_t bytes)
{
    const uint8_t *from = data;
    state s = start(key);
    size_t whole = bytes - bytes % 8;
    for (size_t i = 0; i < whole; i += 8)
        compress(&s, fn_load_le64(from + i));
    uint64_t last = (uint64_t)bytes << 56;
    for (size_t i = whole; i < bytes; i++)
        last |= (uint64_t)from[i] << (i - whole) * 8;
    compress(&s, last);
    return finish(&s);
}

uint64_t fn_siphash_u64(const uint8_t key[FN_SIPHASH_KEY_BYTES], uint64_t value)
{
    state s = start(key);
    compress(&s, value);
    compress(&s, UINT64_C(8) << 56);
    return finish(&s);
}
