/*
 * CUBIC (RFC 9438) in integers, so that the same inputs give the same window on every platform.
 *
 * Windows are bytes in units of 1/65536 (suffix _q16), time is milliseconds inside the curve. The
 * clock of the curve runs only while the window is in use (RFC 9438 §5.8): an idle second does not
 * grow the window. HyStart++ is not part of it.
 */
#ifndef FN_CORE_CUBIC_H
#define FN_CORE_CUBIC_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/congestion_ops.h"

typedef struct fn_cubic {
    uint64_t window_q16;
    uint64_t threshold_q16; /* of slow start; FN_NEVER until the first loss */
    uint64_t peak_q16;      /* W_max: where the curve is flat; 0 = unknown */
    uint64_t prior_q16;     /* cwnd_prior: the window before the last reduction */
    uint64_t reno_q16;      /* W_est: what Reno would have */
    uint64_t elapsed_ns;    /* t: since the epoch began, idle time left out */
    uint64_t last_ack_ns;
    uint32_t inflection_ms; /* K */
    uint32_t packet_bytes;
    bool epoch; /* congestion avoidance has begun */
} fn_cubic;

static_assert(sizeof(fn_cubic) <= 72, "fn_cubic is part of every path");

extern const fn_congestion_ops fn_cubic_ops;

/* The largest r with r * r * r <= value. */
uint64_t fn_cubic_root(uint64_t value);

#endif
