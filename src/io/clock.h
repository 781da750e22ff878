/* The two clocks. Any thread, never fails. */
#ifndef FN_IO_CLOCK_H
#define FN_IO_CLOCK_H

#include <stdint.h>

/* Nanoseconds since an arbitrary moment; never goes back. */
uint64_t fn_clock_monotonic_ns(void);

/* Seconds since 1970-01-01 UTC; only for certificate dates and logs, it can jump. */
uint64_t fn_clock_unix_seconds(void);

#endif
