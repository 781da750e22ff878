/*
 * goodbye.h: how an endpoint leaves all its peers at once.
 */
#ifndef FN_API_GOODBYE_H
#define FN_API_GOODBYE_H

#include "fastnet.h"

/* One CLOSE datagram to each session, nothing is waited for; all peers are gone afterwards. */
void fn_goodbye_now(FastNetEndpoint *endpoint);

/* Lets every session deliver its queued reliable messages (at most linger_ms) and say goodbye, and
 * waits until the other sides have confirmed it or cannot be heard. Events are dropped. Code and
 * text (may be NULL) reach the other applications. */
void fn_goodbye_wait(FastNetEndpoint *endpoint, uint32_t code, const char *text);

#endif
