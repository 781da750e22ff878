/*
 * A fixed number of bits over the caller's u64 words. Indexes are below `bits`; searches answer
 * `bits` when there is nothing to find. Bits of the last word from `bits` on stay clear.
 */
#ifndef FN_BASE_BITSET_H
#define FN_BASE_BITSET_H

#include "base/bits.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FN_BITSET_WORDS(bits) (((size_t)(bits) + 63) / 64)

typedef struct fn_bitset {
    uint64_t *words;
    uint32_t bits;
} fn_bitset;

/* words: borrowed for the set's life; FN_BITSET_WORDS(bits) of them, cleared here. */
static inline void fn_bitset_init(fn_bitset *set, uint64_t *words, uint32_t bits)
{
    set->words = words;
    set->bits = bits;
    memset(words, 0, FN_BITSET_WORDS(bits) * sizeof(uint64_t));
}

static inline void fn_bitset_set(fn_bitset *set, uint32_t index)
{
    assert(index < set->bits);
    set->words[index / 64] |= UINT64_C(1) << index % 64;
}

static inline void fn_bitset_clear(fn_bitset *set, uint32_t index)
{
    assert(index < set->bits);
    set->words[index / 64] &= ~(UINT64_C(1) << index % 64);
}

static inline bool fn_bitset_test(const fn_bitset *set, uint32_t index)
{
    assert(index < set->bits);
    return (set->words[index / 64] >> index % 64 & 1) != 0;
}

/* First bit at or after `from` that differs from the bits of `skip` (all ones or all zeros). */
static inline uint32_t fn_bitset_find_from(const fn_bitset *set, uint32_t from, uint64_t skip)
{
    uint64_t mask = ~UINT64_C(0) << from % 64;
    for (uint32_t at = from / 64; (uint64_t)at * 64 < set->bits; at++) {
        uint64_t found = (set->words[at] ^ skip) & mask;
        if (found != 0) {
            uint32_t index = at * 64 + fn_bits_lowest(found);
            return index < set->bits ? index : set->bits;
        }
        mask = ~UINT64_C(0);
    }
    return set->bits;
}

static inline uint32_t fn_bitset_find_first_set_from(const fn_bitset *set, uint32_t from)
{
    return fn_bitset_find_from(set, from, 0);
}

static inline uint32_t fn_bitset_find_first_clear_from(const fn_bitset *set, uint32_t from)
{
    return fn_bitset_find_from(set, from, ~UINT64_C(0));
}

/* How many bits are set. */
static inline uint32_t fn_bitset_count(const fn_bitset *set)
{
    uint32_t count = 0;
    for (size_t i = 0; i < FN_BITSET_WORDS(set->bits); i++)
        count += fn_bits_count(set->words[i]);
    return count;
}

#endif
