/*
 * delivery.h: from the connections' events to FastNetEvents.
 *
 * What was handed to the application is kept here until the next poll begins: only then are its
 * payload, its pool block and its credit given back.
 */
#ifndef FN_HOST_DELIVERY_H
#define FN_HOST_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/event.h"
#include "fastnet.h"
#include "host/peer.h"

typedef struct fn_host fn_host;

/* The driver's own events, in the same ring, so that the order is right. */
enum {
    FN_EVENT_REQUEST = 0x80, /* CONNECT_REQUEST */
    FN_EVENT_FAILED          /* ERROR: the peer has code and text */
};

typedef struct fn_delivery {
    fn_event *delivered; /* since the last poll */
    uint32_t count;
    uint32_t capacity;
} fn_delivery;

/* Takes memory from the endpoint's blocks, the event ring's too. ERR_MEMORY. */
int fn_delivery_init(fn_host *host);

/* Takes back what the last poll delivered. */
void fn_delivery_release(fn_host *host);

/* Moves events out of the ring into out; returns how many. */
uint32_t fn_delivery_take(fn_host *host, FastNetEvent *out, uint32_t capacity);

#endif
