/*
 * test_clock.h: lets time pass for one endpoint only. To that one it is as if it had been frozen.
 */
#ifndef FN_API_TEST_CLOCK_H
#define FN_API_TEST_CLOCK_H

#include "api/endpoint.h"

typedef struct test_clock {
    FastNetEndpoint *endpoint;
    const fn_platform_ops *ops; /* as they were */
    fn_platform_ops own;
    uint64_t ahead_ns;
} test_clock;

/* One at a time. */
static test_clock *test_clock_taken;

static inline uint64_t test_clock_ns(void *world)
{
    return test_clock_taken->ops->clock_ns(world) + test_clock_taken->ahead_ns;
}

static inline void test_clock_take(test_clock *clock, FastNetEndpoint *endpoint)
{
    clock->endpoint = endpoint;
    clock->ops = endpoint->host.platform.ops;
    clock->own = *clock->ops;
    clock->own.clock_ns = test_clock_ns;
    clock->ahead_ns = 0;
    test_clock_taken = clock;
    endpoint->host.platform.ops = &clock->own;
}

static inline void test_clock_pass(test_clock *clock, uint64_t ns)
{
    clock->ahead_ns += ns;
}

/* Before the endpoint is destroyed; its time jumps back. */
static inline void test_clock_give_back(test_clock *clock)
{
    clock->endpoint->host.platform.ops = clock->ops;
}

#endif
