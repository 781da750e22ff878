/*
 * goodbye.h: how an endpoint leaves all its peers at once.
 */
#ifndef FN_HOST_SHUTDOWN_H
#define FN_HOST_SHUTDOWN_H

#include "host/peer.h"

typedef struct fn_host fn_host;

/* One CLOSE datagram to each session, nothing is waited for; all peers are gone afterwards. */
void fn_shutdown_now(fn_host *host);

/* Lets every session deliver its queued reliable messages (at most linger_ms) and say goodbye, and
 * waits until the other sides have confirmed it or cannot be heard. Events are dropped. Code and
 * text (may be NULL) reach the other applications. */
void fn_shutdown_wait(fn_host *host, uint32_t code, const char *text);

/* The application ends it: its session says goodbye, after linger_ns at most; an attempt is given
 * up, a request refused. It is not mentioned again. */
void fn_peer_disconnect(fn_host *host, fn_peer *peer, uint32_t code, const char *text,
                        uint64_t linger_ns);

#endif
