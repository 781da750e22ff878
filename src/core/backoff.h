/*
 * backoff.h: how long to wait before the next attempt, so that many who were turned away together
 * do not come back together: doubled pauses, each between half and one and a half of its length.
 */
#ifndef FN_CORE_BACKOFF_H
#define FN_CORE_BACKOFF_H

#include "base/units.h"
#include "crypto/random.h"

#include <stdint.h>

#define FN_BACKOFF_NS_FIRST (100 * FN_NS_PER_MS)
#define FN_BACKOFF_NS_MAX   (400 * FN_NS_PER_MS)

/* All zero: nothing was tried yet. */
typedef struct fn_backoff {
    uint64_t pause_ns;
    uint32_t count; /* of attempts that failed */
} fn_backoff;

/* An attempt failed: the pause before the next. */
uint64_t fn_backoff_next_ns(fn_backoff *backoff, fn_random *random);

#endif
