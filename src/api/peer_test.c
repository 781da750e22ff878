/* What a peer's end needs to be heard, and what must not end one. */
#include "api/test_net.h"

#include "api/endpoint.h"
#include "host/session.h"

/* Somebody else's messages have filled the ring: a connect that fails meanwhile is told later. */
static void attack_full_event_ring_does_not_swallow_a_failed_connect(void **state)
{
    (void)state;
    test_net *net = test_net_create();
    FastNetConfig config = test_client_config(net);
    FastNetEndpoint *client = test_add(net, &config);
    FastNetPeerId peer = test_connect_to(net, client, "127.0.0.1:1", NULL);
    const fn_event nobodys = {.type = FN_EVENT_MESSAGE, .owner = UINT32_MAX};
    while (fn_events_push(&client->host.events, &nobodys)) {
    }
    for (int i = 0; i < 50; i++) {
        fastnet_poll(client, NULL, 0, 0);
        usleep(1000);
    }
    test_run_ms(net, 50);
    assert_int_equal(test_count(net, client, FASTNET_EVENT_ERROR), 1);
    assert_int_equal(test_find(net, client, FASTNET_EVENT_ERROR, 0)->peer_id, peer);
    test_net_destroy(net);
}

/* Once there are keys TLS may do what it likes: the session goes on. */
static void attack_tls_breach_after_welcome_leaves_the_session_alone(void **state)
{
    (void)state;
    test_net *net = test_net_create();
    FastNetConfig server = test_server_config(net);
    FastNetConfig client = test_client_config(net);
    server.keep_tls_warm = true;
    client.keep_tls_warm = true;
    net->server = test_add(net, &server);
    net->client = test_add(net, &client);
    net->to_server = test_connect_to(net, net->client, "127.0.0.1", NULL);
    net->to_client = test_await(net, net->server, FASTNET_EVENT_CONNECTED)->peer_id;
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    fn_link *link = fn_peer_find_any(&net->server->host, net->to_client)->link;
    assert_non_null(link);
    size_t written = 0;
    fn_tls_write(link->handshake.tls, (const uint8_t *)"junk", 4, &written);
    fn_link_transmit(&net->server->host, link);
    test_run_ms(net, 50);
    assert_null(fn_peer_find_any(&net->client->host, net->to_server)->link);
    assert_int_equal(test_count(net, NULL, FASTNET_EVENT_DISCONNECTED), 0);
    assert_int_equal(fastnet_send(net->client, net->to_server, 0, "ping", 4), FASTNET_OK);
    test_await(net, net->server, FASTNET_EVENT_DATA);
    test_net_destroy(net);
}

/* The slot that an address had may be given up, and the session opens another for it: challenges go
 * to who sent the datagram, never to who had that slot before. */
static void attack_return_to_an_address_that_was_given_up_is_not_mistaken(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    test_run_ms(net, 50);
    fn_peer *to_server = fn_peer_find_any(&net->client->host, net->to_server);
    fn_peer *to_client = fn_peer_find_any(&net->server->host, net->to_client);
    fn_address bystander, back;
    assert_true(fn_address_parse_host("127.0.0.8", &bystander));
    assert_true(fn_address_parse_host("127.0.0.9", &back));
    bystander.port = back.port = 9;
    fn_peer_set_path(to_client, 1, &bystander);
    fn_peer_set_path(to_client, 2, &back);
    uint8_t datagram[2048], path;
    uint64_t now_ns = fn_host_clock(&net->server->host);
    assert_int_equal(fn_conn_send(to_server->conn, 0, "x", 1, NULL), FASTNET_OK);
    size_t bytes = fn_conn_transmit(to_server->conn, now_ns, datagram, sizeof datagram, &path);
    assert_int_equal(
        fn_session_receive(&net->server->host, to_client, now_ns, &back, datagram, bytes),
        FN_CONN_NEW_PATH);
    assert_int_equal(fn_peer_path_of(to_client, &back), 1);
    assert_int_equal(fn_peer_path_of(to_client, &bystander), FN_CONN_PATH_UNKNOWN);
    fastnet_poll(net->server, NULL, 0, 0);
    test_net_destroy(net);
}

typedef struct fickle {
    FastNetEndpoint *endpoint;
    FastNetPeerId peer;
    uint32_t calls;
} fickle;

static int32_t disconnect_and_resolve(void *user, const char *host, FastNetAddress *out,
                                      uint32_t capacity)
{
    fickle *self = user;
    (void)host, (void)capacity;
    self->calls++;
    fastnet_disconnect(self->endpoint, self->peer, 0, NULL);
    strcpy(out[0].text, "127.0.0.1");
    return 1;
}

/* A resolver may find out that nobody wants the answer any more. */
static void attack_resolver_that_disconnects_its_peer(void **state)
{
    (void)state;
    fickle self = {NULL, 0, 0};
    test_net *net = test_net_create();
    FastNetConfig config = test_client_config(net);
    config.resolve = disconnect_and_resolve;
    config.resolve_user = &self;
    self.endpoint = test_add(net, &config);
    assert_int_equal(fastnet_connect(self.endpoint, "play.example", 1, NULL, &self.peer),
                     FASTNET_OK);
    test_run_ms(net, 20);
    assert_int_equal(self.calls, 1);
    assert_int_equal(net->event_count, 0);
    test_net_destroy(net);
}

enum { SLOTS = 4 };

/* Finishes TLS and is never heard after it. */
static FastNetEndpoint *add_silent(test_net *net, const char *from)
{
    FastNetConfig silent = test_client_config(net);
    silent.transport = FASTNET_TRANSPORT_UDP;
    FastNetEndpoint *client = test_add(net, &silent);
    fastnet_simulate_bad_link(client, 1000, 0, 0, 0, 1);
    test_connect_to(net, client, from, NULL);
    return client;
}

static test_net *net_of_seats(uint32_t udp_timeout_ms)
{
    test_net *net = test_net_create();
    FastNetConfig config = test_server_config(net);
    config.peers_max = SLOTS;
    config.udp_timeout_ms = udp_timeout_ms;
    net->server = test_add(net, &config);
    return net;
}

static uint64_t evicted_by(const FastNetEndpoint *server)
{
    FastNetEndpointStats stats = {.struct_size = sizeof stats};
    assert_int_equal(fastnet_endpoint_stats(server, &stats), FASTNET_OK);
    return stats.handshakes_evicted;
}

/* Clients that finish TLS and never come over UDP hold no place that somebody else needs: here they
 * are those of ::1, and hold more than their share. */
static void attack_sessions_that_never_validate_do_not_fill_the_server(void **state)
{
    (void)state;
    test_net *net = net_of_seats(1500);
    for (int i = 0; i < 2 * SLOTS; i++) {
        add_silent(net, "::1");
        test_run_ms(net, 50);
    }
    assert_int_equal(evicted_by(net->server), 0); /* they did not help one another */
    FastNetConfig honest = test_client_config(net);
    net->client = test_add(net, &honest);
    net->to_server = test_connect_to(net, net->client, "127.0.0.1", NULL);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    test_await(net, net->server, FASTNET_EVENT_CONNECTED);
    assert_int_equal(fastnet_peer_count(net->server), 1);
    assert_int_equal(evicted_by(net->server), 1);
    test_net_destroy(net);
}

/* Who had time enough and did not come gives way to anybody; who still has time, to nobody. */
static void seat_is_kept_for_udp_timeout_and_two_seconds(void **state)
{
    (void)state;
    test_net *net = net_of_seats(100);
    uint64_t begin_ns = fastnet_now_ns();
    for (int i = 0; i < SLOTS; i++)
        add_silent(net, "127.0.0.1");
    FastNetEndpointStats stats = {.struct_size = sizeof stats};
    test_run_ms(net, 300);
    FastNetConfig late = test_client_config(net);
    net->client = test_add(net, &late);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    assert_int_equal(test_await(net, net->client, FASTNET_EVENT_ERROR)->error_code,
                     FASTNET_ERR_FULL);
    assert_true(fastnet_now_ns() - begin_ns < 2 * FN_NS_PER_S);
    test_run_ms(net, 2200);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    assert_int_equal(fastnet_endpoint_stats(net->server, &stats), FASTNET_OK);
    assert_int_equal(stats.handshakes_evicted, 1);
    test_net_destroy(net);
}

/* Each newcomer threw out the one before it, and nobody got in while players kept coming. */
static void full_server_is_full_while_its_clients_are_on_their_way(void **state)
{
    (void)state;
    enum { PLAYERS = 24 };
    test_net *net = net_of_seats(1500);
    for (int i = 0; i < PLAYERS; i++) {
        FastNetConfig config = test_client_config(net);
        config.peers_max = 1;
        config.memory_bytes_max = 1 << 20;
        FastNetEndpoint *player = test_add(net, &config);
        fastnet_simulate_bad_link(player, 0, 0, 200, 0, 1);
        test_connect_to(net, player, "127.0.0.1", NULL);
        test_run_ms(net, 20);
    }
    test_await_nth(net, NULL, FASTNET_EVENT_ERROR, PLAYERS - SLOTS - 1);
    test_await_nth(net, net->server, FASTNET_EVENT_CONNECTED, SLOTS - 1);
    test_run_ms(net, 200);
    assert_int_equal(fastnet_peer_count(net->server), SLOTS);
    assert_int_equal(test_count(net, NULL, FASTNET_EVENT_DISCONNECTED), 0);
    assert_int_equal(test_count(net, NULL, FASTNET_EVENT_ERROR), PLAYERS - SLOTS);
    for (uint32_t i = 0; i < PLAYERS - SLOTS; i++)
        assert_int_equal(test_find(net, NULL, FASTNET_EVENT_ERROR, i)->error_code,
                         FASTNET_ERR_FULL);
    assert_int_equal(evicted_by(net->server), 0);
    test_net_destroy(net);
}

/* Nobody who is connected ever makes room. */
static void a_full_server_keeps_those_who_are_connected(void **state)
{
    (void)state;
    test_net *net = test_net_create();
    FastNetConfig config = test_server_config(net);
    config.peers_max = SLOTS;
    net->server = test_add(net, &config);
    for (int i = 0; i < SLOTS; i++) {
        FastNetConfig friendly = test_client_config(net);
        FastNetEndpoint *client = test_add(net, &friendly);
        test_connect_to(net, client, "127.0.0.1", NULL);
        test_await(net, client, FASTNET_EVENT_CONNECTED);
    }
    test_run_ms(net, 50);
    FastNetConfig late = test_client_config(net);
    net->client = test_add(net, &late);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    assert_int_equal(test_await(net, net->client, FASTNET_EVENT_ERROR)->error_code,
                     FASTNET_ERR_FULL);
    assert_int_equal(fastnet_peer_count(net->server), SLOTS);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attack_full_event_ring_does_not_swallow_a_failed_connect),
        cmocka_unit_test(attack_tls_breach_after_welcome_leaves_the_session_alone),
        cmocka_unit_test(attack_return_to_an_address_that_was_given_up_is_not_mistaken),
        cmocka_unit_test(attack_resolver_that_disconnects_its_peer),
        cmocka_unit_test(attack_sessions_that_never_validate_do_not_fill_the_server),
        cmocka_unit_test(seat_is_kept_for_udp_timeout_and_two_seconds),
        cmocka_unit_test(full_server_is_full_while_its_clients_are_on_their_way),
        cmocka_unit_test(a_full_server_keeps_those_who_are_connected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
