/*
 * Bit tricks on u64, behind one name per idea so that a compiler without GCC's builtins needs one
 * edit in one file.
 */
#ifndef FN_BASE_BITS_H
#define FN_BASE_BITS_H

#include <stdbool.h>
#include <stdint.h>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

/* Index of the lowest set bit. value is not 0. */
static inline uint32_t fn_bits_lowest(uint64_t value)
{
#if defined(_MSC_VER) && !defined(__clang__)
    unsigned long index;
    _BitScanForward64(&index, value);
    return (uint32_t)index;
#else
    return (uint32_t)__builtin_ctzll(value);
#endif
}

/* Index of the highest set bit: floor(log2(value)). value is not 0. */
static inline uint32_t fn_bits_highest(uint64_t value)
{
#if defined(_MSC_VER) && !defined(__clang__)
    unsigned long index;
    _BitScanReverse64(&index, value);
    return (uint32_t)index;
#else
    return 63u - (uint32_t)__builtin_clzll(value);
#endif
}

/* How many bits are set. */
static inline uint32_t fn_bits_count(uint64_t value)
{
#if defined(_MSC_VER) && !defined(__clang__)
    return (uint32_t)__popcnt64(value);
#else
    return (uint32_t)__builtin_popcountll(value);
#endif
}

static inline bool fn_bits_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* The smallest power of two that is not below value; 1 for 0. value is at most 2^63. */
static inline uint64_t fn_bits_power_of_two_up(uint64_t value)
{
    return value <= 1 ? 1 : UINT64_C(1) << (fn_bits_highest(value - 1) + 1);
}

#endif
