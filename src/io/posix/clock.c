#include "io/clock.h"

#include <time.h>

static uint64_t fn_clock_ns(clockid_t clock)
{
    struct timespec now = {0};
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t fn_clock_monotonic_ns(void)
{
    return fn_clock_ns(CLOCK_MONOTONIC);
}

uint64_t fn_clock_unix_seconds(void)
{
    return fn_clock_ns(CLOCK_REALTIME) / UINT64_C(1000000000);
}
