#include "api/endpoint.h"
#include "api/test_net.h"
#include "core/stats.h"
#include "host/cache_warmer.h"

/* Time is an argument: hours pass in no time. */
static void play_for(fn_cache_warmer *warmer, uint64_t *now_ns, uint32_t plays, uint64_t step_ns)
{
    for (uint32_t i = 0; i < plays; i++) {
        *now_ns += step_ns;
        fn_cache_warmer_play(warmer, *now_ns);
    }
}

static uint64_t received(const fn_cache_warmer *warmer, int side)
{
    fn_stats stats;
    fn_conn_get_stats(warmer->conns[side], 0, &stats);
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
    fn_cache_warmer *warmer = net->server->host.idle_work.warmer;
    uint64_t now_ns = fastnet_now_ns();
    assert_non_null(warmer);
    play_for(warmer, &now_ns, 10, 100 * FN_NS_PER_US); /* connects */
    for (int side = 0; side < 2; side++)
        assert_int_equal(fn_conn_get_state(warmer->conns[side]), FN_CONN_CONNECTED);
    uint64_t before[2] = {received(warmer, 0), received(warmer, 1)};
    play_for(warmer, &now_ns, 1000, 100 * FN_NS_PER_US);
    for (int side = 0; side < 2; side++)
        assert_int_equal(received(warmer, side) - before[side], 1000);
    test_net_destroy(net);
}

static void it_goes_on_after_hours_of_silence(void **state)
{
    (void)state;
    test_net *net = rehearsing();
    fn_cache_warmer *warmer = net->server->host.idle_work.warmer;
    uint64_t now_ns = fastnet_now_ns();
    for (int hour = 0; hour < 48; hour++) {
        play_for(warmer, &now_ns, 100, 100 * FN_NS_PER_US);
        now_ns += 3600 * FN_NS_PER_S;
    }
    uint64_t before = received(warmer, 1);
    play_for(warmer, &now_ns, 100, 100 * FN_NS_PER_US);
    assert_int_equal(received(warmer, 1) - before, 100);
    test_net_destroy(net);
}

static void its_memory_is_its_own_and_bounded(void **state)
{
    (void)state;
    test_net *net = rehearsing();
    fn_cache_warmer *warmer = net->server->host.idle_work.warmer;
    uint64_t now_ns = fastnet_now_ns();
    size_t pool_bytes = net->server->host.pool.used_bytes;
    play_for(warmer, &now_ns, 1000, 100 * FN_NS_PER_US);
    size_t used_bytes = warmer->pool.used_bytes;
    play_for(warmer, &now_ns, 20000, 100 * FN_NS_PER_US);
    assert_true(warmer->pool.used_bytes <= 2 * used_bytes);
    assert_int_equal(net->server->host.pool.used_bytes, pool_bytes);
    assert_int_equal(fn_ring_count(&net->server->host.events.ring), 0);
    test_net_destroy(net);
}

static void nobody_pays_who_did_not_ask(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    assert_null(net->server->host.idle_work.warmer);
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
