/*
 * flow.h: credit for reliable messages, both directions of one connection (PROTOCOL.md section 8).
 *
 * All sums only grow. A message is charged whole: its length and FN_FLOW_MESSAGE_COST.
 */
#ifndef FN_CORE_FLOW_H
#define FN_CORE_FLOW_H

#include <stdbool.h>
#include <stdint.h>

enum {
    FN_FLOW_MESSAGE_COST = 64 /* what a message holds besides its bytes, at least */
};

typedef struct fn_flow {
    uint64_t charged;      /* by us */
    uint64_t limit;        /* the other side's credit */
    uint64_t blocked_at;   /* limit that we said BLOCKED for */
    uint64_t received;     /* charged by the other side */
    uint64_t released;     /* of that, given back by our application */
    uint64_t granted;      /* the credit we announced */
    uint32_t window_bytes; /* what may be unreleased at any time */
    bool announce;         /* WINDOW is due */
    bool wanted;           /* the other side waits for any credit that comes free */
    bool say_blocked;      /* BLOCKED is due */
} fn_flow;

void fn_flow_init(fn_flow *flow, uint32_t send_window_bytes, uint32_t receive_window_bytes);

static inline uint64_t fn_flow_cost(uint32_t message_bytes)
{
    return (uint64_t)message_bytes + FN_FLOW_MESSAGE_COST;
}

/* May a message begin? If not, BLOCKED becomes due, once per credit value. */
bool fn_flow_may_send(fn_flow *flow, uint32_t message_bytes);

/* A message begins: it may. */
void fn_flow_charge(fn_flow *flow, uint32_t message_bytes);

/* WINDOW arrived; smaller values than before are old news. Returns true when credit grew. */
bool fn_flow_on_window(fn_flow *flow, uint64_t credit);

/* The first fragment of a message arrived. False: beyond what we granted, close with FLOW. */
bool fn_flow_on_message(fn_flow *flow, uint32_t message_bytes);

/* The application is done with that much. Announces once a quarter of the window came free, or at
 * once to a side that is blocked. */
void fn_flow_release(fn_flow *flow, uint64_t cost);

/* BLOCKED arrived: the other side waits for more than that credit. Any value is safe. */
void fn_flow_on_blocked(fn_flow *flow, uint64_t credit);

/* A WINDOW with this value leaves. */
uint64_t fn_flow_announce(fn_flow *flow);

/* A packet with a WINDOW or BLOCKED of that value was lost: say it again if it is still news. */
void fn_flow_on_window_lost(fn_flow *flow, uint64_t credit);
void fn_flow_on_blocked_lost(fn_flow *flow, uint64_t credit);

#endif
