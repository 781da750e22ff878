/*
 * clock.h: time stamps and CPU time. CLOCK_MONOTONIC is one clock for all processes of a machine,
 * so a stamp taken by the client can be compared with one taken by the server.
 */
#ifndef BENCH_COMMON_CLOCK_H
#define BENCH_COMMON_CLOCK_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define BENCH_NS_PER_US UINT64_C(1000)
#define BENCH_NS_PER_MS UINT64_C(1000000)
#define BENCH_NS_PER_S  UINT64_C(1000000000)

static inline uint64_t bench_clock_ns(clockid_t clock)
{
    struct timespec now;
    return clock_gettime(clock, &now) == 0
               ? (uint64_t)now.tv_sec * BENCH_NS_PER_S + (uint64_t)now.tv_nsec
               : 0;
}

static inline uint64_t bench_now_ns(void)
{
    return bench_clock_ns(CLOCK_MONOTONIC);
}

/* CPU time of a whole process, user and kernel, also of another process; 0 pid = this one. */
static inline uint64_t bench_cpu_ns(pid_t pid)
{
    clockid_t clock;
    return clock_getcpuclockid(pid, &clock) == 0 ? bench_clock_ns(clock) : 0;
}

static inline struct timespec bench_timespec(uint64_t ns)
{
    struct timespec time = {.tv_sec = (time_t)(ns / BENCH_NS_PER_S),
                            .tv_nsec = (long)(ns % BENCH_NS_PER_S)};
    return time;
}

#endif
