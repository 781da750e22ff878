/*
 * test_conn_pair.h: two connections joined by a perfect link in memory,
 * for the unit tests of this folder.
 */
#ifndef FN_CORE_TEST_CONN_PAIR_H
#define FN_CORE_TEST_CONN_PAIR_H

#include "core/channel_table.h"
#include "core/conn.h"
#include "core/conn_parts.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A smaller one makes a fuzzer faster. */
#ifndef PAIR_POOL_BYTES
#define PAIR_POOL_BYTES ((size_t)16 << 20)
#endif

enum {
    PAIR_EVENTS = 1024,
    PAIR_WIRE_MAX = 64,
    PAIR_DATAGRAM_BYTES = 2048,
    PAIR_CLIENT = 0,
    PAIR_SERVER = 1
};

typedef struct pair_side {
    fn_pool pool;
    fn_random random;
    fn_events events;
    fn_conn *conn;
    void *conn_memory;
    void *arena;
    void *metadata;
    fn_event *event_memory;
    uint8_t path_known; /* the first path of the server is bound by its first datagram */
} pair_side;

typedef struct conn_pair {
    pair_side sides[2];
    uint64_t now_ns;
    uint8_t last[PAIR_DATAGRAM_BYTES]; /* newest datagram, as it was sealed */
    size_t last_bytes;
    uint64_t datagrams;
} conn_pair;

static inline fn_limits pair_limits(void)
{
    return (fn_limits){.message_bytes_max = 256 << 10,
                       .receive_window_bytes = 1 << 20,
                       .replay_window_packets = 4096,
                       .message_window = 4096,
                       .idle_timeout_ms = 30000,
                       .datagram_bytes_max = 1452};
}

static inline fn_conn_config pair_config(bool is_client, const uint8_t secrets[2][32])
{
    fn_limits limits = pair_limits();
    return (fn_conn_config){.is_client = is_client,
                            .owner = is_client ? 1 : 2,
                            .remote_receiver_id = is_client ? 0x22222222 : 0x11111111,
                            .send_secret = secrets[is_client ? 0 : 1],
                            .receive_secret = secrets[is_client ? 1 : 0],
                            .limits = fn_limits_agree(&limits, &limits),
                            .send_queue_bytes_max = 1 << 20,
                            .datagram_bytes_max = 1452,
                            .rate_floor_bytes_per_s = 65536,
                            .keepalive_ns = 10 * FN_NS_PER_S,
                            .key_update_packets = 1 << 20,
                            .key_update_ns = 3600 * FN_NS_PER_S,
                            .stream_after_ns = 1500 * FN_NS_PER_MS,
                            .connect_deadline_ns = 60 * FN_NS_PER_S,
                            .memory_cap_bytes = 8 << 20};
}

static inline void pair_side_open(pair_side *side, const fn_conn_config *config, uint64_t now_ns,
                                  uint8_t seed)
{
    uint8_t seed_bytes[FN_RANDOM_SEED_BYTES];
    memset(seed_bytes, seed, sizeof seed_bytes);
    fn_random_start(&side->random, seed_bytes);
    side->arena = malloc(PAIR_POOL_BYTES);
    const fn_pool_shares shares = {.seats = 1, .home_bytes = 4096};
    side->metadata = malloc(fn_pool_metadata_bytes(PAIR_POOL_BYTES, shares.seats));
    fn_pool_init(&side->pool, side->arena, PAIR_POOL_BYTES, side->metadata, &shares);
    side->event_memory = calloc(PAIR_EVENTS, sizeof(fn_event));
    fn_events_init(&side->events, side->event_memory, PAIR_EVENTS);
    fn_conn_shared shared = {.pool = &side->pool,
                             .random = &side->random,
                             .events = &side->events,
                             .channels = fn_channel_table_default,
                             .channel_count = FN_CHANNEL_TABLE_DEFAULT_COUNT};
    side->conn_memory = malloc(fn_conn_bytes(config, &shared));
    side->conn = fn_conn_create(side->conn_memory, config, &shared, now_ns);
    side->path_known = config->is_client ? 0 : FN_CONN_PATH_UNKNOWN;
}

static inline void pair_open_with(conn_pair *pair, const fn_conn_config *client,
                                  const fn_conn_config *server)
{
    memset(pair, 0, sizeof *pair);
    pair->now_ns = FN_NS_PER_S;
    pair_side_open(&pair->sides[PAIR_CLIENT], client, pair->now_ns, 1);
    pair_side_open(&pair->sides[PAIR_SERVER], server, pair->now_ns, 2);
}

static const uint8_t pair_secrets[2][32] = {{1, 2, 3}, {4, 5, 6}};

static inline void pair_open(conn_pair *pair)
{
    fn_conn_config client = pair_config(true, pair_secrets);
    fn_conn_config server = pair_config(false, pair_secrets);
    pair_open_with(pair, &client, &server);
}

static inline void pair_close(conn_pair *pair)
{
    for (int i = 0; i < 2; i++) {
        pair_side *side = &pair->sides[i];
        fn_conn_withdraw(side->conn);
        fn_conn_destroy(side->conn);
        free(side->conn_memory);
        free(side->arena);
        free(side->metadata);
        free(side->event_memory);
    }
}

/* Writes the next datagram of a side into pair->last; false when it has none. */
static inline bool pair_transmit(conn_pair *pair, int from)
{
    uint8_t path;
    pair->last_bytes = fn_conn_transmit(pair->sides[from].conn, pair->now_ns, pair->last,
                                        sizeof pair->last, &path);
    pair->datagrams += pair->last_bytes > 0;
    return pair->last_bytes > 0;
}

/* Hands a copy of any bytes to a side; the copy stays good until the next call for that side. */
static inline fn_conn_received pair_deliver(conn_pair *pair, int to, const uint8_t *bytes,
                                            size_t count, uint8_t *buffer)
{
    memcpy(buffer, bytes, count);
    uint8_t path = pair->sides[to].path_known;
    fn_conn_received result =
        fn_conn_receive(pair->sides[to].conn, pair->now_ns, &path, buffer, count);
    if (result == FN_CONN_NEW_PATH)
        pair->sides[to].path_known = path;
    return result;
}

/* Called for each event; the message is released afterwards. */
typedef void (*pair_on_event)(void *context, int side, const fn_event *event);

static inline void pair_drain(conn_pair *pair, int side, pair_on_event on_event, void *context)
{
    fn_event event;
    while (fn_events_pop(&pair->sides[side].events, &event)) {
        if (on_event != NULL)
            on_event(context, side, &event);
        if (event.type == FN_EVENT_MESSAGE)
            fn_conn_release(pair->sides[side].conn, &event);
    }
}

/* Moves datagrams both ways until neither side has one. */
static inline void pair_pump(conn_pair *pair, pair_on_event on_event, void *context)
{
    uint8_t buffer[PAIR_DATAGRAM_BYTES];
    bool moved = true;
    while (moved) {
        moved = false;
        for (int from = 0; from < 2; from++) {
            while (pair_transmit(pair, from)) {
                moved = true;
                pair_deliver(pair, 1 - from, pair->last, pair->last_bytes, buffer);
                pair_drain(pair, 1 - from, on_event, context);
            }
        }
    }
}

/* Lets time pass, timer by timer. */
static inline void pair_run(conn_pair *pair, uint64_t for_ns, pair_on_event on_event, void *context)
{
    uint64_t until_ns = pair->now_ns + for_ns;
    pair_pump(pair, on_event, context);
    while (pair->now_ns < until_ns) {
        uint64_t next_ns = fn_min_u64(fn_conn_deadline(pair->sides[0].conn),
                                      fn_conn_deadline(pair->sides[1].conn));
        next_ns = fn_max_u64(next_ns, pair->now_ns + FN_NS_PER_US);
        pair->now_ns = fn_min_u64(next_ns, until_ns);
        for (int i = 0; i < 2; i++) {
            fn_conn_tick(pair->sides[i].conn, pair->now_ns);
            pair_drain(pair, i, on_event, context);
        }
        pair_pump(pair, on_event, context);
    }
}

#endif
