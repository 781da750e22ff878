/*
 * The peer's monotonic clock as seen from here: remote time minus local time, from the timestamps
 * in its PINGs.
 *
 * Each ping gives (remote timestamp - local arrival) = offset - the delay on the way here. The
 * greatest of the last 5 to 10 s had the smallest delay; half the smallest round trip stands in for
 * that delay. Exact to half the path's asymmetry. A better estimate is approached by an eighth with
 * each ping, so that what a game aligns with it does not jump; only what is further off than
 * FN_REMOTE_CLOCK_JUMP_NS (the other side was suspended, the path was another one) is taken at
 * once. A lying peer falsifies what is known of its own clock, nothing else.
 */
#ifndef FN_CORE_REMOTE_CLOCK_H
#define FN_CORE_REMOTE_CLOCK_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"

#define FN_REMOTE_CLOCK_HALF_NS (5 * FN_NS_PER_S) /* the window is two halves */
#define FN_REMOTE_CLOCK_JUMP_NS (100 * FN_NS_PER_MS)

enum { FN_REMOTE_CLOCK_GAIN = 8 };

typedef struct fn_remote_clock {
    uint64_t half_ns;  /* when the present half began */
    int64_t best_ns;   /* greatest of the present half, if any_now */
    int64_t before_ns; /* greatest of the half before, if any_before */
    int64_t smooth_ns; /* what is told, if samples > 0 */
    uint8_t samples;   /* that went into it; stops at the gain */
    bool any_now;
    bool any_before;
} fn_remote_clock;

static_assert(sizeof(fn_remote_clock) <= 40, "fn_remote_clock is part of every connection");

void fn_remote_clock_init(fn_remote_clock *remote);

/* A fresh PING arrived. rtt_min_ns: 0 = none is known yet. */
void fn_remote_clock_sample(fn_remote_clock *remote, uint64_t remote_ns, uint64_t now_ns,
                            uint64_t rtt_min_ns);

/* False until the first sample. */
bool fn_remote_clock_known(const fn_remote_clock *remote);

/* Remote clock minus local clock in ns, smoothed; 0 until known. rtt_min_ns matters only as long as
 * no ping came with one. */
int64_t fn_remote_clock_offset_ns(const fn_remote_clock *remote, uint64_t rtt_min_ns);

#endif
