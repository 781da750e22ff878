#include "api/test_net.h"

enum { BURST = 40 };

static void send_burst(test_net *net, uint8_t channel, uint32_t bytes)
{
    uint8_t data[2000];
    for (int i = 0; i < BURST; i++) {
        memset(data, i + 1, sizeof data);
        assert_int_equal(fastnet_send(net->client, net->to_server, channel, data, bytes),
                         FASTNET_OK);
    }
}

/* Lets everything arrive at the server's socket; the server itself is not polled. */
static void let_leave(test_net *net)
{
    FastNetEvent events[BURST];
    for (int i = 0; i < 20; i++)
        fastnet_poll(net->client, events, BURST, 1000);
}

static void assert_filled(const FastNetEvent *event, uint32_t bytes)
{
    assert_int_equal(event->data_len, bytes);
    for (uint32_t i = 0; i < bytes; i++)
        assert_int_equal(event->data[i], event->data[0]);
}

/* --- none is lost --- */

static void f1_no_event_is_lost_one_at_a_time(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    FastNetEvent event;
    uint32_t next = 1;
    send_burst(net, 0, 100);
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    while (next <= BURST && fastnet_now_ns() < end_ns) {
        fastnet_poll(net->client, NULL, 0, 0);
        if (fastnet_poll(net->server, &event, 1, 0) == 0)
            continue;
        assert_int_equal(event.type, FASTNET_EVENT_DATA);
        assert_int_equal(event.data[0], next);
        next++;
    }
    assert_int_equal(next, BURST + 1);
    test_net_destroy(net);
}

static void f1_poll_without_events_does_not_block(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    FastNetEvent event;
    test_run_ms(net, 20);
    uint64_t start_ns = fastnet_now_ns();
    for (int i = 0; i < 1000; i++)
        fastnet_poll(net->server, &event, 1, 0);
    assert_true(fastnet_now_ns() - start_ns < FN_NS_PER_S);
    test_net_destroy(net);
}

/* --- how long a payload lives --- */

static void batch_payloads_live_until_the_next_poll(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {100, 2000};
    uint8_t noise[2000];
    memset(noise, 0xee, sizeof noise);
    for (size_t i = 0; i < FN_ARRAY_COUNT(sizes); i++) {
        test_net *net = test_net_connected();
        FastNetEvent events[BURST];
        int32_t count = 0;
        int32_t before = 0;
        uint32_t seen = 0;
        send_burst(net, 0, sizes[i]);
        let_leave(net);
        while (seen < BURST) {
            count = fastnet_poll(net->server, events, BURST, 10000);
            /* More arrives and leaves meanwhile: nothing of what was delivered may change. */
            for (int k = 0; k < BURST; k++)
                fastnet_send(net->server, net->to_client, 1, noise, sizes[i]);
            send_burst(net, 1, sizes[i]);
            let_leave(net);
            for (int32_t k = 0; k < count; k++) {
                assert_filled(&events[k], sizes[i]);
                if (events[k].channel == 0)
                    assert_int_equal(events[k].data[0], ++seen);
            }
            assert_true(before < 1000);
            before++;
        }
        test_net_destroy(net);
    }
}

/* A slow application: between its polls more arrives, and the socket
 * is read although events wait. */
static void single_payload_lives_until_the_next_poll(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    FastNetEvent event;
    uint32_t seen = 0;
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    send_burst(net, 0, 500);
    let_leave(net);
    while (seen < BURST) {
        assert_true(fastnet_now_ns() < end_ns);
        send_burst(net, 1, 300);
        test_poll(net, net->client, 6000);
        if (fastnet_poll(net->server, &event, 1, 0) == 0)
            continue;
        fastnet_flush(net->server);
        assert_filled(&event, event.channel == 0 ? 500 : 300);
        if (event.channel == 0)
            assert_int_equal(event.data[0], ++seen);
    }
    test_net_destroy(net);
}

static void payload_outlives_the_senders_disconnect(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    FastNetEvent events[BURST];
    send_burst(net, 0, 2000);
    let_leave(net);
    int32_t count = fastnet_poll(net->server, events, BURST, 10000);
    assert_true(count > 0);
    fastnet_disconnect_now(net->server, net->to_client, 0, NULL);
    for (int32_t i = 0; i < count; i++)
        assert_filled(&events[i], 2000);
    test_net_destroy(net);
}

/* --- ends --- */

static void reason_of_a_disconnect_arrives(void **state)
{
    (void)state;
    int user;
    test_net *net = test_net_connected();
    fastnet_peer_set_user(net->client, net->to_server, &user);
    assert_int_equal(fastnet_disconnect(net->server, net->to_client, 42, "map is over"),
                     FASTNET_OK);
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_DISCONNECTED);
    assert_int_equal(event->peer_id, net->to_server);
    assert_int_equal(event->app_code, 42);
    assert_int_equal(event->error_code, FASTNET_ERR_CLOSED);
    assert_string_equal((const char *)event->data, "map is over");
    assert_int_equal(event->data_len, strlen("map is over"));
    assert_ptr_equal(event->user, &user);
    test_net_destroy(net);
}

static void attack_goodbye_text_brings_no_control_characters(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    fastnet_disconnect(net->server, net->to_client, 1, "bye\r\nERROR: forged\x1b[2J");
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_DISCONNECTED);
    assert_string_equal((const char *)event->data, "bye??ERROR: forged?[2J");
    test_net_destroy(net);
}

static void own_disconnect_is_never_mentioned(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    send_burst(net, 0, 100);
    let_leave(net);
    fastnet_disconnect(net->server, net->to_client, 0, NULL);
    test_await(net, net->client, FASTNET_EVENT_DISCONNECTED);
    test_run_ms(net, 100);
    for (uint32_t i = 0; i < net->event_count; i++)
        assert_ptr_equal(net->events[i].endpoint, net->client);
    assert_int_equal(test_count(net, net->client, FASTNET_EVENT_DISCONNECTED), 1);
    assert_int_equal(fastnet_peer_count(net->server), 0);
    assert_int_equal(fastnet_peer_count(net->client), 0);
    test_net_destroy(net);
}

static void events_queued_before_a_disconnect_are_dropped(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    FastNetEvent event;
    send_burst(net, 0, 100);
    let_leave(net);
    assert_int_equal(fastnet_poll(net->server, &event, 1, 10000), 1);
    fastnet_disconnect_now(net->server, net->to_client, 0, NULL);
    for (int i = 0; i < 10; i++)
        assert_int_equal(fastnet_poll(net->server, &event, 1, 0), 0);
    test_net_destroy(net);
}

static void every_connected_has_one_disconnected(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    for (int i = 0; i < 5; i++) {
        test_net_connect(net);
        FastNetPeerId peer = net->to_client;
        fastnet_disconnect(net->client, net->to_server, (uint32_t)i, NULL);
        const FastNetEvent *event = test_await(net, net->server, FASTNET_EVENT_DISCONNECTED);
        assert_int_equal(event->peer_id, peer);
        assert_int_equal(event->app_code, i);
        assert_true(event->data_len > 0);
        test_run_ms(net, 10);
        assert_int_equal(test_count(net, net->server, FASTNET_EVENT_DISCONNECTED), 1);
        assert_int_equal(fastnet_send(net->server, peer, 0, "x", 1), FASTNET_ERR_PEER);
        assert_int_equal(fastnet_disconnect(net->server, peer, 0, NULL), FASTNET_ERR_PEER);
        test_forget_events(net);
    }
    test_net_destroy(net);
}

static void r9_stale_id_never_names_another_peer(void **state)
{
    (void)state;
    FastNetConfig one;
    fastnet_config_init(&one);
    one.peers_max = 1;
    test_net *net = test_net_with(&one, NULL);
    FastNetPeerId old[8];
    for (uint32_t i = 0; i < 8; i++) {
        test_net_connect(net);
        old[i] = net->to_client;
        for (uint32_t k = 0; k < i; k++) {
            assert_int_not_equal(old[k], old[i]);
            assert_int_equal(fastnet_send(net->server, old[k], 0, "x", 1), FASTNET_ERR_PEER);
            assert_int_equal(fastnet_peer_set_user(net->server, old[k], net), FASTNET_ERR_PEER);
        }
        fastnet_disconnect_now(net->client, net->to_server, 0, NULL);
        test_await(net, net->server, FASTNET_EVENT_DISCONNECTED);
        /* The slot is free once the session's last answers are over. */
        FastNetEndpointStats stats = {.struct_size = sizeof stats};
        uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
        do {
            test_turn(net);
            fastnet_endpoint_stats(net->server, &stats);
        } while (stats.memory_bytes_used > 0 && fastnet_now_ns() < end_ns);
        test_run_ms(net, 200);
        test_forget_events(net);
    }
    test_net_destroy(net);
}

static void linger_delivers_what_was_queued(void **state)
{
    (void)state;
    enum { TOTAL = 100 };
    FastNetConfig patient;
    uint8_t data[5000];
    fastnet_config_init(&patient);
    patient.linger_ms = 10000;
    test_net *net = test_net_with(NULL, &patient);
    test_net_connect(net);
    fastnet_simulate_bad_link(net->client, 50, 0, 2, 2, 3);
    for (int i = 0; i < TOTAL; i++) {
        memset(data, i, sizeof data);
        assert_int_equal(fastnet_send(net->client, net->to_server, 0, data, sizeof data),
                         FASTNET_OK);
    }
    fastnet_disconnect(net->client, net->to_server, 7, "bye");
    const FastNetEvent *end = test_await(net, net->server, FASTNET_EVENT_DISCONNECTED);
    assert_int_equal(end->app_code, 7);
    assert_int_equal(test_count(net, net->server, FASTNET_EVENT_DATA), TOTAL);
    /* The end is the last thing that is said. */
    assert_int_equal(net->events[net->event_count - 1].event.type, FASTNET_EVENT_DISCONNECTED);
    test_net_destroy(net);
}

static void destroy_says_goodbye(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    test_remove(net, net->server);
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_DISCONNECTED);
    assert_int_equal(event->error_code, FASTNET_ERR_CLOSED);
    test_net_destroy(net);
}

static void silence_ends_a_session(void **state)
{
    (void)state;
    FastNetConfig impatient;
    fastnet_config_init(&impatient);
    impatient.idle_timeout_ms = 300;
    impatient.keepalive_ms = 100;
    test_net *net = test_net_with(&impatient, NULL);
    test_net_connect(net);
    test_run_ms(net, 700);
    /* r6: keep-alive holds an idle session. */
    assert_int_equal(fastnet_peer_count(net->server), 1);
    fastnet_simulate_bad_link(net->client, 1000, 0, 0, 0, 1);
    const FastNetEvent *event = test_await(net, net->server, FASTNET_EVENT_DISCONNECTED);
    assert_int_equal(event->error_code, FASTNET_ERR_TIMEOUT);
    assert_true(event->data_len > 0);
    test_net_destroy(net);
}

static void stalled_application_keeps_its_peers(void **state)
{
    (void)state;
    FastNetConfig impatient;
    fastnet_config_init(&impatient);
    impatient.idle_timeout_ms = 400;
    impatient.keepalive_ms = 100;
    test_net *net = test_net_with(&impatient, NULL);
    test_net_connect(net);
    /* The server loads a map; the client goes on talking into its socket. */
    uint64_t end_ns = fastnet_now_ns() + 600 * FN_NS_PER_MS;
    while (fastnet_now_ns() < end_ns) {
        fastnet_send(net->client, net->to_server, 1, "x", 1);
        test_poll(net, net->client, 20000);
    }
    test_run_ms(net, 100);
    assert_int_equal(test_count(net, net->server, FASTNET_EVENT_DISCONNECTED), 0);
    assert_int_equal(fastnet_peer_count(net->server), 1);
    test_net_destroy(net);
}

/* The session has long ended when its last events come: whoever disconnects and flushes on hearing
 * of the end still holds the payloads of that batch. */
static void attack_disconnect_and_flush_with_payloads_still_held(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    FastNetEvent events[8];
    uint8_t data[5000] = {7};
    assert_int_equal(fastnet_send(net->client, net->to_server, 0, data, sizeof data), FASTNET_OK);
    assert_int_equal(fastnet_disconnect(net->client, net->to_server, 0, NULL), FASTNET_OK);
    uint64_t end_ns = fastnet_now_ns() + FN_NS_PER_S;
    while (fastnet_now_ns() < end_ns) {
        fastnet_poll(net->client, NULL, 0, 0);
        fastnet_poll(net->server, NULL, 0, 0);
        usleep(1000);
    }
    assert_int_equal(fastnet_poll(net->server, events, 8, 0), 2);
    assert_int_equal(events[1].type, FASTNET_EVENT_DISCONNECTED);
    fastnet_disconnect(net->server, events[1].peer_id, 0, NULL);
    fastnet_flush(net->server);
    assert_memory_equal(events[0].data, data, sizeof data);
    fastnet_poll(net->server, NULL, 0, 0);
    FastNetEndpointStats stats = {.struct_size = sizeof stats};
    fastnet_endpoint_stats(net->server, &stats);
    assert_int_equal(stats.memory_bytes_used, 0);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f1_no_event_is_lost_one_at_a_time),
        cmocka_unit_test(f1_poll_without_events_does_not_block),
        cmocka_unit_test(batch_payloads_live_until_the_next_poll),
        cmocka_unit_test(single_payload_lives_until_the_next_poll),
        cmocka_unit_test(payload_outlives_the_senders_disconnect),
        cmocka_unit_test(reason_of_a_disconnect_arrives),
        cmocka_unit_test(attack_goodbye_text_brings_no_control_characters),
        cmocka_unit_test(own_disconnect_is_never_mentioned),
        cmocka_unit_test(events_queued_before_a_disconnect_are_dropped),
        cmocka_unit_test(every_connected_has_one_disconnected),
        cmocka_unit_test(r9_stale_id_never_names_another_peer),
        cmocka_unit_test(linger_delivers_what_was_queued),
        cmocka_unit_test(destroy_says_goodbye),
        cmocka_unit_test(silence_ends_a_session),
        cmocka_unit_test(stalled_application_keeps_its_peers),
        cmocka_unit_test(attack_disconnect_and_flush_with_payloads_still_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
