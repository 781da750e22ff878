/*
 * Units of time, and small arithmetic that cannot overflow.
 *
 * Time everywhere is u64 nanoseconds on a monotonic clock; FN_NEVER is a deadline that does not
 * come. Use the saturating forms wherever a configured duration meets a clock value: an idle
 * timeout of "for ever" must not wrap round to "now".
 */
#ifndef FN_BASE_UNITS_H
#define FN_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

#define FN_NS_PER_US UINT64_C(1000)
#define FN_NS_PER_MS UINT64_C(1000000)
#define FN_NS_PER_S  UINT64_C(1000000000)
#define FN_US_PER_S  UINT64_C(1000000)
#define FN_MS_PER_S  UINT64_C(1000)
#define FN_NEVER     UINT64_MAX

#define FN_KIB(n) ((size_t)(n) << 10)
#define FN_MIB(n) ((size_t)(n) << 20)

#define FN_ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline uint64_t fn_min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t fn_max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint32_t fn_min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline uint32_t fn_max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static inline size_t fn_min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t fn_max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static inline uint64_t fn_clamp_u64(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* a + b, or UINT64_MAX (FN_NEVER) when that does not fit: now + FN_NEVER is FN_NEVER. */
static inline uint64_t fn_add_saturating(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* a - b, or 0 when b is larger. */
static inline uint64_t fn_sub_saturating(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* a * b, or UINT64_MAX when that does not fit. */
static inline uint64_t fn_mul_saturating(uint64_t a, uint64_t b)
{
    return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

/* Rounds up to a multiple of alignment, which is a power of two. The caller knows that it fits. */
static inline size_t fn_align_up(size_t value, size_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

#endif
