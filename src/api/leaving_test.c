/* Who is gone leaves in bounded time, whatever he made the server believe, and all that he leaves
 * behind is told. */
#include "api/test_clock.h"
#include "api/test_net.h"

#include "core/test_forge.h"

#include <arpa/inet.h>
#include <sys/socket.h>

/* --- a client with valid keys that does as it likes --- */

static fn_conn *conn_of(FastNetEndpoint *endpoint, FastNetPeerId id)
{
    return fn_peer_find_any(&endpoint->host, id)->conn;
}

/* Seals frames as the client's next packet and sends them from a socket of its own. */
static void forge_to_server(test_net *net, fn_conn *client, const void *frames, size_t bytes)
{
    static conn_pair pair;
    static int fd = -1;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(fastnet_udp_port(net->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0)
        fd = socket(AF_INET, SOCK_DGRAM, 0);
    pair.sides[PAIR_CLIENT].conn = client;
    forge_seal(&pair, PAIR_CLIENT, frames, bytes);
    assert_int_equal(sendto(fd, pair.last, pair.last_bytes, 0, (struct sockaddr *)&to, sizeof to),
                     pair.last_bytes);
}

/* The number of the newest packet that the server sent to that client and that asks for an ACK. */
static uint64_t newest_out(const fn_conn *server)
{
    uint64_t number = server->sent.next;
    while (number-- > server->sent.base) {
        const fn_sent_packet *packet = fn_sent_at(&server->sent, number);
        if (packet->state == FN_SENT_OUT && packet->eliciting)
            return number;
    }
    fail_msg("nothing is out");
    return 0;
}

static void acknowledge_and_close(test_net *net, fn_conn *client, uint64_t number)
{
    uint8_t frames[32];
    fn_writer writer = fn_writer_make(frames, sizeof frames);
    fn_write_u8(&writer, FN_FRAME_ACK);
    fn_write_varint(&writer, number);
    for (int i = 0; i < 3; i++) /* delay, further ranges, and what comes before it in this one */
        fn_write_varint(&writer, 0);
    static const uint8_t close[] = {FN_FRAME_CLOSE, 1, 0, 0};
    memcpy(fn_write_reserve(&writer, sizeof close), close, sizeof close);
    forge_to_server(net, client, frames, fn_writer_bytes(&writer));
}

enum { SESSIONS = 64 };

/* Each acknowledges one packet a minute late and says CLOSE. The server is full for 3 s, no more.
 */
static void sessions_that_feigned_a_round_trip_leave_in_three_seconds(void **state)
{
    (void)state;
    FastNetConfig server;
    FastNetConfig client;
    fastnet_config_init(&server);
    fastnet_config_init(&client);
    server.peers_max = SESSIONS;
    client.peers_max = SESSIONS;
    server.idle_timeout_ms = client.idle_timeout_ms = 0;
    test_net *net = test_net_with(&server, &client);
    for (uint32_t i = 0; i < SESSIONS; i++) {
        test_connect_to(net, net->client, "127.0.0.1", NULL);
        test_await_nth(net, net->client, FASTNET_EVENT_CONNECTED, i);
        test_await_nth(net, net->server, FASTNET_EVENT_CONNECTED, i);
    }
    test_clock clock;
    test_clock_take(&clock, net->server);
    fn_conn *clients[SESSIONS];
    uint64_t numbers[SESSIONS];
    for (uint32_t i = 0; i < SESSIONS; i++) {
        FastNetPeerId id = test_find(net, net->server, FASTNET_EVENT_CONNECTED, i)->peer_id;
        assert_int_equal(fastnet_send(net->server, id, 0, "x", 1), FASTNET_OK);
        fastnet_flush(net->server);
        numbers[i] = newest_out(conn_of(net->server, id));
        clients[i] =
            conn_of(net->client, test_find(net, net->client, FASTNET_EVENT_CONNECTED, i)->peer_id);
    }
    test_clock_pass(&clock, 60 * FN_NS_PER_S);
    for (uint32_t i = 0; i < SESSIONS; i++)
        acknowledge_and_close(net, clients[i], numbers[i]);
    while (test_count(net, net->server, FASTNET_EVENT_DISCONNECTED) < SESSIONS)
        test_poll(net, net->server, 1000);
    assert_int_equal(net->server->host.peers.slots.live_count, SESSIONS);
    test_clock_pass(&clock, 3 * FN_NS_PER_S);
    for (int i = 0; i < 4; i++)
        test_poll(net, net->server, 0);
    assert_int_equal(net->server->host.peers.slots.live_count, 0);
    test_clock_give_back(&clock);
    test_net_destroy(net);
}

/* --- what is told --- */

static void assert_tags_before_the_end(test_net *net, uint32_t tags)
{
    assert_int_equal(test_count(net, net->server, FASTNET_EVENT_LOST), tags);
    assert_int_equal(net->events[net->event_count - 1].event.type, FASTNET_EVENT_DISCONNECTED);
    for (uint32_t tag = 0; tag < tags; tag++) {
        const FastNetEvent *event = test_find(net, net->server, FASTNET_EVENT_LOST, tag);
        assert_int_equal(event->peer_id, net->to_client);
        assert_int_equal(event->channel, event->tag % 3);
    }
}

static void send_tags(test_net *net, uint32_t tags)
{
    for (uint32_t tag = 0; tag < tags; tag++)
        assert_int_equal(fastnet_send_tagged(net->server, net->to_client, (uint8_t)(tag % 3), "x",
                                             1, tag, 60000),
                         FASTNET_OK);
}

/* The client ends the session before it can have seen them. */
static void tags_are_lost_before_the_client_s_goodbye(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    fastnet_disconnect(net->client, net->to_server, 5, "bye");
    test_poll(net, net->client, 0);
    send_tags(net, 9);
    while (test_count(net, net->server, FASTNET_EVENT_DISCONNECTED) == 0)
        test_poll(net, net->server, 1000);
    assert_tags_before_the_end(net, 9);
    test_net_destroy(net);
}

static void tags_are_lost_before_a_timeout(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    test_clock clock;
    test_clock_take(&clock, net->server);
    send_tags(net, 9);
    for (int i = 0; i < 100 && test_count(net, net->server, FASTNET_EVENT_DISCONNECTED) == 0; i++) {
        test_poll(net, net->server, 0);
        test_clock_pass(&clock, FN_NS_PER_S);
    }
    assert_tags_before_the_end(net, 9);
    assert_int_equal(test_find(net, net->server, FASTNET_EVENT_DISCONNECTED, 0)->error_code,
                     FASTNET_ERR_TIMEOUT);
    test_clock_give_back(&clock);
    test_net_destroy(net);
}

/* It was asked for, let in, and never came: the application that said yes hears so. */
static void an_accepted_client_that_vanishes_gives_an_error(void **state)
{
    (void)state;
    FastNetConfig server;
    fastnet_config_init(&server);
    server.connect_requests = true;
    test_net *net = test_net_with(&server, NULL);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    FastNetPeerId peer = test_await(net, net->server, FASTNET_EVENT_CONNECT_REQUEST)->peer_id;
    test_clock clock;
    test_clock_take(&clock, net->server);
    assert_int_equal(fastnet_accept(net->server, peer), FASTNET_OK);
    for (int i = 0; i < 100 && test_count(net, net->server, FASTNET_EVENT_ERROR) == 0; i++) {
        test_poll(net, net->server, 0); /* the client is not polled any more */
        test_clock_pass(&clock, FN_NS_PER_S);
    }
    const FastNetEvent *event = test_find(net, net->server, FASTNET_EVENT_ERROR, 0);
    assert_non_null(event);
    assert_int_equal(event->peer_id, peer);
    assert_int_equal(event->error_code, FASTNET_ERR_TIMEOUT);
    assert_int_equal(test_count(net, net->server, FASTNET_EVENT_DISCONNECTED), 0);
    test_clock_give_back(&clock);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_that_feigned_a_round_trip_leave_in_three_seconds),
        cmocka_unit_test(tags_are_lost_before_the_client_s_goodbye),
        cmocka_unit_test(tags_are_lost_before_a_timeout),
        cmocka_unit_test(an_accepted_client_that_vanishes_gives_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
