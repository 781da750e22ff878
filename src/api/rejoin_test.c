/* How a client that hears nothing any more comes back. */
#include "api/test_net.h"

#include "api/endpoint.h"

static void block_udp(test_net *net, uint32_t loss_permille)
{
    fastnet_simulate_bad_link(net->server, loss_permille, 0, 0, 0, 1);
    fastnet_simulate_bad_link(net->client, loss_permille, 0, 0, 0, 1);
}

static void await_transport(test_net *net, FastNetTransport transport)
{
    uint64_t end_ns = fastnet_now_ns() + 2 * TEST_TIMEOUT_MS * FN_NS_PER_MS;
    for (uint32_t number = 0; fastnet_peer_transport_mode(net->client, net->to_server) != transport;
         number++) {
        assert_true(fastnet_now_ns() < end_ns);
        fastnet_send(net->client, net->to_server, FASTNET_CHANNEL_UNRELIABLE, &number, 4);
        assert_int_equal(test_count(net, NULL, FASTNET_EVENT_DISCONNECTED), 0);
        test_forget_events(net);
        test_turn(net);
    }
}

/* A client with one single peer has a connected socket, and that keeps the local address which it
 * got. If that address is gone (Wi-Fi left for LTE), only another socket can reach the server. */
static void silence_gets_a_connected_client_another_socket(void **state)
{
    (void)state;
    test_net *net = test_net_create();
    FastNetConfig server = test_server_config(net);
    FastNetConfig client = test_client_config(net);
    client.peers_max = 1;
    net->server = test_add(net, &server);
    net->client = test_add(net, &client);
    net->to_server = test_connect_to(net, net->client, "127.0.0.1", NULL);
    net->to_client = test_await(net, net->server, FASTNET_EVENT_CONNECTED)->peer_id;
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    assert_true(net->client->host.datagrams.connected);
    uint16_t port = fastnet_udp_port(net->client);
    block_udp(net, 1000);
    await_transport(net, FASTNET_TRANSPORT_TCP);
    assert_int_not_equal(fastnet_udp_port(net->client), port);
    block_udp(net, 0);
    await_transport(net, FASTNET_TRANSPORT_UDP);
    assert_true(net->client->host.datagrams.connected);
    assert_int_equal(fastnet_send(net->client, net->to_server, 0, "still here", 10), FASTNET_OK);
    bool arrived = false;
    while (!arrived) {
        const FastNetEvent *event = test_await(net, net->server, FASTNET_EVENT_DATA);
        arrived = event->data_len == 10;
        test_forget_events(net);
    }
    assert_int_equal(test_count(net, NULL, FASTNET_EVENT_DISCONNECTED), 0);
    test_net_destroy(net);
}

/* --- connecting again --- */

/* A client of one peer that knows no way but UDP. */
static test_net *udp_only(void)
{
    test_net *net = test_net_create();
    FastNetConfig server = test_server_config(net);
    FastNetConfig client = test_client_config(net);
    client.peers_max = 1;
    client.transport = FASTNET_TRANSPORT_UDP;
    net->server = test_add(net, &server);
    net->client = test_add(net, &client);
    test_net_connect(net);
    return net;
}

static void leave(test_net *net)
{
    fastnet_disconnect(net->client, net->to_server, 0, NULL);
    test_await(net, net->server, FASTNET_EVENT_DISCONNECTED);
    while (fn_peer_after(&net->client->host, 0) != NULL)
        test_turn(net);
    test_turn(net); /* the slot is free */
    test_forget_events(net);
}

/* Where TCP is no way out, another socket still is one. */
static void silence_gets_a_client_without_tcp_another_socket_too(void **state)
{
    (void)state;
    test_net *net = udp_only();
    uint16_t port = fastnet_udp_port(net->client);
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    block_udp(net, 1000);
    while (fastnet_udp_port(net->client) == port) {
        assert_true(fastnet_now_ns() < end_ns);
        test_turn(net);
    }
    block_udp(net, 0);
    assert_int_equal(fastnet_send(net->client, net->to_server, 0, "still here", 10), FASTNET_OK);
    assert_int_equal(test_await(net, net->server, FASTNET_EVENT_DATA)->data_len, 10);
    assert_int_equal(fastnet_send(net->server, net->to_client, 0, "so am I", 7), FASTNET_OK);
    assert_int_equal(test_await(net, net->client, FASTNET_EVENT_DATA)->data_len, 7);
    assert_int_equal(test_count(net, NULL, FASTNET_EVENT_DISCONNECTED), 0);
    test_net_destroy(net);
}

/* It finds what its client said through both sockets, and answers the newer one. */
static void a_server_that_stalls_keeps_a_client_without_tcp(void **state)
{
    (void)state;
    test_net *net = udp_only();
    uint16_t port = fastnet_udp_port(net->client);
    uint64_t end_ns = fastnet_now_ns() + 2 * FN_NS_PER_S;
    while (fastnet_now_ns() < end_ns) {
        fastnet_send(net->client, net->to_server, FASTNET_CHANNEL_UNRELIABLE, "x", 1);
        test_poll(net, net->client, 1000);
    }
    assert_int_not_equal(fastnet_udp_port(net->client), port);
    assert_int_equal(fastnet_send(net->server, net->to_client, 0, "back", 4), FASTNET_OK);
    assert_int_equal(test_await(net, net->client, FASTNET_EVENT_DATA)->data_len, 4);
    assert_int_equal(test_count(net, NULL, FASTNET_EVENT_DISCONNECTED), 0);
    test_net_destroy(net);
}

/* The network was away, so the socket could not be replaced, and the session ended meanwhile. */
static void a_socket_that_reaches_nobody_is_not_used_again(void **state)
{
    (void)state;
    static const uint8_t nowhere[4] = {255, 255, 255, 255};
    test_net *net = udp_only();
    fn_address *remote = &net->client->host.datagrams.remote;
    fn_address server = *remote;
    leave(net);
    *remote = fn_address_from_ipv4(nowhere, server.port);
    fn_datagrams_renew(&net->client->host);
    *remote = server;
    test_net_connect(net);
    test_net_destroy(net);
}

/* What was full was the old socket, perhaps because of an interface that is gone. */
static void a_full_socket_does_not_block_the_next_one(void **state)
{
    (void)state;
    test_net *net = udp_only();
    leave(net);
    net->client->host.datagrams.blocked = true;
    test_net_connect(net);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_gets_a_client_without_tcp_another_socket_too),
        cmocka_unit_test(a_server_that_stalls_keeps_a_client_without_tcp),
        cmocka_unit_test(a_socket_that_reaches_nobody_is_not_used_again),
        cmocka_unit_test(a_full_socket_does_not_block_the_next_one),
        cmocka_unit_test(silence_gets_a_connected_client_another_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
