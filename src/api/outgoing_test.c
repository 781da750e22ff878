#include "api/test_net.h"

/* --- names: the application's resolver is asked for all of them --- */

typedef struct resolver {
    uint32_t calls;
    char hosts[4][64];
    bool knows_udp;
    FastNetEndpoint *endpoint; /* not NULL: disconnects the peer when asked for the UDP name */
    FastNetPeerId peer;
} resolver;

static int32_t resolve(void *user, const char *host, FastNetAddress *out, uint32_t capacity)
{
    resolver *self = user;
    bool udp = strcmp(host, "udp.game.test") == 0;
    assert_true(capacity > 0 && self->calls < 4);
    snprintf(self->hosts[self->calls++], sizeof self->hosts[0], "%s", host);
    if (udp && self->endpoint != NULL)
        fastnet_disconnect(self->endpoint, self->peer, 0, NULL);
    if (udp && !self->knows_udp)
        return 0;
    strcpy(out[0].text, "127.0.0.1");
    return 1;
}

/* A server that advertises a name, and a client; the connect has begun. */
static test_net *advertised_net(const char *advertised, resolver *own, int32_t transport)
{
    test_net *net = test_net_create();
    FastNetConfig server = test_server_config(net);
    FastNetConfig client = test_client_config(net);
    FastNetConnectOptions options;
    fastnet_connect_options_init(&options);
    options.server_name = "localhost";
    server.advertised_address = advertised;
    client.transport = transport;
    if (own != NULL) {
        client.resolve = resolve;
        client.resolve_user = own;
    }
    net->server = test_add(net, &server);
    net->client = test_add(net, &client);
    net->to_server =
        test_connect_to(net, net->client, own != NULL ? "game.test" : "127.0.0.1", &options);
    return net;
}

static void resolver_is_asked_for_the_advertised_name_too(void **state)
{
    (void)state;
    resolver own = {.knows_udp = true};
    test_net *net = advertised_net("udp.game.test", &own, FASTNET_TRANSPORT_NONE);
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    assert_int_equal(event->path, FASTNET_PATH_UDP);
    assert_int_equal(own.calls, 2);
    assert_string_equal(own.hosts[0], "game.test");
    assert_string_equal(own.hosts[1], "udp.game.test");
    test_net_destroy(net);
}

static void advertised_name_that_fails_leaves_tcp(void **state)
{
    (void)state;
    resolver own = {.knows_udp = false};
    test_net *net = advertised_net("udp.game.test", &own, FASTNET_TRANSPORT_NONE);
    uint64_t begin_ns = fastnet_now_ns();
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    assert_int_equal(event->path, FASTNET_PATH_TCP);
    assert_true(fastnet_now_ns() - begin_ns <
                1400 * FN_NS_PER_MS); /* udp_timeout_ms is not waited */
    test_net_destroy(net);
}

static void advertised_name_that_the_system_does_not_know_leaves_tcp(void **state)
{
    (void)state;
    test_net *net = advertised_net("no-such-host.invalid", NULL, FASTNET_TRANSPORT_NONE);
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    assert_int_equal(event->path, FASTNET_PATH_TCP);
    test_net_destroy(net);
}

static void without_tcp_the_sentence_names_the_advertised_host(void **state)
{
    (void)state;
    resolver own = {.knows_udp = false};
    test_net *net = advertised_net("udp.game.test", &own, FASTNET_TRANSPORT_UDP);
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_ERROR);
    assert_int_equal(event->error_code, FASTNET_ERR_ADDRESS);
    assert_non_null(strstr((const char *)event->data, "udp.game.test"));
    test_net_destroy(net);
}

static void attack_resolver_that_disconnects_while_udp_is_located(void **state)
{
    (void)state;
    resolver own = {.knows_udp = true};
    test_net *net = advertised_net("udp.game.test", &own, FASTNET_TRANSPORT_NONE);
    own.endpoint = net->client;
    own.peer = net->to_server;
    for (uint64_t end_ns = fastnet_now_ns() + 5 * FN_NS_PER_S;
         own.calls < 2 && fastnet_now_ns() < end_ns;)
        test_turn(net);
    assert_int_equal(own.calls, 2);
    test_run_ms(net, 20);
    assert_int_equal(test_count(net, net->client, FASTNET_EVENT_CONNECTED), 0);
    assert_int_equal(test_count(net, net->client, FASTNET_EVENT_ERROR), 0);
    test_net_destroy(net);
}

/* --- from where --- */

static void tls_leaves_from_bind_address_too(void **state)
{
    (void)state;
    FastNetAddress seen;
    FastNetConfig server, client;
    fastnet_config_init(&server);
    fastnet_config_init(&client);
    server.connect_requests = true;
    client.bind_address = "127.0.0.9";
    test_net *net = test_net_with(&server, &client);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    FastNetPeerId peer = test_await(net, net->server, FASTNET_EVENT_CONNECT_REQUEST)->peer_id;
    assert_int_equal(fastnet_peer_address(net->server, peer, &seen), FASTNET_OK);
    assert_memory_equal(seen.text, "127.0.0.9:", 10); /* no UDP yet: it is the TLS connection's */
    assert_int_equal(fastnet_accept(net->server, peer), FASTNET_OK);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    test_net_destroy(net);
}

/* --- places: peers_max is 1, as in every game client --- */

static test_net *net_for_one(void)
{
    FastNetConfig config;
    fastnet_config_init(&config);
    config.peers_max = 1;
    return test_net_with(NULL, &config);
}

/* Polls until the client delivers an event of that type, which is then still good. */
static FastNetEvent handler_of(test_net *net, int32_t type)
{
    FastNetEvent event;
    for (uint64_t end_ns = fastnet_now_ns() + 5 * FN_NS_PER_S; fastnet_now_ns() < end_ns;) {
        if (net->server != NULL)
            test_poll(net, net->server, 0);
        if (fastnet_poll(net->client, &event, 1, 200) == 1 && event.type == type)
            return event;
    }
    fail_msg("event of type %d did not come", (int)type);
    return event;
}

static void refused_connect_keeps_no_place(void **state)
{
    (void)state;
    FastNetPeerId peer;
    test_net *net = net_for_one();
    assert_int_equal(fastnet_connect(net->client, "no host name!", 1, NULL, &peer),
                     FASTNET_ERR_ARGUMENT);
    test_connect_to(net, net->client, "localhost", NULL);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    test_net_destroy(net);
}

static void cancelled_connects_keep_no_place(void **state)
{
    (void)state;
    test_net *net = net_for_one();
    for (int i = 0; i < 5; i++)
        fastnet_disconnect(net->client, test_connect_to(net, net->client, "localhost", NULL), 0,
                           NULL);
    test_connect_to(net, net->client, "localhost", NULL);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    test_net_destroy(net);
}

static void reconnect_from_the_handler_of_error(void **state)
{
    (void)state;
    FastNetPeerId peer;
    test_net *net = net_for_one();
    assert_int_equal(fastnet_connect(net->client, "127.0.0.1", 1, NULL, &peer), FASTNET_OK);
    FastNetEvent event = handler_of(net, FASTNET_EVENT_ERROR);
    assert_non_null(strstr((const char *)event.data, "127.0.0.1:1"));
    test_connect_to(net, net->client, "localhost", NULL);
    /* What the application holds stays as it was until the next poll. */
    assert_non_null(strstr((const char *)event.data, "127.0.0.1:1"));
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    test_net_destroy(net);
}

/* A message, and the goodbye behind it, in one batch: both stay readable while the place is taken
 * again. Many times over: rows do not run out. */
static void reconnect_from_the_handler_of_disconnected(void **state)
{
    (void)state;
    FastNetEvent events[8];
    uint8_t message[3000];
    test_net *net = net_for_one();
    memset(message, 7, sizeof message);
    test_net_connect(net);
    for (int round = 0; round < 6; round++) {
        FastNetResult sent = fastnet_send(net->server, net->to_client, 2, message, sizeof message);
        assert_int_equal(sent, FASTNET_OK);
        fastnet_flush(net->server);
        fastnet_disconnect_now(net->server, net->to_client, 9, "the map changes");
        fastnet_flush(net->server);
        int32_t count = fastnet_poll(net->client, events, 8, 1000000);
        assert_int_equal(count, 2);
        assert_int_equal(events[1].type, FASTNET_EVENT_DISCONNECTED);
        net->to_server = test_connect_to(net, net->client, "localhost", NULL);
        assert_int_not_equal(net->to_server, events[1].peer_id);
        assert_string_equal((const char *)events[1].data, "the map changes");
        assert_memory_equal(events[0].data, message, sizeof message);
        test_await(net, net->client, FASTNET_EVENT_CONNECTED);
        net->to_client = test_await(net, net->server, FASTNET_EVENT_CONNECTED)->peer_id;
        test_forget_events(net);
    }
    test_net_destroy(net);
}

/* Who is connected holds it. */
static void place_limit_still_holds(void **state)
{
    (void)state;
    FastNetPeerId peer;
    test_net *net = net_for_one();
    test_net_connect(net);
    assert_int_equal(
        fastnet_connect(net->client, "localhost", fastnet_tls_port(net->server), NULL, &peer),
        FASTNET_ERR_LIMIT);
    assert_non_null(strstr(fastnet_last_error_text(net->client), "peers_max"));
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resolver_is_asked_for_the_advertised_name_too),
        cmocka_unit_test(advertised_name_that_fails_leaves_tcp),
        cmocka_unit_test(advertised_name_that_the_system_does_not_know_leaves_tcp),
        cmocka_unit_test(without_tcp_the_sentence_names_the_advertised_host),
        cmocka_unit_test(attack_resolver_that_disconnects_while_udp_is_located),
        cmocka_unit_test(tls_leaves_from_bind_address_too),
        cmocka_unit_test(refused_connect_keeps_no_place),
        cmocka_unit_test(cancelled_connects_keep_no_place),
        cmocka_unit_test(reconnect_from_the_handler_of_error),
        cmocka_unit_test(reconnect_from_the_handler_of_disconnected),
        cmocka_unit_test(place_limit_still_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
