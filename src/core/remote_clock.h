/*
 * The peer's monotonic clock as seen from here: remote time minus local time, from the timestamps
 * in its PINGs.
 *
 * Each ping gives (remote timestamp - local arrival) = offset - the delay on the way here. The
 * greatest of the last 5 to 10 s had the smallest delay; half the smallest round trip stands in for
 * that delay. Exact to half the path's asymmetry. A lying peer falsifies what is known of its own
 * clock, nothing else.
 */
#ifndef FN_CORE_REMOTE_CLOCK_H
#define FN_CORE_REMOTE_CLOCK_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"

#define FN_REMOTE_CLOCK_HALF_NS (5 * FN_NS_PER_S) /* the window is two halves */

typedef struct fn_remote_clock {
    uint64_t half_ns;  /* when the present half began */
    int64_t best_ns;   /* greatest of the present half, if any_now */
    int64_t before_ns; /* greatest of the half before, if any_before */
    bool any_now;
    bool any_before;
} fn_remote_clock;

static_assert(sizeof(fn_remote_clock) <= 32, "fn_remote_clock is part of every connection");

void fn_remote_clock_init(fn_remote_clock *remote);

/* A fresh PING arrived. */
void fn_remote_clock_sample(fn_remote_clock *remote, uint64_t remote_ns, uint64_t now_ns);

/* False until the first sample. */
bool fn_remote_clock_known(const fn_remote_clock *remote);

/* Remote clock minus local clock in ns; 0 until known. */
int64_t fn_remote_clock_offset_ns(const fn_remote_clock *remote, uint64_t rtt_min_ns);

#endif
