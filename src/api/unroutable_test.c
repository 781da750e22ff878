#include "api/endpoint.h"
#include "api/test_net.h"
#include "base/rng.h"

/* The system below a client, that may refuse to send. */
static const fn_platform_ops *below;
static fn_platform_ops ops;
static uint32_t refused_permille;
static bool refuses_connect;
static fn_rng rng;

static int udp_connect(void *world, const fn_address *peer, fn_io_error *error)
{
    if (!refuses_connect)
        return below->udp_connect(world, peer, error);
    snprintf(error->text, sizeof error->text, "UDP cannot reach it: Network is unreachable");
    return FASTNET_ERR_ADDRESS;
}

static size_t udp_send(void *world, fn_datagram *batch, size_t count)
{
    size_t sent = 0;
    for (size_t i = 0; i < count; i++) {
        if (fn_rng_chance(&rng, refused_permille))
            batch[i].outcome = FN_UDP_UNROUTABLE;
        else
            sent += below->udp_send(world, &batch[i], 1);
    }
    return sent;
}

/* UDP has all the time there is: only what is done at once is done in time. */
static test_net *net_over_a_poor_system(FastNetTransport transport)
{
    test_net *net = test_net_create();
    FastNetConfig server = test_server_config(net);
    FastNetConfig client = test_client_config(net);
    client.transport = transport;
    client.peers_max = 1;
    client.handshake_timeout_ms = client.udp_timeout_ms = 60000;
    server.handshake_timeout_ms = 60000;
    net->server = test_add(net, &server);
    net->client = test_add(net, &client);
    below = net->client->host.platform.ops;
    ops = *below;
    ops.udp_connect = udp_connect;
    ops.udp_send = udp_send;
    net->client->host.platform.ops = &ops;
    refused_permille = 0;
    refuses_connect = false;
    fn_rng_init(&rng, 1);
    return net;
}

static FastNetTransport transport_of(const test_net *net)
{
    return fastnet_peer_transport_mode(net->client, net->to_server);
}

static void await_transport(test_net *net, FastNetTransport transport)
{
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    while (transport_of(net) != transport) {
        assert_true(fastnet_now_ns() < end_ns);
        test_turn(net);
    }
}

static void assert_talks(test_net *net)
{
    uint32_t before = test_count(net, net->server, FASTNET_EVENT_DATA);
    assert_int_equal(fastnet_send(net->client, net->to_server, 0, "up", 2), FASTNET_OK);
    test_await_nth(net, net->server, FASTNET_EVENT_DATA, before);
}

static void a_client_whose_system_sends_no_udp_connects_over_tcp_at_once(void **state)
{
    (void)state;
    for (int connect = 0; connect < 2; connect++) {
        test_net *net = net_over_a_poor_system(FASTNET_TRANSPORT_NONE);
        refuses_connect = connect == 1;
        refused_permille = 1000;
        net->to_server = test_connect_to(net, net->client, "127.0.0.1", NULL);
        const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_CONNECTED);
        assert_int_equal(event->path, FASTNET_PATH_TCP);
        assert_talks(net);
        /* And it takes UDP when that works. */
        refused_permille = 0;
        await_transport(net, FASTNET_TRANSPORT_UDP);
        assert_talks(net);
        test_net_destroy(net);
    }
}

static void with_udp_alone_no_route_is_an_error_at_once(void **state)
{
    (void)state;
    test_net *net = net_over_a_poor_system(FASTNET_TRANSPORT_UDP);
    refuses_connect = true;
    net->to_server = test_connect_to(net, net->client, "127.0.0.1", NULL);
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_ERROR);
    assert_int_equal(event->error_code, FASTNET_ERR_ADDRESS);
    test_net_destroy(net);
}

static void a_session_whose_system_sends_no_udp_any_more_goes_on_over_tcp_at_once(void **state)
{
    (void)state;
    test_net *net = net_over_a_poor_system(FASTNET_TRANSPORT_NONE);
    net->to_server = test_connect_to(net, net->client, "127.0.0.1", NULL);
    test_await(net, net->server, FASTNET_EVENT_CONNECTED);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    assert_int_equal(transport_of(net), FASTNET_TRANSPORT_UDP);
    const fn_peer *peer = fn_peer_find_any(&net->client->host, net->to_server);
    assert_false(fn_conn_wants_stream(peer->conn, fastnet_now_ns()));
    refused_permille = 1000;
    assert_int_equal(fastnet_send(net->client, net->to_server, 0, "up", 2), FASTNET_OK);
    fastnet_flush(net->client);
    assert_true(fn_conn_wants_stream(peer->conn, fastnet_now_ns()));
    await_transport(net, FASTNET_TRANSPORT_TCP);
    assert_talks(net);
    refused_permille = 0;
    await_transport(net, FASTNET_TRANSPORT_UDP);
    assert_talks(net);
    test_net_destroy(net);
}

/* A rule that drops by chance answers EPERM like one that drops all. */
static void a_system_that_refuses_by_chance_is_still_sent_with(void **state)
{
    (void)state;
    test_net *net = net_over_a_poor_system(FASTNET_TRANSPORT_NONE);
    net->to_server = test_connect_to(net, net->client, "127.0.0.1", NULL);
    test_await(net, net->server, FASTNET_EVENT_CONNECTED);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    refused_permille = 300;
    for (int i = 0; i < 2000; i++)
        assert_talks(net);
    assert_int_equal(transport_of(net), FASTNET_TRANSPORT_UDP);
    assert_int_equal(test_count(net, net->client, FASTNET_EVENT_PATH_CHANGED), 0);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_whose_system_sends_no_udp_connects_over_tcp_at_once),
        cmocka_unit_test(with_udp_alone_no_route_is_an_error_at_once),
        cmocka_unit_test(a_session_whose_system_sends_no_udp_any_more_goes_on_over_tcp_at_once),
        cmocka_unit_test(a_system_that_refuses_by_chance_is_still_sent_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
