/*
 * life.h: how a peer comes, fails and goes. It knows all that a peer may hold, so nobody else has to:
 * what is below says that a session is over (peers.over), and this gives everything back.
 */
#ifndef FN_HOST_LIFE_H
#define FN_HOST_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "host/peer.h"

/* A cleared peer with a new id; NULL when all places are taken. */
fn_peer *fn_peer_take(fn_host *host, fn_peer_state state, bool is_client);

/* Frees all it has but what delivered events point at and the slot: the next sweep frees those. */
void fn_peer_retire(fn_host *host, fn_peer *peer, uint64_t now_ns);

void fn_peers_sweep(fn_host *host);

/* Its last event was used up, and its session still says goodbye: it
 * goes first when a row is wanted. */
void fn_peer_part(fn_host *host, fn_peer *peer, uint64_t now_ns);

/* Takes back a peer that nobody has heard of, slot and all. */
void fn_peer_discard(fn_host *host, fn_peer *peer, uint64_t now_ns);

/* The application ended it: it is not mentioned again. */
void fn_peer_mute(fn_host *host, fn_peer *peer);

/* A connect failed, or an undecided peer went away: an ERROR event, unless the application ended it
 * itself or never heard of it. Keeps code and text. The link was detached. */
void fn_peer_fail(fn_host *host, fn_peer *peer, int code, uint32_t app_code, const char *text,
                  uint64_t now_ns);

/* Those whose session is over retire. */
void fn_lives_end(fn_host *host, uint64_t now_ns);

#endif
