#include "core/test_conn_pair.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void echo(void *context, int side, const fn_event *event)
{
    conn_pair *pair = context;
    if (event->type == FN_EVENT_MESSAGE && side == PAIR_SERVER)
        fn_conn_send(pair->sides[side].conn, event->channel, event->data, event->bytes, NULL);
}

static void prepare_all(conn_pair *pair)
{
    for (int side = 0; side < 2; side++)
        while (fn_conn_prepare(pair->sides[side].conn, pair->now_ns)) {
        }
}

static void ping_pong(conn_pair *pair, int count)
{
    static const uint8_t data[64] = {1};
    for (int i = 0; i < count; i++) {
        prepare_all(pair);
        fn_conn_send(pair->sides[PAIR_CLIENT].conn, 1, data, sizeof data, NULL);
        pair_run(pair, 100 * FN_NS_PER_US, echo, pair);
    }
}

static void prepared_packets_are_used_on_both_sides(void **state)
{
    (void)state;
    conn_pair pair;
    pair_open(&pair);
    pair_run(&pair, FN_NS_PER_S, echo, &pair); /* the MTU search is over */
    ping_pong(&pair, 400);
    for (int side = 0; side < 2; side++) {
        const fn_conn *conn = pair.sides[side].conn;
        assert_non_null(conn->send_keys.ahead);
        assert_true(conn->send_keys.ahead->hits > 300);
        assert_true(conn->receive_keys.ahead->hits > 300);
        assert_int_equal(conn->counters.rejected_packets, 0);
    }
    pair_close(&pair);
}

static void a_key_update_throws_the_prepared_away(void **state)
{
    (void)state;
    fn_conn_config client = pair_config(true, pair_secrets);
    fn_conn_config server = pair_config(false, pair_secrets);
    client.key_update_packets = 64;
    server.key_update_packets = 64;
    conn_pair pair;
    pair_open_with(&pair, &client, &server);
    pair_run(&pair, FN_NS_PER_S, echo, &pair);
    for (int i = 0; i < 20; i++) {
        ping_pong(&pair, 100);
        pair_run(&pair, 100 * FN_NS_PER_MS, echo, &pair);
    }
    for (int side = 0; side < 2; side++) {
        const fn_conn *conn = pair.sides[side].conn;
        assert_true(conn->counters.key_updates > 5);
        assert_int_equal(conn->counters.rejected_packets, 0);
        assert_true(conn->send_keys.ahead->hits > 50);
    }
    pair_close(&pair);
}

static void a_quiet_second_gives_the_memory_back(void **state)
{
    (void)state;
    conn_pair pair;
    pair_open(&pair);
    pair_run(&pair, FN_NS_PER_S, echo, &pair);
    ping_pong(&pair, 50);
    assert_non_null(pair.sides[PAIR_CLIENT].conn->send_keys.ahead);
    pair_run(&pair, 3 * FN_NS_PER_S, echo, &pair);
    for (int side = 0; side < 2; side++) {
        assert_null(pair.sides[side].conn->send_keys.ahead);
        assert_null(pair.sides[side].conn->receive_keys.ahead);
    }
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prepared_packets_are_used_on_both_sides),
        cmocka_unit_test(a_key_update_throws_the_prepared_away),
        cmocka_unit_test(a_quiet_second_gives_the_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
