/* What waiting costs: counted, not timed. */
#include "api/endpoint.h"
#include "api/test_net.h"

#include <poll.h>
#include <pthread.h>
#include <time.h>

static FastNetEndpointStats stats_of(const FastNetEndpoint *endpoint)
{
    FastNetEndpointStats stats = {.struct_size = sizeof stats};
    assert_int_equal(fastnet_endpoint_stats(endpoint, &stats), FASTNET_OK);
    return stats;
}

/* A connected pair whose client and server wait as told, after the handshake has calmed down. */
static test_net *connected(uint32_t spin_us, uint32_t keep_warm_us)
{
    FastNetConfig config;
    fastnet_config_init(&config);
    config.spin_us = spin_us;
    config.keep_warm_us = keep_warm_us;
    config.peers_max = 1;
    test_net *net = test_net_with(&config, &config);
    test_net_connect(net);
    test_run_ms(net, 100);
    return net;
}

static void default_is_adaptive_and_not_warm(void **state)
{
    (void)state;
    FastNetConfig config;
    fastnet_config_init(&config);
    assert_int_equal(config.spin_us, 100);
    assert_int_equal(config.keep_warm_us, 0);
    assert_null(config.socket);
}

static void an_idle_endpoint_blocks_at_once(void **state)
{
    (void)state;
    test_net *net = connected(100, 0);
    FastNetEvent event;
    FastNetEndpointStats before = stats_of(net->server);
    assert_int_equal(fastnet_poll(net->server, &event, 1, 30000), 0);
    FastNetEndpointStats after = stats_of(net->server);
    assert_int_equal(after.spins, before.spins);
    assert_true(after.blocking_waits > before.blocking_waits);
    assert_true(after.receive_calls - before.receive_calls < 20);
    test_net_destroy(net);
}

static void zero_never_spins(void **state)
{
    (void)state;
    test_net *net = connected(0, 0);
    FastNetEvent event;
    for (int i = 0; i < 20; i++) {
        fastnet_send(net->client, net->to_server, 1, "x", 1);
        fastnet_flush(net->client);
        assert_int_equal(fastnet_poll(net->server, &event, 1, 1000000), 1);
        fastnet_poll(net->client, &event, 1, 1000);
    }
    assert_int_equal(stats_of(net->server).spins + stats_of(net->client).spins, 0);
    assert_true(stats_of(net->client).blocking_waits >= 20);
    test_net_destroy(net);
}

static void always_never_blocks(void **state)
{
    (void)state;
    test_net *net = connected(FASTNET_SPIN_ALWAYS, 0);
    FastNetEvent event;
    FastNetEndpointStats before = stats_of(net->server);
    uint64_t start_ns = fastnet_now_ns();
    assert_int_equal(fastnet_poll(net->server, &event, 1, 20000), 0);
    assert_true(fastnet_now_ns() - start_ns >= 20 * FN_NS_PER_MS);
    FastNetEndpointStats after = stats_of(net->server);
    assert_int_equal(after.blocking_waits, before.blocking_waits);
    assert_true(after.receive_calls - before.receive_calls > 100);
    test_net_destroy(net);
}

/* Nobody answers: one spin for what was sent, then it blocks. */
static void what_was_sent_is_worth_one_spin(void **state)
{
    (void)state;
    test_net *net = connected(2000, 0);
    FastNetEvent event;
    FastNetEndpointStats before = stats_of(net->client);
    fastnet_send(net->client, net->to_server, 1, "x", 1);
    fastnet_flush(net->client);
    assert_int_equal(fastnet_poll(net->client, &event, 1, 15000), 0);
    FastNetEndpointStats after = stats_of(net->client);
    assert_int_equal(after.spins, before.spins + 1);
    assert_int_equal(after.spins_answered, before.spins_answered);
    assert_true(after.blocking_waits > before.blocking_waits);
    test_net_destroy(net);
}

/* A thousand idle clients ask several hundred times a second. */
static void a_keep_alive_costs_one_wait_one_send_and_no_spin(void **state)
{
    (void)state;
    enum { PINGS = 8 };
    FastNetConfig server, client;
    fastnet_config_init(&server);
    fastnet_config_init(&client);
    client.keepalive_ms = 20;
    test_net *net = test_net_with(&server, &client);
    test_net_connect(net);
    test_run_ms(net, 100);
    FastNetEvent event;
    FastNetEndpointStats before = stats_of(net->server);
    for (int i = 0; i < PINGS; i++) {
        assert_int_equal(fastnet_poll(net->server, &event, 1, 25000), 0);
        assert_int_equal(fastnet_poll(net->client, &event, 1, 0), 0);
    }
    FastNetEndpointStats after = stats_of(net->server);
    uint64_t pings = after.received_datagrams - before.received_datagrams;
    assert_in_range(pings, PINGS / 2, PINGS);
    assert_int_equal(after.sent_datagrams - before.sent_datagrams, pings);
    assert_int_equal(after.spins, before.spins);
    /* Two for each poll: it ends without an event. */
    assert_true(after.blocking_waits - before.blocking_waits <= 2 * PINGS);
    test_net_destroy(net);
}

static void an_empty_look_costs_one_system_call(void **state)
{
    (void)state;
    enum { LOOKS = 1000 };
    test_net *net = connected(100, 0);
    FastNetEvent event;
    FastNetEndpointStats before = stats_of(net->client);
    for (int i = 0; i < LOOKS; i++)
        fastnet_poll(net->client, &event, 1, 0);
    FastNetEndpointStats after = stats_of(net->client);
    uint64_t receives = after.receive_calls - before.receive_calls;
    uint64_t came = after.received_datagrams - before.received_datagrams;
    assert_in_range(receives, LOOKS, LOOKS + came);
    test_net_destroy(net);
}

static void *wake_soon(void *endpoint)
{
    struct timespec pause = {.tv_nsec = 10000000};
    nanosleep(&pause, NULL);
    fastnet_wake(endpoint);
    return NULL;
}

static void wake_ends_a_spin(void **state)
{
    (void)state;
    test_net *net = connected(FASTNET_SPIN_ALWAYS, 0);
    FastNetEvent event;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_soon, net->server), 0);
    uint64_t start_ns = fastnet_now_ns();
    assert_int_equal(fastnet_poll(net->server, &event, 1, 9000000), 0);
    assert_true(fastnet_now_ns() - start_ns < 5 * FN_NS_PER_S);
    pthread_join(thread, NULL);
    test_net_destroy(net);
}

/* --- a socket that is read all the time --- */

static void exchange(test_net *net)
{
    FastNetEvent event;
    fastnet_send(net->client, net->to_server, 1, "x", 1);
    fastnet_flush(net->client);
    for (int i = 0; i < 100; i++) {
        /* However slow the machine is: it was found empty just now. */
        net->server->host.datagrams.emptied_ns = fastnet_now_ns();
        if (fastnet_poll(net->server, &event, 1, 0) != 0)
            break;
    }
    fastnet_poll(net->server, &event, 1, 0);
    fastnet_poll(net->client, &event, 1, 0);
}

/* Until the poller is not asked about the server's socket any more. */
static void grow_hot(test_net *net)
{
    for (int i = 0; i < 100000 && net->server->host.datagrams.watched; i++)
        exchange(net);
    assert_false(net->server->host.datagrams.watched);
}

/* One datagram is there, and the server's socket was found empty just before. */
static void poll_for_one(test_net *net)
{
    FastNetEvent event;
    fastnet_send(net->client, net->to_server, 1, "x", 1);
    fastnet_flush(net->client);
    net->server->host.datagrams.emptied_ns = fastnet_now_ns();
    assert_int_equal(fastnet_poll(net->server, &event, 1, 0), 1);
}

/* The rest of a turn is put off until the answer, but not for long when no answer comes. */
static void what_an_answer_puts_off_has_its_turn_soon(void **state)
{
    enum { POLLS = 200, PUT_OFF_MAX = 4 };
    (void)state;
    test_net *net = connected(0, 0);
    uint32_t in_a_row = 0, longest = 0;
    for (int i = 0; i < POLLS; i++) {
        poll_for_one(net);
        bool put_off = !fn_list_empty(&net->server->host.peers.dirty);
        in_a_row = put_off ? in_a_row + 1 : 0;
        longest = fn_max_u32(longest, in_a_row);
    }
    assert_in_range(longest, 1, PUT_OFF_MAX);
    test_net_destroy(net);
}

static void what_was_sent_before_is_not_put_off(void **state)
{
    (void)state;
    test_net *net = connected(0, 0);
    for (int i = 0; i < 50; i++) {
        fastnet_send(net->server, net->to_client, 1, "y", 1);
        poll_for_one(net);
        assert_true(fn_list_empty(&net->server->host.peers.dirty));
    }
    test_net_destroy(net);
}

static void *send_soon(void *context)
{
    test_net *net = context;
    struct timespec pause = {.tv_nsec = 10000000};
    nanosleep(&pause, NULL);
    fastnet_send(net->client, net->to_server, 0, "late", 4);
    fastnet_flush(net->client);
    return NULL;
}

static void who_waits_after_a_hot_loop_is_told_of_datagrams(void **state)
{
    (void)state;
    test_net *net = connected(0, 0);
    FastNetEvent event;
    pthread_t thread;
    grow_hot(net);
    assert_int_equal(pthread_create(&thread, NULL, send_soon, net), 0);
    uint64_t start_ns = fastnet_now_ns();
    assert_int_equal(fastnet_poll(net->server, &event, 1, 9000000), 1);
    assert_true(fastnet_now_ns() - start_ns < 5 * FN_NS_PER_S);
    pthread_join(thread, NULL);
    test_net_destroy(net);
}

static void other_loops_are_told_of_datagrams_after_a_hot_loop(void **state)
{
    (void)state;
    test_net *net = connected(0, 0);
    grow_hot(net);
    struct pollfd row = {.fd = fastnet_endpoint_fd(net->server), .events = POLLIN};
    for (int i = 0; i < 1000; i++)
        exchange(net);
    assert_true(net->server->host.datagrams.watched);
    fastnet_send(net->client, net->to_server, 1, "x", 1);
    fastnet_flush(net->client);
    if (row.fd >= 0)
        assert_int_equal(poll(&row, 1, 5000), 1);
    test_net_destroy(net);
}

/* The system had no memory to tell of it when the socket was full. */
static void a_full_socket_that_nobody_watched_is_watched_for_room(void **state)
{
    (void)state;
    test_net *net = connected(0, 0);
    FastNetEvent event;
    grow_hot(net);
    net->server->host.datagrams.blocked = true;
    for (int i = 0; i < 10 && net->server->host.datagrams.blocked; i++)
        fastnet_poll(net->server, &event, 1, 10000);
    assert_false(net->server->host.datagrams.blocked);
    test_net_destroy(net);
}

/* --- what is done meanwhile --- */

static void echo(test_net *net, uint8_t channel)
{
    static uint8_t message[64];
    fastnet_send(net->client, net->to_server, channel, message, sizeof message);
    fastnet_flush(net->client);
    while (test_count(net, net->server, FASTNET_EVENT_DATA) == 0)
        test_poll(net, net->server, 1000);
    fastnet_send(net->server, net->to_client, channel, message, sizeof message);
    fastnet_flush(net->server);
    while (test_count(net, net->client, FASTNET_EVENT_DATA) == 0)
        test_poll(net, net->client, 1000);
    test_forget_events(net);
}

static void packets_are_prepared_while_nothing_comes(void **state)
{
    (void)state;
    test_net *net = connected(100, 0);
    FastNetEvent event;
    for (int i = 0; i < 50; i++) {
        echo(net, 1);
        for (int j = 0; j < 8; j++) {
            assert_int_equal(fastnet_poll(net->client, &event, 1, 0), 0);
            assert_int_equal(fastnet_poll(net->server, &event, 1, 0), 0);
        }
    }
    assert_true(stats_of(net->client).packets_prepared >= 50);
    assert_true(stats_of(net->server).packets_prepared >= 50);
    test_net_destroy(net);
}

/* The acknowledgement rides on the answer: two datagrams for each round trip. */
static void reliable_round_trips_cost_two_datagrams(void **state)
{
    (void)state;
    enum { ROUND_TRIPS = 200, OTHERS_MAX = 10 };
    test_net *net = connected(100, 0);
    FastNetEndpointStats before[2] = {stats_of(net->client), stats_of(net->server)};
    for (int i = 0; i < ROUND_TRIPS; i++)
        echo(net, 0);
    FastNetEndpointStats after[2] = {stats_of(net->client), stats_of(net->server)};
    for (int i = 0; i < 2; i++) {
        assert_in_range(after[i].sent_datagrams - before[i].sent_datagrams, ROUND_TRIPS,
                        ROUND_TRIPS + OTHERS_MAX);
        assert_in_range(after[i].send_calls - before[i].send_calls, ROUND_TRIPS,
                        ROUND_TRIPS + OTHERS_MAX);
    }
    test_net_destroy(net);
}

static void warming_is_off_by_default(void **state)
{
    (void)state;
    test_net *net = connected(FASTNET_SPIN_ALWAYS, 0);
    FastNetEvent event;
    fastnet_poll(net->client, &event, 1, 10000);
    assert_int_equal(stats_of(net->client).warming_datagrams, 0);
    test_net_destroy(net);
}

static void warming_keeps_its_interval_and_only_spins(void **state)
{
    (void)state;
    test_net *net = connected(FASTNET_SPIN_ALWAYS, 100);
    FastNetEvent event;
    uint64_t before = stats_of(net->client).warming_datagrams;
    uint64_t sent = stats_of(net->client).sent_datagrams;
    uint64_t start_ns = fastnet_now_ns();
    fastnet_poll(net->client, &event, 1, 20000);
    uint64_t beats = stats_of(net->client).warming_datagrams - before;
    assert_in_range(beats, 1, (fastnet_now_ns() - start_ns) / (100 * FN_NS_PER_US) + 1);
    /* They go to a socket of our own. */
    assert_true(stats_of(net->client).sent_datagrams <= sent + 2);
    test_net_destroy(net);

    net = connected(0, 100);
    before = stats_of(net->client).warming_datagrams;
    fastnet_poll(net->client, &event, 1, 20000);
    assert_true(stats_of(net->client).warming_datagrams - before < 10);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_is_adaptive_and_not_warm),
        cmocka_unit_test(an_idle_endpoint_blocks_at_once),
        cmocka_unit_test(zero_never_spins),
        cmocka_unit_test(always_never_blocks),
        cmocka_unit_test(what_was_sent_is_worth_one_spin),
        cmocka_unit_test(a_keep_alive_costs_one_wait_one_send_and_no_spin),
        cmocka_unit_test(an_empty_look_costs_one_system_call),
        cmocka_unit_test(wake_ends_a_spin),
        cmocka_unit_test(what_an_answer_puts_off_has_its_turn_soon),
        cmocka_unit_test(what_was_sent_before_is_not_put_off),
        cmocka_unit_test(who_waits_after_a_hot_loop_is_told_of_datagrams),
        cmocka_unit_test(other_loops_are_told_of_datagrams_after_a_hot_loop),
        cmocka_unit_test(a_full_socket_that_nobody_watched_is_watched_for_room),
        cmocka_unit_test(packets_are_prepared_while_nothing_comes),
        cmocka_unit_test(reliable_round_trips_cost_two_datagrams),
        cmocka_unit_test(warming_is_off_by_default),
        cmocka_unit_test(warming_keeps_its_interval_and_only_spins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
