/*
 * refusal.h: the caller of a public function is refused: the sentence is kept as the endpoint's last
 * error, not logged, and cheap, since a full queue refuses as often as a game sends.
 */
#ifndef FN_API_REFUSAL_H
#define FN_API_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

#include "fastnet.h"
#include "host/peer.h"

/* Keep a sentence (static; NULL = the table's one for the code) as the endpoint's last error and
 * return code. Without an endpoint there is nowhere to keep it. */
FastNetResult fn_refuse(const FastNetEndpoint *endpoint, int code, const char *sentence);

/* "what value; limit_name is limit" */
FastNetResult fn_refuse_limit(const FastNetEndpoint *endpoint, int code, const char *what,
                              uint64_t value, const char *limit_name, uint64_t limit);

/* The peer with that id. NULL, also for no endpoint and in a child process: fn_refuse_peer() says
 * which. */
fn_peer *fn_find_peer(const FastNetEndpoint *endpoint, FastNetPeerId id);

/* ERR_PEER; in a child process what fn_refuse_copy() says. */
FastNetResult fn_refuse_peer(const FastNetEndpoint *endpoint);

/* True in a child process (fork): the endpoint is the parent's. False for NULL. */
bool fn_is_copy(const FastNetEndpoint *endpoint);

/* ERR_STATE */
FastNetResult fn_refuse_copy(const FastNetEndpoint *endpoint);

#endif
