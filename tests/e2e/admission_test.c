/* Who gets in and who does not: configs, requests, limits, refusals, and memory. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "world.h"

/* Waits for the ERROR event that must come now. */
static const world_event *refusal(world *w)
{
    size_t before = world_count(&w->at_client, FASTNET_EVENT_ERROR);
    world_connect(w);
    world_pump_until(w, world_count(&w->at_client, FASTNET_EVENT_ERROR) > before);
    return world_find(&w->at_client, FASTNET_EVENT_ERROR, before);
}

/* --- configs -------------------------------------------------------------------------- */

typedef struct bad_config {
    const char *word; /* in the text */
    void (*change)(FastNetConfig *config);
} bad_config;

#define CHANGE(name, statement)             \
    static void name(FastNetConfig *config) \
    {                                       \
        statement;                          \
    }
CHANGE(no_size, config->struct_size = 0)
CHANGE(no_peers, config->peers_max = 0)
CHANGE(many_peers, config->peers_max = 65536)
CHANGE(no_message, config->message_bytes_max = 0)
CHANGE(huge_message, config->message_bytes_max = (16u << 20) + 1)
CHANGE(odd_window, config->replay_window_packets = 1500)
CHANGE(small_window, config->replay_window_packets = 512)
CHANGE(large_window, config->replay_window_packets = 131072)
CHANGE(quick_key_update, config->key_update_packets = 63)
CHANGE(slow_key_update, config->key_update_packets = 1ull << 33)
CHANGE(many_channels, config->channel_count = FASTNET_CHANNELS_MAX + 1)
CHANGE(no_channels, config->channel_count = 0)
CHANGE(bad_address, config->bind_address = "no address")
#undef CHANGE

static void wrong_configs_are_refused_by_name(void **state)
{
    static const bad_config rows[] = {
        {"struct_size", no_size},
        {"peers_max", no_peers},
        {"peers_max", many_peers},
        {"message_bytes_max", no_message},
        {"message_bytes_max", huge_message},
        {"replay_window_packets", odd_window},
        {"replay_window_packets", small_window},
        {"replay_window_packets", large_window},
        {"key_update_packets", quick_key_update},
        {"key_update_packets", slow_key_update},
        {"channel", many_channels},
        {"channel", no_channels},
        {"bind_address", bad_address},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        FastNetConfig config;
        FastNetEndpoint *endpoint = (FastNetEndpoint *)&config; /* must become NULL */
        fastnet_config_init(&config);
        rows[i].change(&config);
        int32_t result = fastnet_endpoint_create(&config, &endpoint);
        if (result != FASTNET_ERR_ARGUMENT || endpoint ||
            !strstr(fastnet_connect_error_text(), rows[i].word)) {
            fail_msg("row %zu (%s): %s: %s", i, rows[i].word, fastnet_result_name(result),
                     fastnet_connect_error_text());
        }
    }
}

static void a_port_in_use_is_named(void **state)
{
    world *w = *state;
    FastNetEndpoint *second = NULL;
    char port[8];
    world_start(w);
    FastNetConfig config = w->server_config;
    config.udp_port = fastnet_udp_port(w->server);
    assert_int_equal(fastnet_endpoint_create(&config, &second), FASTNET_ERR_ADDRESS);
    snprintf(port, sizeof port, "%u", config.udp_port);
    assert_non_null(strstr(fastnet_connect_error_text(), port));
    assert_non_null(strstr(fastnet_connect_error_text(), "UDP"));

    config.udp_port = 0;
    config.tls_port = fastnet_tls_port(w->server);
    assert_int_equal(fastnet_endpoint_create(&config, &second), FASTNET_ERR_ADDRESS);
    snprintf(port, sizeof port, "%u", config.tls_port);
    assert_non_null(strstr(fastnet_connect_error_text(), port));
    assert_null(second);
}

static void an_address_of_another_machine_is_refused(void **state)
{
    world *w = *state;
    FastNetEndpoint *endpoint = NULL;
    w->server_config.bind_address = "192.0.2.1";
    assert_int_equal(fastnet_endpoint_create(&w->server_config, &endpoint), FASTNET_ERR_ADDRESS);
    assert_non_null(strstr(fastnet_connect_error_text(), "192.0.2.1"));
}

/* --- requests ------------------------------------------------------------------------- */

static void connect_with_token(world *w, const char *token)
{
    FastNetConnectOptions options;
    fastnet_connect_options_init(&options);
    options.token = (const uint8_t *)token;
    options.token_bytes = (uint32_t)strlen(token);
    assert_int_equal(fastnet_connect(w->client, "localhost", fastnet_tls_port(w->server), &options,
                                     &w->to_server),
                     FASTNET_OK);
}

static void the_application_sees_the_token_and_accepts(void **state)
{
    world *w = *state;
    FastNetPeerInfo info = {.struct_size = sizeof info};
    w->server_config.connect_requests = true;
    w->client_config.application_build = 7;
    world_start(w);
    connect_with_token(w, "let me in");
    world_pump_until(w, w->at_server.count > 0);
    const world_event *request = &w->at_server.items[0];
    FastNetPeerId peer = request->event.peer_id;
    assert_int_equal(request->event.type, FASTNET_EVENT_CONNECT_REQUEST);
    assert_string_equal((const char *)request->data, "let me in");
    assert_int_equal(fastnet_peer_info(w->server, peer, &info), FASTNET_OK);
    assert_int_equal(info.application_build, 7);
    assert_int_equal(fastnet_peer_count(w->server), 0); /* not a peer yet */
    assert_int_equal(fastnet_send(w->server, peer, 0, "x", 1), FASTNET_ERR_STATE);

    assert_int_equal(fastnet_accept(w->server, peer), FASTNET_OK);
    assert_int_equal(fastnet_accept(w->server, peer), FASTNET_ERR_STATE);
    world_pump_until(w, world_count(&w->at_server, FASTNET_EVENT_CONNECTED) == 1 &&
                            world_count(&w->at_client, FASTNET_EVENT_CONNECTED) == 1);
    assert_int_equal(world_find(&w->at_server, FASTNET_EVENT_CONNECTED, 0)->event.peer_id, peer);
}

static void the_application_rejects_with_code_and_text(void **state)
{
    world *w = *state;
    w->server_config.connect_requests = true;
    world_start(w);
    connect_with_token(w, "");
    world_pump_until(w, w->at_server.count > 0);
    FastNetPeerId peer = w->at_server.items[0].event.peer_id;
    assert_int_equal(fastnet_reject(w->server, peer, 403, "not on the list"), FASTNET_OK);
    world_pump_until(w, w->at_client.count > 0);
    const world_event *end = &w->at_client.items[0];
    assert_int_equal(end->event.type, FASTNET_EVENT_ERROR);
    assert_int_equal(end->event.error_code, FASTNET_ERR_REJECTED);
    assert_int_equal(end->event.app_code, 403);
    assert_non_null(strstr((const char *)end->data, "not on the list"));
    world_pump_for_ms(w, 50);
    assert_int_equal(w->at_server.count, 1); /* that peer is never mentioned again */
    assert_int_equal(fastnet_reject(w->server, peer, 0, NULL), FASTNET_ERR_PEER);
}

static void an_undecided_request_ends_by_itself(void **state)
{
    world *w = *state;
    FastNetEndpointStats stats = {.struct_size = sizeof stats};
    w->server_config.connect_requests = true;
    w->server_config.connect_request_timeout_ms = 200;
    world_start(w);
    connect_with_token(w, "hello?");
    world_pump_until(w, w->at_server.count > 0);
    fastnet_endpoint_stats(w->server, &stats);
    assert_int_equal(stats.connect_requests, 1);
    world_pump_until(w, w->at_client.count > 0);
    assert_int_equal(w->at_client.items[0].event.type, FASTNET_EVENT_ERROR);
    /* What was announced and never connected ends with an ERROR. */
    world_pump_until(w, world_count(&w->at_server, FASTNET_EVENT_ERROR) == 1);
    world_pump(w);
    fastnet_endpoint_stats(w->server, &stats);
    assert_int_equal(stats.connect_requests, 0);
    assert_int_equal(fastnet_accept(w->server, w->at_server.items[0].event.peer_id),
                     FASTNET_ERR_PEER);
}

/* --- refusals ------------------------------------------------------------------------- */

static void another_application_is_refused(void **state)
{
    world *w = *state;
    w->server_config.application_id = "chess";
    w->client_config.application_id = "checkers";
    world_start(w);
    const world_event *end = refusal(w);
    assert_int_equal(end->event.error_code, FASTNET_ERR_VERSION);
    assert_true(end->event.data_len > 0);
}

static void another_channel_table_is_refused(void **state)
{
    static const FastNetChannelConfig channels[] = {
        {.mode = FASTNET_MODE_RELIABLE, .weight = 1, .queue_bytes_max = 65536},
        {.mode = FASTNET_MODE_UNRELIABLE, .weight = 1, .queue_bytes_max = 65536},
    };
    world *w = *state;
    w->client_config.channels = channels;
    w->client_config.channel_count = 2;
    world_start(w);
    assert_int_equal(refusal(w)->event.error_code, FASTNET_ERR_CHANNELS);
}

static void an_own_channel_table_works_on_both_sides(void **state)
{
    static const FastNetChannelConfig channels[] = {
        {.mode = FASTNET_MODE_UNRELIABLE, .weight = 1, .queue_bytes_max = 65536},
        {.mode = FASTNET_MODE_RELIABLE_ORDERED,
         .priority = 1,
         .weight = 3,
         .queue_bytes_max = 65536},
    };
    world *w = *state;
    w->client_config.channels = w->server_config.channels = channels;
    w->client_config.channel_count = w->server_config.channel_count = 2;
    world_join(w);
    assert_int_equal(fastnet_send(w->client, w->to_server, 1, "x", 1), FASTNET_OK);
    assert_int_equal(fastnet_send(w->client, w->to_server, 2, "x", 1), FASTNET_ERR_ARGUMENT);
    world_pump_until(w, world_messages(&w->at_server, 1) == 1);
}

static void a_full_server_says_so(void **state)
{
    world *w = *state;
    w->server_config.peers_max = 1;
    world_join(w);
    assert_int_equal(refusal(w)->event.error_code, FASTNET_ERR_FULL);
    assert_int_equal(fastnet_send(w->client, fastnet_peer_next(w->client, 0), 0, "x", 1),
                     FASTNET_OK);
    world_pump_until(w, world_messages(&w->at_server, 0) == 1);
}

static void a_client_has_as_many_peers_as_it_said(void **state)
{
    world *w = *state;
    FastNetPeerId peer;
    w->client_config.peers_max = 1;
    world_join(w);
    assert_int_equal(
        fastnet_connect(w->client, "localhost", fastnet_tls_port(w->server), NULL, &peer),
        FASTNET_ERR_LIMIT);
}

static void a_draining_server_keeps_its_sessions(void **state)
{
    world *w = *state;
    world_join(w);
    FastNetPeerId first = w->to_server;
    assert_int_equal(fastnet_set_draining(w->server, true), FASTNET_OK);
    const world_event *end = refusal(w);
    assert_int_equal(end->event.error_code, FASTNET_ERR_REJECTED);
    assert_non_null(strstr((const char *)end->data, "server is draining"));
    assert_int_equal(fastnet_send(w->client, first, 0, "x", 1), FASTNET_OK);
    world_pump_until(w, world_messages(&w->at_server, 0) == 1);
    assert_int_equal(fastnet_set_draining(w->server, false), FASTNET_OK);
    world_join(w);
}

static void a_banned_address_gets_no_further(void **state)
{
    world *w = *state;
    world_start(w);
    assert_int_equal(fastnet_ban_add(w->server, "nonsense"), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_ban_add(w->server, "127.0.0.1"), FASTNET_OK);
    assert_int_equal(fastnet_ban_add(w->server, "::1"), FASTNET_OK);
    refusal(w);
    assert_int_equal(w->at_server.count, 0);
    assert_int_equal(fastnet_ban_remove(w->server, "127.0.0.1"), FASTNET_OK);
    assert_int_equal(fastnet_ban_remove(w->server, "::1"), FASTNET_OK);
    world_join(w);
}

static void f2_a_refused_connection_gives_its_reason(void **state)
{
    world *w = *state;
    FastNetPeerId peer;
    world_start(w);
    uint16_t free_port = fastnet_tls_port(w->server);
    world_end_server(w); /* nothing listens there any more */
    assert_int_equal(fastnet_connect(w->client, "127.0.0.1", free_port, NULL, &peer), FASTNET_OK);
    world_pump_until(w, w->at_client.count > 0);
    const world_event *end = &w->at_client.items[0];
    assert_int_equal(end->event.type, FASTNET_EVENT_ERROR);
    assert_int_equal(end->event.error_code, FASTNET_ERR_ADDRESS);
    assert_non_null(strstr((const char *)end->data, "refused"));

    assert_null(fastnet_client_connect("127.0.0.1", free_port));
    assert_non_null(strstr(fastnet_connect_error_text(), "refused"));
}

static void f2_a_server_that_never_answers_times_out(void **state)
{
    world *w = *state;
    FastNetPeerId peer;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int silent = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(silent, (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(listen(silent, 4), 0); /* the kernel accepts, nobody ever reads */
    assert_int_equal(getsockname(silent, (struct sockaddr *)&address, &bytes), 0);
    w->client_config.handshake_timeout_ms = 300;
    world_start(w);
    assert_int_equal(fastnet_connect(w->client, "127.0.0.1", ntohs(address.sin_port), NULL, &peer),
                     FASTNET_OK);
    world_pump_until(w, w->at_client.count > 0);
    assert_int_equal(w->at_client.items[0].event.error_code, FASTNET_ERR_TIMEOUT);
    assert_true(w->at_client.items[0].event.data_len > 0);
    close(silent);
}

static void a_cancelled_connect_is_not_mentioned(void **state)
{
    world *w = *state;
    world_start(w);
    world_connect(w);
    assert_int_equal(fastnet_disconnect_now(w->client, w->to_server, 0, NULL), FASTNET_OK);
    world_pump_for_ms(w, 200);
    assert_int_equal(w->at_client.count, 0);
}

static void s6_joins_from_one_address_are_limited(void **state)
{
    world *w = *state;
    FastNetEndpointStats stats = {.struct_size = sizeof stats};
    w->server_config.handshakes_per_address_per_s = 3;
    w->client_config.handshake_timeout_ms = 700;
    world_start(w);
    for (int i = 0; i < 12; i++) {
        world_connect(w);
    }
    world_pump_until(w, world_count(&w->at_client, FASTNET_EVENT_CONNECTED) +
                                world_count(&w->at_client, FASTNET_EVENT_ERROR) ==
                            12);
    fastnet_endpoint_stats(w->server, &stats);
    assert_true(stats.handshakes_limited > 0);
    assert_true(world_count(&w->at_client, FASTNET_EVENT_CONNECTED) >= 3);
    assert_true(world_count(&w->at_client, FASTNET_EVENT_CONNECTED) < 12);
}

static void a_server_can_be_reached_under_an_advertised_address(void **state)
{
    world *w = *state;
    FastNetAddress address;
    w->server_config.advertised_address = "127.0.0.1";
    world_join(w);
    assert_int_equal(fastnet_peer_address(w->client, w->to_server, &address), FASTNET_OK);
    assert_non_null(strstr(address.text, "127.0.0.1"));
}

/* --- the bad-link switch and memory --------------------------------------------------- */

static void bad_link_has_limits(void **state)
{
    world *w = *state;
    world_join(w);
    assert_int_equal(fastnet_simulate_bad_link(w->client, 1001, 0, 0, 0, 1), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_simulate_bad_link(w->client, 0, 1001, 0, 0, 1), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_simulate_bad_link(w->client, 0, 0, 10001, 0, 1), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_simulate_bad_link(w->client, 0, 0, 0, 0, 1), FASTNET_OK);
}

static void r1_a_bad_link_loses_nothing_on_reliable_channels(void **state)
{
    enum { MESSAGES = 300 };
    world *w = *state;
    world_join(w);
    assert_int_equal(fastnet_simulate_bad_link(w->client, 200, 50, 2, 5, 1), FASTNET_OK);
    assert_int_equal(fastnet_simulate_bad_link(w->server, 200, 50, 2, 5, 2), FASTNET_OK);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        while (fastnet_send(w->client, w->to_server, 0, &i, sizeof i) != FASTNET_OK) {
            world_pump(w);
        }
        while (fastnet_send(w->client, w->to_server, 2, &i, sizeof i) != FASTNET_OK) {
            world_pump(w);
        }
        world_pump(w);
    }
    world_pump_until(w, world_messages(&w->at_server, 0) == MESSAGES &&
                            world_messages(&w->at_server, 2) == MESSAGES);
    uint32_t next = 0;
    bool seen[MESSAGES] = {false};
    for (size_t i = 0; i < w->at_server.count; i++) {
        const world_event *item = &w->at_server.items[i];
        uint32_t number = 0;
        if (item->event.type != FASTNET_EVENT_DATA) {
            continue;
        }
        memcpy(&number, item->data, sizeof number);
        if (item->event.channel == 0) {
            assert_int_equal(number, next++);
        } else {
            assert_false(seen[number]);
            seen[number] = true;
        }
    }
}

typedef struct counting {
    size_t blocks, bytes, calls;
    size_t fail_at; /* this call returns NULL; SIZE_MAX = none */
} counting;

static void *counting_alloc(void *user, size_t bytes, size_t alignment)
{
    counting *self = user;
    void *block = NULL;
    if (self->calls++ == self->fail_at) {
        return NULL;
    }
    if (posix_memalign(&block, alignment < sizeof(void *) ? sizeof(void *) : alignment, bytes)) {
        return NULL;
    }
    self->blocks++;
    self->bytes += bytes;
    return block;
}

static void counting_free(void *user, void *block, size_t bytes)
{
    counting *self = user;
    if (block) {
        self->blocks--;
        self->bytes -= bytes;
        free(block);
    }
}

static void the_allocator_gets_everything_back(void **state)
{
    world *w = *state;
    counting memory = {.fail_at = SIZE_MAX};
    w->server_config.allocator =
        (FastNetAllocator){.user = &memory, .alloc = counting_alloc, .free = counting_free};
    world_join(w);
    assert_true(memory.blocks > 0);
    for (uint32_t i = 1; i <= 20; i++) {
        fastnet_send(w->client, w->to_server, 0, "x", 1);
        world_pump_until(w, world_messages(&w->at_server, 0) == i);
    }
    world_end_server(w);
    assert_int_equal(memory.blocks, 0);
    assert_int_equal(memory.bytes, 0);
}

static void every_failed_allocation_is_reported_and_leaks_nothing(void **state)
{
    world *w = *state;
    FastNetEndpoint *endpoint = NULL;
    for (size_t fail_at = 0;; fail_at++) {
        counting memory = {.fail_at = fail_at};
        w->server_config.allocator =
            (FastNetAllocator){.user = &memory, .alloc = counting_alloc, .free = counting_free};
        FastNetResult result = fastnet_endpoint_create(&w->server_config, &endpoint);
        if (result == FASTNET_OK) {
            assert_true(memory.calls <= fail_at);
            fastnet_endpoint_destroy(endpoint);
            assert_int_equal(memory.blocks, 0);
            break;
        }
        assert_int_equal(result, FASTNET_ERR_MEMORY);
        assert_null(endpoint);
        assert_int_equal(memory.blocks, 0);
        assert_true(fail_at < 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_configs_are_refused_by_name),
        WORLD_TEST(a_port_in_use_is_named),
        WORLD_TEST(an_address_of_another_machine_is_refused),
        WORLD_TEST(the_application_sees_the_token_and_accepts),
        WORLD_TEST(the_application_rejects_with_code_and_text),
        WORLD_TEST(an_undecided_request_ends_by_itself),
        WORLD_TEST(another_application_is_refused),
        WORLD_TEST(another_channel_table_is_refused),
        WORLD_TEST(an_own_channel_table_works_on_both_sides),
        WORLD_TEST(a_full_server_says_so),
        WORLD_TEST(a_client_has_as_many_peers_as_it_said),
        WORLD_TEST(a_draining_server_keeps_its_sessions),
        WORLD_TEST(a_banned_address_gets_no_further),
        WORLD_TEST(f2_a_refused_connection_gives_its_reason),
        WORLD_TEST(f2_a_server_that_never_answers_times_out),
        WORLD_TEST(a_cancelled_connect_is_not_mentioned),
        WORLD_TEST(s6_joins_from_one_address_are_limited),
        WORLD_TEST(a_server_can_be_reached_under_an_advertised_address),
        WORLD_TEST(bad_link_has_limits),
        WORLD_TEST(r1_a_bad_link_loses_nothing_on_reliable_channels),
        WORLD_TEST(the_allocator_gets_everything_back),
        WORLD_TEST(every_failed_allocation_is_reported_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
