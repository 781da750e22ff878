/*
 * path.h: one way between the two sides of a session: is it validated, how much may be sent on it,
 * and what it is like (RTT, congestion window, pacing, MTU). PROTOCOL.md section 11.
 */
#ifndef FN_CORE_PATH_H
#define FN_CORE_PATH_H

#include "core/black_hole.h"
#include "core/congestion.h"
#include "core/mtu.h"
#include "core/pacer.h"
#include "core/rtt.h"
#include "crypto/random.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FN_PATH_AMPLIFICATION = 3,
    FN_PATH_FIRST_BYTES = 1200, /* challenges and responses are padded to it */
    FN_PATH_SHORT_BYTES = 64,   /* a challenge and a response without padding */
    FN_PATH_CHALLENGES_MAX = 5, /* unanswered, then a candidate is given up */
    FN_PATH_CHALLENGES_KEPT = 3 /* answers to older ones are not recognised */
};

typedef enum fn_path_state { FN_PATH_UNUSED, FN_PATH_CANDIDATE, FN_PATH_VALIDATED } fn_path_state;

typedef struct fn_path {
    fn_rtt rtt;
    fn_congestion congestion;
    fn_pacer pacer;
    fn_mtu mtu;
    fn_black_hole hole;
    uint64_t challenges[FN_PATH_CHALLENGES_KEPT]; /* data of the newest ones */
    uint64_t response;                            /* data that a PATH_RESPONSE has to carry */
    uint64_t challenge_at_ns;                     /* when one is due; FN_NEVER */
    uint64_t began_ns;                            /* when it became a candidate */
    uint64_t received_bytes;
    uint64_t sent_bytes;    /* both: anti-amplification, before it is validated */
    uint64_t largest_acked; /* of the packets sent on it; FN_SEQ_NONE */
    uint8_t challenges_sent;
    uint8_t state;   /* fn_path_state */
    bool owes;       /* a response is due */
    bool persistent; /* the first path of a client: challenged until the deadline */
    bool stream;     /* a TLS stream: reliable by itself, see core/stream_path.c */
    bool writable;   /* a stream that takes another datagram now */
    bool says_small; /* PATH_TOO_SMALL is due */
    bool useless;    /* the system sends nothing on it, or the other side said PATH_TOO_SMALL */
} fn_path;

/* Opens a candidate whose challenge is due at once. credit_bytes: what counts as received. */
void fn_path_open(fn_path *path, const fn_congestion_ops *congestion, uint64_t credit_bytes,
                  bool persistent, uint64_t now_ns);

/* Opens a TLS stream as a path: its handshake and ATTACH have validated it. */
void fn_path_open_stream(fn_path *path, const fn_congestion_ops *congestion, uint64_t now_ns);

/* What of that a challenge or response takes: a path that does not carry 1200 bytes is none. Only
 * where a session goes on at a new address may the limit make them shorter. */
static inline uint64_t fn_path_credit_wanted(bool padded)
{
    return padded ? FN_PATH_FIRST_BYTES : FN_PATH_SHORT_BYTES;
}

/* Bytes that may be sent on it now as far as its validation goes. */
uint64_t fn_path_allowance(const fn_path *path);

static inline bool fn_path_challenge_due(const fn_path *path, uint64_t now_ns)
{
    return path->state != FN_PATH_UNUSED && now_ns >= path->challenge_at_ns;
}

/* The data for a challenge that leaves now; sets the time of the next. */
uint64_t fn_path_challenge(fn_path *path, fn_random *random, uint64_t now_ns);

/* Asks a validated path whether it is still alive, unless that is being done. */
void fn_path_ask(fn_path *path, uint64_t now_ns);

/* Goes on challenging a validated path, later. */
void fn_path_ask_later(fn_path *path, uint64_t now_ns);

/* A packet of a validated path was acknowledged: what was feared of its size is over. */
void fn_path_stop_asking(fn_path *path);

/* It does not carry what a UDP path has to carry. */
static inline bool fn_path_is_useless(const fn_path *path)
{
    return path->useless || path->hole.state == FN_BLACK_HOLE_CERTAIN;
}

/* A validated path that was left is a candidate again, keeping what is known of it; its challenge
 * is due at once. */
void fn_path_doubt(fn_path *path, uint64_t now_ns);

/* A PATH_RESPONSE came back on this path. True when it answers one of its challenges and the path
 * was not validated before: MTU search and pacing start now. */
bool fn_path_answered(fn_path *path, uint64_t data, uint32_t datagram_bytes_max, uint64_t now_ns);

/* Gives up a candidate that does not answer; true when it did. */
bool fn_path_give_up(fn_path *path, uint64_t now_ns);

/* Rate and MTU follow the window after acknowledgements and losses. */
void fn_path_refresh(fn_path *path, uint64_t now_ns);

#endif
