/*
 * spin.h: whether a wait goes on by looking again, or blocks.
 *
 * Blocking lets the core sleep, and waking it costs ten times what a datagram costs. So after a
 * datagram came or went, the wait looks for the next one until the budget is used up, and only then
 * blocks. When that was in vain several times in a row it is tried seldom, until an answer comes in
 * time again: an endpoint that is idle, or hears something every few milliseconds, does not spin.
 *
 * Pure: time is an argument.
 */
#ifndef FN_HOST_SPIN_H
#define FN_HOST_SPIN_H

#include <stdbool.h>
#include <stdint.h>

typedef struct fn_spin {
    uint64_t budget_ns;   /* 0 = never spin, FN_NEVER = never block */
    uint64_t activity_ns; /* when a datagram last came or went */
    bool due;             /* since then no attempt was made */
    bool trying;
    uint32_t misses; /* attempts in vain in a row, as far as they count */
    uint32_t skips;  /* chances to leave out */
    uint64_t attempts;
    uint64_t answered;
} fn_spin;

/* budget_us as FastNetConfig.spin_us. */
void fn_spin_init(fn_spin *spin, uint32_t budget_us);

/* Datagrams of ours left: answers may follow. */
void fn_spin_sent(fn_spin *spin, uint64_t now_ns);

/* An authentic datagram came. */
void fn_spin_received(fn_spin *spin, uint64_t now_ns);

/* Nothing is to be done: true = look again, false = block. */
bool fn_spin_goes_on(fn_spin *spin, uint64_t now_ns);

#endif
