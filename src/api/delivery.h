/*
 * delivery.h: from the connections' events to FastNetEvents.
 *
 * What was handed to the application is kept here until the next poll begins: only then are its
 * payload, its pool block and its credit given back.
 */
#ifndef FN_API_DELIVERY_H
#define FN_API_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "api/peer.h"
#include "core/event.h"
#include "fastnet.h"

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
int fn_delivery_init(FastNetEndpoint *endpoint);

/* Takes back what the last poll delivered. */
void fn_delivery_release(FastNetEndpoint *endpoint);

/* Something for the application is in the ring (or about to be dropped silently). */
bool fn_delivery_pending(const FastNetEndpoint *endpoint);

/* Moves events out of the ring into out; returns how many. */
uint32_t fn_delivery_take(FastNetEndpoint *endpoint, FastNetEvent *out, uint32_t capacity);

/* A connect failed, or an undecided peer went away: an ERROR event, unless the application ended it
 * itself or never heard of it. Keeps code and text. The link was detached. */
void fn_peer_fail(FastNetEndpoint *endpoint, fn_peer *peer, int code, uint32_t app_code,
                  const char *text, uint64_t now_ns);

/* Raises the event of a peer that failed; again a little later while there is no room for it. */
void fn_peer_tell_failure(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns);

/* The application ended it: it is not mentioned again. */
void fn_peer_mute(FastNetEndpoint *endpoint, fn_peer *peer);

#endif
