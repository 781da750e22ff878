/*
 * outgoing.h: one outgoing connect, from a host's text to a session: the name is resolved, its
 * addresses are tried in turn (RFC 8305: the next one after a failure or 250 ms, the first that
 * answers wins), TLS and HELLO follow, then the UDP address out of WELCOME.
 *
 * A connection that the server closes before it has answered is made again, after a pause, as long
 * as there is time (core/backoff.h).
 *
 * The deadline covers all of it but name resolution, which has its own.
 */
#ifndef FN_HOST_CONNECT_OUTGOING_H
#define FN_HOST_CONNECT_OUTGOING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/backoff.h"
#include "crypto/tls_context.h"
#include "fastnet.h"
#include "host/connect/attempts.h"
#include "host/connect/link.h"
#include "host/peer.h"
#include "platform/resolve.h"
#include "platform/tcp.h"

typedef struct fn_host fn_host;

typedef struct fn_outgoing {
    fn_tls_context *tls;
    fn_resolve *resolve;
    uint64_t deadline_ns;
    uint64_t next_attempt_ns;
    uint64_t again_ns; /* CONNECTING: a server that closed is left alone until then */
    fn_backoff backoff;
    fn_attempts tcp;
    char host[FN_HOST_TEXT_BYTES];
    char server_name[FN_HOST_TEXT_BYTES];
    uint16_t port;
    char udp_host[FN_HOST_TEXT_BYTES]; /* LOCATING */
    uint16_t udp_port;                 /* likewise */
    bool ask_application;              /* its resolver is asked at the next tick */
    bool full_handshake;               /* does not resume */
    uint32_t token_bytes;
    uint8_t token[FASTNET_TOKEN_BYTES_MAX];
} fn_outgoing;

/* Whom to connect to, and how. */
typedef struct fn_dial {
    const char *name; /* host or address, perhaps with a port */
    uint16_t port;
    const FastNetConnectOptions *options; /* complete */
    fn_tls_context *tls;                  /* whom to believe */
} fn_dial;

/* The work of fastnet_connect(). All that dial points to is copied, or gets a reference. */
int fn_outgoing_start(fn_host *host, const fn_dial *dial, uint64_t now_ns, FastNetPeerId *out_peer);

/* Looks whether names have been resolved. */
void fn_outgoing_resolved(fn_host *host, uint64_t now_ns);

/* The peer's timer fired: the deadline, or the next address's turn. */
void fn_outgoing_tick(fn_host *host, fn_peer *peer, uint64_t now_ns);

/* A connecting socket is writable. */
void fn_outgoing_ready(fn_host *host, uint64_t token, uint64_t now_ns);

/* Gives up and frees what the connect has. Nothing happens when there is none. */
void fn_outgoing_free(fn_host *host, fn_peer *peer);

#endif
