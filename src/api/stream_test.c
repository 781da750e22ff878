#include "host/carrier/stream.h"

#include "api/endpoint.h"
#include "api/test_net.h"
#include "base/bytes.h"

enum { LOSE_ALL = 1000 };

static void block_udp(test_net *net, bool on)
{
    uint32_t loss = on ? LOSE_ALL : 0;
    assert_int_equal(fastnet_simulate_bad_link(net->server, loss, 0, 0, 0, 1), FASTNET_OK);
    assert_int_equal(fastnet_simulate_bad_link(net->client, loss, 0, 0, 0, 1), FASTNET_OK);
}

static FastNetTransport client_transport(const test_net *net)
{
    return fastnet_peer_transport_mode(net->client, net->to_server);
}

static FastNetTransport server_transport(const test_net *net)
{
    return fastnet_peer_transport_mode(net->server, net->to_client);
}

static void await_transport(test_net *net, FastNetTransport transport, uint32_t ms)
{
    uint64_t end_ns = fastnet_now_ns() + ms * FN_NS_PER_MS;
    while (client_transport(net) != transport || server_transport(net) != transport) {
        if (fastnet_now_ns() > end_ns)
            fail_msg("after %u ms the client is on transport %d, the server on %d", (unsigned)ms,
                     (int)client_transport(net), (int)server_transport(net));
        test_turn(net);
    }
}

static test_net *connected_over_tcp(void)
{
    test_net *net = test_net_with(NULL, NULL);
    block_udp(net, true);
    test_net_connect(net);
    return net;
}

/* A number each way on every channel. */
static void assert_all_channels_work(test_net *net)
{
    for (uint8_t channel = 0; channel < 4; channel++) {
        uint32_t up = test_count(net, net->server, FASTNET_EVENT_DATA);
        uint32_t down = test_count(net, net->client, FASTNET_EVENT_DATA);
        assert_int_equal(fastnet_send(net->client, net->to_server, channel, "up", 2), FASTNET_OK);
        assert_int_equal(fastnet_send(net->server, net->to_client, channel, "down", 4), FASTNET_OK);
        const FastNetEvent *at_server = test_await_nth(net, net->server, FASTNET_EVENT_DATA, up);
        const FastNetEvent *at_client = test_await_nth(net, net->client, FASTNET_EVENT_DATA, down);
        assert_int_equal(at_server->channel, channel);
        assert_int_equal(at_client->channel, channel);
        assert_memory_equal(at_server->data, "up", 3);
        assert_memory_equal(at_client->data, "down", 5);
    }
}

static void t1_udp_blocked_from_the_start_connects_over_tcp(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    block_udp(net, true);
    uint64_t start_ns = fastnet_now_ns();
    net->to_server = test_connect_to(net, net->client, "127.0.0.1", NULL);
    assert_int_equal(client_transport(net), FASTNET_TRANSPORT_NONE);
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    assert_true(fastnet_now_ns() - start_ns <= 2500 * FN_NS_PER_MS);
    assert_int_equal(event->path, FASTNET_PATH_TCP);
    event = test_await(net, net->server, FASTNET_EVENT_CONNECTED);
    net->to_client = event->peer_id;
    assert_int_equal(event->path, FASTNET_PATH_TCP);
    assert_int_equal(client_transport(net), FASTNET_TRANSPORT_TCP);
    assert_int_equal(server_transport(net), FASTNET_TRANSPORT_TCP);
    assert_all_channels_work(net);
    test_net_destroy(net);
}

static void udp_takes_over_when_it_works(void **state)
{
    (void)state;
    test_net *net = connected_over_tcp();
    block_udp(net, false);
    await_transport(net, FASTNET_TRANSPORT_UDP, 10000);
    assert_int_equal(test_await(net, net->client, FASTNET_EVENT_PATH_CHANGED)->path,
                     FASTNET_PATH_UDP);
    assert_int_equal(test_await(net, net->server, FASTNET_EVENT_PATH_CHANGED)->path,
                     FASTNET_PATH_UDP);
    assert_all_channels_work(net);
    /* Two seconds later the stream is closed on both sides. */
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    while (fn_peer_find(&net->client->host, net->to_server)->stream != NULL ||
           fn_peer_find(&net->server->host, net->to_client)->stream != NULL) {
        assert_true(fastnet_now_ns() < end_ns);
        test_turn(net);
    }
    assert_int_equal(net->server->host.links.free_count, net->server->host.links.capacity);
    assert_all_channels_work(net);
    test_net_destroy(net);
}

/* Numbers on the ordered channel both ways; what arrives must be complete and in order. */
typedef struct flow {
    FastNetEndpoint *endpoint;
    FastNetPeerId peer;
    uint32_t sent;
    uint32_t received;
} flow;

static void pump(test_net *net, flow *side)
{
    FastNetEvent events[32];
    int32_t count = fastnet_poll(side->endpoint, events, 32, 0);
    for (int32_t i = 0; i < count; i++) {
        if (events[i].type != FASTNET_EVENT_DATA) {
            test_record(net, side->endpoint, &events[i]);
            continue;
        }
        uint32_t number = 0;
        assert_int_equal(events[i].data_len, sizeof number);
        memcpy(&number, events[i].data, sizeof number);
        assert_int_equal(number, side->received);
        side->received++;
    }
}

static void send_next(flow *side, uint32_t total)
{
    if (side->sent < total &&
        fastnet_send(side->endpoint, side->peer, 0, &side->sent, sizeof side->sent) == FASTNET_OK)
        side->sent++;
}

/* One number every 2 ms each way until both have received `total`. */
static void exchange(test_net *net, flow sides[2], uint32_t total)
{
    uint64_t next_ns = fastnet_now_ns();
    uint64_t end_ns = next_ns + 60 * FN_NS_PER_S;
    while (sides[0].received < total || sides[1].received < total) {
        assert_true(fastnet_now_ns() < end_ns);
        if (fastnet_now_ns() >= next_ns) {
            send_next(&sides[0], total);
            send_next(&sides[1], total);
            next_ns += 2 * FN_NS_PER_MS;
        }
        pump(net, &sides[0]);
        pump(net, &sides[1]);
    }
}

static void t1_blocked_in_the_middle_nothing_is_lost(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    flow sides[2] = {{.endpoint = net->client, .peer = net->to_server},
                     {.endpoint = net->server, .peer = net->to_client}};
    exchange(net, sides, 500);
    block_udp(net, true);
    uint64_t blocked_ns = fastnet_now_ns();
    while (client_transport(net) != FASTNET_TRANSPORT_TCP) {
        assert_true(fastnet_now_ns() - blocked_ns <= 3 * FN_NS_PER_S);
        send_next(&sides[0], 5000);
        send_next(&sides[1], 5000);
        pump(net, &sides[0]);
        pump(net, &sides[1]);
    }
    assert_true(sides[0].received < 5000);
    exchange(net, sides, 5000);
    assert_int_equal(server_transport(net), FASTNET_TRANSPORT_TCP);
    block_udp(net, false);
    uint64_t lifted_ns = fastnet_now_ns();
    exchange(net, sides, 5500);
    await_transport(net, FASTNET_TRANSPORT_UDP, 10000);
    assert_true(fastnet_now_ns() - lifted_ns <= 10 * FN_NS_PER_S);
    assert_int_equal(test_count(net, NULL, FASTNET_EVENT_DISCONNECTED), 0);
    test_net_destroy(net);
}

static void tls_only_transport_never_uses_udp(void **state)
{
    (void)state;
    FastNetConfig client;
    fastnet_config_init(&client);
    client.transport = FASTNET_TRANSPORT_TCP;
    test_net *net = test_net_with(NULL, &client);
    FastNetEndpointStats stats = {.struct_size = sizeof stats};
    uint64_t start_ns = fastnet_now_ns();
    test_net_connect(net);
    assert_true(fastnet_now_ns() - start_ns < FN_NS_PER_S);
    assert_all_channels_work(net);
    test_run_ms(net, 1500);
    assert_int_equal(client_transport(net), FASTNET_TRANSPORT_TCP);
    assert_int_equal(fastnet_endpoint_stats(net->client, &stats), FASTNET_OK);
    assert_int_equal(stats.sent_datagrams, 0);
    test_net_destroy(net);
}

static void udp_only_transport_fails_when_udp_is_blocked(void **state)
{
    (void)state;
    FastNetConfig client;
    fastnet_config_init(&client);
    client.transport = FASTNET_TRANSPORT_UDP;
    client.handshake_timeout_ms = 2000;
    test_net *net = test_net_with(NULL, &client);
    block_udp(net, true);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    assert_int_equal(test_await(net, net->client, FASTNET_EVENT_ERROR)->error_code,
                     FASTNET_ERR_TIMEOUT);
    test_net_destroy(net);
}

static void p4_large_messages_cross_in_pieces(void **state)
{
    (void)state;
    enum { BYTES = 200000 };
    test_net *net = connected_over_tcp();
    uint8_t *data = malloc(BYTES);
    assert_non_null(data);
    for (uint32_t i = 0; i < BYTES; i++)
        data[i] = (uint8_t)(i * 31 >> 3);
    for (uint8_t i = 0; i < 3; i++) {
        assert_int_equal(fastnet_send(net->client, net->to_server, 0, data, BYTES), FASTNET_OK);
        assert_int_equal(fastnet_send(net->server, net->to_client, 2, data, BYTES), FASTNET_OK);
    }
    for (uint32_t i = 0; i < 3; i++) {
        const FastNetEvent *up = test_await_nth(net, net->server, FASTNET_EVENT_DATA, i);
        const FastNetEvent *down = test_await_nth(net, net->client, FASTNET_EVENT_DATA, i);
        assert_int_equal(up->data_len, BYTES);
        assert_int_equal(down->data_len, BYTES);
        assert_memory_equal(up->data, data, BYTES);
        assert_memory_equal(down->data, data, BYTES);
    }
    free(data);
    test_net_destroy(net);
}

/* How the bytes of a stream are cut on their way; 0 = not at all. */
typedef struct cuts {
    uint32_t record_bytes;  /* of stream in one TLS record */
    uint32_t segment_bytes; /* of TLS in one TCP segment */
} cuts;

/* The datagrams that the client would send now, framed. Returns how many bytes. */
static size_t take_frames(test_net *net, uint8_t *out, size_t capacity)
{
    fn_peer *peer = fn_peer_find(&net->client->host, net->to_server);
    size_t used = 0;
    size_t bytes = 0;
    do {
        uint8_t path = FN_CONN_PATH_UNKNOWN;
        uint8_t *data = out + used + FN_STREAM_HEADER_BYTES;
        size_t room = peer->stream->frame_bytes - FN_STREAM_HEADER_BYTES;
        assert_true(used + peer->stream->frame_bytes <= capacity);
        bytes = fn_conn_transmit(peer->conn, fastnet_now_ns(), data, room, &path);
        if (bytes == 0 || path != peer->stream->path)
            continue;
        fn_store_be16(out + used, (uint16_t)bytes);
        used += FN_STREAM_HEADER_BYTES + bytes;
    } while (bytes > 0);
    return used;
}

/* After each segment the server takes what is there. */
static void send_segments(test_net *net, fn_link *link, uint32_t segment_bytes)
{
    uint8_t tls[4096];
    size_t bytes;
    while ((bytes = fn_handshake_transmit(&link->handshake, tls, sizeof tls)) > 0) {
        size_t step = segment_bytes > 0 ? segment_bytes : bytes;
        for (size_t at = 0; at < bytes; at += step) {
            size_t moved = 0;
            size_t length = fn_min_size(step, bytes - at);
            assert_int_equal(fn_tcp_send(&link->tcp, tls + at, length, &moved), FN_TCP_OK);
            assert_int_equal(moved, length);
            test_poll(net, net->server, 0);
        }
    }
}

static void send_cut(test_net *net, const uint8_t *bytes, size_t count, const cuts *cut)
{
    fn_link *link = fn_peer_find(&net->client->host, net->to_server)->stream->link;
    assert_false(fn_link_has_output(link));
    for (size_t at = 0; at < count;) {
        size_t length = count - at;
        if (cut->record_bytes > 0)
            length = fn_min_size(length, cut->record_bytes);
        size_t written =
            fn_handshake_stream_write(&link->handshake, fastnet_now_ns(), bytes + at, length);
        assert_true(written > 0);
        at += written;
        send_segments(net, link, cut->segment_bytes);
    }
}

static const uint32_t cut_message_bytes[] = {1, 60, 1100, 3000};

static void send_messages_cut(test_net *net, const uint8_t *data, const cuts *cut)
{
    static uint8_t frames[16384];
    fn_peer *peer = fn_peer_find(&net->client->host, net->to_server);
    for (size_t i = 0; i < FN_ARRAY_COUNT(cut_message_bytes); i++)
        assert_int_equal(fn_conn_send(peer->conn, 0, data + i, cut_message_bytes[i], NULL),
                         FASTNET_OK);
    size_t bytes = take_frames(net, frames, sizeof frames);
    assert_true(bytes > 1 + 60 + 1100 + 3000);
    send_cut(net, frames, bytes, cut);
}

/* The client is not polled meanwhile: it could only hide a fault by sending again. */
static void assert_messages_arrive(test_net *net, const uint8_t *data, uint32_t before)
{
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    uint32_t after = before + (uint32_t)FN_ARRAY_COUNT(cut_message_bytes);
    while (test_count(net, net->server, FASTNET_EVENT_DATA) < after) {
        assert_true(fastnet_now_ns() < end_ns);
        test_poll(net, net->server, 1000);
    }
    for (uint32_t i = 0; i < FN_ARRAY_COUNT(cut_message_bytes); i++) {
        const FastNetEvent *event = test_find(net, net->server, FASTNET_EVENT_DATA, before + i);
        assert_int_equal(event->data_len, cut_message_bytes[i]);
        assert_memory_equal(event->data, data + i, cut_message_bytes[i]);
    }
}

static void p4_cuts_of_records_and_segments_do_not_matter(void **state)
{
    (void)state;
    static const cuts table[] = {{0, 0},    {1, 0}, {2, 0},  {3, 0},  {23, 0},
                                 {1201, 0}, {0, 1}, {0, 2},  {0, 5},  {0, 6},
                                 {0, 509},  {1, 1}, {7, 13}, {1, 27}, {997, 3}};
    uint8_t data[4096];
    for (uint32_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37 >> 2);
    test_net *net = connected_over_tcp();
    test_run_ms(net, 50);
    uint64_t streams = net->server->host.links.next_generation;
    for (size_t i = 0; i < FN_ARRAY_COUNT(table); i++) {
        uint32_t before = test_count(net, net->server, FASTNET_EVENT_DATA);
        send_messages_cut(net, data, &table[i]);
        assert_messages_arrive(net, data, before);
        assert_all_channels_work(net);
    }
    assert_int_equal(net->server->host.links.next_generation, streams);
    assert_int_equal(test_count(net, NULL, FASTNET_EVENT_DISCONNECTED), 0);
    test_net_destroy(net);
}

/* The sequenced channel never goes back, and the unreliable one does not queue behind a server that
 * reads nothing. */
static void sequenced_never_goes_back(void **state)
{
    (void)state;
    test_net *net = connected_over_tcp();
    for (uint32_t number = 1; number <= 500; number++) {
        assert_int_equal(fastnet_send(net->client, net->to_server, 3, &number, sizeof number),
                         FASTNET_OK);
        fastnet_flush(net->client);
        if (number % 10 == 0)
            test_turn(net);
    }
    test_run_ms(net, 200);
    uint32_t last = 0;
    uint32_t count = test_count(net, net->server, FASTNET_EVENT_DATA);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = 0;
        memcpy(&number, test_find(net, net->server, FASTNET_EVENT_DATA, i)->data, sizeof number);
        assert_true(number > last);
        last = number;
    }
    assert_int_equal(last, 500);
    test_net_destroy(net);
}

static void s7_a_length_out_of_range_ends_the_stream_not_the_session(void **state)
{
    (void)state;
    static const uint8_t lengths[][2] = {{0, 0}, {0, 21}, {0xff, 0xff}};
    for (size_t i = 0; i < FN_ARRAY_COUNT(lengths); i++) {
        test_net *net = connected_over_tcp();
        fn_peer *peer = fn_peer_find(&net->client->host, net->to_server);
        fn_link *link = peer->stream->link;
        assert_int_equal(
            fn_handshake_stream_write(&link->handshake, fastnet_now_ns(), lengths[i], 2), 2);
        fn_link_transmit(&net->client->host, link);
        uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
        while (fn_peer_find(&net->server->host, net->to_client)->stream != NULL) {
            assert_true(fastnet_now_ns() < end_ns);
            test_turn(net);
        }
        block_udp(net, false);
        assert_all_channels_work(net);
        test_net_destroy(net);
    }
}

static void p5_a_stream_that_is_cut_is_replaced(void **state)
{
    (void)state;
    test_net *net = connected_over_tcp();
    for (int round = 0; round < 3; round++) {
        fn_peer *peer = fn_peer_find(&net->client->host, net->to_server);
        fn_tcp_shutdown(&peer->stream->link->tcp);
        uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
        uint64_t streams = net->client->host.links.next_generation;
        while (net->client->host.links.next_generation == streams || peer->stream == NULL) {
            assert_true(fastnet_now_ns() < end_ns);
            test_turn(net);
        }
        assert_all_channels_work(net);
    }
    assert_int_equal(test_count(net, NULL, FASTNET_EVENT_DISCONNECTED), 0);
    test_net_destroy(net);
}

/* The server reads and says nothing, and there is no other path. */
static void p5_a_stream_that_stalls_for_good_ends_with_a_reason(void **state)
{
    (void)state;
    enum { IDLE_MS = 1500 };
    FastNetConfig client;
    fastnet_config_init(&client);
    client.transport = FASTNET_TRANSPORT_TCP;
    client.idle_timeout_ms = IDLE_MS;
    test_net *net = test_net_with(NULL, &client);
    test_net_connect(net);
    uint64_t start_ns = fastnet_now_ns();
    uint8_t message[1000] = {0};
    while (test_find(net, net->client, FASTNET_EVENT_DISCONNECTED, 0) == NULL) {
        assert_true(fastnet_now_ns() - start_ns < 3 * IDLE_MS * FN_NS_PER_MS);
        fastnet_send(net->client, net->to_server, 0, message, sizeof message);
        test_poll(net, net->client, 1000);
    }
    const FastNetEvent *end = test_find(net, net->client, FASTNET_EVENT_DISCONNECTED, 0);
    assert_int_equal(end->error_code, FASTNET_ERR_TIMEOUT);
    assert_true(end->data_len > 0);
    test_net_destroy(net);
}

/* It comes back on the same port and knows nobody. */
static void restart_server(test_net *net, uint32_t away_ms)
{
    FastNetConfig config = test_server_config(net);
    config.tls_port = fastnet_tls_port(net->server);
    assert_int_equal(fastnet_simulate_bad_link(net->server, LOSE_ALL, 0, 0, 0, 1), FASTNET_OK);
    test_remove(net, net->server); /* its goodbye is lost */
    test_run_ms(net, away_ms);
    net->server = test_add(net, &config);
}

static void await_gone_and_connect_anew(test_net *net)
{
    uint64_t start_ns = fastnet_now_ns();
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_DISCONNECTED);
    assert_int_equal(event->error_code, FASTNET_ERR_GONE);
    assert_true(fastnet_now_ns() - start_ns <= 3 * FN_NS_PER_S);
    test_forget_events(net);
    test_net_connect(net);
}

static void a_server_that_lost_the_session_says_gone(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    restart_server(net, 0);
    fastnet_send(net->client, net->to_server, 0, "x", 1);
    await_gone_and_connect_anew(net);
    test_net_destroy(net);
}

/* Neither side has anything to say. It is worst just after a ping was answered, and, where the
 * server was away for long, just after an attempt to reach it. */
static void an_idle_client_hears_gone_soon_after_a_restart(void **state)
{
    static const uint32_t away_ms[] = {0, 4200};
    (void)state;
    for (size_t i = 0; i < FN_ARRAY_COUNT(away_ms); i++) {
        test_net *net = test_net_connected();
        FastNetEndpointStats stats = {.struct_size = sizeof stats};
        test_run_ms(net, 500);
        fastnet_endpoint_stats(net->server, &stats);
        uint64_t heard = stats.received_datagrams;
        while (stats.received_datagrams == heard) {
            test_turn(net);
            fastnet_endpoint_stats(net->server, &stats);
        }
        test_turn(net);
        restart_server(net, away_ms[i]);
        await_gone_and_connect_anew(net);
        test_net_destroy(net);
    }
}

/* Those who are connected stay, over TCP too; nobody else comes from there, and without a session
 * no TLS is spoken at all. */
static void ban_leaves_a_session_its_way_over_tcp(void **state)
{
    (void)state;
    FastNetConfig client;
    fastnet_config_init(&client);
    client.handshake_timeout_ms = 1000;
    test_net *net = test_net_with(NULL, &client);
    test_net_connect(net);
    assert_int_equal(fastnet_ban_add(net->server, "127.0.0.1"), FASTNET_OK);
    block_udp(net, true);
    await_transport(net, FASTNET_TRANSPORT_TCP, 10000);
    assert_all_channels_work(net);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_ERROR);
    assert_int_equal(event->error_code, FASTNET_ERR_REJECTED);
    assert_non_null(strstr((const char *)event->data, "banned"));
    assert_int_equal(test_count(net, NULL, FASTNET_EVENT_DISCONNECTED), 0);
    assert_all_channels_work(net);
    fastnet_disconnect_now(net->client, net->to_server, 0, NULL);
    test_await(net, net->server, FASTNET_EVENT_DISCONNECTED);
    test_forget_events(net);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    while (test_find(net, net->client, FASTNET_EVENT_ERROR, 0) == NULL) {
        FastNetEndpointStats stats = {.struct_size = sizeof stats};
        test_turn(net);
        assert_int_equal(fastnet_endpoint_stats(net->server, &stats), FASTNET_OK);
        assert_int_equal(stats.handshakes, 0);
    }
    test_net_destroy(net);
}

static void disconnect_over_tcp_delivers_and_says_why(void **state)
{
    (void)state;
    test_net *net = connected_over_tcp();
    fastnet_send(net->client, net->to_server, 0, "last", 4);
    assert_int_equal(fastnet_disconnect(net->client, net->to_server, 7, "bye"), FASTNET_OK);
    const FastNetEvent *data = test_await(net, net->server, FASTNET_EVENT_DATA);
    assert_memory_equal(data->data, "last", 4);
    const FastNetEvent *end = test_await(net, net->server, FASTNET_EVENT_DISCONNECTED);
    assert_int_equal(end->error_code, FASTNET_ERR_CLOSED);
    assert_int_equal(end->app_code, 7);
    assert_string_equal((const char *)end->data, "bye");
    test_net_destroy(net);
}

static void keep_tls_warm_keeps_it(void **state)
{
    (void)state;
    FastNetConfig config;
    fastnet_config_init(&config);
    config.keep_tls_warm = true;
    test_net *net = test_net_with(&config, &config);
    test_net_connect(net);
    test_run_ms(net, 300);
    assert_non_null(fn_peer_find(&net->client->host, net->to_server)->link);
    assert_non_null(fn_peer_find(&net->server->host, net->to_client)->link);
    uint64_t links = net->server->host.links.next_generation;
    block_udp(net, true);
    fastnet_send(net->client, net->to_server, 0, "x", 1);
    await_transport(net, FASTNET_TRANSPORT_TCP, 3000);
    assert_int_equal(net->server->host.links.next_generation, links);
    assert_all_channels_work(net);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t1_udp_blocked_from_the_start_connects_over_tcp),
        cmocka_unit_test(udp_takes_over_when_it_works),
        cmocka_unit_test(t1_blocked_in_the_middle_nothing_is_lost),
        cmocka_unit_test(tls_only_transport_never_uses_udp),
        cmocka_unit_test(udp_only_transport_fails_when_udp_is_blocked),
        cmocka_unit_test(p4_large_messages_cross_in_pieces),
        cmocka_unit_test(p4_cuts_of_records_and_segments_do_not_matter),
        cmocka_unit_test(sequenced_never_goes_back),
        cmocka_unit_test(s7_a_length_out_of_range_ends_the_stream_not_the_session),
        cmocka_unit_test(p5_a_stream_that_is_cut_is_replaced),
        cmocka_unit_test(p5_a_stream_that_stalls_for_good_ends_with_a_reason),
        cmocka_unit_test(a_server_that_lost_the_session_says_gone),
        cmocka_unit_test(an_idle_client_hears_gone_soon_after_a_restart),
        cmocka_unit_test(ban_leaves_a_session_its_way_over_tcp),
        cmocka_unit_test(disconnect_over_tcp_delivers_and_says_why),
        cmocka_unit_test(keep_tls_warm_keeps_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
