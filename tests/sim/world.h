/*
 * world.h: real connections on a virtual clock and a virtual network.
 *
 * One server host, N client hosts, one session with each. The world plays the roles of io and api:
 * it carries datagrams, remembers addresses, runs timers, is the application on both sides, and
 * holds all of them to the promises of the protocol after every step. The first broken promise
 * stops it: world->failure.
 *
 * Everything follows from the seed: the same configuration and seed give the same trace.
 */
#ifndef FN_SIM_WORLD_H
#define FN_SIM_WORLD_H

#include "attack.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/rng.h"
#include "core/conn.h"
#include "link/link.h"
#include "load.h"
#include "stream.h"
#include "tap.h"

enum {
    FN_WORLD_SESSIONS_MAX = 8,
    FN_WORLD_SERVER_ADDRESS = 1,
    FN_WORLD_ATTACKER_ADDRESS = 2,
    FN_WORLD_CLIENT_ADDRESS = 16, /* from here up */
    FN_WORLD_REMOTES_MAX = 256,
    FN_WORLD_DATAGRAM_BYTES = 65536,
    FN_WORLD_RECORDED_MAX = 64
};

typedef struct fn_world fn_world;

typedef struct fn_world_config {
    fn_link_config link[2]; /* [0] client to server, [1] back */
    fn_load load[2];
    fn_attack attack;
    fn_limits limits[2];     /* what each side accepts: [0] client, [1] server */
    uint32_t event_capacity; /* a power of two */
    size_t client_arena_bytes;
    size_t server_arena_bytes;
    size_t memory_cap_bytes;
    size_t memory_home_bytes; /* of each connection alone */
    size_t memory_room_bytes; /* see base/pool.h */
    uint32_t sessions;
    uint32_t hogs; /* see hog.h */
    uint32_t send_queue_bytes_max;
    uint32_t datagram_bytes_max;
    uint32_t rate_floor_bytes_per_s;
    uint32_t rate_max_bytes_per_s; /* what the application lets each client send; 0 = no cap */
    uint64_t keepalive_ns;
    uint64_t key_update_packets;
    uint64_t key_update_ns;
    uint64_t tick_ns;       /* hosts act at this rhythm only, like a game; 0 = at once */
    uint32_t hold_permille; /* of received messages, kept … */
    uint64_t hold_ns_max;   /* … up to that long before they are released */
    uint64_t change_ns;     /* how often `change` is called */
    void (*change)(fn_world *world);
    bool closes_in_trouble; /* the network does not heal before the sessions end */
    bool reports_mtu;       /* the sending host's system says EMSGSIZE */
    bool prompt_unreliable; /* channel 1 leaves in the step it was sent in */
} fn_world_config;

/* Something that happens at a time. The first member of what it happens to. */
typedef struct fn_timer {
    fn_heap_node node;
    void (*fire)(fn_world *world, struct fn_timer *timer);
} fn_timer;

/* A datagram on its way, or in a host's inbox, or pinned by messages that lie in it. */
typedef struct fn_datagram {
    fn_timer timer;
    fn_list_node link;
    uint64_t number;
    uint64_t responses[4];
    struct fn_end *sender;
    uint32_t response_count;
    uint32_t references;
    uint32_t from;
    uint32_t to;
    uint32_t bytes;
    bool pristine; /* as it was sealed */
    bool attack;
    uint8_t data[];
} fn_datagram;

/* What a side did with one far address (server) or one of its own (client). */
typedef struct fn_remote {
    uint64_t sent_bytes;
    uint64_t received_bytes;
    uint64_t challenges[32];
    uint32_t challenge_count;
    uint32_t address;
    bool validated;
    bool too_small; /* told that the datagram did not fit */
} fn_remote;

typedef struct fn_host {
    fn_timer timer; /* tick_ns */
    fn_pool pool;
    fn_random random;
    fn_events events;
    fn_list inbox; /* of fn_datagram, with tick_ns */
    fn_list batch; /* received, their events not yet used up */
    void *arena;
    void *pool_metadata;
    void *event_memory;
    uint64_t clock_offset_ns;
} fn_host;

/* One side of one session. */
typedef struct fn_end {
    fn_timer timer;      /* the connection's deadline */
    fn_timer load_timer; /* the application's next send */
    fn_host *host;
    struct fn_end *peer;
    fn_conn *conn;
    void *memory;
    fn_stream streams[FN_WORLD_CHANNELS]; /* what this side sends */
    fn_tap tap;                           /* likewise */
    fn_list held;                         /* messages that its application keeps */
    fn_remote remotes[FN_WORLD_REMOTES_MAX];
    uint32_t remote_count;
    uint32_t path_address[FN_CONN_PATHS_MAX]; /* server: far; client: own; 0 = none */
    bool path_dead[FN_CONN_PATHS_MAX];        /* client: that socket is gone, nothing passes */
    uint8_t *accepted;                        /* by packet number */
    uint64_t accepted_capacity;
    uint64_t bulk_sent;
    uint64_t datagrams_sent;
    uint64_t path_changes;
    uint64_t began_ns;
    uint64_t connected_ns; /* after that */
    uint64_t backpressure;
    fn_stats stats;
    uint32_t index; /* in the world; the owner in events */
    uint32_t receiver_id;
    uint32_t closed_code;
    int32_t closed_result;
    uint32_t idle_turns; /* deadlines that came due without time passing */
    char closed_text[FN_CONN_TEXT_BYTES + 1];
    bool is_client;
    bool connected;
    bool ending;    /* a reliable message was said to be lost: CLOSED has to follow */
    bool closed;    /* the CLOSED event */
    bool may_close; /* a CLOSED event is expected */
    bool closing;   /* this side called fn_conn_close */
} fn_end;

struct fn_world {
    fn_world_config config;
    fn_heap heap;
    fn_heap_node **heap_nodes;
    fn_rng rng;
    uint64_t now_ns;
    uint64_t seed;
    uint64_t hash; /* of the trace */
    uint64_t steps;
    const char *failure; /* the first broken promise */
    fn_host server;
    fn_host clients[FN_WORLD_SESSIONS_MAX];
    fn_end ends[2 * FN_WORLD_SESSIONS_MAX];   /* 2i: client, 2i + 1: server */
    fn_link links[2 * FN_WORLD_SESSIONS_MAX]; /* 2i: to the server, 2i + 1: back */
    fn_datagram *recorded[FN_WORLD_RECORDED_MAX];
    fn_timer change_timer;
    fn_attack_tally tally;
    uint64_t dropped_attacks;
    void *hogs; /* hog.h; NULL = none now */
    uint32_t next_address;
    bool quiet; /* no load, no changes, no attacks */
    bool verbose;
};

/* Client and server end of session i. */
static inline fn_end *fn_world_client(fn_world *world, uint32_t i)
{
    return &world->ends[2 * i];
}

static inline fn_end *fn_world_server(fn_world *world, uint32_t i)
{
    return &world->ends[2 * i + 1];
}

void fn_world_init(fn_world *world, const fn_world_config *config, uint64_t seed);

/* Destroys all connections; every byte must be back in the pools. */
void fn_world_free(fn_world *world);

/* Lets time pass, until done() says so (may be NULL) or the time is there. False: a promise was
 * broken, or done() never said so. */
bool fn_world_run(fn_world *world, uint64_t until_ns, bool (*done)(fn_world *world));

/* Notes the first broken promise. */
void fn_world_fail(fn_world *world, const char *promise);

/* The application of an end sends one message; false when it was not taken. */
bool fn_world_send(fn_world *world, fn_end *end, uint8_t channel, uint32_t bytes, bool tagged);

/* Lets everything leave that wants to, and sets the timer. */
void fn_world_pump(fn_world *world, fn_end *end);

void fn_world_close(fn_world *world, fn_end *end, uint32_t code, const char *text,
                    uint64_t linger_ns);

/* --- changes of the network --- */

/* A NAT gives the client another address; the client does not know. */
void fn_world_rebind(fn_world *world, uint32_t session);

/* The client goes on over a new local socket; the old one lives on or dies. */
void fn_world_roam(fn_world *world, uint32_t session, bool old_dies);

void fn_world_set_down(fn_world *world, uint32_t session, bool up, bool back);
void fn_world_set_mtu(fn_world *world, uint32_t session, uint32_t mtu_bytes);

/* All links become healthy: 20 ms, nothing else. Load, changes and attacks end. */
void fn_world_heal(fn_world *world);

/* --- questions --- */

/* What the server sent to the attacker's address. */
uint64_t fn_world_bytes_to_attacker(fn_world *world);

/* --- questions for done() --- */

bool fn_world_all_connected(fn_world *world);
bool fn_world_all_delivered(fn_world *world);
bool fn_world_all_dead(fn_world *world);

#endif
