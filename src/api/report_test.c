#include "host/diagnostics.h"

#include "api/endpoint.h"
#include "api/test_net.h"
#include "fastnet/tuning.h"

/* The call fails with that code, and the sentence says why: it holds that word. */
#define REFUSED(endpoint, code, word, call)                                                  \
    do {                                                                                     \
        (endpoint)->host.diagnostics.sentence = NULL;                                        \
        assert_int_equal((call), (code));                                                    \
        if (strstr(fastnet_last_error_text(endpoint), (word)) == NULL)                       \
            fail_msg("%s: '%s' does not say '%s'", #call, fastnet_last_error_text(endpoint), \
                     (word));                                                                \
    } while (0)

enum { STALE = 0x7fff0001 };

static void every_refused_message_has_a_sentence(void **state)
{
    (void)state;
    static uint8_t large[300000];
    test_net *net = test_net_connected();
    FastNetEndpoint *c = net->client;
    FastNetPeerId to = net->to_server;
    REFUSED(c, FASTNET_ERR_ARGUMENT, "no channel 9; channel_count is 4",
            fastnet_send(c, to, 9, "x", 1));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "no channel 255", fastnet_broadcast(c, 0, 255, "x", 1));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "data is NULL", fastnet_send(c, to, 0, NULL, 1));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "data is NULL", fastnet_broadcast(c, 0, 0, NULL, 1));
    REFUSED(c, FASTNET_ERR_TOO_LARGE, "300000", fastnet_send(c, to, 0, large, sizeof large));
    REFUSED(c, FASTNET_ERR_TOO_LARGE, "262144",
            fastnet_send_tagged(c, to, 0, large, sizeof large, 1, 0));
    REFUSED(c, FASTNET_ERR_TOO_LARGE, "262144", fastnet_broadcast(c, 0, 0, large, sizeof large));
    REFUSED(c, FASTNET_ERR_PEER, "no peer", fastnet_send(c, STALE, 0, "x", 1));
    REFUSED(c, FASTNET_ERR_PEER, "no peer", fastnet_send_tagged(c, STALE, 0, "x", 1, 1, 0));
    FastNetResult result;
    while ((result = fastnet_send(c, to, 0, large, 200000)) == FASTNET_OK) {
    }
    assert_int_equal(result, FASTNET_ERR_BACKPRESSURE);
    REFUSED(c, FASTNET_ERR_BACKPRESSURE, "full", fastnet_send(c, to, 0, large, 200000));
    FastNetPeerId early = test_connect_to(net, c, "127.0.0.1", NULL);
    REFUSED(c, FASTNET_ERR_STATE, "CONNECTED", fastnet_send(c, early, 0, "x", 1));
    test_net_destroy(net);
}

static void every_refused_look_has_a_sentence(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    FastNetEndpoint *c = net->client;
    FastNetAddress address;
    FastNetPeerStats stats = {0};
    FastNetEndpointStats all = {0};
    FastNetPeerInfo info = {0};
    REFUSED(c, FASTNET_ERR_ARGUMENT, "struct_size", fastnet_peer_stats(c, net->to_server, &stats));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "struct_size", fastnet_endpoint_stats(c, &all));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "struct_size", fastnet_peer_info(c, net->to_server, &info));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "NULL", fastnet_peer_stats(c, net->to_server, NULL));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "NULL", fastnet_endpoint_stats(c, NULL));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "NULL", fastnet_peer_info(c, net->to_server, NULL));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "NULL", fastnet_peer_address(c, net->to_server, NULL));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "NULL", fastnet_endpoint_socket_config(c, NULL));
    REFUSED(c, FASTNET_ERR_PEER, "no peer", fastnet_peer_stats(c, STALE, &stats));
    REFUSED(c, FASTNET_ERR_PEER, "no peer", fastnet_peer_info(c, STALE, &info));
    REFUSED(c, FASTNET_ERR_PEER, "no peer", fastnet_peer_address(c, STALE, &address));
    REFUSED(c, FASTNET_ERR_PEER, "no peer", fastnet_peer_set_user(c, STALE, NULL));
    REFUSED(c, FASTNET_ERR_PEER, "no peer", fastnet_peer_set_rate_max(c, STALE, 1));
    test_net_destroy(net);
}

static void every_other_refusal_has_a_sentence(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    FastNetEndpoint *c = net->client;
    FastNetPeerId peer;
    char text[32];
    REFUSED(c, FASTNET_ERR_ARGUMENT, "host is NULL", fastnet_connect(c, NULL, 1, NULL, &peer));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "out_peer", fastnet_connect(c, "localhost", 1, NULL, NULL));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "a b", fastnet_connect(c, "a b", 1, NULL, &peer));
    REFUSED(c, FASTNET_ERR_PEER, "no peer", fastnet_accept(c, STALE));
    REFUSED(c, FASTNET_ERR_PEER, "no peer", fastnet_reject(c, STALE, 0, NULL));
    REFUSED(c, FASTNET_ERR_PEER, "no peer", fastnet_disconnect(c, STALE, 0, NULL));
    REFUSED(c, FASTNET_ERR_PEER, "no peer", fastnet_disconnect_now(c, STALE, 0, NULL));
    REFUSED(c, FASTNET_ERR_STATE, "decided", fastnet_accept(c, net->to_server));
    REFUSED(c, FASTNET_ERR_STATE, "decided", fastnet_reject(c, net->to_server, 0, NULL));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "events", fastnet_poll(c, NULL, 1, 0));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "NULL", fastnet_certificate_reload(c, NULL, "x"));
    REFUSED(c, FASTNET_ERR_STATE, "listen", fastnet_certificate_reload(c, "x", "x"));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "NULL", fastnet_ban_add(c, NULL));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "localhost", fastnet_ban_add(c, "localhost"));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "localhost", fastnet_ban_remove(c, "localhost"));
    REFUSED(c, FASTNET_ERR_ARGUMENT, "1000", fastnet_simulate_bad_link(c, 1001, 0, 0, 0, 0));
    for (int i = 0; i < 1024; i++) {
        snprintf(text, sizeof text, "10.1.%d.%d", i / 256, i % 256);
        assert_int_equal(fastnet_ban_add(c, text), FASTNET_OK);
    }
    REFUSED(c, FASTNET_ERR_LIMIT, "1024", fastnet_ban_add(c, "10.2.0.1"));
    assert_true(strlen(fastnet_last_error_text(NULL)) > 0);
    test_net_destroy(net);
}

/* A server's words reach the application, and what could harm its console does not. */
static void texts_of_peers_are_harmless(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    fastnet_disconnect(net->server, net->to_client, 1,
                       "a\xc2\x9b"
                       "b\xe2\x80\xae"
                       "c\xff"
                       "d\xc3\xbc");
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_DISCONNECTED);
    assert_string_equal((const char *)event->data, "a?b?c?d\xc3\xbc");
    test_net_destroy(net);

    FastNetConfig server;
    fastnet_config_init(&server);
    server.connect_requests = true;
    net = test_net_with(&server, NULL);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    FastNetPeerId peer = test_await(net, net->server, FASTNET_EVENT_CONNECT_REQUEST)->peer_id;
    fastnet_reject(net->server, peer, 7, "no\xe2\x80\xae\x1b[2J\xc2\x85");
    event = test_await(net, net->client, FASTNET_EVENT_ERROR);
    assert_non_null(strstr((const char *)event->data, "no??[2J?"));
    assert_non_null(strstr(fastnet_last_error_text(net->client), "no??[2J?"));
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refused_message_has_a_sentence),
        cmocka_unit_test(every_refused_look_has_a_sentence),
        cmocka_unit_test(every_other_refusal_has_a_sentence),
        cmocka_unit_test(texts_of_peers_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
