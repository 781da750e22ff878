/*
 * peer_state.h: what a peer can be, and what may follow what.
 *
 *                 +-- again --+
 *                 v           |
 *   RESOLVING -> CONNECTING -> SHAKING -> LOCATING -+
 *                                |                  v
 *   FREE                         +------------> SESSION
 *                                                   ^
 *                DECIDING --------------------------+
 *
 * An outgoing peer begins with RESOLVING, an incoming one with DECIDING. Before it has a session
 * each of them can become FAILED; all end as RETIRED, and the row is FREE after the next sweep.
 */
#ifndef FN_HOST_PEER_STATE_H
#define FN_HOST_PEER_STATE_H

#include <stdbool.h>

typedef enum fn_peer_state {
    FN_PEER_FREE = 0,   /* a row without a peer */
    FN_PEER_RESOLVING,  /* the server's name */
    FN_PEER_CONNECTING, /* TCP, to one address after the other */
    FN_PEER_SHAKING,    /* TLS and HELLO */
    FN_PEER_LOCATING,   /* the name of the server's UDP address */
    FN_PEER_DECIDING,   /* the server's application is asked */
    FN_PEER_SESSION,    /* it has keys; from here fn_conn_state says more */
    FN_PEER_FAILED,     /* there is an ERROR to deliver */
    FN_PEER_RETIRED,    /* nothing is left but the row */
    FN_PEER_STATES
} fn_peer_state;

bool fn_peer_state_may_follow(fn_peer_state from, fn_peer_state to);

/* For logs and tests: a literal. */
const char *fn_peer_state_text(fn_peer_state state);

#endif
