/* How the public interface behaves: events, sending, disconnecting, looking. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "world.h"

static double seconds_since(uint64_t start_ns)
{
    return (double)(fastnet_now_ns() - start_ns) / 1e9;
}

static void *poll_until_connected(void *state)
{
    world *w = state;
    FastNetEvent event;
    uint64_t start_ns = fastnet_now_ns();
    while (w->to_client == 0 && seconds_since(start_ns) < 10) {
        if (fastnet_poll(w->server, &event, 1, 1000) == 1 &&
            event.type == FASTNET_EVENT_CONNECTED) {
            w->to_client = event.peer_id;
        }
    }
    return NULL;
}

/* A server and a client made by the short form; both have their CONNECTED. */
static void short_join(world *w)
{
    pthread_t thread;
    FastNetEvent event;
    w->server = fastnet_server_create(0, 0, w->files.certificate, w->files.key);
    assert_non_null(w->server);
    assert_int_equal(pthread_create(&thread, NULL, poll_until_connected, w), 0);
    setenv("FASTNET_CA_FILE", w->files.ca, 1);
    w->client = fastnet_client_connect("localhost", fastnet_tls_port(w->server));
    unsetenv("FASTNET_CA_FILE");
    pthread_join(thread, NULL);
    assert_non_null(w->client);
    assert_true(fastnet_client_poll(w->client, &event));
    assert_int_equal(event.type, FASTNET_EVENT_CONNECTED);
    assert_int_not_equal(w->to_client, 0);
}

/* UDP and TCP count their ports apart: a server needs one number, and one rule for both in the
 * firewall. A number that is free for UDP is tried; another program may have it for TCP. */
static void one_number_serves_as_both_ports(void **state)
{
    world *w = *state;
    FastNetEndpoint *first = NULL;
    FastNetResult result = FASTNET_ERR_ADDRESS;
    for (int i = 0; i < 20 && result == FASTNET_ERR_ADDRESS; i++) {
        w->server_config.udp_port = 0;
        w->server_config.tls_port = 0;
        assert_int_equal(fastnet_endpoint_create(&w->server_config, &first), FASTNET_OK);
        w->server_config.udp_port = fastnet_udp_port(first);
        w->server_config.tls_port = fastnet_udp_port(first);
        fastnet_endpoint_destroy(first);
        result = fastnet_endpoint_create(&w->server_config, &w->server);
    }
    assert_int_equal(result, FASTNET_OK);
    assert_int_equal(fastnet_udp_port(w->server), fastnet_tls_port(w->server));
    assert_int_equal(fastnet_endpoint_create(&w->client_config, &w->client), FASTNET_OK);
    world_connect(w);
    world_pump_until(w, world_find(&w->at_client, FASTNET_EVENT_CONNECTED, 0) != NULL);
    assert_int_equal(world_find(&w->at_client, FASTNET_EVENT_CONNECTED, 0)->event.path,
                     FASTNET_PATH_UDP);
}

/* --- events --------------------------------------------------------------------------- */

static void f1_poll_returns_every_event(void **state)
{
    enum { MESSAGES = 200 };
    static const uint32_t capacities[] = {1, 7, 64};
    world *w = *state;
    world_join(w);
    for (size_t row = 0; row < sizeof capacities / sizeof capacities[0]; row++) {
        FastNetEvent events[64];
        uint32_t next = 0;
        for (uint32_t i = 0; i < MESSAGES; i++) {
            assert_int_equal(fastnet_send(w->client, w->to_server, 0, &i, sizeof i), FASTNET_OK);
        }
        uint64_t start_ns = fastnet_now_ns();
        while (next < MESSAGES && seconds_since(start_ns) < 10) {
            fastnet_poll(w->client, events, 64, 0);
            int32_t count = fastnet_poll(w->server, events, capacities[row], 1000);
            assert_in_range(count, 0, capacities[row]);
            for (int32_t i = 0; i < count; i++) {
                assert_int_equal(events[i].type, FASTNET_EVENT_DATA);
                assert_int_equal(events[i].data_len, sizeof next);
                assert_memory_equal(events[i].data, &next, sizeof next);
                next++;
            }
        }
        assert_int_equal(next, MESSAGES);
    }
}

static void f1_short_poll_returns_every_event_one_at_a_time(void **state)
{
    enum { MESSAGES = 50 };
    world *w = *state;
    FastNetEvent event;
    uint32_t next = 0;
    short_join(w);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        assert_int_equal(fastnet_client_send(w->client, 0, (const uint8_t *)&i, sizeof i),
                         FASTNET_OK);
    }
    uint64_t start_ns = fastnet_now_ns();
    while (next < MESSAGES && seconds_since(start_ns) < 10) {
        fastnet_client_poll(w->client, &event);
        while (fastnet_server_poll(w->server, &event)) {
            assert_int_equal(event.type, FASTNET_EVENT_DATA);
            assert_memory_equal(event.data, &next, sizeof next);
            next++;
        }
        assert_int_equal(event.type, FASTNET_EVENT_NONE);
    }
    assert_int_equal(next, MESSAGES);
}

static void f1_poll_never_blocks(void **state)
{
    world *w = *state;
    FastNetEvent event;
    world_join(w);
    uint64_t start_ns = fastnet_now_ns();
    for (int i = 0; i < 500; i++) {
        fastnet_poll(w->server, &event, 1, 0);
        fastnet_client_poll(w->client, &event);
    }
    assert_true(seconds_since(start_ns) < 5); /* a blocking one would take 500 s */
}

static void poll_waits_as_long_as_it_was_told(void **state)
{
    world *w = *state;
    FastNetEvent event;
    world_start(w);
    uint64_t start_ns = fastnet_now_ns();
    assert_int_equal(fastnet_poll(w->server, &event, 1, 50000), 0);
    double waited_s = seconds_since(start_ns);
    assert_true(waited_s > 0.045 && waited_s < 5);
}

static void a_batch_keeps_all_its_payloads(void **state)
{
    enum { MESSAGES = 20, BYTES = 3000 };
    world *w = *state;
    uint8_t message[BYTES];
    FastNetEvent events[64];
    int32_t count = 0;
    world_join(w);
    for (int i = 0; i < MESSAGES; i++) {
        memset(message, i, sizeof message);
        assert_int_equal(fastnet_send(w->client, w->to_server, 0, message, BYTES), FASTNET_OK);
    }
    for (int seen = 0; seen < MESSAGES; seen += count) {
        fastnet_poll(w->client, events, 64, 0);
        count = fastnet_poll(w->server, events, 64, 1000);
        for (int i = 0; i < count; i++) { /* all looked at after all were delivered */
            memset(message, seen + i, sizeof message);
            assert_int_equal(events[i].data_len, BYTES);
            assert_memory_equal(events[i].data, message, BYTES);
        }
    }
}

static void every_connected_has_one_disconnected(void **state)
{
    world *w = *state;
    world_join(w);
    world_end_client(w);
    world_pump_until(w, world_count(&w->at_server, FASTNET_EVENT_DISCONNECTED) == 1);
    world_pump_for_ms(w, 100);
    assert_int_equal(world_count(&w->at_server, FASTNET_EVENT_CONNECTED), 1);
    assert_int_equal(world_count(&w->at_server, FASTNET_EVENT_DISCONNECTED), 1);
    assert_int_equal(fastnet_peer_count(w->server), 0);
}

static void a_peer_is_not_mentioned_after_own_disconnect(void **state)
{
    world *w = *state;
    world_join(w);
    for (int i = 0; i < 20; i++) {
        fastnet_send(w->client, w->to_server, 0, "late", 4);
    }
    fastnet_flush(w->client);
    assert_int_equal(fastnet_disconnect_now(w->server, w->to_client, 0, NULL), FASTNET_OK);
    world_log_clear(&w->at_server);
    world_pump_until(w, world_count(&w->at_client, FASTNET_EVENT_DISCONNECTED) == 1);
    world_pump_for_ms(w, 100);
    assert_int_equal(w->at_server.count, 0);
}

static void user_pointers_come_with_events(void **state)
{
    world *w = *state;
    int mine = 0, other = 0;
    FastNetConnectOptions options;
    fastnet_connect_options_init(&options);
    options.user = &mine;
    world_start(w);
    assert_int_equal(fastnet_connect(w->client, "localhost", fastnet_tls_port(w->server), &options,
                                     &w->to_server),
                     FASTNET_OK);
    world_pump_until(w, w->at_client.count > 0 && w->at_server.count > 0);
    assert_ptr_equal(w->at_client.items[0].event.user, &mine);
    FastNetPeerId peer = w->at_server.items[0].event.peer_id;
    assert_int_equal(fastnet_peer_set_user(w->server, peer, &other), FASTNET_OK);
    fastnet_send(w->client, w->to_server, 0, "x", 1);
    world_pump_until(w, world_messages(&w->at_server, 0) == 1);
    assert_ptr_equal(world_find(&w->at_server, FASTNET_EVENT_DATA, 0)->event.user, &other);
}

/* --- sending -------------------------------------------------------------------------- */

static void every_size_arrives_on_every_channel(void **state)
{
    static const uint32_t sizes[] = {0, 1, 1000, 1023, 1024, 1025, 1200, 5000, 65536, 262144};
    world *w = *state;
    world_join(w);
    for (uint8_t channel = 0; channel < 4; channel++) {
        for (size_t row = 0; row < sizeof sizes / sizeof sizes[0]; row++) {
            uint32_t bytes = sizes[row];
            uint8_t *message = malloc(bytes + 1);
            assert_non_null(message);
            for (uint32_t i = 0; i < bytes; i++) {
                message[i] = (uint8_t)(i * 7 + channel);
            }
            world_log_clear(&w->at_server);
            assert_int_equal(
                fastnet_send(w->client, w->to_server, channel, bytes ? message : NULL, bytes),
                FASTNET_OK);
            world_pump_until(w, world_messages(&w->at_server, channel) == 1);
            const world_event *got = world_find(&w->at_server, FASTNET_EVENT_DATA, 0);
            assert_int_equal(got->event.data_len, bytes);
            assert_memory_equal(got->data, message, bytes);
            free(message);
        }
    }
}

static void wrong_sends_are_refused(void **state)
{
    world *w = *state;
    static uint8_t large[262145];
    world_join(w);
    const struct {
        FastNetPeerId peer;
        uint8_t channel;
        const void *data;
        uint32_t bytes;
        FastNetResult result;
    } rows[] = {
        {w->to_server, 0, large, sizeof large, FASTNET_ERR_TOO_LARGE},
        {w->to_server, 1, large, sizeof large, FASTNET_ERR_TOO_LARGE},
        {w->to_server, 4, large, 1, FASTNET_ERR_ARGUMENT},
        {w->to_server, 255, large, 1, FASTNET_ERR_ARGUMENT},
        {w->to_server, 0, NULL, 1, FASTNET_ERR_ARGUMENT},
        {0, 0, large, 1, FASTNET_ERR_PEER},
        {w->to_server + 0x10000, 0, large, 1, FASTNET_ERR_PEER},
        {w->to_server ^ 0x7, 0, large, 1, FASTNET_ERR_PEER},
        {0xffffffffu, 0, large, 1, FASTNET_ERR_PEER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int32_t result =
            fastnet_send(w->client, rows[i].peer, rows[i].channel, rows[i].data, rows[i].bytes);
        if (result != rows[i].result) {
            fail_msg("row %zu: %s", i, fastnet_result_name(result));
        }
    }
    /* and none of them did harm */
    assert_int_equal(fastnet_send(w->client, w->to_server, 0, "fine", 4), FASTNET_OK);
    world_pump_until(w, world_messages(&w->at_server, 0) == 1);
}

static void sending_needs_a_connection(void **state)
{
    world *w = *state;
    world_start(w);
    world_connect(w);
    assert_int_equal(fastnet_send(w->client, w->to_server, 0, "x", 1), FASTNET_ERR_STATE);
    world_pump_until(w, w->at_client.count > 0);
    assert_int_equal(fastnet_send(w->client, w->to_server, 0, "x", 1), FASTNET_OK);
}

static void r8_a_full_queue_says_so_and_loses_nothing(void **state)
{
    enum { BYTES = 1000 };
    world *w = *state;
    uint8_t message[BYTES] = {0};
    uint32_t accepted = 0;
    w->client_config.message_bytes_max = BYTES;
    w->client_config.send_queue_bytes_max = 64 * 1024;
    world_join(w);
    for (FastNetResult result = FASTNET_OK; result == FASTNET_OK;) {
        memcpy(message, &accepted, sizeof accepted);
        result = fastnet_send(w->client, w->to_server, 0, message, BYTES);
        accepted += result == FASTNET_OK;
        assert_true(result == FASTNET_OK || result == FASTNET_ERR_BACKPRESSURE);
        assert_true(accepted < 1000);
    }
    assert_true(accepted >= 10);
    world_pump_until(w, world_messages(&w->at_server, 0) == accepted);
    for (uint32_t i = 0; i < accepted; i++) {
        assert_memory_equal(world_find(&w->at_server, FASTNET_EVENT_DATA, i)->data, &i, sizeof i);
    }
    assert_int_equal(fastnet_send(w->client, w->to_server, 0, message, BYTES), FASTNET_OK);
}

static void tags_tell_what_was_delivered(void **state)
{
    world *w = *state;
    world_join(w);
    for (uint8_t channel = 0; channel < 4; channel++) {
        assert_int_equal(
            fastnet_send_tagged(w->client, w->to_server, channel, "x", 1, 1000u + channel, 0),
            FASTNET_OK);
    }
    world_pump_until(w, world_count(&w->at_client, FASTNET_EVENT_DELIVERED) == 4);
    uint32_t seen = 0;
    for (size_t i = 0; i < 4; i++) {
        const FastNetEvent *event = &world_find(&w->at_client, FASTNET_EVENT_DELIVERED, i)->event;
        assert_int_equal(event->tag, 1000u + event->channel);
        assert_int_equal(event->peer_id, w->to_server);
        seen |= 1u << event->channel;
    }
    assert_int_equal(seen, 15);
}

static void tags_tell_what_was_lost(void **state)
{
    world *w = *state;
    world_join(w);
    assert_int_equal(fastnet_simulate_bad_link(w->client, 1000, 0, 0, 0, 1), FASTNET_OK);
    for (uint32_t i = 0; i < 20; i++) {
        fastnet_send_tagged(w->client, w->to_server, 1, "x", 1, i, 0);
        world_pump(w);
    }
    assert_int_equal(fastnet_simulate_bad_link(w->client, 0, 0, 0, 0, 1), FASTNET_OK);
    /* Later traffic is acknowledged, and shows what is missing. */
    uint64_t start_ns = fastnet_now_ns();
    while (world_count(&w->at_client, FASTNET_EVENT_LOST) < 20 && seconds_since(start_ns) < 15) {
        fastnet_send(w->client, w->to_server, 0, "y", 1);
        world_pump_for_ms(w, 5);
    }
    assert_int_equal(world_count(&w->at_client, FASTNET_EVENT_LOST), 20);
    assert_int_equal(world_messages(&w->at_server, 1), 0);
}

static void short_sends_leave_at_once(void **state)
{
    world *w = *state;
    FastNetEvent event = {0};
    short_join(w);
    assert_int_equal(fastnet_client_send(w->client, 0, (const uint8_t *)"now", 3), FASTNET_OK);
    /* The client is not polled again: the message must already be on the wire. */
    assert_int_equal(fastnet_poll(w->server, &event, 1, 2000000), 1);
    assert_int_equal(event.type, FASTNET_EVENT_DATA);
}

static void broadcast_reaches_all_but_one(void **state)
{
    world *w = *state;
    world_join(w);
    FastNetPeerId first = w->to_client;
    world_join(w); /* a second peer of the same client endpoint */
    FastNetPeerId second = w->to_client;
    assert_int_not_equal(first, second);
    assert_int_equal(fastnet_peer_count(w->server), 2);
    assert_int_equal(fastnet_broadcast(w->server, 0, 0, "all", 3), 2);
    world_pump_until(w, world_messages(&w->at_client, 0) == 2);
    assert_int_equal(fastnet_broadcast(w->server, first, 0, "one", 3), 1);
    world_pump_until(w, world_messages(&w->at_client, 0) == 3);
    world_pump_for_ms(w, 50);
    assert_int_equal(world_messages(&w->at_client, 0), 3);
    assert_int_equal(world_find(&w->at_client, FASTNET_EVENT_DATA, 2)->event.peer_id, w->to_server);
    assert_int_equal(fastnet_broadcast(w->server, 0, 9, "x", 1), FASTNET_ERR_ARGUMENT);
}

/* Ten datagrams wait in the server's socket; it polls late, and learns the state that counts now. */
static void a_late_poll_gets_the_latest_of_a_sequenced_channel(void **state)
{
    const uint8_t channel = FASTNET_CHANNEL_UNRELIABLE_SEQUENCED;
    world *w = *state;
    world_join(w);
    world_log_clear(&w->at_server);
    for (uint8_t i = 0; i < 10; i++) {
        assert_int_equal(fastnet_send(w->client, w->to_server, channel, &i, 1), FASTNET_OK);
        assert_int_equal(fastnet_flush(w->client), FASTNET_OK);
    }
    world_pump_until(w, world_messages(&w->at_server, channel) > 0);
    assert_int_equal(world_messages(&w->at_server, channel), 1);
    assert_int_equal(world_find(&w->at_server, FASTNET_EVENT_DATA, 0)->data[0], 9);
}

/* --- ending --------------------------------------------------------------------------- */

static void f2_disconnect_reason_arrives(void **state)
{
    world *w = *state;
    world_join(w);
    assert_int_equal(fastnet_disconnect(w->server, w->to_client, 77, "kicked: be nice"),
                     FASTNET_OK);
    world_pump_until(w, world_count(&w->at_client, FASTNET_EVENT_DISCONNECTED) == 1);
    const world_event *end = world_find(&w->at_client, FASTNET_EVENT_DISCONNECTED, 0);
    assert_int_equal(end->event.error_code, FASTNET_ERR_CLOSED);
    assert_int_equal(end->event.app_code, 77);
    assert_string_equal((const char *)end->data, "kicked: be nice");
    assert_int_equal(end->event.peer_id, w->to_server);
}

static void f2_disconnect_reason_arrives_from_the_client_too(void **state)
{
    world *w = *state;
    world_join(w);
    assert_int_equal(fastnet_disconnect_now(w->client, w->to_server, 0xfffffffeu, "bye"),
                     FASTNET_OK);
    world_pump_until(w, world_count(&w->at_server, FASTNET_EVENT_DISCONNECTED) == 1);
    const world_event *end = world_find(&w->at_server, FASTNET_EVENT_DISCONNECTED, 0);
    assert_int_equal(end->event.error_code, FASTNET_ERR_CLOSED);
    assert_int_equal(end->event.app_code, 0xfffffffeu);
    assert_string_equal((const char *)end->data, "bye");
}

static void f2_destroy_says_goodbye(void **state)
{
    world *w = *state;
    world_join(w);
    world_end_server(w);
    uint64_t start_ns = fastnet_now_ns();
    world_pump_until(w, world_count(&w->at_client, FASTNET_EVENT_DISCONNECTED) == 1);
    assert_true(seconds_since(start_ns) < 5); /* not by the idle timeout of 30 s */
    assert_int_equal(world_find(&w->at_client, FASTNET_EVENT_DISCONNECTED, 0)->event.error_code,
                     FASTNET_ERR_CLOSED);
}

static void disconnect_delivers_what_was_queued(void **state)
{
    enum { MESSAGES = 100 };
    world *w = *state;
    static uint8_t message[2000];
    world_join(w);
    for (int i = 0; i < MESSAGES; i++) {
        assert_int_equal(fastnet_send(w->client, w->to_server, 0, message, sizeof message),
                         FASTNET_OK);
    }
    assert_int_equal(fastnet_disconnect(w->client, w->to_server, 0, NULL), FASTNET_OK);
    assert_int_equal(fastnet_send(w->client, w->to_server, 0, "late", 4) == FASTNET_OK, 0);
    world_pump_until(w, world_count(&w->at_server, FASTNET_EVENT_DISCONNECTED) == 1);
    assert_int_equal(world_messages(&w->at_server, 0), MESSAGES);
    assert_int_equal(w->at_server.items[w->at_server.count - 1].event.type,
                     FASTNET_EVENT_DISCONNECTED);
}

static void silence_ends_a_session(void **state)
{
    world *w = *state;
    w->client_config.idle_timeout_ms = 400;
    w->server_config.idle_timeout_ms = 400;
    world_join(w);
    assert_int_equal(fastnet_simulate_bad_link(w->client, 1000, 0, 0, 0, 1), FASTNET_OK);
    assert_int_equal(fastnet_simulate_bad_link(w->server, 1000, 0, 0, 0, 1), FASTNET_OK);
    world_pump_until(w, world_count(&w->at_client, FASTNET_EVENT_DISCONNECTED) == 1 &&
                            world_count(&w->at_server, FASTNET_EVENT_DISCONNECTED) == 1);
    assert_int_equal(world_find(&w->at_client, FASTNET_EVENT_DISCONNECTED, 0)->event.error_code,
                     FASTNET_ERR_TIMEOUT);
}

static void r6_keep_alive_holds_a_quiet_session(void **state)
{
    world *w = *state;
    w->client_config.idle_timeout_ms = 400;
    w->server_config.idle_timeout_ms = 400;
    w->client_config.keepalive_ms = 100;
    world_join(w);
    world_pump_for_ms(w, 1500);
    assert_int_equal(world_count(&w->at_client, FASTNET_EVENT_DISCONNECTED), 0);
    assert_int_equal(world_count(&w->at_server, FASTNET_EVENT_DISCONNECTED), 0);
}

/* A place is free again after a few probe timeouts; a refusal until then is fine. */
static FastNetPeerId join_again(world *w, size_t sessions)
{
    uint64_t start_ns = fastnet_now_ns();
    while (world_count(&w->at_server, FASTNET_EVENT_CONNECTED) < sessions &&
           seconds_since(start_ns) < 15) {
        size_t errors = world_count(&w->at_client, FASTNET_EVENT_ERROR);
        size_t connected = world_count(&w->at_client, FASTNET_EVENT_CONNECTED);
        world_connect(w);
        world_pump_until(w, world_count(&w->at_client, FASTNET_EVENT_ERROR) > errors ||
                                world_count(&w->at_client, FASTNET_EVENT_CONNECTED) > connected);
        world_pump_for_ms(w, 20);
    }
    assert_int_equal(world_count(&w->at_server, FASTNET_EVENT_CONNECTED), sessions);
    return world_find(&w->at_server, FASTNET_EVENT_CONNECTED, sessions - 1)->event.peer_id;
}

static void leave(world *w, size_t sessions)
{
    fastnet_disconnect_now(w->client, w->to_server, 0, NULL);
    world_pump_until(w, world_count(&w->at_server, FASTNET_EVENT_DISCONNECTED) == sessions);
}

static void r9_a_stale_peer_id_names_nobody(void **state)
{
    world *w = *state;
    enum { SESSIONS_MAX = 6 };
    w->server_config.peers_max = 1;
    world_join(w);
    FastNetPeerId old = w->to_client;
    leave(w, 1);
    /* Until the next poll the event's payload is still in use, and so is the id. */
    assert_int_equal(fastnet_send(w->server, old, 0, "x", 1), FASTNET_ERR_STATE);
    world_pump(w);
    assert_int_equal(fastnet_send(w->server, old, 0, "x", 1), FASTNET_ERR_PEER);
    FastNetPeerId fresh = join_again(w, 2);
    for (size_t sessions = 2; (fresh & 0xffff) != (old & 0xffff); sessions++) {
        assert_true(sessions < SESSIONS_MAX); /* the slot comes round */
        assert_int_equal(fastnet_send(w->server, old, 0, "x", 1), FASTNET_ERR_PEER);
        leave(w, sessions);
        fresh = join_again(w, sessions + 1);
    }
    assert_int_not_equal(fresh, old);
    assert_int_equal(fastnet_send(w->server, old, 0, "x", 1), FASTNET_ERR_PEER);
    assert_int_equal(fastnet_disconnect(w->server, old, 0, NULL), FASTNET_ERR_PEER);
    assert_int_equal(fastnet_send(w->server, fresh, 0, "x", 1), FASTNET_OK);
}

/* --- looking -------------------------------------------------------------------------- */

static void f2_rtt_is_measured(void **state)
{
    world *w = *state;
    FastNetPeerStats stats = {.struct_size = sizeof stats};
    world_join(w);
    for (uint32_t i = 1; i <= 20; i++) {
        fastnet_send(w->client, w->to_server, 0, "ping", 4);
        world_pump_until(w, world_messages(&w->at_server, 0) == i);
    }
    world_pump_for_ms(w, 100);
    assert_int_equal(fastnet_peer_stats(w->client, w->to_server, &stats), FASTNET_OK);
    assert_true(stats.rtt_ns > 0 && stats.rtt_ns < 1000000000u);
    assert_true(stats.rtt_ns_min > 0 && stats.rtt_ns_min <= stats.rtt_ns);
    assert_int_equal(stats.path, FASTNET_PATH_UDP);
    assert_true(stats.sent_packets > 0 && stats.received_packets > 0);
    assert_int_equal(stats.sent_messages, 20);
    assert_true(stats.mtu_bytes >= 1200);
    stats.struct_size = 0;
    assert_int_equal(fastnet_peer_stats(w->client, w->to_server, &stats), FASTNET_ERR_ARGUMENT);
    stats.struct_size = sizeof stats;
    assert_int_equal(fastnet_peer_stats(w->client, 0, &stats), FASTNET_ERR_PEER);
}

static void f2_remote_clock_is_estimated(void **state)
{
    world *w = *state;
    FastNetPeerStats stats = {.struct_size = sizeof stats};
    w->client_config.keepalive_ms = 20;
    world_join(w);
    world_pump_for_ms(w, 200);
    assert_int_equal(fastnet_peer_stats(w->client, w->to_server, &stats), FASTNET_OK);
    /* Both sides read the same clock, so the offset is an error: at most a slow round trip. */
    assert_true(stats.remote_clock_offset_ns > -500000000 &&
                stats.remote_clock_offset_ns < 500000000);
}

static void endpoint_numbers_add_up(void **state)
{
    world *w = *state;
    FastNetEndpointStats stats = {.struct_size = sizeof stats};
    world_join(w);
    assert_int_equal(fastnet_endpoint_stats(w->server, &stats), FASTNET_OK);
    assert_int_equal(stats.peers, 1);
    assert_int_equal(stats.handshakes_completed, 1);
    assert_int_equal(stats.handshakes_failed, 0);
    assert_true(stats.received_datagrams > 0);
    assert_true(stats.memory_bytes_used <= w->server_config.memory_bytes_max);
    stats.struct_size = 0;
    assert_int_equal(fastnet_endpoint_stats(w->server, &stats), FASTNET_ERR_ARGUMENT);
}

static void peers_can_be_listed_and_described(void **state)
{
    world *w = *state;
    FastNetAddress address;
    FastNetPeerInfo info = {.struct_size = sizeof info};
    w->client_config.application_build = 4711;
    world_join(w);
    FastNetPeerId peer = fastnet_peer_next(w->server, 0);
    assert_int_equal(peer, w->to_client);
    assert_int_equal(fastnet_peer_next(w->server, peer), 0);
    assert_int_equal(fastnet_peer_address(w->server, peer, &address), FASTNET_OK);
    char expected[64];
    snprintf(expected, sizeof expected, ":%u", fastnet_udp_port(w->client));
    assert_non_null(strstr(address.text, expected));
    assert_int_equal(fastnet_peer_address(w->server, 0, &address), FASTNET_ERR_PEER);
    assert_int_equal(fastnet_peer_info(w->server, peer, &info), FASTNET_OK);
    assert_int_equal(info.application_build, 4711);
    assert_string_equal(info.certificate_subject, "");
    assert_int_equal(fastnet_peer_info(w->client, w->to_server, &info), FASTNET_OK);
    assert_non_null(strstr(info.certificate_subject, "localhost"));
}

/* --- other loops and threads ---------------------------------------------------------- */

static void descriptor_says_when_to_poll(void **state)
{
    world *w = *state;
    FastNetEvent event;
    world_join(w);
    while (fastnet_poll(w->server, &event, 1, 0) > 0) {
    }
    struct pollfd wait = {.fd = fastnet_endpoint_fd(w->server), .events = POLLIN};
    if (wait.fd < 0) {
        return; /* the portable backend has none, and says so */
    }
    fastnet_send(w->client, w->to_server, 0, "x", 1);
    fastnet_flush(w->client);
    assert_int_equal(poll(&wait, 1, 2000), 1);
    assert_int_equal(fastnet_poll(w->server, &event, 1, 0), 1);
    assert_int_equal(event.type, FASTNET_EVENT_DATA);
}

static void deadlines_drive_a_session_without_waiting_polls(void **state)
{
    world *w = *state;
    w->client_config.keepalive_ms = 50;
    world_join(w);
    uint64_t client_us = fastnet_next_deadline(w->client);
    assert_true(client_us <= 60000);
}

static void *wake_soon(void *endpoint)
{
    const struct timespec rest = {0, 50 * 1000 * 1000};
    nanosleep(&rest, NULL);
    fastnet_wake(endpoint);
    return NULL;
}

static void wake_ends_a_waiting_poll(void **state)
{
    world *w = *state;
    FastNetEvent event;
    pthread_t thread;
    world_start(w);
    uint64_t start_ns = fastnet_now_ns();
    assert_int_equal(pthread_create(&thread, NULL, wake_soon, w->server), 0);
    assert_int_equal(fastnet_poll(w->server, &event, 1, 20000000), 0);
    assert_true(seconds_since(start_ns) < 10);
    pthread_join(thread, NULL);
    /* one that comes first ends the next poll */
    fastnet_wake(w->server);
    start_ns = fastnet_now_ns();
    assert_int_equal(fastnet_poll(w->server, &event, 1, 20000000), 0);
    assert_true(seconds_since(start_ns) < 10);
}

/* --- the short form ------------------------------------------------------------------- */

typedef struct short_server {
    FastNetServer server;
    atomic_bool stop;
    uint32_t connected, bytes, disconnected;
} short_server;

static void *run_short_server(void *argument)
{
    short_server *self = argument;
    while (!atomic_load(&self->stop)) {
        FastNetEvent event;
        while (fastnet_server_poll(self->server, &event)) {
            self->connected += event.type == FASTNET_EVENT_CONNECTED;
            self->disconnected += event.type == FASTNET_EVENT_DISCONNECTED;
            self->bytes += event.type == FASTNET_EVENT_DATA ? event.data_len : 0;
        }
        const struct timespec rest = {0, 200 * 1000};
        nanosleep(&rest, NULL);
    }
    return NULL;
}

static void short_form_delivers_before_it_disconnects(void **state)
{
    enum { TIMES = 15, LARGE_BYTES = 200000 }; /* below the limit of joins a second */
    world *w = *state;
    short_server self = {0};
    pthread_t thread;
    self.server = fastnet_server_create(0, 0, w->files.certificate, w->files.key);
    assert_non_null(self.server);
    uint16_t port = fastnet_tls_port(self.server);
    setenv("FASTNET_CA_FILE", w->files.ca, 1);
    assert_int_equal(pthread_create(&thread, NULL, run_short_server, &self), 0);
    for (int i = 0; i < TIMES; i++) {
        static const uint8_t data[] = {1, 2, 3, 4};
        static const uint8_t large[LARGE_BYTES]; /* more than leaves at once */
        FastNetEvent event;
        FastNetClient client = fastnet_client_connect("127.0.0.1", port);
        if (!client) {
            fail_msg("no connection: %s", fastnet_connect_error_text());
        }
        assert_int_equal(fastnet_client_send(client, 0, data, sizeof data), FASTNET_OK);
        assert_int_equal(fastnet_client_send(client, 0, large, sizeof large), FASTNET_OK);
        assert_true(fastnet_client_poll(client, &event));
        assert_int_equal(event.type, FASTNET_EVENT_CONNECTED);
        uint64_t end_ns = fastnet_now_ns();
        fastnet_client_disconnect(client);
        assert_true(seconds_since(end_ns) < 2); /* the server confirms: no waiting in vain */
    }
    unsetenv("FASTNET_CA_FILE");
    uint64_t start_ns = fastnet_now_ns();
    while (fastnet_now_ns() - start_ns < 300000000u) {
        sched_yield();
    }
    atomic_store(&self.stop, true);
    pthread_join(thread, NULL);
    fastnet_server_destroy(self.server);
    assert_int_equal(self.connected, TIMES);
    assert_int_equal(self.bytes, (4 + LARGE_BYTES) * TIMES);
    assert_int_equal(self.disconnected, TIMES);
}

static void null_is_fine_where_it_says_so(void **state)
{
    (void)state;
    fastnet_client_disconnect(NULL);
    fastnet_server_destroy(NULL);
    fastnet_endpoint_destroy(NULL);
}

static void results_have_names_and_sentences(void **state)
{
    (void)state;
#define X(name, value, text)                                           \
    assert_string_equal(fastnet_result_name(value), "FASTNET_" #name); \
    assert_string_equal(fastnet_result_text(value), text);
    FASTNET_RESULT_MAP(X)
#undef X
    assert_string_equal(fastnet_result_name(1), "FASTNET_UNKNOWN");
    assert_non_null(fastnet_result_text(-1000));
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", FASTNET_VERSION_MAJOR, FASTNET_VERSION_MINOR,
             FASTNET_VERSION_PATCH);
    assert_string_equal(fastnet_version(), version);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(one_number_serves_as_both_ports),
        WORLD_TEST(f1_poll_returns_every_event),
        WORLD_TEST(f1_short_poll_returns_every_event_one_at_a_time),
        WORLD_TEST(f1_poll_never_blocks),
        WORLD_TEST(poll_waits_as_long_as_it_was_told),
        WORLD_TEST(a_batch_keeps_all_its_payloads),
        WORLD_TEST(every_connected_has_one_disconnected),
        WORLD_TEST(a_peer_is_not_mentioned_after_own_disconnect),
        WORLD_TEST(user_pointers_come_with_events),
        WORLD_TEST(every_size_arrives_on_every_channel),
        WORLD_TEST(wrong_sends_are_refused),
        WORLD_TEST(sending_needs_a_connection),
        WORLD_TEST(r8_a_full_queue_says_so_and_loses_nothing),
        WORLD_TEST(tags_tell_what_was_delivered),
        WORLD_TEST(tags_tell_what_was_lost),
        WORLD_TEST(short_sends_leave_at_once),
        WORLD_TEST(broadcast_reaches_all_but_one),
        WORLD_TEST(a_late_poll_gets_the_latest_of_a_sequenced_channel),
        WORLD_TEST(f2_disconnect_reason_arrives),
        WORLD_TEST(f2_disconnect_reason_arrives_from_the_client_too),
        WORLD_TEST(f2_destroy_says_goodbye),
        WORLD_TEST(disconnect_delivers_what_was_queued),
        WORLD_TEST(silence_ends_a_session),
        WORLD_TEST(r6_keep_alive_holds_a_quiet_session),
        WORLD_TEST(r9_a_stale_peer_id_names_nobody),
        WORLD_TEST(f2_rtt_is_measured),
        WORLD_TEST(f2_remote_clock_is_estimated),
        WORLD_TEST(endpoint_numbers_add_up),
        WORLD_TEST(peers_can_be_listed_and_described),
        WORLD_TEST(descriptor_says_when_to_poll),
        WORLD_TEST(deadlines_drive_a_session_without_waiting_polls),
        WORLD_TEST(wake_ends_a_waiting_poll),
        WORLD_TEST(short_form_delivers_before_it_disconnects),
        cmocka_unit_test(null_is_fine_where_it_says_so),
        cmocka_unit_test(results_have_names_and_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
