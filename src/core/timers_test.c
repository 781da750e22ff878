#include "core/test_conn_link.h"

typedef struct counts {
    uint32_t messages[2];
    uint32_t closed[2];
    int32_t result;
} counts;

static void count(void *context, int side, const fn_event *event)
{
    counts *all = context;
    all->messages[side] += event->type == FN_EVENT_MESSAGE;
    all->closed[side] += event->type == FN_EVENT_CLOSED;
    if (event->type == FN_EVENT_CLOSED)
        all->result = event->result;
}

/* --- no owner ever spins --- */

static void send_something(conn_link *link, int side)
{
    static const uint8_t data[20000];
    fn_rng *rng = &link->rng;
    fn_send_options options = {.tagged = fn_rng_below(rng, 4) == 0, .tag = 1};
    size_t bytes = fn_rng_below(rng, fn_rng_below(rng, 4) == 0 ? sizeof data : 200);
    fn_conn_send(link->pair.sides[side].conn, (uint8_t)fn_rng_below(rng, 5), data, bytes, &options);
}

static void change_something(conn_link *link)
{
    fn_rng *rng = &link->rng;
    switch (fn_rng_below(rng, 10)) {
    case 0:
        link->address = (int)fn_rng_below(rng, 6);
        return;
    case 1:
        link->loss_permille[fn_rng_below(rng, 2)] = (uint32_t)fn_rng_below(rng, 2) * 1000;
        return;
    case 2:
        link->loss_permille[0] = link->loss_permille[1] = (uint32_t)fn_rng_below(rng, 400);
        return;
    case 3:
        link->bytes_max = 1200 + fn_rng_below(rng, 300);
        return;
    case 4:
        link->hold_events = !link->hold_events;
        return;
    case 5:
        link->jitter_ns = fn_rng_below(rng, 50 * FN_NS_PER_MS);
        return;
    case 6:
        link->refuse_bytes = fn_rng_below(rng, 2) * (1201 + fn_rng_below(rng, 300));
        return;
    case 7: {
        fn_conn *conn = link->pair.sides[fn_rng_below(rng, 2)].conn;
        size_t used = conn->store.account.used_bytes;
        conn->store.account.cap_bytes =
            fn_rng_below(rng, 2) == 0 ? fn_max_size(used, 4096) : 8 << 20;
        return;
    }
    default:
        return;
    }
}

/* The assertions are in test_conn_link.h. */
static void deadlines_are_never_in_the_past(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        fn_conn_config client = pair_config(true, pair_secrets);
        fn_conn_config server = pair_config(false, pair_secrets);
        client.key_update_packets = server.key_update_packets = 50;
        server.keepalive_ns = seed % 2 == 0 ? FN_NS_PER_S : FN_NEVER;
        conn_link link;
        link_open_with(&link, &client, &server, seed);
        link.duplicate_permille = seed % 3 == 0 ? 100 : 0;
        for (int step = 0; step < 100; step++) {
            change_something(&link);
            for (int side = 0; side < 2; side++)
                for (uint64_t k = fn_rng_below(&link.rng, 4); k > 0; k--)
                    send_something(&link, side);
            link_run(&link, fn_rng_below(&link.rng, 500 * FN_NS_PER_MS));
        }
        if (seed % 2 == 0)
            fn_conn_close(link.pair.sides[seed / 2 % 2].conn, link.pair.now_ns, 1, "bye",
                          FN_NS_PER_S);
        link.hold_events = false;
        link_run(&link, 60 * FN_NS_PER_S);
        link_close(&link);
    }
}

/* --- silence --- */

static void r6_idle_sides_stay_connected_and_keep_quiet(void **state)
{
    (void)state;
    conn_link link;
    link_open(&link, 1);
    link_run(&link, 5 * FN_NS_PER_S);
    uint64_t before = link.sent[0] + link.sent[1];
    link_run(&link, 600 * FN_NS_PER_S);
    for (int side = 0; side < 2; side++)
        assert_int_equal(fn_conn_get_state(link.pair.sides[side].conn), FN_CONN_CONNECTED);
    /* A ping and its acknowledgement every ten seconds, or little more. */
    assert_in_range(link.sent[0] + link.sent[1] - before, 60, 200);
    link_close(&link);
}

static void without_keepalive_nothing_is_sent_until_the_idle_timeout(void **state)
{
    (void)state;
    fn_conn_config client = pair_config(true, pair_secrets);
    fn_conn_config server = pair_config(false, pair_secrets);
    client.keepalive_ns = server.keepalive_ns = FN_NEVER;
    conn_link link;
    counts all = {.result = 0};
    link_open_with(&link, &client, &server, 1);
    link.on_event = count;
    link.context = &all;
    link_run(&link, 5 * FN_NS_PER_S);
    uint64_t before = link.sent[0] + link.sent[1];
    link_run(&link, 20 * FN_NS_PER_S);
    assert_int_equal(link.sent[0] + link.sent[1], before);
    link_run(&link, 20 * FN_NS_PER_S);
    for (int side = 0; side < 2; side++) {
        assert_int_equal(all.closed[side], 1);
        assert_int_equal(fn_conn_get_state(link.pair.sides[side].conn), FN_CONN_DEAD);
        assert_int_equal(fn_conn_deadline(link.pair.sides[side].conn), FN_NEVER);
    }
    assert_int_equal(all.result, FASTNET_ERR_TIMEOUT);
    link_close(&link);
}

static void whoever_does_not_get_connected_in_time_is_told(void **state)
{
    (void)state;
    conn_link link;
    counts all = {.result = 0};
    link_open(&link, 1);
    link.on_event = count;
    link.context = &all;
    link.loss_permille[PAIR_CLIENT] = 1000;
    link_run(&link, 58 * FN_NS_PER_S);
    assert_int_equal(all.closed[PAIR_CLIENT] + all.closed[PAIR_SERVER], 0);
    link_run(&link, 5 * FN_NS_PER_S);
    for (int side = 0; side < 2; side++)
        assert_int_equal(all.closed[side], 1);
    assert_int_equal(all.result, FASTNET_ERR_TIMEOUT);
    link_close(&link);
}

/* --- the game's rhythm --- */

/* 60 times a second, with loss that keeps the window small: the stream is never held back. */
static void a_60_hz_stream_leaves_at_once_whatever_is_lost(void **state)
{
    (void)state;
    static const uint8_t data[400];
    for (uint32_t permille = 0; permille <= 300; permille += 100) {
        conn_link link;
        counts all = {.result = 0};
        link_open(&link, 7);
        link.on_event = count;
        link.context = &all;
        link_run(&link, FN_NS_PER_S);
        link.loss_permille[0] = link.loss_permille[1] = permille;
        fn_conn *server = link.pair.sides[PAIR_SERVER].conn;
        for (int tick = 0; tick < 1200; tick++) {
            static const uint8_t bulk[8000];
            fn_conn_send(server, 2, bulk, sizeof bulk, NULL);
            fn_conn_send(server, 3, data, sizeof data, NULL);
            link_transmit(&link, PAIR_SERVER);
            assert_true(fn_send_queue_empty(&server->channels.items[3].send));
            link_run(&link, FN_NS_PER_S / 60);
        }
        assert_int_equal(server->counters.dropped_messages, 0);
        link_close(&link);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_are_never_in_the_past),
        cmocka_unit_test(r6_idle_sides_stay_connected_and_keep_quiet),
        cmocka_unit_test(without_keepalive_nothing_is_sent_until_the_idle_timeout),
        cmocka_unit_test(whoever_does_not_get_connected_in_time_is_told),
        cmocka_unit_test(a_60_hz_stream_leaves_at_once_whatever_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
