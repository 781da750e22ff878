#include "api/endpoint.h"
#include "api/rehearsal.h"
#include "api/test_net.h"
#include "core/stats.h"

/* Time is an argument: hours pass in no time. */
static void play_for(fn_rehearsal *rehearsal, uint64_t *now_ns, uint32_t plays, uint64_t step_ns)
{
    for (uint32_t i = 0; i < plays; i++) {
        *now_ns += step_ns;
        fn_rehearsal_play(rehearsal, *now_ns);
    }
}

static uint64_t received(const fn_rehearsal *rehearsal, int side)
{
    fn_stats stats;
    fn_conn_get_stats(rehearsal->conns[side], 0, &stats);
    return stats.counters.received_messages;
}

static test_net *rehearsing(void)
{
    FastNetConfig config;
    fastnet_config_init(&config);
    config.keep_warm_us = 100;
    return test_net_with(&config, NULL);
}

static void messages_go_there_and_back(void **state)
{
    (void)state;
    test_net *net = rehearsing();
    fn_rehearsal *rehearsal = net->server->spare.rehearsal;
    uint64_t now_ns = fastnet_now_ns();
    assert_non_null(rehearsal);
    play_for(rehearsal, &now_ns, 10, 100 * FN_NS_PER_US); /* connects */
    for (int side = 0; side < 2; side++)
        assert_int_equal(fn_conn_get_state(rehearsal->conns[side]), FN_CONN_CONNECTED);
    uint64_t before[2] = {received(rehearsal, 0), received(rehearsal, 1)};
    play_for(rehearsal, &now_ns, 1000, 100 * FN_NS_PER_US);
    for (int side = 0; side < 2; side++)
        assert_int_equal(received(rehearsal, side) - before[side], 1000);
    test_net_destroy(net);
}

static void it_goes_on_after_hours_of_silence(void **state)
{
    (void)state;
    test_net *net = rehearsing();
    fn_rehearsal *rehearsal = net->server->spare.rehearsal;
    uint64_t now_ns = fastnet_now_ns();
    for (int hour = 0; hour < 48; hour++) {
        play_for(rehearsal, &now_ns, 100, 100 * FN_NS_PER_US);
        now_ns += 3600 * FN_NS_PER_S;
    }
    uint64_t before = received(rehearsal, 1);
    play_for(rehearsal, &now_ns, 100, 100 * FN_NS_PER_US);
    assert_int_equal(received(rehearsal, 1) - before, 100);
    test_net_destroy(net);
}

static void its_memory_is_its_own_and_bounded(void **state)
{
    (void)state;
    test_net *net = rehearsing();
    fn_rehearsal *rehearsal = net->server->spare.rehearsal;
    uint64_t now_ns = fastnet_now_ns();
    size_t pool_bytes = net->server->pool.used_bytes;
    play_for(rehearsal, &now_ns, 1000, 100 * FN_NS_PER_US);
    size_t used_bytes = rehearsal->pool.used_bytes;
    play_for(rehearsal, &now_ns, 20000, 100 * FN_NS_PER_US);
    assert_true(rehearsal->pool.used_bytes <= 2 * used_bytes);
    assert_int_equal(net->server->pool.used_bytes, pool_bytes);
    assert_int_equal(fn_ring_count(&net->server->events.ring), 0);
    test_net_destroy(net);
}

static void nobody_pays_who_did_not_ask(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    assert_null(net->server->spare.rehearsal);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_go_there_and_back),
        cmocka_unit_test(it_goes_on_after_hours_of_silence),
        cmocka_unit_test(its_memory_is_its_own_and_bounded),
        cmocka_unit_test(nobody_pays_who_did_not_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
