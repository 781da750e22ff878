/*
 * timer.h: deadlines of peers and TLS connections, in one heap. The timer lies inside what it times
 * and knows what to call.
 */
#ifndef FN_HOST_TIMER_H
#define FN_HOST_TIMER_H

#include "base/heap.h"
#include "base/list.h"
#include "fastnet.h"

typedef struct fn_host fn_host;

typedef struct fn_timer fn_timer;

typedef void (*fn_timer_fire)(fn_host *host, fn_timer *timer, uint64_t now_ns);

struct fn_timer {
    fn_heap_node node;
    fn_timer_fire fire;
};

/* Not set. */
void fn_timer_init(fn_timer *timer, fn_timer_fire fire);

/* FN_NEVER stops it. */
void fn_timer_set(fn_host *host, fn_timer *timer, uint64_t deadline_ns);

/* Fires what is due, each timer at most once, in the order of the deadlines. */
void fn_timers_run(fn_host *host, uint64_t now_ns);

#endif
