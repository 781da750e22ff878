#include "api/test_net.h"

#include "base/rng.h"

/* --- echo --- */

static void echo_all(test_net *net, uint32_t *seen)
{
    for (; *seen < net->event_count; (*seen)++) {
        const test_event *row = &net->events[*seen];
        if (row->endpoint != net->server || row->event.type != FASTNET_EVENT_DATA)
            continue;
        FastNetResult result = fastnet_send(net->server, row->event.peer_id, row->event.channel,
                                            row->event.data, row->event.data_len);
        assert_int_equal(result, FASTNET_OK);
    }
}

static void message_echoes_on_every_channel_and_size(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, 2, 100, 1023, 1024, 1025, 5000, 65536, 262144};
    test_net *net = test_net_connected();
    uint8_t *data = malloc(262144);
    fn_rng rng;
    fn_rng_init(&rng, 1);
    fn_rng_bytes(&rng, data, 262144);
    for (uint8_t channel = 0; channel < 4; channel++) {
        for (size_t i = 0; i < FN_ARRAY_COUNT(sizes); i++) {
            uint32_t seen = 0;
            const FastNetEvent *back = NULL;
            assert_int_equal(fastnet_send(net->client, net->to_server, channel, data, sizes[i]),
                             FASTNET_OK);
            uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
            while ((back = test_find(net, net->client, FASTNET_EVENT_DATA, 0)) == NULL) {
                if (fastnet_now_ns() > end_ns)
                    fail_msg("channel %u, %u bytes: no echo", channel, sizes[i]);
                test_turn(net);
                echo_all(net, &seen);
            }
            assert_int_equal(back->channel, channel);
            assert_int_equal(back->data_len, sizes[i]);
            assert_memory_equal(back->data, data, sizes[i]);
            assert_int_equal(test_count(net, net->server, FASTNET_EVENT_DATA), 1);
            test_forget_events(net);
        }
    }
    free(data);
    test_net_destroy(net);
}

static void null_data_of_no_length_is_an_empty_message(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    assert_int_equal(fastnet_send(net->client, net->to_server, 0, NULL, 0), FASTNET_OK);
    assert_int_equal(test_await(net, net->server, FASTNET_EVENT_DATA)->data_len, 0);
    test_net_destroy(net);
}

/* --- bad input --- */

static void send_refuses_what_it_cannot_do(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    FastNetEndpoint *client = net->client;
    FastNetPeerId peer = net->to_server;
    uint8_t *big = calloc(1, 262145);
    assert_int_equal(fastnet_send(client, peer, 0, big, 262145), FASTNET_ERR_TOO_LARGE);
    assert_int_equal(fastnet_send(client, peer, 4, big, 1), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_send(client, peer, 240, big, 1), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_send(client, peer, 0, NULL, 1), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_send(client, 0, 0, big, 1), FASTNET_ERR_PEER);
    assert_int_equal(fastnet_send(client, peer + 1, 0, big, 1), FASTNET_ERR_PEER);
    assert_int_equal(fastnet_send(client, peer ^ 0x10000u, 0, big, 1), FASTNET_ERR_PEER);
    assert_int_equal(fastnet_send(NULL, peer, 0, big, 1), FASTNET_ERR_PEER);
    assert_int_equal(fastnet_broadcast(client, 0, 4, big, 1), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_broadcast(client, 0, 0, big, 262145), FASTNET_ERR_TOO_LARGE);
    assert_int_equal(fastnet_poll(client, NULL, 1, 0), FASTNET_ERR_ARGUMENT);
    free(big);
    /* Nobody was harmed. */
    assert_int_equal(fastnet_send(client, peer, 0, "x", 1), FASTNET_OK);
    test_await(net, net->server, FASTNET_EVENT_DATA);
    test_net_destroy(net);
}

static void send_before_connected_is_a_state_error(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    FastNetPeerId peer = test_connect_to(net, net->client, "127.0.0.1", NULL);
    assert_int_equal(fastnet_send(net->client, peer, 0, "x", 1), FASTNET_ERR_STATE);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    assert_int_equal(fastnet_send(net->client, peer, 0, "x", 1), FASTNET_OK);
    assert_int_equal(fastnet_disconnect(net->client, peer, 0, NULL), FASTNET_OK);
    assert_int_equal(fastnet_send(net->client, peer, 0, "x", 1), FASTNET_ERR_PEER);
    test_net_destroy(net);
}

/* --- back-pressure --- */

static void full_queue_pushes_back_and_loses_nothing(void **state)
{
    (void)state;
    enum { MESSAGE = 10000, TOTAL = 600 };
    test_net *net = test_net_connected();
    uint8_t data[MESSAGE] = {0};
    uint32_t sent = 0;
    uint32_t refused = 0;
    uint64_t end_ns = fastnet_now_ns() + 30 * FN_NS_PER_S;
    while (test_count(net, net->server, FASTNET_EVENT_DATA) < TOTAL) {
        FastNetResult result = FASTNET_OK;
        while (sent < TOTAL && result == FASTNET_OK) {
            data[0] = (uint8_t)sent;
            data[1] = (uint8_t)(sent >> 8);
            result = fastnet_send(net->client, net->to_server, 0, data, MESSAGE);
            sent += result == FASTNET_OK ? 1 : 0;
        }
        refused += result == FASTNET_ERR_BACKPRESSURE ? 1 : 0;
        assert_true(result == FASTNET_OK || result == FASTNET_ERR_BACKPRESSURE);
        test_turn(net);
        assert_true(fastnet_now_ns() < end_ns);
    }
    assert_true(refused > 0);
    for (uint32_t i = 0; i < TOTAL; i++) {
        const FastNetEvent *event = test_find(net, net->server, FASTNET_EVENT_DATA, i);
        assert_int_equal(event->data[0] | event->data[1] << 8, i);
    }
    test_net_destroy(net);
}

/* --- tags --- */

static void tagged_message_is_delivered(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    const uint64_t tag = UINT64_C(0x1122334455667788);
    assert_int_equal(fastnet_send_tagged(net->client, net->to_server, 2, "abc", 3, tag, 0),
                     FASTNET_OK);
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_DELIVERED);
    assert_true(event->tag == tag);
    assert_int_equal(event->channel, 2);
    assert_int_equal(event->peer_id, net->to_server);
    test_net_destroy(net);
}

static void tagged_message_into_a_dead_link_is_lost(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    assert_int_equal(fastnet_simulate_bad_link(net->client, 1000, 0, 0, 0, 1), FASTNET_OK);
    assert_int_equal(fastnet_send_tagged(net->client, net->to_server, 1, "abc", 3, 7, 0),
                     FASTNET_OK);
    test_turn(net);
    assert_int_equal(fastnet_simulate_bad_link(net->client, 0, 0, 0, 0, 1), FASTNET_OK);
    /* Loss shows by what is acknowledged around it. */
    for (int i = 0; i < 20 && test_count(net, net->client, FASTNET_EVENT_LOST) == 0; i++) {
        fastnet_send(net->client, net->to_server, 0, "x", 1);
        test_run_ms(net, 50);
    }
    assert_true(test_await(net, net->client, FASTNET_EVENT_LOST)->tag == 7);
    test_net_destroy(net);
}

/* --- many --- */

/* The client that the server knows by that id. */
static FastNetEndpoint *client_of(const test_net *net, FastNetPeerId peer)
{
    FastNetAddress address;
    assert_int_equal(fastnet_peer_address(net->server, peer, &address), FASTNET_OK);
    int port = atoi(strrchr(address.text, ':') + 1);
    for (uint32_t i = 0; i < net->endpoint_count; i++) {
        if (net->all[i] != net->server && fastnet_udp_port(net->all[i]) == port)
            return net->all[i];
    }
    fail_msg("no client has port %d", port);
    return NULL;
}

static void many_peers_talk_and_broadcast_skips_one(void **state)
{
    (void)state;
    enum { PEERS = 50 };
    FastNetConfig small;
    test_net *net = test_net_create();
    FastNetConfig server = test_server_config(net);
    net->server = test_add(net, &server);
    small = test_client_config(net);
    small.memory_bytes_max = 4 << 20;
    for (int i = 0; i < PEERS; i++)
        test_connect_to(net, test_add(net, &small), "127.0.0.1", NULL);
    test_await_nth(net, net->server, FASTNET_EVENT_CONNECTED, PEERS - 1);
    assert_int_equal(fastnet_peer_count(net->server), PEERS);
    FastNetPeerId except = fastnet_peer_next(net->server, 0);
    assert_int_equal(fastnet_broadcast(net->server, except, 0, "hello", 5), PEERS - 1);
    test_await_nth(net, NULL, FASTNET_EVENT_DATA, PEERS - 2);
    test_run_ms(net, 50);
    assert_int_equal(test_count(net, NULL, FASTNET_EVENT_DATA), PEERS - 1);
    assert_int_equal(test_count(net, client_of(net, except), FASTNET_EVENT_DATA), 0);
    uint32_t walked = 0;
    for (FastNetPeerId id = 0; (id = fastnet_peer_next(net->server, id)) != 0;)
        walked++;
    assert_int_equal(walked, PEERS);
    test_net_destroy(net);
}

static void both_sides_talk_over_a_bad_link(void **state)
{
    (void)state;
    enum { TOTAL = 300 };
    test_net *net = test_net_connected();
    assert_int_equal(fastnet_simulate_bad_link(net->client, 100, 50, 5, 10, 1), FASTNET_OK);
    assert_int_equal(fastnet_simulate_bad_link(net->server, 100, 50, 5, 10, 2), FASTNET_OK);
    uint8_t data[3000] = {0};
    for (uint32_t i = 0; i < TOTAL; i++) {
        data[0] = (uint8_t)i;
        data[1] = (uint8_t)(i >> 8);
        uint32_t bytes = 2 + i * 9 % 2900;
        while (fastnet_send(net->client, net->to_server, 0, data, bytes) != FASTNET_OK)
            test_turn(net);
        while (fastnet_send(net->server, net->to_client, 0, data, bytes) != FASTNET_OK)
            test_turn(net);
    }
    FastNetEndpoint *const both[] = {net->server, net->client};
    for (int side = 0; side < 2; side++) {
        test_await_nth(net, both[side], FASTNET_EVENT_DATA, TOTAL - 1);
        for (uint32_t i = 0; i < TOTAL; i++) {
            const FastNetEvent *event = test_find(net, both[side], FASTNET_EVENT_DATA, i);
            assert_int_equal(event->data[0] | event->data[1] << 8, i);
            assert_int_equal(event->data_len, 2 + i * 9 % 2900);
        }
    }
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_echoes_on_every_channel_and_size),
        cmocka_unit_test(null_data_of_no_length_is_an_empty_message),
        cmocka_unit_test(send_refuses_what_it_cannot_do),
        cmocka_unit_test(send_before_connected_is_a_state_error),
        cmocka_unit_test(full_queue_pushes_back_and_loses_nothing),
        cmocka_unit_test(tagged_message_is_delivered),
        cmocka_unit_test(tagged_message_into_a_dead_link_is_lost),
        cmocka_unit_test(many_peers_talk_and_broadcast_skips_one),
        cmocka_unit_test(both_sides_talk_over_a_bad_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
