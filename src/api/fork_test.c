/* fork(): the endpoint stays with the parent, whatever the child tries. */
#include "api/test_net.h"

#include <sys/wait.h>

static void expect_refused(int32_t result, const FastNetEndpoint *endpoint)
{
    if (result != FASTNET_ERR_STATE || strstr(fastnet_last_error_text(endpoint), "fork") == NULL)
        _exit(2);
}

static void try_looking(FastNetEndpoint *endpoint, FastNetPeerId peer)
{
    FastNetPeerStats stats = {.struct_size = sizeof stats};
    FastNetEndpointStats all = {.struct_size = sizeof all};
    FastNetPeerInfo info = {.struct_size = sizeof info};
    FastNetAddress address;
    expect_refused(fastnet_peer_stats(endpoint, peer, &stats), endpoint);
    expect_refused(fastnet_endpoint_stats(endpoint, &all), endpoint);
    expect_refused(fastnet_peer_info(endpoint, peer, &info), endpoint);
    expect_refused(fastnet_peer_address(endpoint, peer, &address), endpoint);
    if (fastnet_peer_count(endpoint) != 0 || fastnet_peer_next(endpoint, 0) != 0 ||
        fastnet_peer_transport_mode(endpoint, peer) != FASTNET_TRANSPORT_NONE)
        _exit(3);
}

static void try_setting(FastNetEndpoint *endpoint, FastNetPeerId peer)
{
    expect_refused(fastnet_accept(endpoint, peer), endpoint);
    expect_refused(fastnet_reject(endpoint, peer, 0, NULL), endpoint);
    expect_refused(fastnet_peer_set_user(endpoint, peer, NULL), endpoint);
    expect_refused(fastnet_peer_set_rate_max(endpoint, peer, 1000), endpoint);
    expect_refused(fastnet_certificate_reload(endpoint, "cert.pem", "key.pem"), endpoint);
    expect_refused(fastnet_ban_add(endpoint, "192.0.2.1"), endpoint);
    expect_refused(fastnet_ban_remove(endpoint, "192.0.2.1"), endpoint);
    expect_refused(fastnet_set_draining(endpoint, true), endpoint);
    expect_refused(fastnet_simulate_bad_link(endpoint, 0, 0, 0, 0, 1), endpoint);
}

/* In the child: nothing works, nothing is sent, and giving it back harms nobody. */
static void try_everything(test_net *net, FastNetEndpoint *endpoint, FastNetPeerId to)
{
    FastNetEvent event;
    FastNetPeerId peer;
    uint16_t port = fastnet_tls_port(net->server);
    const uint8_t x = 'x';
    expect_refused(fastnet_send(endpoint, to, 0, "x", 1), endpoint);
    expect_refused(fastnet_send_tagged(endpoint, to, 0, "x", 1, 1, 0), endpoint);
    expect_refused(fastnet_broadcast(endpoint, 0, 0, "x", 1), endpoint);
    expect_refused(fastnet_client_send(endpoint, 0, &x, 1), endpoint);
    expect_refused(fastnet_flush(endpoint), endpoint);
    expect_refused(fastnet_poll(endpoint, &event, 1, 1000), endpoint);
    expect_refused(fastnet_connect(endpoint, "localhost", port, NULL, &peer), endpoint);
    expect_refused(fastnet_disconnect(endpoint, to, 0, NULL), endpoint);
    try_looking(endpoint, to);
    try_setting(endpoint, to);
    fastnet_wake(endpoint);
    fastnet_endpoint_destroy(endpoint);
}

static void in_a_child(test_net *net)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        try_everything(net, net->client, net->to_server);
        try_everything(net, net->server, net->to_client);
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void both_still_talk(test_net *net)
{
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fastnet_send(net->client, net->to_server, 0, "up", 2), FASTNET_OK);
        test_await(net, net->server, FASTNET_EVENT_DATA);
        assert_int_equal(fastnet_send(net->server, net->to_client, 0, "down", 4), FASTNET_OK);
        test_await(net, net->client, FASTNET_EVENT_DATA);
        test_forget_events(net);
    }
}

/* What a child sent under the parent's keys would be counted: rejected as a replay, or lost. */
static void attack_a_forked_child_cannot_use_the_endpoint(void **state)
{
    (void)state;
    FastNetPeerStats before = {.struct_size = sizeof before};
    FastNetPeerStats after = {.struct_size = sizeof after};
    test_net *net = test_net_connected();
    both_still_talk(net);
    test_run_ms(net, 50);
    assert_int_equal(fastnet_peer_stats(net->server, net->to_client, &before), FASTNET_OK);
    in_a_child(net);
    test_run_ms(net, 50);
    assert_int_equal(fastnet_peer_stats(net->server, net->to_client, &after), FASTNET_OK);
    assert_int_equal(after.rejected_packets, before.rejected_packets);
    assert_int_equal(after.received_packets, before.received_packets);
    both_still_talk(net);
    test_net_destroy(net);
}

/* Sessions over TLS streams: the connections, and what waits for them, are the parent's too. */
static void a_forked_child_leaves_streams_alone(void **state)
{
    (void)state;
    FastNetConfig config;
    fastnet_config_init(&config);
    config.transport = FASTNET_TRANSPORT_TCP;
    test_net *net = test_net_with(NULL, &config);
    test_net_connect(net);
    in_a_child(net);
    both_still_talk(net);
    test_net_destroy(net);
}

/* While connects are under way: aborting the child's copies would reset the parent's. */
static void a_forked_child_leaves_connects_alone(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    net->to_server = test_connect_to(net, net->client, "127.0.0.1", NULL);
    test_poll(net, net->client, 0);
    in_a_child(net);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    test_net_destroy(net);
}

static void a_child_can_have_its_own_endpoint(void **state)
{
    (void)state;
    int status = 0;
    test_net *net = test_net_connected();
    pid_t child = fork();
    if (child == 0) {
        FastNetConfig config = test_client_config(net);
        FastNetEndpoint *own = NULL;
        bool ok = fastnet_endpoint_create(&config, &own) == FASTNET_OK &&
                  fastnet_poll(own, NULL, 0, 0) == 0;
        fastnet_endpoint_destroy(own);
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attack_a_forked_child_cannot_use_the_endpoint),
        cmocka_unit_test(a_forked_child_leaves_streams_alone),
        cmocka_unit_test(a_forked_child_leaves_connects_alone),
        cmocka_unit_test(a_child_can_have_its_own_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
