/*
 * Peers with valid keys that take all the memory they can get. Whatever they do: whoever comes gets
 * in, the honest session talks, and memory_bytes_max holds.
 */
#include "api/test_net.h"

#include "api/endpoint.h"
#include "core/conn_parts.h"
#include "host/carrier/datagrams.h"

enum { CROWD_MAX = 60, ROUNDS = 20, ROUND_MS = 2000, PING_MS = 50 };

typedef struct stage {
    test_net *net;
    FastNetEndpoint *crowd; /* all hostile sessions; never polled once they are connected */
    FastNetPeerId hostile[CROWD_MAX];
    uint32_t count;
    uint64_t pinged_ns;
    uint64_t next_id;
    void (*again)(struct stage *all, uint32_t who); /* with every ping; may be NULL */
} stage;

/* --- what a hostile session sends --- */

static void forge(stage *all, uint32_t who, const uint8_t *frames, size_t bytes)
{
    fn_peer *peer = fn_peer_find_any(&all->crowd->host, all->hostile[who]);
    assert_non_null(peer);
    fn_conn *conn = peer->conn;
    if (!fn_sent_reserve(&conn->sent, &conn->store, 1)) {
        fn_sent_drop_front(&conn->sent, &conn->store);
        assert_true(fn_sent_reserve(&conn->sent, &conn->store, 1));
    }
    uint64_t number = conn->sent.next;
    fn_sent_push(&conn->sent);
    fn_send_slot *slot = fn_datagrams_slot(&all->crowd->host);
    if (slot == NULL) {
        fn_datagrams_send(&all->crowd->host, fastnet_now_ns());
        slot = fn_datagrams_slot(&all->crowd->host);
    }
    assert_non_null(slot);
    size_t header = fn_header_encode(slot->data, conn->config.remote_receiver_id,
                                     conn->send_keys.phase, number, 4);
    memcpy(slot->data + header, frames, bytes);
    fn_send_keys_seal(&conn->send_keys, number, slot->data, header, slot->data + header, bytes);
    fn_datagrams_commit(&all->crowd->host, slot, peer, conn->active,
                        header + bytes + FN_WIRE_TAG_BYTES);
    fn_datagrams_send(&all->crowd->host, fastnet_now_ns());
}

static void forge_message(stage *all, uint32_t who, const fn_message_frame *frame)
{
    uint8_t bytes[1200];
    fn_writer writer = fn_writer_make(bytes, sizeof bytes);
    fn_frame_write_message(&writer, frame);
    assert_false(writer.failed);
    forge(all, who, bytes, fn_writer_bytes(&writer));
}

/* The first unit of a message, and never the rest. */
static void forge_begin(stage *all, uint32_t who, uint8_t channel, uint64_t id, uint32_t total)
{
    static const uint8_t payload[FN_UNIT_BYTES];
    forge_message(all, who,
                  &(fn_message_frame){.channel = channel,
                                      .id = id,
                                      .fragment = true,
                                      .total_bytes = total,
                                      .bytes = FN_UNIT_BYTES,
                                      .payload = payload});
}

static void forge_ping(stage *all, uint32_t who)
{
    uint8_t bytes[FN_FRAME_PING_BYTES];
    fn_writer writer = fn_writer_make(bytes, sizeof bytes);
    fn_frame_write_ping(&writer, fastnet_now_ns());
    forge(all, who, bytes, fn_writer_bytes(&writer));
}

/* --- the stage --- */

/* Server and honest client; the hostile ones are heard all the time, but hear nothing. */
static void turn(stage *all)
{
    test_net *net = all->net;
    uint64_t now_ns = fastnet_now_ns();
    if (now_ns >= all->pinged_ns + PING_MS * FN_NS_PER_MS) {
        all->pinged_ns = now_ns;
        for (uint32_t i = 0; i < all->count; i++) {
            forge_ping(all, i);
            if (all->again != NULL)
                all->again(all, i);
        }
    }
    uint32_t events = 0;
    for (uint32_t i = 0; i < net->endpoint_count; i++)
        if (net->all[i] != all->crowd)
            events += test_poll(net, net->all[i], 0);
    if (events == 0)
        test_poll(net, net->server, 200);
}

static void turn_for_ms(stage *all, uint32_t ms)
{
    uint64_t end_ns = fastnet_now_ns() + ms * FN_NS_PER_MS;
    while (fastnet_now_ns() < end_ns)
        turn(all);
}

static void stage_open(stage *all, const FastNetConfig *server, uint32_t count)
{
    FastNetConfig usual;
    FastNetConfig crowd;
    fastnet_config_init(&usual);
    memset(all, 0, sizeof *all);
    all->net = test_net_with(server != NULL ? server : &usual, NULL);
    test_net_connect(all->net);
    crowd = test_client_config(all->net);
    crowd.peers_max = CROWD_MAX;
    all->crowd = test_add(all->net, &crowd);
    for (uint32_t i = 0; i < count; i++)
        all->hostile[i] = test_connect_to(all->net, all->crowd, "127.0.0.1", NULL);
    test_await_nth(all->net, all->crowd, FASTNET_EVENT_CONNECTED, count - 1);
    test_await_nth(all->net, all->net->server, FASTNET_EVENT_CONNECTED, count - 1);
    all->count = count;
    test_forget_events(all->net);
}

static size_t memory_used(const stage *all)
{
    FastNetEndpointStats stats = {.struct_size = sizeof stats};
    assert_int_equal(fastnet_endpoint_stats(all->net->server, &stats), FASTNET_OK);
    return stats.memory_bytes_used;
}

/* --- what must go on --- */

static void await_data(stage *all, const FastNetEndpoint *endpoint, uint32_t count)
{
    uint64_t end_ns = fastnet_now_ns() + ROUND_MS * FN_NS_PER_MS;
    while (test_count(all->net, endpoint, FASTNET_EVENT_DATA) < count) {
        if (fastnet_now_ns() > end_ns)
            fail_msg("%u of %u messages", test_count(all->net, endpoint, FASTNET_EVENT_DATA),
                     count);
        turn(all);
    }
}

/* Back-pressure is no failure as long as it passes. */
static void send_in_time(stage *all, FastNetEndpoint *endpoint, FastNetPeerId peer, uint8_t channel,
                         uint32_t bytes)
{
    static const uint8_t data[15000];
    uint64_t end_ns = fastnet_now_ns() + ROUND_MS * FN_NS_PER_MS;
    FastNetResult result;
    while ((result = fastnet_send(endpoint, peer, channel, data, bytes)) != FASTNET_OK) {
        assert_int_equal(result, FASTNET_ERR_BACKPRESSURE);
        assert_true(fastnet_now_ns() < end_ns);
        turn(all);
    }
}

/* Small ones, and some in several pieces, on every channel, both ways, each round within its time;
 * large ones on the reliable channels. */
static void honest_session_talks(stage *all)
{
    static const uint32_t sizes[] = {100, 1000, 6000, 15000};
    test_net *net = all->net;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t bytes = sizes[round % FN_ARRAY_COUNT(sizes)];
        test_forget_events(net);
        uint8_t step = bytes > 6000 ? 2 : 1;
        for (uint8_t channel = 0; channel < 4; channel += step) {
            send_in_time(all, net->client, net->to_server, channel, bytes);
            send_in_time(all, net->server, net->to_client, channel, bytes);
        }
        await_data(all, net->server, 4 / step);
        await_data(all, net->client, 4 / step);
        assert_int_equal(test_count(net, net->client, FASTNET_EVENT_DISCONNECTED), 0);
    }
}

static void newcomer_gets_in(stage *all)
{
    test_net *net = all->net;
    FastNetConfig config = test_client_config(net);
    FastNetEndpoint *newcomer = test_add(net, &config);
    FastNetPeerId peer = test_connect_to(net, newcomer, "127.0.0.1", NULL);
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    while (test_count(net, newcomer, FASTNET_EVENT_CONNECTED) == 0) {
        assert_int_equal(test_count(net, newcomer, FASTNET_EVENT_ERROR), 0);
        assert_true(fastnet_now_ns() < end_ns);
        turn(all);
    }
    test_forget_events(net);
    assert_int_equal(fastnet_send(newcomer, peer, 0, "hello", 5), FASTNET_OK);
    await_data(all, net->server, 1);
    test_remove(net, newcomer);
    turn_for_ms(all, 50);
}

static void all_goes_on(stage *all, const char *attack)
{
    size_t used = memory_used(all);
    print_message("%s, %u sessions: %zu of %zu KiB\n", attack, all->count, used >> 10,
                  (size_t)all->net->server->host.config.given.memory_bytes_max >> 10);
    assert_true(used <= all->net->server->host.config.given.memory_bytes_max);
    newcomer_gets_in(all);
    honest_session_talks(all);
    newcomer_gets_in(all);
}

/* --- attacks --- */

typedef void (*attack)(stage *all, uint32_t who);

static void unfinished_reliable(stage *all, uint32_t who)
{
    for (uint64_t id = 0; id < 31; id++)
        forge_begin(all, who, 2, id, 32 << 10);
}

static void unfinished_ordered(stage *all, uint32_t who)
{
    for (uint64_t id = 1; id < 4; id++)
        forge_begin(all, who, 0, id, 256 << 10);
}

static void unreliable_partials(stage *all, uint32_t who)
{
    for (int i = 0; i < 8; i++, all->next_id++) {
        forge_begin(all, who, 1, all->next_id, 256 << 10);
        forge_begin(all, who, 3, all->next_id, 30 << 10);
    }
}

/* Small whole messages behind a gap that is never filled: they break memory into crumbs. */
static void crumbs_behind_a_gap(stage *all, uint32_t who)
{
    for (uint64_t id = 1; id < 1200; id += 60) {
        uint8_t bytes[1200];
        fn_writer writer = fn_writer_make(bytes, sizeof bytes);
        for (uint64_t i = id; i < id + 60; i++)
            fn_frame_write_message(&writer, &(fn_message_frame){.channel = 0,
                                                                .id = i,
                                                                .total_bytes = 1,
                                                                .bytes = 1,
                                                                .payload = (const uint8_t *)"x"});
        uint8_t padding[1] = {FN_FRAME_PADDING};
        fn_write_bytes(&writer, padding, 1);
        assert_false(writer.failed);
        forge(all, who, bytes, fn_writer_bytes(&writer));
        turn(all);
    }
}

static void every_way_at_once(stage *all, uint32_t who)
{
    static const attack ways[] = {unfinished_reliable, unfinished_ordered, crumbs_behind_a_gap};
    ways[who % FN_ARRAY_COUNT(ways)](all, who);
    unreliable_partials(all, who);
}

static void run_attack(const char *name, attack act, uint32_t count, attack again)
{
    stage all;
    stage_open(&all, NULL, count);
    all.again = again;
    for (uint32_t who = 0; who < count; who++) {
        act(&all, who);
        turn(&all);
    }
    all_goes_on(&all, name);
    test_net_destroy(all.net);
}

static void unfinished_reliable_messages_stop_nobody(void **state)
{
    (void)state;
    run_attack("unfinished reliable", unfinished_reliable, 38, NULL);
    run_attack("unfinished ordered", unfinished_ordered, 55, NULL);
}

static void unreliable_partials_stop_nobody(void **state)
{
    (void)state;
    run_attack("unreliable partials", unreliable_partials, 17, unreliable_partials);
}

static void crumbs_stop_nobody(void **state)
{
    (void)state;
    run_attack("crumbs", crumbs_behind_a_gap, CROWD_MAX, NULL);
}

static void all_attacks_together_stop_nobody(void **state)
{
    (void)state;
    run_attack("everything", every_way_at_once, CROWD_MAX, NULL);
}

static void broadcast_until_full(stage *all)
{
    static uint8_t data[2000];
    for (int i = 0; i < 1200; i++) {
        fastnet_broadcast(all->net->server, 0, 0, data, sizeof data);
        if (i % 10 == 9) {
            turn(all);
            test_forget_events(all->net);
        }
    }
    turn_for_ms(all, 200);
    test_forget_events(all->net);
}

static void who_never_acknowledges_stops_nobody(void **state)
{
    (void)state;
    stage all;
    stage_open(&all, NULL, 40);
    broadcast_until_full(&all);
    all_goes_on(&all, "no acknowledgements");
    test_net_destroy(all.net);
}

/* --- and then they are gone --- */

static void await_closed(stage *all, uint32_t count)
{
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    while (test_count(all->net, all->net->server, FASTNET_EVENT_DISCONNECTED) < count) {
        assert_true(fastnet_now_ns() < end_ns);
        turn(all);
    }
    for (uint32_t i = 0; i < count; i++) {
        const FastNetEvent *event =
            test_find(all->net, all->net->server, FASTNET_EVENT_DISCONNECTED, i);
        assert_int_equal(event->error_code, FASTNET_ERR_TIMEOUT);
        assert_int_not_equal(event->peer_id, all->net->to_client);
    }
}

static void hostile_sessions_are_closed_and_give_all_back(void **state)
{
    (void)state;
    stage all;
    FastNetConfig server;
    fastnet_config_init(&server);
    server.idle_timeout_ms = 1500;
    server.keepalive_ms = 300;
    stage_open(&all, &server, 20);
    for (uint32_t who = 0; who < 20; who++) {
        every_way_at_once(&all, who);
        turn(&all);
    }
    assert_true(memory_used(&all) > 8 << 20);
    await_closed(&all, 20);
    all.count = 0;
    while (memory_used(&all) > 256 << 10)
        turn(&all);
    honest_session_talks(&all);
    test_net_destroy(all.net);
}

/* --- no memory for a newcomer --- */

typedef struct scarcity {
    size_t denied_bytes; /* a request of exactly that size; 0 = none */
    uint32_t lines;
} scarcity;

static void *scarce_alloc(void *user, size_t bytes, size_t alignment)
{
    const scarcity *memory = user;
    (void)alignment;
    return bytes == memory->denied_bytes ? NULL : malloc(bytes);
}

static void scarce_free(void *user, void *block, size_t bytes)
{
    (void)user;
    (void)bytes;
    free(block);
}

static void count_refusals(void *user, int32_t level, const char *line)
{
    (void)level;
    ((scarcity *)user)->lines += strstr(line, "could not be accepted") != NULL;
}

/* It hears FULL before WELCOME, and the log says so now and then. */
static void without_memory_a_newcomer_hears_full_at_once(void **state)
{
    (void)state;
    enum { NEWCOMERS = 60 };
    scarcity memory = {.lines = 0};
    FastNetConfig server, crowd;
    fastnet_config_init(&server);
    server.allocator = (FastNetAllocator){&memory, scarce_alloc, scarce_free};
    server.log = count_refusals;
    server.log_user = &memory;
    test_net *net = test_net_with(&server, NULL);
    test_net_connect(net);
    fn_peer *peer = fn_peer_find(&net->server->host, net->to_client);
    memory.denied_bytes = peer->conn_bytes;
    crowd = test_client_config(net);
    FastNetEndpoint *newcomers = test_add(net, &crowd);
    uint64_t start_ns = fastnet_now_ns();
    for (uint32_t i = 0; i < NEWCOMERS; i++) {
        test_connect_to(net, newcomers, "127.0.0.1", NULL);
        test_turn(net);
    }
    test_await_nth(net, newcomers, FASTNET_EVENT_ERROR, NEWCOMERS - 1);
    for (uint32_t i = 0; i < NEWCOMERS; i++)
        assert_int_equal(test_find(net, newcomers, FASTNET_EVENT_ERROR, i)->error_code,
                         FASTNET_ERR_FULL);
    uint64_t seconds = (fastnet_now_ns() - start_ns) / FN_NS_PER_S + 2; /* begun ones count */
    assert_in_range(memory.lines, 1, 10 * seconds);
    assert_int_equal(test_count(net, net->server, FASTNET_EVENT_DISCONNECTED), 0);
    memory.denied_bytes = 0;
    test_forget_events(net);
    test_connect_to(net, newcomers, "127.0.0.1", NULL);
    test_await(net, newcomers, FASTNET_EVENT_CONNECTED);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unfinished_reliable_messages_stop_nobody),
        cmocka_unit_test(unreliable_partials_stop_nobody),
        cmocka_unit_test(who_never_acknowledges_stops_nobody),
        cmocka_unit_test(crumbs_stop_nobody),
        cmocka_unit_test(all_attacks_together_stop_nobody),
        cmocka_unit_test(hostile_sessions_are_closed_and_give_all_back),
        cmocka_unit_test(without_memory_a_newcomer_hears_full_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
