/* What every fallible function of this layer reports besides its FASTNET_* code. */
#ifndef FN_PLATFORM_ERROR_H
#define FN_PLATFORM_ERROR_H

#include "base/result.h"

/*
 * A sentence that a person can act on, e.g. "UDP port 7777 is already in use (EADDRINUSE)".
 * Written only on failure. Every function that takes one accepts NULL.
 */
typedef struct fn_io_error {
    int code; /* FASTNET_ERR_*, the same as the returned value */
    char text[160];
} fn_io_error;

#endif
