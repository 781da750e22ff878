/* A server that was frozen for a while: who is there stays, who is gone leaves, in 3 s. */
#include "api/test_clock.h"
#include "api/test_net.h"

#include "core/conn_parts.h"

typedef struct frozen {
    test_net *net;
    test_clock clock;
    FastNetEndpoint *alive;
    FastNetPeerId here; /* as the server names it */
    FastNetPeerId gone; /* likewise; it is not polled any more */
} frozen;

/* Two clients, a stall of so many seconds, and datagrams of both from before it in the socket. */
static void freeze(frozen *all, FastNetTransport transport, uint64_t seconds)
{
    FastNetConfig client;
    fastnet_config_init(&client);
    client.transport = transport;
    all->net = test_net_with(NULL, &client);
    test_net *net = all->net;
    test_net_connect(net);
    all->gone = net->to_client;
    client.trusted_roots_path = net->ca;
    all->alive = test_add(net, &client);
    FastNetPeerId server = test_connect_to(net, all->alive, "127.0.0.1", NULL);
    test_await(net, all->alive, FASTNET_EVENT_CONNECTED);
    all->here = test_await(net, net->server, FASTNET_EVENT_CONNECTED)->peer_id;
    test_run_ms(net, 100);
    test_forget_events(net);
    test_clock_take(&all->clock, net->server);
    test_poll(net, net->server, 0);
    fastnet_send(net->client, net->to_server, 0, "last", 4);
    fastnet_send(all->alive, server, 0, "last", 4);
    test_poll(net, net->client, 0);
    test_poll(net, all->alive, 0);
    test_clock_pass(&all->clock, seconds * FN_NS_PER_S);
}

/* The server and the client that is there, for so long of the server's time. */
static void run_seconds(frozen *all, uint64_t seconds)
{
    for (uint64_t i = 0; i < seconds * 100; i++) {
        test_poll(all->net, all->net->server, 0);
        test_poll(all->net, all->alive, 0);
        test_clock_pass(&all->clock, 10 * FN_NS_PER_MS);
    }
}

static void thaw(frozen *all)
{
    test_clock_give_back(&all->clock);
    test_net_destroy(all->net);
}

static void after_a_stall_the_dead_leave_in_three_seconds(void **state)
{
    (void)state;
    static const FastNetTransport transports[] = {FASTNET_TRANSPORT_UDP, FASTNET_TRANSPORT_TCP};
    for (size_t i = 0; i < FN_ARRAY_COUNT(transports); i++) {
        frozen all;
        freeze(&all, transports[i], 40);
        run_seconds(&all, 2);
        assert_int_equal(test_count(all.net, all.net->server, FASTNET_EVENT_DATA), 2);
        assert_int_equal(fastnet_peer_count(all.net->server), 2);
        run_seconds(&all, 2);
        const FastNetEvent *event =
            test_find(all.net, all.net->server, FASTNET_EVENT_DISCONNECTED, 0);
        assert_non_null(event);
        assert_int_equal(event->peer_id, all.gone);
        assert_int_equal(event->error_code, FASTNET_ERR_TIMEOUT);
        run_seconds(&all, 5);
        assert_int_equal(test_count(all.net, NULL, FASTNET_EVENT_DISCONNECTED), 1);
        assert_int_equal(fastnet_peer_count(all.net->server), 1);
        thaw(&all);
    }
}

/* Nobody is thrown out for a stall that the idle timeout allows for. */
static void a_short_stall_costs_nobody_anything(void **state)
{
    (void)state;
    frozen all;
    freeze(&all, FASTNET_TRANSPORT_UDP, 10);
    run_seconds(&all, 17);
    assert_int_equal(fastnet_peer_count(all.net->server), 2);
    run_seconds(&all, 5); /* 30 s after the last sign of life, and not 40 */
    assert_int_equal(fastnet_peer_count(all.net->server), 1);
    thaw(&all);
}

/* Whoever looks seldom has a stall in each poll: the dead leave all the same. */
static void who_polls_seldom_loses_the_dead_and_nobody_else(void **state)
{
    (void)state;
    frozen all;
    freeze(&all, FASTNET_TRANSPORT_UDP, 10);
    for (int i = 0; i < 20; i++) {
        test_poll(all.net, all.net->server, 0);
        for (int k = 0; k < 20; k++)
            test_poll(all.net, all.alive, 1000);
        test_clock_pass(&all.clock, 5 * FN_NS_PER_S);
    }
    assert_int_equal(fastnet_peer_count(all.net->server), 1);
    thaw(&all);
}

/* A wait is no stall, however long it lasts. */
static void waiting_asks_nobody(void **state)
{
    (void)state;
    FastNetConfig server;
    fastnet_config_init(&server);
    server.keepalive_ms = 0;
    test_net *net = test_net_with(&server, NULL);
    test_net_connect(net);
    test_run_ms(net, 200);
    test_poll(net, net->server, 0);
    assert_int_equal(net->server->host.stall.since_ns, 0);
    test_clock clock;
    test_clock_take(&clock, net->server);
    test_clock_pass(&clock, 5 * FN_NS_PER_S); /* less than the idle timeout: nothing was due */
    test_poll(net, net->server, 0);
    assert_int_equal(fn_peer_find(&net->server->host, net->to_client)->conn->idle.recalled_ns, 0);
    test_clock_give_back(&clock);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_stall_the_dead_leave_in_three_seconds),
        cmocka_unit_test(a_short_stall_costs_nobody_anything),
        cmocka_unit_test(who_polls_seldom_loses_the_dead_and_nobody_else),
        cmocka_unit_test(waiting_asks_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
