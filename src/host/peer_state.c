#include "host/peer_state.h"

#define TO(state) (1u << FN_PEER_##state)

static const unsigned followers[FN_PEER_STATES] = {
    [FN_PEER_FREE] = TO(RESOLVING) | TO(DECIDING),
    [FN_PEER_RESOLVING] = TO(CONNECTING) | TO(FAILED) | TO(RETIRED),
    [FN_PEER_CONNECTING] = TO(CONNECTING) | TO(SHAKING) | TO(FAILED) | TO(RETIRED),
    [FN_PEER_SHAKING] = TO(CONNECTING) | TO(LOCATING) | TO(SESSION) | TO(FAILED) | TO(RETIRED),
    [FN_PEER_LOCATING] = TO(SESSION) | TO(FAILED) | TO(RETIRED),
    [FN_PEER_DECIDING] = TO(SESSION) | TO(FAILED) | TO(RETIRED),
    [FN_PEER_SESSION] = TO(RETIRED),
    [FN_PEER_FAILED] = TO(RETIRED),
    [FN_PEER_RETIRED] = TO(FREE),
};

static const char *const texts[FN_PEER_STATES] = {
    [FN_PEER_FREE] = "free",
    [FN_PEER_RESOLVING] = "resolving",
    [FN_PEER_CONNECTING] = "connecting",
    [FN_PEER_SHAKING] = "shaking",
    [FN_PEER_LOCATING] = "locating",
    [FN_PEER_DECIDING] = "deciding",
    [FN_PEER_SESSION] = "session",
    [FN_PEER_FAILED] = "failed",
    [FN_PEER_RETIRED] = "retired",
};

bool fn_peer_state_may_follow(fn_peer_state from, fn_peer_state to)
{
    return (followers[from] >> to & 1u) != 0;
}

const char *fn_peer_state_text(fn_peer_state state)
{
    return texts[state];
}
