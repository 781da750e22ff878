#include "api/test_net.h"

static void reload_serves_new_clients_and_keeps_old_ones(void **state)
{
    (void)state;
    uint8_t pin[FASTNET_PIN_BYTES];
    test_net *net = test_net_connected();
    test_net *other = test_net_create();
    FastNetConnectOptions options;
    fastnet_connect_options_init(&options);
    assert_int_equal(fastnet_certificate_pin(other->certificate, pin), FASTNET_OK);
    options.pins = pin;
    options.pin_count = 1;
    assert_int_equal(fastnet_certificate_reload(net->server, other->certificate, net->key),
                     FASTNET_ERR_CERTIFICATE);
    assert_true(strlen(fastnet_last_error_text(net->server)) > 0);
    assert_int_equal(fastnet_certificate_reload(net->client, other->certificate, other->key),
                     FASTNET_ERR_STATE);
    test_connect_to(net, net->client, "localhost", NULL);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    assert_int_equal(fastnet_certificate_reload(net->server, other->certificate, other->key),
                     FASTNET_OK);
    test_forget_events(net);
    test_connect_to(net, net->client, "localhost", &options);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    assert_int_equal(fastnet_send(net->client, net->to_server, 0, "old", 3), FASTNET_OK);
    test_await(net, net->server, FASTNET_EVENT_DATA);
    test_net_destroy(other);
    test_net_destroy(net);
}

static void banned_address_is_refused_until_unbanned(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    assert_int_equal(fastnet_ban_add(net->server, "localhost"), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_ban_add(net->server, "127.0.0.1"), FASTNET_OK);
    assert_int_equal(fastnet_ban_add(net->server, "::ffff:127.0.0.1"), FASTNET_OK);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    test_await(net, net->client, FASTNET_EVENT_ERROR);
    test_forget_events(net);
    /* Who is connected stays; IPv6 is somebody else. */
    assert_int_equal(fastnet_send(net->client, net->to_server, 0, "x", 1), FASTNET_OK);
    test_await(net, net->server, FASTNET_EVENT_DATA);
    test_connect_to(net, net->client, "::1", NULL);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    test_forget_events(net);
    assert_int_equal(fastnet_ban_remove(net->server, "127.0.0.1"), FASTNET_OK);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    test_net_destroy(net);
}

static void draining_server_refuses_newcomers_only(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    assert_int_equal(fastnet_set_draining(net->server, true), FASTNET_OK);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_ERROR);
    assert_int_equal(event->error_code, FASTNET_ERR_REJECTED);
    assert_string_equal((const char *)event->data, "server is draining");
    assert_int_equal(fastnet_send(net->client, net->to_server, 0, "x", 1), FASTNET_OK);
    test_await(net, net->server, FASTNET_EVENT_DATA);
    assert_int_equal(fastnet_set_draining(net->server, false), FASTNET_OK);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    test_net_destroy(net);
}

static void rate_cap_holds(void **state)
{
    (void)state;
    enum { RATE = 100000 };
    FastNetPeerStats before = {.struct_size = sizeof before};
    FastNetPeerStats after = {.struct_size = sizeof after};
    test_net *net = test_net_connected();
    uint8_t data[10000] = {0};
    assert_int_equal(fastnet_peer_set_rate_max(net->client, net->to_server, RATE), FASTNET_OK);
    for (int i = 0; i < 50; i++)
        fastnet_send(net->client, net->to_server, 2, data, sizeof data);
    fastnet_peer_stats(net->client, net->to_server, &before);
    test_run_ms(net, 500);
    fastnet_peer_stats(net->client, net->to_server, &after);
    /* Half a second, and the burst of an eighth that a bucket may hold, with some slack. */
    uint64_t sent = after.sent_bytes - before.sent_bytes;
    assert_in_range(sent, RATE / 4, RATE);
    assert_true(after.queued_bytes > 0);
    assert_int_equal(fastnet_peer_set_rate_max(net->client, net->to_server, 0), FASTNET_OK);
    test_await_nth(net, net->server, FASTNET_EVENT_DATA, 49);
    test_net_destroy(net);
}

static void stats_are_sized_by_the_caller(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    FastNetPeerStats stats = {0};
    FastNetEndpointStats all = {0};
    FastNetPeerInfo info = {0};
    assert_int_equal(fastnet_peer_stats(net->client, net->to_server, &stats), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_endpoint_stats(net->client, &all), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_peer_info(net->client, net->to_server, &info), FASTNET_ERR_ARGUMENT);
    /* Never set: what lay on the stack would be taken for a length. */
    memset(&stats, 0x5a, sizeof stats);
    assert_int_equal(fastnet_peer_stats(net->client, net->to_server, &stats), FASTNET_ERR_ARGUMENT);
    stats.struct_size = 16;
    assert_int_equal(fastnet_peer_stats(net->client, net->to_server, &stats), FASTNET_OK);
    assert_int_equal(stats.struct_size, 16);
    assert_true(stats.rtt_ns > 0);
    assert_true(stats.rtt_ns_min == UINT64_C(0x5a5a5a5a5a5a5a5a));
    stats.struct_size = sizeof stats;
    assert_int_equal(fastnet_peer_stats(net->client, net->to_server ^ 1, &stats), FASTNET_ERR_PEER);
    all.struct_size = sizeof all;
    assert_int_equal(fastnet_endpoint_stats(net->server, &all), FASTNET_OK);
    assert_int_equal(all.peers, 1);
    assert_int_equal(all.handshakes, 0);
    assert_true(all.handshakes_completed == 1 && all.handshakes_failed == 0);
    assert_true(all.sent_datagrams > 0 && all.received_datagrams > 0);
    assert_true(all.send_calls > 0 && all.receive_calls > 0);
    test_net_destroy(net);
}

static void bad_link_is_checked_and_loses_as_told(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    assert_int_equal(fastnet_simulate_bad_link(net->client, 1001, 0, 0, 0, 0),
                     FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_simulate_bad_link(net->client, 0, 1001, 0, 0, 0),
                     FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_simulate_bad_link(net->client, 0, 0, 10001, 0, 0),
                     FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_simulate_bad_link(net->client, 0, 0, 100, 0, 0), FASTNET_OK);
    uint64_t start_ns = fastnet_now_ns();
    fastnet_send(net->client, net->to_server, 1, "late", 4);
    test_await(net, net->server, FASTNET_EVENT_DATA);
    assert_in_range(fastnet_now_ns() - start_ns, 99 * FN_NS_PER_MS, 2000 * FN_NS_PER_MS);
    test_net_destroy(net);
}

/* The other side is left as it is, and still both ways are bad. */
static void bad_link_acts_on_both_directions(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    assert_int_equal(fastnet_simulate_bad_link(net->client, 0, 0, 100, 0, 1), FASTNET_OK);
    uint64_t start_ns = fastnet_now_ns();
    fastnet_send(net->server, net->to_client, 1, "late", 4);
    test_await(net, net->client, FASTNET_EVENT_DATA);
    assert_in_range(fastnet_now_ns() - start_ns, 99 * FN_NS_PER_MS, 2000 * FN_NS_PER_MS);
    assert_int_equal(fastnet_simulate_bad_link(net->client, 1000, 0, 0, 0, 1), FASTNET_OK);
    test_forget_events(net);
    fastnet_send(net->server, net->to_client, 1, "lost", 4);
    test_run_ms(net, 50);
    assert_int_equal(test_count(net, net->client, FASTNET_EVENT_DATA), 0);
    assert_int_equal(fastnet_simulate_bad_link(net->client, 0, 1000, 0, 0, 1), FASTNET_OK);
    fastnet_send(net->server, net->to_client, 0, "once", 4);
    test_await(net, net->client, FASTNET_EVENT_DATA);
    test_run_ms(net, 50);
    assert_int_equal(test_count(net, net->client, FASTNET_EVENT_DATA), 1);
    test_net_destroy(net);
}

typedef struct log_lines {
    uint32_t count;
    char last[512];
} log_lines;

static void keep_line(void *user, int32_t level, const char *line)
{
    log_lines *lines = user;
    assert_in_range(level, FASTNET_LOG_ERROR, FASTNET_LOG_DEBUG);
    lines->count++;
    snprintf(lines->last, sizeof lines->last, "%s", line);
}

static void failure_reaches_the_log(void **state)
{
    (void)state;
    log_lines lines = {0, ""};
    test_net *net = test_net_create();
    FastNetConfig config = test_client_config(net);
    config.log = keep_line;
    config.log_user = &lines;
    net->client = test_add(net, &config);
    FastNetPeerId peer;
    assert_int_equal(fastnet_connect(net->client, "a b", 1, NULL, &peer), FASTNET_ERR_ARGUMENT);
    assert_int_equal(lines.count, 1);
    assert_string_equal(lines.last, fastnet_last_error_text(net->client));
    test_net_destroy(net);
}

static void one_socket_serves_one_server_after_another(void **state)
{
    (void)state;
    test_net *net = test_net_create();
    FastNetConfig server = test_server_config(net);
    FastNetConfig client = test_client_config(net);
    client.peers_max = 1;
    net->client = test_add(net, &client);
    for (int i = 0; i < 3; i++) {
        net->server = test_add(net, &server);
        net->to_server = test_connect_to(net, net->client, i == 1 ? "::1" : "127.0.0.1", NULL);
        test_await(net, net->client, FASTNET_EVENT_CONNECTED);
        fastnet_send(net->client, net->to_server, 0, "x", 1);
        test_await(net, net->server, FASTNET_EVENT_DATA);
        fastnet_disconnect(net->client, net->to_server, 0, NULL);
        test_await(net, net->server, FASTNET_EVENT_DISCONNECTED);
        test_run_ms(net, 20);
        test_forget_events(net);
    }
    test_net_destroy(net);
}

static void advertised_udp_host_may_be_a_name(void **state)
{
    (void)state;
    FastNetConfig server;
    fastnet_config_init(&server);
    server.advertised_address = "localhost";
    test_net *net = test_net_with(&server, NULL);
    test_net_connect(net);
    fastnet_send(net->client, net->to_server, 0, "x", 1);
    test_await(net, net->server, FASTNET_EVENT_DATA);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reload_serves_new_clients_and_keeps_old_ones),
        cmocka_unit_test(banned_address_is_refused_until_unbanned),
        cmocka_unit_test(draining_server_refuses_newcomers_only),
        cmocka_unit_test(rate_cap_holds),
        cmocka_unit_test(stats_are_sized_by_the_caller),
        cmocka_unit_test(bad_link_is_checked_and_loses_as_told),
        cmocka_unit_test(bad_link_acts_on_both_directions),
        cmocka_unit_test(failure_reaches_the_log),
        cmocka_unit_test(advertised_udp_host_may_be_a_name),
        cmocka_unit_test(one_socket_serves_one_server_after_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
