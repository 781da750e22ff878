/*
 * rejoin.h: how a client gets a TLS stream for a session that it has (PROTOCOL.md section 11.4):
 * on the TLS connection of the connect while that is open, on a new one later. A new one is
 * verified like the first, and resumed with its ticket.
 *
 * It is wanted when UDP is silent (fn_conn_wants_stream); where TCP is not allowed, another socket
 * is all that is tried. Attempts follow each other with pauses of 0.5 to 1 s. Once the session has
 * been back on UDP for two seconds, the stream is closed, unless keep_tls_warm says otherwise.
 */
#ifndef FN_HOST_CONNECT_FALLBACK_H
#define FN_HOST_CONNECT_FALLBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/tls_context.h"
#include "host/connect/link.h"
#include "host/peer.h"
#include "host/timer.h"
#include "platform/tcp.h"

typedef struct fn_host fn_host;

typedef struct fn_fallback {
    fn_timer timer;
    FastNetPeerId peer;
    fn_tls_context *tls; /* the trust of the connect */
    fn_link *link;       /* says ATTACH */
    fn_tcp tcp;
    bool connecting;
    uint64_t next_ns;  /* not before */
    uint64_t pause_ns; /* after the next failure */
    uint64_t close_ns; /* the stream is not needed any more then; 0 = it is */
    uint8_t *ticket;
    size_t ticket_bytes;
    char server_name[FN_HOST_TEXT_BYTES];
} fn_fallback;

/* A client's session begins: keeps what later connections need. ERR_MEMORY. */
int fn_fallback_start(fn_host *host, fn_peer *peer, fn_tls_context *tls, const char *server_name);
/* The session is over; its ticket is kept for the next connect to that server. */
void fn_fallback_free(fn_host *host, fn_peer *peer);

/* Keeps the ticket of a TLS connection that is about to be closed. */
void fn_fallback_keep_ticket(fn_host *host, fn_peer *peer, fn_link *link);

/* The session's state may have changed: gets a stream, or closes the one that is not needed. */
void fn_fallback_look(fn_host *host, fn_peer *peer, uint64_t now_ns);

/* The connecting socket is writable. */
void fn_fallback_ready(fn_host *host, uint64_t token, uint64_t now_ns);

#endif
