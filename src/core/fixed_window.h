/*
 * A window that never changes: no congestion control. For tests, and for links that are one's own.
 */
#ifndef FN_CORE_FIXED_WINDOW_H
#define FN_CORE_FIXED_WINDOW_H

#include <stdint.h>

#include "core/congestion_ops.h"

#define FN_FIXED_WINDOW_PACKETS 256

typedef struct fn_fixed_window {
    uint64_t window_bytes;
} fn_fixed_window;

extern const fn_congestion_ops fn_fixed_window_ops;

#endif
