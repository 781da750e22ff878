/*
 * receive_queue.h: one channel's incoming messages: puts fragments together, finds out what is new,
 * whole and next in order (PROTOCOL.md section 7).
 *
 * A whole message that can be delivered at once is not copied: its outcome is DIRECT. All else lies
 * in a block of the pool, reserved whole when its first fragment arrives, so what has begun can be
 * finished. The reliable message that is next is asked for before all others (FN_POOL_FIRST): what
 * came early lies in the pool until that one is there.
 */
#ifndef FN_CORE_RECEIVE_QUEUE_H
#define FN_CORE_RECEIVE_QUEUE_H

#include "base/list.h"
#include "base/units.h"
#include "core/flow.h"
#include "core/id_ring.h"
#include "core/store.h"
#include "core/wire.h"

#include <stdbool.h>
#include <stdint.h>

#define FN_PARTIALS_MAX       8
#define FN_PARTIAL_TIMEOUT_NS (2 * FN_NS_PER_S)

/* Reliable messages that were begun and are not whole, of all queues of a connection. */
typedef struct fn_unfinished {
    fn_list list; /* of fn_inbound: the one that waits longest is first */
    uint32_t count;
    uint32_t units; /* that ever came for one of them, after its first frame; wraps */
} fn_unfinished;

typedef struct fn_inbound {
    fn_list_node link; /* among the partials of its queue, the unfinished, or what is ready */
    uint64_t id;
    uint64_t since_ns; /* unreliable: first fragment; reliable: the newest that brought something */
    uint32_t bytes;
    uint32_t units;
    uint32_t received_units;
    uint32_t charge;       /* flow-control cost, 0 when unreliable */
    uint32_t units_before; /* reliable: fn_unfinished.units at since_ns */
    uint8_t channel;
    uint64_t words[]; /* received units; then the payload */
} fn_inbound;

typedef struct fn_receive_queue {
    fn_id_ring ring;   /* reliable: id → fn_inbound, or DONE; base = lowest not complete */
    fn_list partials;  /* unreliable: oldest first */
    uint64_t next_id;  /* sequenced: the lowest still of interest */
    fn_inbound *ready; /* sequenced: whole, and waits for room among the events */
    uint32_t turn;     /* sequenced: of the last event made (fn_events_at_turn) */
    uint32_t partial_count;
    uint8_t channel;
    uint8_t mode;
} fn_receive_queue;

typedef enum fn_receive_outcome {
    FN_RECEIVE_NOTHING,  /* stored, a duplicate, or too old */
    FN_RECEIVE_DIRECT,   /* deliver the frame's payload as it lies there */
    FN_RECEIVE_WHOLE,    /* *whole is complete and next: deliver it */
    FN_RECEIVE_MEMORY,   /* no memory: the datagram must not be acknowledged */
    FN_RECEIVE_DROPPED,  /* unreliable, too old: count it */
    FN_RECEIVE_LOST,     /* unreliable, no memory: likewise, and as MEMORY */
    FN_RECEIVE_BAD_FLOW, /* close with the code of that name */
    FN_RECEIVE_BAD_MESSAGE,
    FN_RECEIVE_BAD_LIMIT
} fn_receive_outcome;

/* What a frame is checked against and stored with. */
typedef struct fn_receive_context {
    fn_store *store;
    fn_flow *flow;
    uint64_t now_ns;
    fn_unfinished *unfinished;
    uint32_t message_window;
    bool direct; /* the payload may stay in the datagram */
} fn_receive_context;

static inline void fn_unfinished_init(fn_unfinished *unfinished)
{
    *unfinished = (fn_unfinished){.count = 0};
    fn_list_init(&unfinished->list);
}

/* The one that waits longest; NULL when there is none. */
static inline fn_inbound *fn_unfinished_first(const fn_unfinished *unfinished)
{
    fn_list_node *node = fn_list_front(&unfinished->list);
    return node != NULL ? FN_CONTAINER_OF(node, fn_inbound, link) : NULL;
}

/* It begins to wait, or waits from now on only. */
void fn_unfinished_wait(fn_unfinished *unfinished, fn_inbound *message, uint64_t now_ns);

void fn_receive_queue_init(fn_receive_queue *queue, uint8_t channel, uint8_t mode);
void fn_receive_queue_free(fn_receive_queue *queue, fn_store *store, fn_unfinished *unfinished);

/* One MESSAGE frame of this channel; its length was checked against the agreed maximum. */
fn_receive_outcome fn_receive_queue_frame(fn_receive_queue *queue,
                                          const fn_receive_context *context,
                                          const fn_message_frame *frame, fn_inbound **whole);

/* Ordered: the next message that was waiting for the one before it; NULL when none is. */
fn_inbound *fn_receive_queue_next_ready(fn_receive_queue *queue, fn_store *store);

/* Unreliable: drops partial messages that are too old; returns how many. */
uint32_t fn_receive_queue_expire(fn_receive_queue *queue, fn_store *store, uint64_t now_ns);

/* Unreliable: drops all partial messages; returns how many. */
uint32_t fn_receive_queue_drop_partials(fn_receive_queue *queue, fn_store *store);

/* When expire has something to do; FN_NEVER. */
uint64_t fn_receive_queue_deadline(const fn_receive_queue *queue);

const uint8_t *fn_inbound_payload(const fn_inbound *message);

/* What one message of that length asks of the pool while it waits. */
size_t fn_inbound_bytes(uint32_t message_bytes);

#endif
