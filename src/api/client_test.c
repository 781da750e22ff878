/* The short forms: a client that blocks, against a server on a thread of its own. */
#include "api/test_net.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct echo_server {
    FastNetServer server;
    pthread_t thread;
    atomic_bool stop;
    atomic_uint data; /* messages */
    atomic_uint bytes;
    atomic_uint connected;
    atomic_uint disconnected;
} echo_server;

static void *serve(void *context)
{
    echo_server *echo = context;
    FastNetEvent event;
    while (!atomic_load(&echo->stop)) {
        if (fastnet_poll(echo->server, &event, 1, 100000) != 1)
            continue;
        if (event.type == FASTNET_EVENT_CONNECTED)
            atomic_fetch_add(&echo->connected, 1);
        if (event.type == FASTNET_EVENT_DISCONNECTED)
            atomic_fetch_add(&echo->disconnected, 1);
        if (event.type != FASTNET_EVENT_DATA)
            continue;
        atomic_fetch_add(&echo->bytes, event.data_len);
        atomic_fetch_add(&echo->data, 1);
        fastnet_server_send(echo->server, event.peer_id, event.channel, event.data, event.data_len);
    }
    return NULL;
}

static void echo_start(echo_server *echo, const test_net *net)
{
    FastNetConfig config = test_server_config(net);
    memset(echo, 0, sizeof *echo);
    assert_int_equal(fastnet_endpoint_create(&config, &echo->server), FASTNET_OK);
    assert_int_equal(pthread_create(&echo->thread, NULL, serve, echo), 0);
}

static void echo_stop(echo_server *echo)
{
    atomic_store(&echo->stop, true);
    fastnet_wake(echo->server);
    pthread_join(echo->thread, NULL);
    fastnet_server_destroy(echo->server);
}

static void await_count(atomic_uint *counter, uint32_t count)
{
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    while (atomic_load(counter) < count) {
        assert_true(fastnet_now_ns() < end_ns);
        usleep(1000);
    }
}

static void first_example_arrives_every_time(void **state)
{
    (void)state;
    enum { TIMES = 100 };
    echo_server echo;
    test_net *net = test_net_create();
    const uint8_t data[] = {1, 2, 3, 4};
    setenv("FASTNET_CA_FILE", net->ca, 1);
    echo_start(&echo, net);
    for (uint32_t i = 0; i < TIMES; i++) {
        FastNetEvent event;
        FastNetClient client = fastnet_client_connect("127.0.0.1", fastnet_tls_port(echo.server));
        if (client == NULL)
            fail_msg("%s", fastnet_connect_error_text());
        assert_int_equal(fastnet_peer_count(client), 1);
        assert_int_equal(fastnet_client_send(client, 0, data, sizeof data), FASTNET_OK);
        assert_true(fastnet_client_poll(client, &event));
        assert_int_equal(event.type, FASTNET_EVENT_CONNECTED);
        while (fastnet_client_poll(client, &event))
            assert_int_equal(event.type, FASTNET_EVENT_DATA);
        assert_int_equal(event.type, FASTNET_EVENT_NONE);
        fastnet_client_disconnect(client);
        await_count(&echo.data, i + 1);
    }
    assert_int_equal(atomic_load(&echo.bytes), TIMES * sizeof data);
    await_count(&echo.disconnected, TIMES);
    echo_stop(&echo);
    unsetenv("FASTNET_CA_FILE");
    test_net_destroy(net);
}

static void f2_client_measures_the_round_trip(void **state)
{
    (void)state;
    echo_server echo;
    test_net *net = test_net_create();
    FastNetEvent event;
    FastNetPeerStats stats = {.struct_size = sizeof stats};
    setenv("FASTNET_CA_FILE", net->ca, 1);
    echo_start(&echo, net);
    FastNetClient client = fastnet_client_connect("localhost", fastnet_tls_port(echo.server));
    assert_non_null(client);
    assert_true(fastnet_client_poll(client, &event));
    FastNetPeerId peer = event.peer_id;
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(fastnet_client_send(client, 0, (const uint8_t *)"x", 1), FASTNET_OK);
        while (!fastnet_client_poll(client, &event) || event.type != FASTNET_EVENT_DATA)
            usleep(100);
    }
    assert_int_equal(fastnet_peer_stats(client, peer, &stats), FASTNET_OK);
    assert_int_equal(stats.path, FASTNET_PATH_UDP);
    assert_in_range(stats.rtt_ns, 1, FN_NS_PER_S);
    assert_true(stats.rtt_ns_min > 0 && stats.rtt_ns_min <= stats.rtt_ns_latest);
    assert_true(stats.sent_messages == 20 && stats.received_messages == 20);
    assert_true(stats.sent_packets > 0 && stats.received_bytes > 0);
    assert_true(stats.mtu_bytes >= 1200);
    fastnet_client_disconnect(client);
    echo_stop(&echo);
    unsetenv("FASTNET_CA_FILE");
    test_net_destroy(net);
}

static void f2_failed_connect_gives_a_reason(void **state)
{
    (void)state;
    echo_server echo;
    test_net *net = test_net_create();
    echo_start(&echo, net);
    uint16_t port = fastnet_tls_port(echo.server);
    /* The system's roots know nothing of this server. */
    assert_null(fastnet_client_connect("127.0.0.1", port));
    assert_true(strlen(fastnet_connect_error_text()) > 10);
    setenv("FASTNET_CA_FILE", "/nowhere/ca.pem", 1);
    assert_null(fastnet_client_connect("127.0.0.1", port));
    assert_non_null(strstr(fastnet_connect_error_text(), "/nowhere/ca.pem"));
    setenv("FASTNET_CA_FILE", net->ca, 1);
    echo_stop(&echo);
    assert_null(fastnet_client_connect("127.0.0.1", port));
    assert_non_null(strstr(fastnet_connect_error_text(), "127.0.0.1"));
    assert_null(fastnet_client_connect(NULL, port));
    assert_null(fastnet_client_connect("a b", port));
    unsetenv("FASTNET_CA_FILE");
    test_net_destroy(net);
}

static void client_learns_that_the_server_left(void **state)
{
    (void)state;
    echo_server echo;
    test_net *net = test_net_create();
    FastNetEvent event;
    setenv("FASTNET_CA_FILE", net->ca, 1);
    echo_start(&echo, net);
    FastNetClient client = fastnet_client_connect("127.0.0.1", fastnet_tls_port(echo.server));
    assert_non_null(client);
    await_count(&echo.connected, 1);
    atomic_store(&echo.stop, true);
    fastnet_wake(echo.server);
    pthread_join(echo.thread, NULL);
    fastnet_endpoint_destroy(echo.server);
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    while (!fastnet_client_poll(client, &event) || event.type != FASTNET_EVENT_DISCONNECTED)
        assert_true(fastnet_now_ns() < end_ns);
    assert_int_equal(fastnet_client_send(client, 0, NULL, 0), FASTNET_ERR_STATE);
    assert_false(fastnet_client_poll(client, &event));
    assert_int_equal(fastnet_client_send(client, 0, NULL, 0), FASTNET_ERR_STATE);
    fastnet_client_disconnect(client);
    unsetenv("FASTNET_CA_FILE");
    test_net_destroy(net);
}

static void server_destroy_delivers_what_was_queued(void **state)
{
    (void)state;
    enum { TOTAL = 50 };
    test_net *net = test_net_create();
    FastNetConfig client_config = test_client_config(net);
    FastNetServer server = fastnet_server_create(0, 0, net->certificate, net->key);
    assert_non_null(server);
    assert_null(fastnet_server_create(0, 0, net->certificate, net->ca));
    net->client = test_add(net, &client_config);
    FastNetPeerId peer;
    FastNetPeerId to_client = 0;
    FastNetEvent event;
    assert_int_equal(
        fastnet_connect(net->client, "127.0.0.1", fastnet_tls_port(server), NULL, &peer),
        FASTNET_OK);
    while (to_client == 0) {
        test_turn(net);
        if (fastnet_server_poll(server, &event) && event.type == FASTNET_EVENT_CONNECTED)
            to_client = event.peer_id;
    }
    assert_int_equal(fastnet_server_peer_count(server), 1);
    uint8_t data[1000] = {0};
    for (int i = 0; i < TOTAL; i++)
        assert_int_equal(fastnet_send(server, to_client, 0, data, sizeof data), FASTNET_OK);
    fastnet_flush(server);
    /* What fits the first window has left; destroy waits for acknowledgements that do not come. */
    uint64_t start_ns = fastnet_now_ns();
    fastnet_server_destroy(server);
    assert_true(fastnet_now_ns() - start_ns < 6 * FN_NS_PER_S);
    test_await(net, net->client, FASTNET_EVENT_DISCONNECTED);
    test_net_destroy(net);
}

/* The short form takes an endpoint that the long form has made. */
static void short_form_takes_any_endpoint_with_one_outgoing_peer(void **state)
{
    (void)state;
    const uint8_t x = 'x';
    test_net *net = test_net_with(NULL, NULL);
    assert_int_equal(fastnet_client_send(net->client, 0, &x, 1), FASTNET_ERR_STATE);
    assert_non_null(strstr(fastnet_last_error_text(net->client), "no outgoing"));
    test_net_connect(net);
    assert_int_equal(fastnet_client_send(net->client, 0, &x, 1), FASTNET_OK);
    assert_int_equal(fastnet_client_transport_mode(net->client), FASTNET_TRANSPORT_UDP);
    test_await(net, net->server, FASTNET_EVENT_DATA);
    FastNetPeerId second = test_connect_to(net, net->client, "127.0.0.1", NULL);
    assert_int_equal(fastnet_client_send(net->client, 0, &x, 1), FASTNET_ERR_STATE);
    assert_non_null(strstr(fastnet_last_error_text(net->client), "several"));
    fastnet_disconnect(net->client, second, 0, NULL);
    assert_int_equal(fastnet_client_send(net->client, 0, &x, 1), FASTNET_OK);
    /* A session that ended, and the next one. */
    fastnet_disconnect(net->server, net->to_client, 0, NULL);
    test_await(net, net->client, FASTNET_EVENT_DISCONNECTED);
    assert_int_equal(fastnet_client_send(net->client, 0, &x, 1), FASTNET_ERR_STATE);
    test_forget_events(net);
    test_net_connect(net);
    assert_int_equal(fastnet_client_send(net->client, 0, &x, 1), FASTNET_OK);
    assert_int_equal(fastnet_client_send(net->server, 0, &x, 1), FASTNET_ERR_STATE);
    test_net_destroy(net);
}

static void *destroy_with_reason(void *server)
{
    fastnet_server_destroy_with_reason(server, 42, "maintenance until 9");
    return NULL;
}

static void a_server_can_say_why_it_ends(void **state)
{
    (void)state;
    pthread_t thread;
    test_net *net = test_net_connected();
    FastNetEndpoint *server = net->server;
    net->all[0] = net->client;
    net->endpoint_count = 1;
    assert_int_equal(pthread_create(&thread, NULL, destroy_with_reason, server), 0);
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_DISCONNECTED);
    assert_int_equal(event->app_code, 42);
    assert_string_equal((const char *)event->data, "maintenance until 9");
    test_run_ms(net, 20);
    pthread_join(thread, NULL);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_example_arrives_every_time),
        cmocka_unit_test(f2_client_measures_the_round_trip),
        cmocka_unit_test(f2_failed_connect_gives_a_reason),
        cmocka_unit_test(client_learns_that_the_server_left),
        cmocka_unit_test(server_destroy_delivers_what_was_queued),
        cmocka_unit_test(short_form_takes_any_endpoint_with_one_outgoing_peer),
        cmocka_unit_test(a_server_can_say_why_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
