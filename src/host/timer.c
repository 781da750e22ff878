#include "host/timer.h"

#include <assert.h>

#include "host/host.h"

void fn_timer_init(fn_timer *timer, fn_timer_fire fire)
{
    fn_heap_node_init(&timer->node);
    timer->fire = fire;
}

void fn_timer_set(fn_host *host, fn_timer *timer, uint64_t deadline_ns)
{
    bool set = fn_heap_set(&host->timers, &timer->node, deadline_ns);
    assert(set);
    (void)set;
}

/* A timer that sets itself to a moment that has passed waits for the next run: nobody keeps the
 * loop going. */
void fn_timers_run(fn_host *host, uint64_t now_ns)
{
    fn_heap *heap = &host->timers;
    for (uint32_t left = heap->count; left > 0 && fn_heap_deadline_ns(heap) <= now_ns; left--) {
        fn_timer *timer = FN_CONTAINER_OF(fn_heap_min(heap), fn_timer, node);
        fn_heap_remove(heap, &timer->node);
        timer->fire(host, timer, now_ns);
    }
}
