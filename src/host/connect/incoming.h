/*
 * incoming.h: the listening side: TCP connections come through the door (door.h), shake hands, are
 * decided upon by the application or at once, and become peers.
 */
#ifndef FN_HOST_CONNECT_INCOMING_H
#define FN_HOST_CONNECT_INCOMING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/admission.h"
#include "core/seats.h"
#include "fastnet.h"
#include "host/connect/door.h"
#include "host/connect/link.h"
#include "host/peer.h"

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
int fn_incoming_open(fn_host *host, fn_failure *failure);
void fn_incoming_close(fn_host *host);

/* The listener is readable. */
void fn_incoming_accept(fn_host *host, uint64_t now_ns);

/* Whether those who wait outside may come in now. */
void fn_incoming_reopen(fn_host *host, uint64_t now_ns);

/* The application's decision about a peer in DECIDING. */
int fn_incoming_decide(fn_host *host, fn_peer *peer, uint64_t now_ns);
int fn_incoming_refuse(fn_host *host, fn_peer *peer, uint32_t code, const char *text,
                       uint64_t now_ns);

#endif
