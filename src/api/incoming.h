/*
 * incoming.h: the listening side: TCP connections are admitted, shake hands, are decided upon by
 * the application or at once, and become peers.
 */
#ifndef FN_API_INCOMING_H
#define FN_API_INCOMING_H

#include <stdbool.h>
#include <stdint.h>

#include "api/link.h"
#include "api/peer.h"
#include "core/admission.h"
#include "fastnet.h"

typedef struct fn_incoming {
    bool listening;
    fn_admission admission;
    uint16_t tls_port;
    uint64_t log_second; /* lines about failed handshakes are limited per second */
    uint32_t log_lines;
} fn_incoming;

/* Opens the TLS port when the config says so. Codes as fastnet_endpoint_create. */
int fn_incoming_open(FastNetEndpoint *endpoint, fn_failure *failure);
void fn_incoming_close(FastNetEndpoint *endpoint);

/* The listener is readable. */
void fn_incoming_accept(FastNetEndpoint *endpoint, uint64_t now_ns);

/* The handshake of an incoming link reached another state. */
void fn_incoming_advanced(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns);

/* The application's decision about a peer in DECIDING. */
int fn_incoming_decide(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns);
int fn_incoming_refuse(FastNetEndpoint *endpoint, fn_peer *peer, uint32_t code, const char *text,
                       uint64_t now_ns);

#endif
