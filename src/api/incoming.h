/*
 * incoming.h: the listening side: TCP connections come through the door (door.h), shake hands, are
 * decided upon by the application or at once, and become peers.
 */
#ifndef FN_API_INCOMING_H
#define FN_API_INCOMING_H

#include <stdbool.h>
#include <stdint.h>

#include "api/door.h"
#include "api/link.h"
#include "api/peer.h"
#include "core/admission.h"
#include "core/seats.h"
#include "fastnet.h"

typedef struct fn_incoming {
    fn_door door;
    fn_admission admission;
    fn_seats seats;
    uint64_t log_second; /* lines about failed handshakes are limited per second */
    uint32_t log_lines;
    uint64_t rate_quiet_ns; /* lines about an address that is limited */
    uint64_t seats_quiet_ns;
} fn_incoming;

/* Opens the TLS port when the config says so. Codes as fastnet_endpoint_create. */
int fn_incoming_open(FastNetEndpoint *endpoint, fn_failure *failure);
void fn_incoming_close(FastNetEndpoint *endpoint);

/* The listener is readable. */
void fn_incoming_accept(FastNetEndpoint *endpoint, uint64_t now_ns);

/* Whether those who wait outside may come in now. */
void fn_incoming_reopen(FastNetEndpoint *endpoint, uint64_t now_ns);

/* The handshake of an incoming link reached another state. */
void fn_incoming_advanced(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns);

/* The application's decision about a peer in DECIDING. */
int fn_incoming_decide(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns);
int fn_incoming_refuse(FastNetEndpoint *endpoint, fn_peer *peer, uint32_t code, const char *text,
                       uint64_t now_ns);

/* Its handshake did something: did it get further? */
void fn_incoming_progressed(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns);

/* The session's state may have changed: has it shown itself, and keeps its seat? */
void fn_incoming_look(FastNetEndpoint *endpoint, fn_peer *peer);

#endif
