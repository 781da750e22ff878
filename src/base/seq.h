/*
 * Packet numbers on the wire: 62-bit counters of which only the last 1 to 4 bytes are sent.
 *
 * The sender chooses how many bytes from the newest number that it knows the receiver has; the
 * receiver puts the rest back from the number it expects next. RFC 9000 §17.1, §A.2 and §A.3.
 */
#ifndef FN_BASE_SEQ_H
#define FN_BASE_SEQ_H

#include <stdint.h>

#define FN_SEQ_NONE         UINT64_MAX                /* nothing was acknowledged yet */
#define FN_SEQ_MAX          ((UINT64_C(1) << 62) - 1) /* the last packet number there is */
#define FN_SEQ_DISTANCE_MAX (UINT64_C(1) << 31) /* numbers this far ahead do not fit 4 bytes */

/*
 * Bytes (1..4) that name packet `number` without doubt when `largest_acked` (or FN_SEQ_NONE) is the
 * newest one acknowledged: the smallest with more than twice the distance in range. `number` is
 * above `largest_acked`; at FN_SEQ_DISTANCE_MAX or more the answer is 4 and may be ambiguous, which
 * the limit on packets in flight rules out.
 */
static inline uint32_t fn_seq_truncated_bytes(uint64_t number, uint64_t largest_acked)
{
    uint64_t distance = largest_acked == FN_SEQ_NONE ? number + 1 : number - largest_acked;
    if (distance < UINT64_C(1) << 7)
        return 1;
    if (distance < UINT64_C(1) << 15)
        return 2;
    return distance < UINT64_C(1) << 23 ? 3 : 4;
}

/* The low bytes (1..4) of a number, as they go on the wire. */
static inline uint32_t fn_seq_truncate(uint64_t number, uint32_t bytes)
{
    return (uint32_t)(number & ((UINT64_C(1) << bytes * 8) - 1));
}

/*
 * The number closest to `expected` (the largest one received + 1; 0 at first) whose low bytes
 * (1..4) are `truncated`. Any input from the network is safe; the result is at most FN_SEQ_MAX as
 * long as `expected` is at most FN_SEQ_MAX + 1 and `truncated` has no more than `bytes` bytes.
 */
static inline uint64_t fn_seq_expand(uint64_t expected, uint32_t truncated, uint32_t bytes)
{
    uint64_t window = UINT64_C(1) << bytes * 8;
    uint64_t half = window / 2;
    uint64_t candidate = (expected & ~(window - 1)) | truncated;
    if (candidate + half <= expected && candidate + window <= FN_SEQ_MAX)
        return candidate + window;
    if (candidate >= window && (candidate > expected + half || candidate > FN_SEQ_MAX))
        return candidate - window;
    return candidate;
}

#endif
