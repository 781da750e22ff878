/*
 * send_queue.h: one channel's outgoing messages, from fn_conn_send() until they
 * need no more attention: acknowledged (reliable), sent (unreliable), or
 * acknowledged or lost (unreliable with a tag).
 *
 * A message is copied once into a block of the pool, with two bitmaps over its units: which were
 * acknowledged, which must go again. Frames refer to messages by id, never by pointer, so a late
 * acknowledgement can name what is gone.
 */
#ifndef FN_CORE_SEND_QUEUE_H
#define FN_CORE_SEND_QUEUE_H

#include "base/list.h"
#include "core/id_ring.h"
#include "core/store.h"
#include "fastnet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fn_outbound {
    fn_list_node link; /* in `resend` of its queue, or in the connection's list of notices */
    uint64_t id;
    uint64_t tag;
    uint64_t live_ns;    /* from the first look at the time on; FN_NEVER */
    uint64_t expires_ns; /* that, once its life has begun */
    uint32_t bytes;
    uint32_t units;
    uint32_t next_unit; /* the first that never left */
    uint32_t acked_units;
    uint8_t channel;
    bool tagged;
    bool delivered;   /* in a notice: DELIVERED, not LOST */
    uint64_t words[]; /* acknowledged units, units to resend; then the payload */
} fn_outbound;

typedef struct fn_send_queue {
    fn_id_ring ring; /* id → fn_outbound, 0 = needs no more attention */
    fn_list resend;
    uint64_t send_id;      /* the next to leave for the first time */
    uint64_t next_id;      /* of the next message queued */
    uint64_t undated_id;   /* unreliable: the first whose life has not begun */
    uint64_t undropped_id; /* behind a message that has partly left, all below are dropped */
    uint32_t queued_bytes; /* costs (fn_flow_cost) of what is held */
    uint8_t channel;
    bool reliable;
    bool latest_only; /* mode 3 */
} fn_send_queue;

/* A run of units of one message that could leave now. */
typedef struct fn_send_run {
    fn_outbound *message; /* NULL = nothing */
    uint32_t first_unit;
    uint32_t units;
    bool again; /* was sent before */
} fn_send_run;

/* Counts what was dropped, and collects the messages whose tags want an event. */
typedef struct fn_send_outcome {
    fn_list *notices;  /* of fn_outbound */
    uint64_t *dropped; /* messages */
} fn_send_outcome;

void fn_send_queue_init(fn_send_queue *queue, uint8_t channel, uint8_t mode);
void fn_send_queue_free(fn_send_queue *queue, fn_store *store);

/* The session ends: everything goes; what is tagged becomes a notice of LOST. */
void fn_send_queue_abandon(fn_send_queue *queue, fn_store *store, fn_send_outcome *outcome);

/* Copies a message in. False: memory is short, nothing changed. */
bool fn_send_queue_add(fn_send_queue *queue, fn_store *store, const void *data, uint32_t bytes,
                       const fn_outbound *like);

/* Unreliable: drops the oldest message of which nothing has left yet; false when there is none. On
 * a full line the oldest one has nearly always partly left: dropping it would waste that part, each
 * time, and nothing would ever arrive. */
bool fn_send_queue_drop_oldest(fn_send_queue *queue, fn_store *store, fn_send_outcome *outcome);

/* Unreliable: drops the message that has partly left; false when there is none. */
bool fn_send_queue_drop_partial(fn_send_queue *queue, fn_store *store, fn_send_outcome *outcome);

/* The time of a look: begins the life of what was queued since the last one, and drops what has
 * expired at the front of what waits. What has partly left may live as long again. */
void fn_send_queue_expire(fn_send_queue *queue, fn_store *store, uint64_t now_ns,
                          fn_send_outcome *outcome);

/* What to send next: lost units first, then the next message that has not wholly left, if its id
 * lies within `window` of the lowest unacknowledged one (reliable). */
fn_send_run fn_send_queue_next(const fn_send_queue *queue, uint32_t window);

/* Those units (the run's first ones) leave now. The message may be gone afterwards (unreliable). */
void fn_send_queue_take(fn_send_queue *queue, fn_store *store, const fn_send_run *run);

/* A packet with that run was acknowledged, or lost. */
void fn_send_queue_on_acked(fn_send_queue *queue, fn_store *store, uint64_t id, uint32_t first_unit,
                            uint32_t units, fn_send_outcome *outcome);
void fn_send_queue_on_lost(fn_send_queue *queue, fn_store *store, uint64_t id, uint32_t first_unit,
                           uint32_t units, fn_send_outcome *outcome);

/* Units of a run that fit into `bytes` of payload; its byte count goes to *run_bytes. */
uint32_t fn_send_run_fit(const fn_send_run *run, size_t bytes, uint32_t *run_bytes);

/* What one message of that length asks of the pool until it needs no more attention. */
size_t fn_outbound_bytes(uint32_t message_bytes);

/* The payload of a unit. */
const uint8_t *fn_outbound_payload(const fn_outbound *message, uint32_t first_unit);

/* Nothing held. */
static inline bool fn_send_queue_empty(const fn_send_queue *queue)
{
    return queue->queued_bytes == 0;
}

/* Something is to be sent, for the first time or again; the rest waits for acknowledgements. */
static inline bool fn_send_queue_waiting(const fn_send_queue *queue)
{
    return queue->send_id < queue->next_id || !fn_list_empty(&queue->resend);
}

#endif
