#include "core/test_forge.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SEEN_MAX = 64, SMALL_RING = 4 };

typedef struct seen {
    uint8_t types[SEEN_MAX];
    uint32_t bytes[SEEN_MAX];
    bool held[SEEN_MAX];
    uint32_t count;
} seen;

static void watch_server(void *context, int side, const fn_event *event)
{
    seen *all = context;
    if (side != PAIR_SERVER)
        return;
    assert_true(all->count < SEEN_MAX);
    all->types[all->count] = event->type;
    all->bytes[all->count] = event->bytes;
    all->held[all->count++] = event->held != NULL;
}

static void connect(conn_pair *pair)
{
    pair_open(pair);
    pair_run(pair, FN_NS_PER_S, NULL, NULL);
}

/* Replaces the server's ring by one of four events. */
static void shrink_ring(conn_pair *pair)
{
    fn_events_init(&pair->sides[PAIR_SERVER].events, pair->sides[PAIR_SERVER].event_memory,
                   SMALL_RING);
}

static void send_one(conn_pair *pair, uint8_t channel, size_t bytes)
{
    static const uint8_t data[200];
    assert_int_equal(fn_conn_send(pair->sides[PAIR_CLIENT].conn, channel, data, bytes, NULL),
                     FASTNET_OK);
}

static void a_message_that_fits_its_datagram_is_not_copied(void **state)
{
    (void)state;
    conn_pair pair;
    seen all = {.count = 0};
    connect(&pair);
    size_t before = pair.sides[PAIR_SERVER].conn->store.account.used_bytes;
    for (uint8_t channel = 0; channel < 4; channel++)
        send_one(&pair, channel, 100);
    pair_pump(&pair, watch_server, &all);
    assert_int_equal(all.count, 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_false(all.held[i]);
    assert_int_equal(pair.sides[PAIR_SERVER].conn->store.account.used_bytes, before);
    pair_close(&pair);
}

/* Forty messages, four places: what finds none waits, in order, and comes when there is room. */
static void a_full_ring_holds_events_back_and_loses_none(void **state)
{
    (void)state;
    conn_pair pair;
    seen all = {.count = 0};
    uint8_t buffers[64][PAIR_DATAGRAM_BYTES];
    connect(&pair);
    shrink_ring(&pair);
    fn_conn *server = pair.sides[PAIR_SERVER].conn;
    for (uint32_t i = 0; i < 40; i++) {
        send_one(&pair, 0, i);
        assert_true(pair_transmit(&pair, PAIR_CLIENT));
        pair_deliver(&pair, PAIR_SERVER, pair.last, pair.last_bytes, buffers[i]);
    }
    for (uint32_t i = 0; i < 40; i++) {
        fn_event event;
        assert_true(fn_events_pop(&pair.sides[PAIR_SERVER].events, &event));
        assert_int_equal(fn_conn_deadline(server), i < 36 ? 0 : fn_conn_deadline(server));
        watch_server(&all, PAIR_SERVER, &event);
        fn_conn_release(server, &event);
        assert_true(fn_conn_deadline(server) > pair.now_ns);
    }
    for (uint32_t i = 0; i < 40; i++) {
        assert_int_equal(all.bytes[i], i);
        assert_int_equal(all.held[i], i >= SMALL_RING);
    }
    assert_int_equal(server->flow.received, server->flow.released);
    pair_close(&pair);
}

/* Its answer to the server's challenge is lost, what it says after that is not. Then it leaves, or
 * falls silent, or breaks the protocol. */
static void connected_comes_first_and_closed_last(void **state)
{
    (void)state;
    static const uint8_t message[] = {0x10, 0, 0, 'h', 'i'};
    static const uint8_t endings[][4] = {{0x07, 1, 5, 0}, {0x0f}, {0}};
    for (size_t ending = 0; ending < FN_ARRAY_COUNT(endings); ending++) {
        conn_pair pair;
        seen all = {.count = 0};
        uint8_t buffers[8][PAIR_DATAGRAM_BYTES];
        pair_open(&pair);
        shrink_ring(&pair);
        fn_conn *server = pair.sides[PAIR_SERVER].conn;
        assert_true(pair_transmit(&pair, PAIR_CLIENT));
        assert_int_equal(pair_deliver(&pair, PAIR_SERVER, pair.last, pair.last_bytes, buffers[0]),
                         FN_CONN_NEW_PATH);
        for (uint8_t i = 1; i < 6; i++) {
            uint8_t frame[sizeof message];
            memcpy(frame, message, sizeof message);
            frame[2] = i - 1;
            forge_send(&pair, PAIR_CLIENT, frame, sizeof frame, buffers[i]);
        }
        assert_int_equal(fn_ring_count(&pair.sides[PAIR_SERVER].events.ring), 0);
        forge_send(&pair, PAIR_CLIENT, endings[ending], sizeof endings[ending], buffers[6]);
        if (ending == 2)
            pair.now_ns = server->config.connect_deadline_ns;
        for (int i = 0; i < 10; i++) {
            fn_conn_tick(server, pair.now_ns);
            pair_drain(&pair, PAIR_SERVER, watch_server, &all);
        }
        assert_int_equal(all.count, 7);
        for (uint32_t i = 0; i < all.count; i++)
            assert_int_equal(all.types[i], i == 0   ? FN_EVENT_CONNECTED
                                           : i == 6 ? FN_EVENT_CLOSED
                                                    : FN_EVENT_MESSAGE);
        pair_close(&pair);
    }
}

static void a_violation_waits_for_room_without_a_deadline_in_the_past(void **state)
{
    (void)state;
    static const uint8_t bad[] = {0x0f};
    conn_pair pair;
    seen all = {.count = 0};
    uint8_t buffers[8][PAIR_DATAGRAM_BYTES];
    connect(&pair);
    shrink_ring(&pair);
    fn_conn *server = pair.sides[PAIR_SERVER].conn;
    for (uint32_t i = 0; i < SMALL_RING + 2; i++) {
        send_one(&pair, 0, i);
        assert_true(pair_transmit(&pair, PAIR_CLIENT));
        pair_deliver(&pair, PAIR_SERVER, pair.last, pair.last_bytes, buffers[i]);
    }
    forge_send(&pair, PAIR_CLIENT, bad, sizeof bad, buffers[6]);
    uint64_t before = pair.datagrams;
    for (int i = 0; i < 1000; i++) {
        pair.now_ns = fn_min_u64(fn_conn_deadline(server), pair.now_ns + FN_NS_PER_S);
        fn_conn_tick(server, pair.now_ns);
        while (pair_transmit(&pair, PAIR_SERVER)) {
        }
        assert_true(fn_conn_deadline(server) > pair.now_ns);
    }
    assert_in_range(pair.datagrams - before, 3, 4);
    assert_int_equal(fn_conn_get_state(server), FN_CONN_CLOSING);
    pair_drain(&pair, PAIR_SERVER, watch_server, &all);
    fn_conn_tick(server, pair.now_ns);
    pair_drain(&pair, PAIR_SERVER, watch_server, &all);
    fn_conn_tick(server, pair.now_ns);
    assert_int_equal(all.count, SMALL_RING + 3);
    assert_int_equal(all.types[SMALL_RING + 2], FN_EVENT_CLOSED);
    assert_int_equal(fn_conn_get_state(server), FN_CONN_DEAD);
    pair_close(&pair);
}

static void withdrawing_gives_memory_and_credit_back(void **state)
{
    (void)state;
    conn_pair pair;
    uint8_t buffers[8][PAIR_DATAGRAM_BYTES];
    connect(&pair);
    shrink_ring(&pair);
    fn_conn *server = pair.sides[PAIR_SERVER].conn;
    for (uint32_t i = 0; i < SMALL_RING + 3; i++) {
        send_one(&pair, 0, 100);
        assert_true(pair_transmit(&pair, PAIR_CLIENT));
        pair_deliver(&pair, PAIR_SERVER, pair.last, pair.last_bytes, buffers[i]);
    }
    fn_conn_close(server, pair.now_ns, 0, NULL, 0);
    assert_int_equal(server->flow.received, server->flow.released);
    assert_null(fn_events_front(&pair.sides[PAIR_SERVER].events));
    pair_close(&pair);
}

/* An application that stalls finds, when it polls again, the newest message of a sequenced channel
 * and all of the others, in their order: payloads in the datagram and in blocks of the pool, in the
 * ring and behind it. */
static void after_a_stall_only_the_latest_of_a_sequenced_channel_is_handed_out(void **state)
{
    (void)state;
    for (uint32_t places = SMALL_RING; places <= PAIR_EVENTS; places *= PAIR_EVENTS / SMALL_RING) {
        conn_pair pair;
        seen all = {.count = 0};
        uint8_t buffers[64][PAIR_DATAGRAM_BYTES];
        connect(&pair);
        fn_conn *server = pair.sides[PAIR_SERVER].conn;
        fn_events *events = &pair.sides[PAIR_SERVER].events;
        fn_events_init(events, pair.sides[PAIR_SERVER].event_memory, places);
        size_t before = server->store.account.used_bytes;
        for (uint32_t i = 0; i < 20; i++) {
            send_one(&pair, FASTNET_CHANNEL_UNRELIABLE_SEQUENCED, 100 + i);
            send_one(&pair, FASTNET_CHANNEL_UNRELIABLE, i);
            assert_true(pair_transmit(&pair, PAIR_CLIENT));
            pair_deliver(&pair, PAIR_SERVER, pair.last, pair.last_bytes, buffers[i]);
        }
        pair_drain(&pair, PAIR_SERVER, watch_server, &all);
        uint32_t next = 0;
        uint32_t sequenced = 0;
        for (uint32_t i = 0; i < all.count; i++) {
            if (all.bytes[i] >= 100)
                sequenced = sequenced * 1000 + all.bytes[i]; /* one, and the last */
            else
                assert_int_equal(all.bytes[i], next++);
        }
        assert_int_equal(next, 20);
        assert_int_equal(sequenced, 119);
        assert_int_equal(server->counters.dropped_messages, 19);
        assert_int_equal(server->store.account.used_bytes, before);
        pair_close(&pair);
    }
}

/* Tags of every mode, of messages that arrive, are replaced, expire, or do not fit the queue: each
 * is told exactly once. */
static void every_tag_is_told_exactly_once(void **state)
{
    (void)state;
    static const uint8_t data[60000];
    conn_pair pair;
    connect(&pair);
    fn_conn *client = pair.sides[PAIR_CLIENT].conn;
    uint8_t told[400] = {0};
    uint8_t buffer[PAIR_DATAGRAM_BYTES];
    bool queued[400];
    for (uint32_t i = 0; i < 400; i++) {
        fn_send_options options = {.tagged = true, .tag = i, .time_to_live_ns = 5 * FN_NS_PER_MS};
        queued[i] =
            fn_conn_send(client, (uint8_t)(i % 4), data, i % 7 * 9000, &options) == FASTNET_OK;
    }
    for (int turn = 0; turn < 20000; turn++) {
        pair.now_ns += FN_NS_PER_MS;
        for (int side = 0; side < 2; side++) {
            fn_conn_tick(pair.sides[side].conn, pair.now_ns);
            for (int lost = 0; pair_transmit(&pair, side); lost++)
                if (lost % 10 != 3)
                    pair_deliver(&pair, 1 - side, pair.last, pair.last_bytes, buffer);
            fn_event event;
            while (fn_events_pop(&pair.sides[side].events, &event)) {
                if (event.type == FN_EVENT_MESSAGE)
                    fn_conn_release(pair.sides[side].conn, &event);
                if (event.type == FN_EVENT_LOST || event.type == FN_EVENT_DELIVERED)
                    told[event.tag]++;
                if (event.type == FN_EVENT_LOST)
                    assert_true(event.tag % 2 == 1);
            }
        }
    }
    for (uint32_t i = 0; i < 400; i++)
        assert_int_equal(told[i], queued[i]);
    assert_true(fn_conn_is_flushed(client));
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_that_fits_its_datagram_is_not_copied),
        cmocka_unit_test(a_full_ring_holds_events_back_and_loses_none),
        cmocka_unit_test(connected_comes_first_and_closed_last),
        cmocka_unit_test(a_violation_waits_for_room_without_a_deadline_in_the_past),
        cmocka_unit_test(withdrawing_gives_memory_and_credit_back),
        cmocka_unit_test(after_a_stall_only_the_latest_of_a_sequenced_channel_is_handed_out),
        cmocka_unit_test(every_tag_is_told_exactly_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
