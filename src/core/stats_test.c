/* The numbers that a game shows: losses and rates of the last seconds, and what fits a datagram. */
#include "core/test_conn_link.h"

enum { TICK_MS = 16, BYTES = 100 };

typedef struct arrivals {
    uint32_t whole; /* in one frame, so in one datagram */
    uint32_t pieces;
} arrivals;

static void watch(void *context, int side, const fn_event *event)
{
    arrivals *all = context;
    (void)side;
    if (event->type != FN_EVENT_MESSAGE)
        return;
    all->whole += event->held == NULL;
    all->pieces += event->held != NULL;
}

/* Both sides talk 60 times a second. */
static void talk(conn_link *link, uint64_t ms)
{
    uint8_t data[BYTES] = {0};
    for (uint64_t at = 0; at < ms; at += TICK_MS) {
        for (int side = 0; side < 2; side++)
            assert_int_equal(fn_conn_send(link->pair.sides[side].conn, 1, data, BYTES, NULL),
                             FASTNET_OK);
        link_run(link, TICK_MS * FN_NS_PER_MS);
    }
}

static fn_stats stats_of(const conn_link *link, int side)
{
    fn_stats stats;
    fn_conn_get_stats(link->pair.sides[side].conn, link->pair.now_ns, &stats);
    return stats;
}

static void open_talking(conn_link *link, arrivals *all, size_t bytes_max)
{
    *all = (arrivals){0};
    link_open(link, 7);
    link->bytes_max = bytes_max;
    link->on_event = watch;
    link->context = all;
    link_run(link, FN_NS_PER_S);
}

static void loss_is_told_for_both_directions(void **state)
{
    (void)state;
    conn_link link;
    arrivals all;
    open_talking(&link, &all, PAIR_DATAGRAM_BYTES);
    talk(&link, 6000);
    assert_int_equal(stats_of(&link, PAIR_CLIENT).loss_permille, 0);
    assert_in_range(stats_of(&link, PAIR_CLIENT).receive_loss_permille, 0, 10);
    link.loss_permille[PAIR_SERVER] = 300; /* what goes up */
    talk(&link, 6000);
    assert_in_range(stats_of(&link, PAIR_CLIENT).loss_permille, 200, 400);
    assert_in_range(stats_of(&link, PAIR_SERVER).receive_loss_permille, 200, 400);
    assert_in_range(stats_of(&link, PAIR_CLIENT).receive_loss_permille, 0, 10);
    assert_in_range(stats_of(&link, PAIR_SERVER).loss_permille, 0, 10);
    link_close(&link);
}

static void a_cut_of_three_seconds_is_forgotten_eight_seconds_later(void **state)
{
    (void)state;
    conn_link link;
    arrivals all;
    open_talking(&link, &all, PAIR_DATAGRAM_BYTES);
    talk(&link, 5000);
    link.loss_permille[0] = link.loss_permille[1] = 1000;
    talk(&link, 3000);
    link.loss_permille[0] = link.loss_permille[1] = 0;
    talk(&link, 1000);
    assert_true(stats_of(&link, PAIR_CLIENT).loss_permille > 300);
    assert_true(stats_of(&link, PAIR_CLIENT).receive_loss_permille > 300);
    talk(&link, 7000);
    for (int side = 0; side < 2; side++) {
        assert_int_equal(stats_of(&link, side).loss_permille, 0);
        assert_in_range(stats_of(&link, side).receive_loss_permille, 0, 10);
    }
    link_close(&link);
}

static void rates_are_those_of_the_last_seconds(void **state)
{
    (void)state;
    conn_link link;
    arrivals all;
    open_talking(&link, &all, PAIR_DATAGRAM_BYTES);
    talk(&link, 8000);
    /* 62.5 messages a second with 100 bytes, 6 of frame, 23 of datagram, and some acknowledgements.
     */
    fn_stats client = stats_of(&link, PAIR_CLIENT);
    fn_stats server = stats_of(&link, PAIR_SERVER);
    assert_in_range(client.send_bytes_per_s, 62 * 125, 62 * 170);
    assert_in_range(client.receive_bytes_per_s, 62 * 125, 62 * 170);
    assert_in_range(server.receive_bytes_per_s, client.send_bytes_per_s * 95 / 100,
                    client.send_bytes_per_s * 105 / 100);
    link_run(&link, 8 * FN_NS_PER_S); /* silence but for keep-alives */
    assert_in_range(stats_of(&link, PAIR_CLIENT).send_bytes_per_s, 0, 200);
    link_close(&link);
}

/* Of that size each message is one datagram; one unit more, and it is cut. */
static void the_largest_message_of_one_datagram_is_told(void **state)
{
    (void)state;
    static const size_t passes[] = {1200, 1452};
    static uint8_t data[4096];
    for (size_t i = 0; i < FN_ARRAY_COUNT(passes); i++) {
        conn_link link;
        arrivals all;
        open_talking(&link, &all, passes[i]);
        talk(&link, 8000);
        link_run(&link, FN_NS_PER_S);
        fn_stats before = stats_of(&link, PAIR_CLIENT);
        uint32_t bytes = before.datagram_message_bytes_max;
        assert_in_range(bytes, FN_UNIT_BYTES, before.mtu_bytes - FN_WIRE_OVERHEAD_BYTES_MAX);
        if (passes[i] > 1400)
            assert_true(bytes > 1300);
        fn_conn *conn = link.pair.sides[PAIR_CLIENT].conn;
        all = (arrivals){0};
        for (int k = 0; k < 50; k++) {
            assert_int_equal(fn_conn_send(conn, 1, data, bytes, NULL), FASTNET_OK);
            link_run(&link, (uint64_t)(k % 5) * 30 * FN_NS_PER_MS);
        }
        link_run(&link, FN_NS_PER_S);
        assert_int_equal(all.whole, 50);
        assert_int_equal(all.pieces, 0);
        assert_int_equal(fn_conn_send(conn, 1, data, bytes + FN_UNIT_BYTES, NULL), FASTNET_OK);
        link_run(&link, FN_NS_PER_S);
        assert_int_equal(all.pieces, 1);
        link_close(&link);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_is_told_for_both_directions),
        cmocka_unit_test(a_cut_of_three_seconds_is_forgotten_eight_seconds_later),
        cmocka_unit_test(rates_are_those_of_the_last_seconds),
        cmocka_unit_test(the_largest_message_of_one_datagram_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
