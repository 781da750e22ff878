/*
 * match.h: one server and its players as real endpoints, each on a node of the virtual internet.
 *
 * Between the applications, which this file plays, and the wire everything is the product: the
 * public functions, admission, TLS, fallback, attaching, roaming, delivery, with the product's own
 * constants. After every step all of it is held to the promises of the protocol; the first broken
 * one stops the match: match->failure.
 *
 * The same configuration and seed give the same trace.
 */
#ifndef FN_SIM_MATCH_H
#define FN_SIM_MATCH_H

#include "attack.h"
#include "internet.h"
#include "load.h"
#include "stream.h"
#include "tap.h"

#include "core/conn.h"
#include "core/stats.h"
#include "fastnet.h"

enum {
    FN_MATCH_PLAYERS_MAX = FN_INTERNET_CLIENTS_MAX,
    FN_MATCH_REMOTES_MAX = 256,
    FN_MATCH_RECORDED_MAX = 64,
    FN_MATCH_TAKEN_MAX = 1024,
};

typedef struct fn_match fn_match;

typedef struct fn_match_config {
    fn_link_config link[2]; /* [0] to the server, [1] back */
    fn_load load[2];        /* [0] players, [1] server, for each of them */
    fn_attack attack;
    FastNetConfig endpoint[2]; /* [0] players, [1] server: the product's defaults, then changed */
    uint32_t players;
    uint64_t rate_max_bytes_per_s; /* what each player may send; 0 = no cap */
    uint64_t tick_ns;    /* endpoints are polled at this rhythm, like a game's; 0 = at once */
    uint32_t events_max; /* that an application takes in one poll */
    uint32_t tcp_loss_permille; /* of segments: they come late, and all behind them */
    uint64_t change_ns;         /* how often `change` is called */
    void (*change)(fn_match *match);
    bool closes_in_trouble; /* the network does not heal before the sessions end */
} fn_match_config;

/* A datagram that was sealed. */
typedef struct fn_sealed {
    uint64_t hash;
    uint64_t number;
    uint64_t challenges[2];
    uint64_t responses[2];
    uint8_t challenge_count;
    uint8_t response_count;
    bool has_message;
    bool accepted; /* by the other side */
} fn_sealed;

/* What the server did with one far address of a player. */
typedef struct fn_far {
    fn_address address;
    uint64_t sent_bytes;
    uint64_t received_bytes;
    uint64_t challenges[32];
    uint32_t challenge_count;
    bool validated;
} fn_far;

/* One end of one session, as its application sees it. */
typedef struct fn_side {
    fn_net_timer load_timer;
    fn_match *match;
    fn_net_node *node;
    struct fn_side *peer;
    FastNetPeerId id;                     /* 0 = not known yet */
    const fn_conn *conn;                  /* as soon as it has sealed something */
    uint32_t index;                       /* 2i: player i, 2i + 1: the server's end of that */
    fn_stream streams[FN_WORLD_CHANNELS]; /* what this side sends */
    fn_tap tap;
    fn_sealed *sealed;
    uint32_t sealed_count;
    uint32_t sealed_capacity;
    uint32_t *sealed_index;            /* by hash, open addressing: place + 1 */
    fn_far fars[FN_MATCH_REMOTES_MAX]; /* server's end */
    uint32_t far_count;
    uint64_t bulk_sent;
    uint64_t datagrams_sent;
    uint64_t stream_datagrams; /* of those, over TCP */
    uint64_t path_changes;
    uint64_t backpressure;
    uint64_t began_ns;
    uint64_t connected_ns; /* after that */
    uint32_t closed_code;
    int32_t closed_result;
    char closed_text[FASTNET_TEXT_BYTES_MAX + 1];
    bool is_client;
    bool connected;
    bool closed;    /* DISCONNECTED or ERROR came */
    bool may_close; /* and is expected */
    bool closing;   /* this side called fastnet_disconnect */
} fn_side;

/* An endpoint and when it is polled next. */
typedef struct fn_match_host {
    fn_net_timer timer;
    FastNetEndpoint *endpoint;
    uint32_t idle_turns; /* polls in a row without time passing */
} fn_match_host;

/* A datagram that an endpoint was given. */
typedef struct fn_taken {
    uint64_t hash;
    fn_address from;
    bool handled;
} fn_taken;

struct fn_match {
    fn_match_config config;
    fn_internet internet;
    uint64_t seed;
    uint64_t hash; /* of the trace */
    uint64_t steps;
    const char *failure; /* the first broken promise */
    fn_match_host hosts[1 + FN_MATCH_PLAYERS_MAX];
    fn_side sides[2 * FN_MATCH_PLAYERS_MAX];
    fn_net_timer change_timer;
    fn_taken taken[FN_MATCH_TAKEN_MAX];
    uint32_t taken_count;
    fn_net_datagram *recorded[FN_MATCH_RECORDED_MAX];
    fn_address attacker;
    fn_attack_tally tally;
    uint64_t bytes_to_attacker;
    uint32_t active; /* the node whose endpoint is being called */
    bool quiet;      /* no load, no changes, no attacks */
    bool verbose;
};

/* Player i's own end, and the server's end of it. */
static inline fn_side *fn_match_player(fn_match *match, uint32_t i)
{
    return &match->sides[2 * i];
}

static inline fn_side *fn_match_server(fn_match *match, uint32_t i)
{
    return &match->sides[2 * i + 1];
}

static inline fn_net_node *fn_match_node(fn_match *match, uint32_t player)
{
    return &match->internet.nodes[1 + player];
}

void fn_match_init(fn_match *match, const fn_match_config *config, uint64_t seed);
void fn_match_free(fn_match *match);

/* Lets time pass, until done() says so (may be NULL) or the time is there. False: a promise was
 * broken, or done() never said so. */
bool fn_match_run(fn_match *match, uint64_t for_ns, bool (*done)(fn_match *match));

/* Notes the first broken promise. */
void fn_match_fail(fn_match *match, const char *promise);

/* Mixes a value into the trace. */
void fn_match_trace(fn_match *match, uint64_t value);

/* The application of a side sends one message; false when it was not taken. */
bool fn_match_send(fn_match *match, fn_side *side, uint8_t channel, uint32_t bytes, bool tagged);

/* Caps what the player sends; 0 = no cap. */
void fn_match_set_rate_max(fn_match *match, fn_side *player, uint64_t bytes_per_s);

/* It ends the session. */
void fn_match_close(fn_match *match, fn_side *side, uint32_t code, const char *text);

/* --- the network --- */

void fn_match_set_down(fn_match *match, uint32_t player, bool up, bool back);

/* All links become healthy: 20 ms, nothing else. Load, changes and attacks end. */
void fn_match_heal(fn_match *match);

/* --- processes --- */

/* The server's process starts anew: it knows no session, its connections are reset. */
void fn_match_restart_server(fn_match *match);
/* A player whose session is over connects again. */
void fn_match_connect_again(fn_match *match, uint32_t player);

/* --- questions --- */

/* The side's session runs over TCP now. */
bool fn_match_is_on_stream(const fn_side *side);

/* Zero once it is gone. */
FastNetPeerStats fn_match_stats(const fn_side *side);

bool fn_match_all_connected(fn_match *match);
bool fn_match_all_on_streams(fn_match *match);
bool fn_match_all_on_udp(fn_match *match);
bool fn_match_all_delivered(fn_match *match);
bool fn_match_all_gone(fn_match *match);

#endif
