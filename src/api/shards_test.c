#include "fastnet/shards.h"

#include <dirent.h>

#include "api/endpoint.h"
#include "api/test_net.h"
#include "host/carrier/stream.h"
#include "host/life.h"
#include "io/shard_steering.h"

enum { LOSE_ALL = 1000, CLIENTS_MAX = 48 };

/* --- a net with shards --- */

typedef struct sharded {
    test_net *net;
    FastNetShards *shards;
    FastNetEndpoint *clients[CLIENTS_MAX];
    FastNetPeerId to_server[CLIENTS_MAX];
    uint32_t client_count;
} sharded;

static FastNetEndpoint *shard(const sharded *all, uint32_t index)
{
    return fastnet_shards_endpoint(all->shards, index);
}

static sharded create(uint32_t count)
{
    sharded all = {.net = test_net_create()};
    FastNetConfig config = test_server_config(all.net);
    if (fastnet_shards_create(&config, count, &all.shards) != FASTNET_OK)
        fail_msg("create: %s", fastnet_connect_error_text());
    assert_int_equal(fastnet_shards_count(all.shards), count);
    for (uint32_t i = 0; i < count; i++)
        all.net->all[all.net->endpoint_count++] = shard(&all, i);
    all.net->server = shard(&all, 0);
    return all;
}

static void destroy(sharded *all)
{
    test_net_destroy(all->net); /* leaves the shards alone */
    fastnet_shards_destroy(all->shards);
}

static FastNetEndpoint *add_client(sharded *all)
{
    FastNetConfig config = test_client_config(all->net);
    config.peers_max = CLIENTS_MAX;
    assert_true(all->client_count < CLIENTS_MAX);
    return all->clients[all->client_count] = test_add(all->net, &config);
}

static void connect_client(sharded *all)
{
    FastNetEndpoint *client = add_client(all);
    all->to_server[all->client_count++] = test_connect_to(all->net, client, "127.0.0.1", NULL);
    test_await(all->net, client, FASTNET_EVENT_CONNECTED);
}

/* Until every shard has a client, and there are at least so many. */
static void connect_clients(sharded *all, uint32_t at_least)
{
    uint32_t with_peers = 0;
    while (all->client_count < at_least || with_peers < fastnet_shards_count(all->shards)) {
        connect_client(all);
        test_run_ms(all->net, 1);
        with_peers = 0;
        for (uint32_t i = 0; i < fastnet_shards_count(all->shards); i++)
            with_peers += fastnet_peer_count(shard(all, i)) > 0 ? 1 : 0;
    }
    test_forget_events(all->net);
}

static uint32_t peers_of_all(const sharded *all)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fastnet_shards_count(all->shards); i++)
        count += fastnet_peer_count(shard(all, i));
    return count;
}

static void block_udp(sharded *all, bool on)
{
    for (uint32_t i = 0; i < all->net->endpoint_count; i++)
        fastnet_simulate_bad_link(all->net->all[i], on ? LOSE_ALL : 0, 0, 0, 0, 1);
}

static FastNetEndpointStats stats_of(const FastNetEndpoint *endpoint)
{
    FastNetEndpointStats stats = {.struct_size = sizeof stats};
    assert_int_equal(fastnet_endpoint_stats(endpoint, &stats), FASTNET_OK);
    return stats;
}

#define SUM_OF(all, field) sum_of((all), offsetof(FastNetEndpointStats, field))

static uint64_t sum_of(const sharded *all, size_t offset)
{
    uint64_t sum = 0, value;
    for (uint32_t i = 0; i < fastnet_shards_count(all->shards); i++) {
        FastNetEndpointStats stats = stats_of(shard(all, i));
        memcpy(&value, (uint8_t *)&stats + offset, sizeof value);
        sum += value;
    }
    return sum;
}

/* Every client sends its number on every channel, every shard sends each of them back. */
static void assert_all_talk(sharded *all)
{
    test_net *net = all->net;
    uint32_t wanted = 4 * all->client_count;
    test_forget_events(net);
    for (uint32_t i = 0; i < all->client_count; i++) {
        for (uint8_t channel = 0; channel < 4; channel++)
            assert_int_equal(
                fastnet_send(all->clients[i], all->to_server[i], channel, &i, sizeof i),
                FASTNET_OK);
    }
    uint32_t echoed = 0, answered = 0, seen = 0;
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    while (answered < wanted) {
        test_turn(net);
        for (; seen < net->event_count; seen++) {
            const test_event *row = &net->events[seen];
            uint32_t number;
            if (row->event.type != FASTNET_EVENT_DATA || row->event.data_len != sizeof number)
                continue;
            memcpy(&number, row->event.data, sizeof number);
            if (row->endpoint == all->clients[number]) {
                answered++;
                continue;
            }
            echoed++;
            assert_int_equal(fastnet_send(row->endpoint, row->event.peer_id, row->event.channel,
                                          &number, sizeof number),
                             FASTNET_OK);
        }
        if (fastnet_now_ns() > end_ns)
            fail_msg("%u of %u messages came, %u answers", (unsigned)echoed, (unsigned)wanted,
                     (unsigned)answered);
    }
    assert_int_equal(test_count(net, NULL, FASTNET_EVENT_DISCONNECTED), 0);
}

static void await_transport(sharded *all, FastNetTransport transport)
{
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    for (uint32_t i = 0; i < all->client_count; i++) {
        while (fastnet_peer_transport_mode(all->clients[i], all->to_server[i]) != transport) {
            if (fastnet_now_ns() > end_ns)
                fail_msg("client %u is not on transport %d", (unsigned)i, (int)transport);
            test_turn(all->net);
        }
    }
}

/* What asks for an acknowledgement that does not come makes a client look for another way. */
static void nudge(sharded *all)
{
    for (uint32_t i = 0; i < all->client_count; i++)
        fastnet_send(all->clients[i], all->to_server[i], 0, "nudge", 5);
}

/* --- creating --- */

static uint32_t open_descriptors(void)
{
    uint32_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder != NULL && readdir(folder) != NULL)
        count++;
    if (folder != NULL)
        closedir(folder);
    return count;
}

static void expect_refusal(const FastNetConfig *config, uint32_t count, FastNetResult result,
                           const char *sentence)
{
    FastNetShards *shards = (FastNetShards *)(uintptr_t)1;
    uint32_t before = open_descriptors();
    assert_int_equal(fastnet_shards_create(config, count, &shards), result);
    assert_null(shards);
    if (strstr(fastnet_connect_error_text(), sentence) == NULL)
        fail_msg("'%s' does not contain '%s'", fastnet_connect_error_text(), sentence);
    assert_int_equal(open_descriptors(), before);
}

static void bad_input_is_refused_and_leaves_nothing_open(void **state)
{
    (void)state;
    test_net *net = test_net_create();
    FastNetConfig good = test_server_config(net), bad = good;
    FastNetShards *shards;
    assert_int_equal(fastnet_shards_create(NULL, 2, &shards), FASTNET_ERR_ARGUMENT);
    assert_null(shards);
    assert_int_equal(fastnet_shards_create(&good, 2, NULL), FASTNET_ERR_ARGUMENT);
    expect_refusal(&good, 0, FASTNET_ERR_ARGUMENT, "count is 0; it must be 1 to 256");
    expect_refusal(&good, FASTNET_SHARDS_MAX + 1, FASTNET_ERR_ARGUMENT, "count is 257");
    bad.listen = false;
    expect_refusal(&bad, 2, FASTNET_ERR_ARGUMENT, "listen is false");
    bad = good;
    bad.struct_size = 0;
    expect_refusal(&bad, 1, FASTNET_ERR_ARGUMENT, "struct_size");
    bad = good;
    bad.peers_max = 0;
    expect_refusal(&bad, 1, FASTNET_ERR_ARGUMENT, "peers_max is 0");
    bad = good;
    bad.certificate_path = "/nonexistent/cert.pem";
    expect_refusal(&bad, 1, FASTNET_ERR_CERTIFICATE, "certificate_path");
    if (!fn_steering_supported())
        expect_refusal(&good, 2, FASTNET_ERR_UNSUPPORTED, "steer");
    fastnet_shards_destroy(NULL);
    assert_int_equal(fastnet_shards_count(NULL), 0);
    assert_null(fastnet_shards_endpoint(NULL, 0));
    test_net_destroy(net);
}

static void a_port_of_somebody_else_is_never_shared(void **state)
{
    (void)state;
    test_net *net = test_net_create();
    FastNetConfig config = test_server_config(net);
    FastNetShards *first = NULL;
    assert_int_equal(fastnet_shards_create(&config, 2, &first), FASTNET_OK);
    FastNetEndpoint *endpoint = fastnet_shards_endpoint(first, 1);
    FastNetConfig udp = config, tls = config;
    udp.udp_port = fastnet_udp_port(endpoint);
    tls.tls_port = fastnet_tls_port(endpoint);
    for (uint32_t count = 1; count <= 2; count++) {
        expect_refusal(&udp, count, FASTNET_ERR_ADDRESS, "UDP port");
        expect_refusal(&tls, count, FASTNET_ERR_ADDRESS, "TCP port");
    }
    fastnet_shards_destroy(first);
    /* And afterwards it is free. */
    udp.tls_port = tls.tls_port;
    assert_int_equal(fastnet_shards_create(&udp, 3, &first), FASTNET_OK);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(fastnet_udp_port(fastnet_shards_endpoint(first, i)), udp.udp_port);
        assert_int_equal(fastnet_tls_port(fastnet_shards_endpoint(first, i)), udp.tls_port);
    }
    assert_null(fastnet_shards_endpoint(first, 3));
    fastnet_shards_destroy(first);
    test_net_destroy(net);
}

typedef struct failing {
    uint32_t left; /* allocations until one fails */
    int32_t held;
} failing;

static void *failing_alloc(void *user, size_t bytes, size_t alignment)
{
    failing *memory = user;
    (void)alignment;
    if (memory->left == 0)
        return NULL;
    memory->left--;
    memory->held++;
    return malloc(bytes);
}

static void failing_free(void *user, void *block, size_t bytes)
{
    failing *memory = user;
    (void)bytes;
    memory->held--;
    free(block);
}

static void every_failed_allocation_leaves_nothing(void **state)
{
    (void)state;
    test_net *net = test_net_create();
    FastNetConfig config = test_server_config(net);
    uint32_t before = open_descriptors();
    FastNetShards *shards = NULL;
    FastNetResult result = FASTNET_ERR_MEMORY;
    for (uint32_t allowed = 0; result == FASTNET_ERR_MEMORY; allowed++) {
        failing memory = {.left = allowed};
        config.allocator = (FastNetAllocator){&memory, failing_alloc, failing_free};
        result = fastnet_shards_create(&config, 2, &shards);
        fastnet_shards_destroy(shards);
        assert_int_equal(memory.held, 0);
        assert_int_equal(open_descriptors(), before);
    }
    assert_int_equal(result, FASTNET_OK);
    test_net_destroy(net);
}

static void one_shard_is_an_endpoint(void **state)
{
    (void)state;
    sharded all = create(1);
    connect_clients(&all, 2);
    fastnet_endpoint_destroy(shard(&all, 0)); /* does nothing */
    assert_all_talk(&all);
    destroy(&all);
}

/* --- sessions --- */

static void clients_land_on_every_shard_and_talk(void **state)
{
    (void)state;
    sharded all = create(3);
    connect_clients(&all, 6);
    assert_all_talk(&all);
    assert_int_equal(peers_of_all(&all), all.client_count);
    assert_int_equal(SUM_OF(&all, unknown_datagrams), 0);
    assert_int_equal(SUM_OF(&all, forwarded_datagrams), 0);
    assert_int_equal(SUM_OF(&all, rejected_datagrams), 0);
    destroy(&all);
}

/* Its datagrams to several shards leave in one piece, which the system gives to one of them. */
static void sessions_of_one_socket_reach_their_shards(void **state)
{
    enum { SESSIONS = 24 };
    (void)state;
    sharded all = create(4);
    FastNetEndpoint *client = add_client(&all);
    FastNetPeerId peers[SESSIONS];
    for (uint32_t i = 0; i < SESSIONS; i++)
        peers[i] = test_connect_to(all.net, client, "127.0.0.1", NULL);
    test_await_nth(all.net, client, FASTNET_EVENT_CONNECTED, SESSIONS - 1);
    test_run_ms(all.net, 50);
    assert_int_equal(peers_of_all(&all), SESSIONS);
    test_forget_events(all.net);
    for (uint32_t i = 0; i < SESSIONS; i++)
        assert_int_equal(fastnet_send(client, peers[i], 1, "once", 4), FASTNET_OK);
    fastnet_flush(client);
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    while (test_count(all.net, NULL, FASTNET_EVENT_DATA) < SESSIONS) {
        test_turn(all.net);
        assert_true(fastnet_now_ns() < end_ns);
    }
    if (stats_of(client).segmented_sends > 0)
        assert_true(SUM_OF(&all, forwarded_datagrams) > 0);
    assert_int_equal(SUM_OF(&all, unknown_datagrams), 0);
    destroy(&all);
}

static void a_flood_to_a_shard_that_sleeps_is_bounded(void **state)
{
    (void)state;
    sharded all = create(2);
    uint8_t data[30] = {0xc0, 0x80};
    fn_address from = fn_address_any(false, 9);
    for (uint32_t i = 0; i < 10 * FN_SHARD_DATAGRAMS_MAX; i++)
        assert_true(fn_siblings_forward(&shard(&all, 0)->host.siblings, &from, data, sizeof data));
    assert_int_equal(all.shards->inboxes[1].datagram_count, FN_SHARD_DATAGRAMS_MAX);
    assert_false(fn_siblings_forward(&shard(&all, 1)->host.siblings, &from, data, sizeof data));
    assert_int_equal(fastnet_next_deadline(shard(&all, 1)), 0);
    test_poll(all.net, shard(&all, 1), 0);
    assert_int_equal(all.shards->inboxes[1].datagram_count, 0);
    assert_false(fn_siblings_wait(&shard(&all, 1)->host.siblings));
    assert_int_equal(stats_of(shard(&all, 1)).unknown_datagrams, FN_SHARD_DATAGRAMS_MAX);
    destroy(&all);
}

/* --- attaching --- */

/* Returns how many sessions have a stream now. Each of them resumed TLS, wherever it arrived. */
static uint32_t count_resumed_streams(const sharded *all)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fastnet_shards_count(all->shards); i++) {
        const FastNetEndpoint *endpoint = shard(all, i);
        for (const fn_peer *peer = fn_peer_after(&endpoint->host, 0); peer != NULL;
             peer = fn_peer_after(&endpoint->host, peer->id)) {
            if (peer->stream == NULL)
                continue;
            assert_true(fn_handshake_get_result(&peer->stream->link->handshake)->resumed);
            count++;
        }
    }
    return count;
}

static void t1_an_attach_at_the_wrong_shard_is_handed_over(void **state)
{
    (void)state;
    sharded all = create(2);
    uint64_t attached = 0, handed = 0;
    connect_clients(&all, 8);
    uint32_t peers[2] = {fastnet_peer_count(shard(&all, 0)), fastnet_peer_count(shard(&all, 1))};
    for (int round = 0; round < 10 && (handed == 0 || handed == attached); round++) {
        block_udp(&all, true);
        nudge(&all);
        await_transport(&all, FASTNET_TRANSPORT_TCP);
        attached += count_resumed_streams(&all);
        handed = SUM_OF(&all, handed_over);
        assert_all_talk(&all);
        block_udp(&all, false);
        await_transport(&all, FASTNET_TRANSPORT_UDP);
        assert_all_talk(&all);
    }
    assert_in_range(handed, 1, attached - 1);
    assert_int_equal(SUM_OF(&all, hand_overs_refused), 0);
    for (uint32_t i = 0; i < 2; i++) /* nobody changed the shard */
        assert_int_equal(fastnet_peer_count(shard(&all, i)), peers[i]);
    destroy(&all);
}

/* The server forgets all of its sessions without being heard. */
static void forget_sessions(sharded *all)
{
    block_udp(all, true);
    for (uint32_t i = 0; i < fastnet_shards_count(all->shards); i++) {
        FastNetEndpoint *endpoint = shard(all, i);
        uint64_t now_ns = fastnet_now_ns();
        for (fn_peer *peer = fn_peer_after(&endpoint->host, 0); peer != NULL;
             peer = fn_peer_after(&endpoint->host, peer->id))
            fn_peer_retire(&endpoint->host, peer, now_ns);
    }
    nudge(all);
}

static void await_gone(sharded *all)
{
    for (uint32_t i = 0; i < all->client_count; i++) {
        const FastNetEvent *event =
            test_await(all->net, all->clients[i], FASTNET_EVENT_DISCONNECTED);
        assert_int_equal(event->error_code, FASTNET_ERR_GONE);
    }
}

static void an_unknown_session_is_gone_wherever_it_was(void **state)
{
    (void)state;
    sharded all = create(2);
    do {
        all.client_count = 0;
        connect_clients(&all, 8);
        forget_sessions(&all);
        await_gone(&all);
        for (uint32_t i = 0; i < all.client_count; i++)
            test_remove(all.net, all.clients[i]);
        block_udp(&all, false);
    } while (SUM_OF(&all, handed_over) == 0);
    destroy(&all);
}

static void a_shard_that_does_not_exist_knows_nobody(void **state)
{
    (void)state;
    sharded all = create(3);
    connect_clients(&all, 3);
    block_udp(&all, true);
    for (uint32_t i = 0; i < all.client_count; i++)
        fn_peer_find(&all.clients[i]->host, all.to_server[i])->remote_receiver_id |= UINT32_C(3)
                                                                                     << 30;
    nudge(&all);
    await_gone(&all);
    assert_int_equal(SUM_OF(&all, handed_over), 0);
    destroy(&all);
}

/* Polls everybody but the last shard until that many connections were meant for it. */
static void run_without_the_last(sharded *all, size_t counter)
{
    uint32_t asleep = fastnet_shards_count(all->shards) - 1;
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    while (sum_of(all, counter) == 0) {
        assert_true(fastnet_now_ns() < end_ns);
        for (uint32_t i = 0; i < all->net->endpoint_count; i++) {
            if (all->net->all[i] != shard(all, asleep))
                test_poll(all->net, all->net->all[i], 0);
        }
        test_poll(all->net, all->net->all[0], 500);
    }
}

static void a_full_inbox_closes_connections(void **state)
{
    (void)state;
    sharded all = create(2);
    /* Each has one chance in four to come to the one shard with a session of the other. */
    connect_clients(&all, 24);
    uint32_t *waiting = &all.shards->inboxes[1].link_count;
    *waiting = FN_SHARD_LINKS_MAX;
    block_udp(&all, true);
    nudge(&all);
    run_without_the_last(&all, offsetof(FastNetEndpointStats, hand_overs_refused));
    assert_int_equal(SUM_OF(&all, handed_over), 0);
    *waiting = 0;
    /* The clients try again, and none of it harmed the sessions. */
    await_transport(&all, FASTNET_TRANSPORT_TCP);
    assert_all_talk(&all);
    destroy(&all);
}

static void what_waits_is_freed_with_the_shards(void **state)
{
    (void)state;
    sharded all = create(2);
    connect_clients(&all, 8);
    block_udp(&all, true);
    nudge(&all);
    run_without_the_last(&all, offsetof(FastNetEndpointStats, handed_over));
    assert_true(all.shards->inboxes[1].link_count > 0);
    assert_int_equal(fastnet_certificate_reload(shard(&all, 0), all.net->certificate, all.net->key),
                     FASTNET_OK);
    assert_non_null(all.shards->inboxes[1].identity);
    destroy(&all);
}

/* --- certificates --- */

static void a_new_certificate_is_everybodys(void **state)
{
    (void)state;
    sharded all = create(3);
    connect_clients(&all, 3);
    const fn_tls_context *before = shard(&all, 0)->host.links.config.server_tls;
    for (uint32_t i = 0; i < 3; i++)
        assert_ptr_equal(shard(&all, i)->host.links.config.server_tls, before);
    for (int time = 0; time < 2; time++)
        assert_int_equal(
            fastnet_certificate_reload(shard(&all, 1), all.net->certificate, all.net->key),
            FASTNET_OK);
    test_run_ms(all.net, 5);
    const fn_tls_context *after = shard(&all, 1)->host.links.config.server_tls;
    assert_ptr_not_equal(after, before);
    for (uint32_t i = 0; i < 3; i++)
        assert_ptr_equal(shard(&all, i)->host.links.config.server_tls, after);
    connect_clients(&all, all.client_count + 3);
    assert_all_talk(&all);
    destroy(&all);
}

int main(void)
{
    const struct CMUnitTest everywhere[] = {
        cmocka_unit_test(bad_input_is_refused_and_leaves_nothing_open),
        cmocka_unit_test(one_shard_is_an_endpoint),
    };
    const struct CMUnitTest steered[] = {
        cmocka_unit_test(a_port_of_somebody_else_is_never_shared),
        cmocka_unit_test(every_failed_allocation_leaves_nothing),
        cmocka_unit_test(clients_land_on_every_shard_and_talk),
        cmocka_unit_test(sessions_of_one_socket_reach_their_shards),
        cmocka_unit_test(a_flood_to_a_shard_that_sleeps_is_bounded),
        cmocka_unit_test(t1_an_attach_at_the_wrong_shard_is_handed_over),
        cmocka_unit_test(an_unknown_session_is_gone_wherever_it_was),
        cmocka_unit_test(a_shard_that_does_not_exist_knows_nobody),
        cmocka_unit_test(a_full_inbox_closes_connections),
        cmocka_unit_test(what_waits_is_freed_with_the_shards),
        cmocka_unit_test(a_new_certificate_is_everybodys),
    };
    int failed = cmocka_run_group_tests(everywhere, NULL, NULL);
    if (fn_steering_supported())
        failed += cmocka_run_group_tests(steered, NULL, NULL);
    return failed;
}
