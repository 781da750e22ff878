/*
 * event.h: what connections tell their owner, in order, in one ring that they share.
 *
 * The owner gives the memory. A connection adds at the back, the owner takes from the front. A
 * message whose payload still lies in the datagram that brought it is not copied: `held` is NULL
 * then, and data is good until the owner reuses that buffer. Otherwise `held` is a block of the
 * pool. Either way the owner gives the event back with fn_conn_release() when the payload is no
 * longer needed: that returns the block and the flow-control credit.
 */
#ifndef FN_CORE_EVENT_H
#define FN_CORE_EVENT_H

#include "base/ring.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum fn_event_type {
    FN_EVENT_VOID = 0,     /* withdrawn: closed by this side, or a newer message counts */
    FN_EVENT_CONNECTED,    /* the first path is validated */
    FN_EVENT_MESSAGE,      /* one whole message */
    FN_EVENT_DELIVERED,    /* a tagged message was acknowledged whole */
    FN_EVENT_LOST,         /* a tagged unreliable message was lost or dropped */
    FN_EVENT_PATH_CHANGED, /* path is the one in use now */
    FN_EVENT_CLOSED        /* the other side closed, broke the protocol, or fell silent */
} fn_event_type;

typedef struct fn_event {
    uint64_t time_ns;
    uint64_t tag;        /* DELIVERED, LOST */
    const uint8_t *data; /* MESSAGE: payload; CLOSED: text, as long as the connection exists */
    void *held;          /* MESSAGE: pool block to release, or NULL */
    uint32_t bytes;      /* of data */
    uint32_t charge;     /* MESSAGE: flow-control credit to return */
    uint32_t owner;      /* which connection: fn_conn_config.owner */
    int32_t result;      /* CLOSED: FASTNET_ERR_* */
    uint32_t code;       /* CLOSED: the application's code */
    uint8_t type;        /* fn_event_type */
    uint8_t channel;     /* MESSAGE, DELIVERED, LOST */
    uint8_t path;        /* CONNECTED, PATH_CHANGED: path id */
    uint8_t reserved;
} fn_event;

typedef struct fn_events {
    fn_ring ring; /* of fn_event */
} fn_events;

/* memory: capacity × sizeof(fn_event), capacity a power of two; borrowed. */
void fn_events_init(fn_events *events, void *memory, uint32_t capacity);

/* Items that can still be added. */
uint32_t fn_events_room(const fn_events *events);

/* The turn of the next event to be added. */
uint32_t fn_events_next_turn(const fn_events *events);

/* The event that was added at a turn, if it was not taken yet. Turns begin anew when the owner clears
 * the ring: look whether it is the event that you mean. */
fn_event *fn_events_at_turn(fn_events *events, uint32_t turn);

/* False when full. */
bool fn_events_push(fn_events *events, const fn_event *event);

/* The oldest event that is not void, left in place; NULL when there is none. */
fn_event *fn_events_front(fn_events *events);

/* Takes the oldest event that is not void; false when there is none. */
bool fn_events_pop(fn_events *events, fn_event *out);

/* Event index (0 = oldest, void ones included), for withdrawing: set its type to VOID after
 * releasing it. NULL behind the last. */
fn_event *fn_events_at(fn_events *events, uint32_t index);

#endif
