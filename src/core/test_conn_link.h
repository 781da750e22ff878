/*
 * test_conn_link.h: a bad link between the two connections of test_conn_pair.h: delay, loss,
 * reordering, duplicates, a largest datagram, a client whose address changes.
 *
 * After every step it asserts what must always hold: transmit comes to an end, and no deadline
 * stays in the past.
 */
#ifndef FN_CORE_TEST_CONN_LINK_H
#define FN_CORE_TEST_CONN_LINK_H

#include "core/test_conn_pair.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
    LINK_DATAGRAMS_MAX = 4096,
    LINK_BURST_MAX = 5000,
    LINK_NO_ADDRESS = -1,
    LINK_STREAM = -2, /* in place of an address: the TCP connection */
    LINK_NO_STREAM = -1
};

typedef struct link_datagram {
    uint64_t at_ns;
    size_t bytes;
    int to;
    int address; /* of the client */
    uint8_t data[PAIR_DATAGRAM_BYTES];
} link_datagram;

typedef struct conn_link {
    conn_pair pair;
    fn_rng rng;
    uint64_t delay_ns;
    uint64_t jitter_ns;        /* more than the gap between packets reorders them */
    uint32_t loss_permille[2]; /* of what goes to that side */
    uint32_t duplicate_permille;
    size_t bytes_max;                 /* larger ones vanish */
    size_t carried_max[2];            /* likewise of what goes to that side */
    bool drops_bursts;                /* what leaves in one piece vanishes when longer than 1500 */
    size_t refuse_bytes;              /* from that size on the system refuses them; 0 = never */
    int address;                      /* the client's present one */
    int addresses[FN_CONN_PATHS_MAX]; /* that the server knows for its paths */
    uint64_t sent[2];                 /* datagrams */
    bool stream_stalled;              /* it takes everything and brings nothing */
    int streams[2];                   /* path ids of the attached stream, or LINK_NO_STREAM */
    pair_on_event on_event;
    void *context;
    bool hold_events; /* the applications do not look */
    uint32_t count;
    link_datagram *datagrams; /* under way */
} conn_link;

static inline void link_open_with(conn_link *link, const fn_conn_config *client,
                                  const fn_conn_config *server, uint64_t seed)
{
    memset(link, 0, sizeof *link);
    pair_open_with(&link->pair, client, server);
    fn_rng_init(&link->rng, seed);
    link->delay_ns = 20 * FN_NS_PER_MS;
    link->streams[0] = LINK_NO_STREAM;
    link->streams[1] = LINK_NO_STREAM;
    link->bytes_max = PAIR_DATAGRAM_BYTES;
    link->carried_max[0] = link->carried_max[1] = PAIR_DATAGRAM_BYTES;
    link->datagrams = malloc(LINK_DATAGRAMS_MAX * sizeof *link->datagrams);
    for (int i = 0; i < FN_CONN_PATHS_MAX; i++)
        link->addresses[i] = LINK_NO_ADDRESS;
}

static inline void link_open(conn_link *link, uint64_t seed)
{
    fn_conn_config client = pair_config(true, pair_secrets);
    fn_conn_config server = pair_config(false, pair_secrets);
    link_open_with(link, &client, &server, seed);
}

static inline void link_close(conn_link *link)
{
    pair_close(&link->pair);
    free(link->datagrams);
}

static inline bool link_chance(conn_link *link, uint32_t permille)
{
    return fn_rng_below(&link->rng, 1000) < permille;
}

static inline void link_put(conn_link *link, int to, int address)
{
    const conn_pair *pair = &link->pair;
    bool lost = link_chance(link, link->loss_permille[to]) || pair->last_bytes > link->bytes_max ||
                pair->last_bytes > link->carried_max[to];
    int copies = lost ? 0 : 1 + link_chance(link, link->duplicate_permille);
    if (address == LINK_STREAM)
        copies = link->stream_stalled ? 0 : 1;
    for (int i = 0; i < copies && link->count < LINK_DATAGRAMS_MAX; i++) {
        link_datagram *datagram = &link->datagrams[link->count++];
        uint64_t jitter_ns = link->jitter_ns > 0 ? fn_rng_below(&link->rng, link->jitter_ns) : 0;
        datagram->at_ns = pair->now_ns + link->delay_ns + jitter_ns;
        datagram->bytes = pair->last_bytes;
        datagram->to = to;
        datagram->address = address;
        memcpy(datagram->data, pair->last, pair->last_bytes);
    }
}

static inline void link_drain(conn_link *link, int side)
{
    if (!link->hold_events)
        pair_drain(&link->pair, side, link->on_event, link->context);
}

/* What the system would send as one: the newest datagrams that left together and are as long, but
 * for the last. */
typedef struct link_burst {
    uint32_t first; /* of them, among those under way */
    size_t bytes;   /* of the first */
    size_t total;
    bool open;
} link_burst;

/* The newest datagram was put under way as number `at`. */
static inline void link_join(conn_link *link, link_burst *burst, uint32_t at, bool alone)
{
    size_t bytes = link->pair.last_bytes;
    if (!link->drops_bursts)
        return;
    bool joins = burst->open && !alone && bytes <= burst->bytes;
    if (!joins)
        *burst = (link_burst){.first = at, .bytes = bytes};
    burst->total += bytes;
    burst->open = !alone && bytes == burst->bytes;
    if (joins && burst->total > 1500)
        link->count = burst->first;
}

/* All that a side has to send now. */
static inline void link_transmit(conn_link *link, int from)
{
    link_burst together = {.open = false};
    conn_pair *pair = &link->pair;
    fn_conn *conn = pair->sides[from].conn;
    int burst = 0;
    uint8_t path;
    while ((pair->last_bytes =
                fn_conn_transmit(conn, pair->now_ns, pair->last, sizeof pair->last, &path)) > 0) {
        assert_true(++burst < LINK_BURST_MAX);
        link->sent[from]++;
        if (path == link->streams[from])
            link_put(link, 1 - from, LINK_STREAM);
        else if (link->refuse_bytes > 0 && pair->last_bytes >= link->refuse_bytes)
            fn_conn_path_too_big(conn, path, pair->last_bytes);
        else {
            uint32_t at = link->count;
            link_put(link, 1 - from,
                     from == PAIR_SERVER && path < FN_CONN_PATHS_MAX ? link->addresses[path]
                                                                     : link->address);
            link_join(link, &together, at, fn_conn_leaves_alone(conn));
        }
    }
}

/* What an owner does after anything happened. */
static inline void link_settle(conn_link *link, int side)
{
    fn_conn *conn = link->pair.sides[side].conn;
    link_drain(link, side);
    link_transmit(link, side);
    if (fn_conn_deadline(conn) > link->pair.now_ns)
        return;
    fn_conn_tick(conn, link->pair.now_ns);
    link_drain(link, side);
    link_transmit(link, side);
    if (fn_conn_deadline(conn) <= link->pair.now_ns) { /* CLOSE follows from a tick, and so on */
        fn_conn_tick(conn, link->pair.now_ns);
        link_drain(link, side);
        link_transmit(link, side);
    }
    assert_true(fn_conn_deadline(conn) > link->pair.now_ns);
}

static inline uint8_t link_path_of(const conn_link *link, int address)
{
    for (uint8_t i = 0; i < FN_CONN_PATHS_MAX; i++)
        if (link->addresses[i] == address)
            return i;
    return FN_CONN_PATH_UNKNOWN;
}

static inline void link_deliver(conn_link *link, link_datagram *datagram)
{
    bool to_server = datagram->to == PAIR_SERVER;
    if (datagram->address == LINK_STREAM) {
        uint8_t stream = (uint8_t)link->streams[datagram->to];
        if (link->streams[datagram->to] != LINK_NO_STREAM)
            fn_conn_receive(link->pair.sides[datagram->to].conn, link->pair.now_ns, &stream,
                            datagram->data, datagram->bytes);
        return;
    }
    if (!to_server && datagram->address != link->address)
        return;
    uint8_t path = to_server ? link_path_of(link, datagram->address) : 0;
    fn_conn_received got = fn_conn_receive(link->pair.sides[datagram->to].conn, link->pair.now_ns,
                                           &path, datagram->data, datagram->bytes);
    if (got == FN_CONN_NEW_PATH)
        link->addresses[path] = datagram->address;
}

/* Delivers what is due, one datagram at a time. */
static inline void link_arrive(conn_link *link)
{
    for (uint32_t i = 0; i < link->count;) {
        if (link->datagrams[i].at_ns > link->pair.now_ns) {
            i++;
            continue;
        }
        link_datagram taken = link->datagrams[i];
        link->datagrams[i] = link->datagrams[--link->count];
        link_deliver(link, &taken);
        if (!link->hold_events)
            link_settle(link, taken.to);
    }
}

/* What ATTACH does, and what becomes of it. */
static inline void link_stream_up(conn_link *link)
{
    for (int side = 1; side >= 0; side--)
        link->streams[side] = fn_conn_stream_add(link->pair.sides[side].conn, link->pair.now_ns);
}

static inline void link_stream_down(conn_link *link)
{
    for (int side = 0; side < 2; side++) {
        if (link->streams[side] != LINK_NO_STREAM)
            fn_conn_stream_lost(link->pair.sides[side].conn, link->pair.now_ns,
                                (uint8_t)link->streams[side]);
        link->streams[side] = LINK_NO_STREAM;
    }
}

static inline uint64_t link_next_ns(const conn_link *link)
{
    uint64_t next_ns = fn_min_u64(fn_conn_deadline(link->pair.sides[0].conn),
                                  fn_conn_deadline(link->pair.sides[1].conn));
    for (uint32_t i = 0; i < link->count; i++)
        next_ns = fn_min_u64(next_ns, link->datagrams[i].at_ns);
    return next_ns;
}

static inline void link_run(conn_link *link, uint64_t for_ns)
{
    uint64_t until_ns = link->pair.now_ns + for_ns;
    for (;;) {
        for (int side = 0; side < 2; side++)
            link_settle(link, side);
        uint64_t next_ns = link_next_ns(link);
        if (next_ns > until_ns)
            break;
        link->pair.now_ns = fn_max_u64(next_ns, link->pair.now_ns);
        link_arrive(link);
    }
    link->pair.now_ns = until_ns;
}

#endif
