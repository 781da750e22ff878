#include "api/endpoint.h"
#include "api/test_net.h"
#include "host/carrier/stream.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

/* Five hundred clients on one server, all over TCP; ten of them do not read. */

enum {
    CLIENTS = 500,
    STALLED = 10,
    ENDPOINTS = 5, /* of clients; the first has those that stall */
    ROUNDS = 20,
    CHUNK_BYTES = 32768,
    FILES = 4 * CLIENTS,
    POLL_CPU_MS_MAX = 100,
    SECONDS_MAX = 60,
};

typedef struct crowd {
    test_net *net;
    FastNetEndpoint *clients[ENDPOINTS];
    FastNetPeerId stalled[STALLED]; /* as the server names them */
    uint64_t end_ns;
    uint64_t poll_cpu_ns_max;
    uint64_t polls;
    uint32_t stalled_count;
    uint32_t at_server;
    uint32_t at_clients;
    bool stalls;
} crowd;

static uint64_t cpu_ns(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    return (uint64_t)now.tv_sec * FN_NS_PER_S + (uint64_t)now.tv_nsec;
}

static void may_open_files(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur >= FILES)
        return;
    limit.rlim_cur = FILES;
    if (limit.rlim_max < FILES)
        limit.rlim_max = FILES;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return;
    print_message("skipped: %d files may not be opened at once\n", FILES);
    skip();
}

static uint32_t take(crowd *all, FastNetEndpoint *endpoint)
{
    FastNetEvent events[64];
    uint32_t messages = 0;
    int32_t count = fastnet_poll(endpoint, events, 64, 0);
    assert_in_range(count, 0, 64);
    for (int32_t i = 0; i < count; i++) {
        assert_int_not_equal(events[i].type, FASTNET_EVENT_DISCONNECTED);
        assert_int_not_equal(events[i].type, FASTNET_EVENT_ERROR);
        if (events[i].type == FASTNET_EVENT_CONNECTED && endpoint == all->net->server &&
            all->stalled_count < STALLED)
            all->stalled[all->stalled_count++] = events[i].peer_id;
        messages += events[i].type == FASTNET_EVENT_DATA;
    }
    return messages;
}

static void turn(crowd *all)
{
    assert_true(fastnet_now_ns() < all->end_ns);
    uint64_t start_ns = cpu_ns();
    all->at_server += take(all, all->net->server);
    all->poll_cpu_ns_max = fn_max_u64(all->poll_cpu_ns_max, cpu_ns() - start_ns);
    all->polls++;
    for (uint32_t i = all->stalls ? 1 : 0; i < ENDPOINTS; i++)
        all->at_clients += take(all, all->clients[i]);
}

static void await_peers(crowd *all, uint32_t count)
{
    while (fastnet_peer_count(all->net->server) < count)
        turn(all);
}

/* Little is in the kernel when nobody reads: the window soon closes. */
static void narrow(const fn_peer *peer)
{
    int bytes = 1;
    assert_non_null(peer->stream);
    assert_int_equal(setsockopt((int)peer->stream->link->tcp.handle, SOL_SOCKET, SO_RCVBUF, &bytes,
                                sizeof bytes),
                     0);
}

static void connect_some(crowd *all, uint32_t endpoint, uint32_t count)
{
    FastNetEndpoint *client = all->clients[endpoint];
    FastNetPeerId peers[CLIENTS];
    for (uint32_t i = 0; i < count; i++)
        peers[i] = test_connect_to(all->net, client, "127.0.0.1", NULL);
    while (fastnet_peer_count(client) < count)
        turn(all);
    for (uint32_t i = 0; endpoint == 0 && i < count; i++)
        narrow(fn_peer_find(&client->host, peers[i]));
}

static void create(crowd *all)
{
    FastNetConfig server, clients;
    fastnet_config_init(&server);
    fastnet_config_init(&clients);
    server.peers_max = clients.peers_max = CLIENTS;
    server.handshakes_max = CLIENTS;
    server.handshake_timeout_ms = clients.handshake_timeout_ms = SECONDS_MAX * 1000;
    server.idle_timeout_ms = clients.idle_timeout_ms = SECONDS_MAX * 1000;
    clients.transport = FASTNET_TRANSPORT_TCP;
    all->net = test_net_with(&server, &clients);
    all->clients[0] = all->net->client;
    clients.trusted_roots_path = all->net->ca;
    for (uint32_t i = 1; i < ENDPOINTS; i++)
        all->clients[i] = test_add(all->net, &clients);
    all->end_ns = fastnet_now_ns() + SECONDS_MAX * FN_NS_PER_S;
}

static void connect_all(crowd *all)
{
    connect_some(all, 0, STALLED);
    await_peers(all, STALLED);
    while (all->stalled_count < STALLED)
        turn(all);
    for (uint32_t i = 1; i < ENDPOINTS; i++)
        connect_some(all, i, (CLIENTS - STALLED + i - 1) / (ENDPOINTS - 1));
    await_peers(all, CLIENTS);
}

/* Until the session takes no more for them. */
static void fill_stalled(crowd *all)
{
    static uint8_t chunk[CHUNK_BYTES];
    for (uint32_t i = 0; i < STALLED; i++) {
        FastNetResult result = FASTNET_OK;
        while (result == FASTNET_OK) {
            result = fastnet_send(all->net->server, all->stalled[i], 0, chunk, sizeof chunk);
            turn(all);
        }
        assert_int_equal(result, FASTNET_ERR_BACKPRESSURE);
    }
}

/* Bytes that the stalled client's system has no room for. */
static int unsent_bytes(const crowd *all, uint32_t i)
{
    const fn_peer *peer = fn_peer_find(&all->net->server->host, all->stalled[i]);
    int bytes = 0;
    assert_non_null(peer->stream);
    assert_int_equal(ioctl((int)peer->stream->link->tcp.handle, SIOCOUTQ, &bytes), 0);
    return bytes;
}

static void t1_five_hundred_tcp_only_clients(void **state)
{
    (void)state;
    may_open_files();
    crowd all = {0};
    create(&all);
    connect_all(&all);
    all.stalls = true;
    fill_stalled(&all);
    all.poll_cpu_ns_max = 0;
    all.polls = 0;
    all.at_server = all.at_clients = 0;
    struct rusage before, after;
    uint64_t start_ns = fastnet_now_ns();
    getrusage(RUSAGE_THREAD, &before);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        for (uint32_t i = 1; i < ENDPOINTS; i++)
            fastnet_broadcast(all.clients[i], 0, 0, "up", 2);
        /* The full queues of the stalled ones refuse. */
        fastnet_broadcast(all.net->server, 0, 0, "down", 4);
        while (all.at_server < round * (CLIENTS - STALLED) ||
               all.at_clients < round * (CLIENTS - STALLED))
            turn(&all);
    }
    getrusage(RUSAGE_THREAD, &after);
    print_message("%u rounds in %u ms, %u polls, the longest %u us of CPU, %ld waits\n", ROUNDS,
                  (unsigned)((fastnet_now_ns() - start_ns) / FN_NS_PER_MS), (unsigned)all.polls,
                  (unsigned)(all.poll_cpu_ns_max / 1000), after.ru_nvcsw - before.ru_nvcsw);
    for (uint32_t i = 0; i < STALLED; i++)
        assert_true(unsent_bytes(&all, i) > 0);
    /* Who waits on a stalled client does so in every poll. A page fault may wait, too. */
    assert_true((uint64_t)(after.ru_nvcsw - before.ru_nvcsw) < all.polls / 10);
    assert_true(all.poll_cpu_ns_max < POLL_CPU_MS_MAX * FN_NS_PER_MS);
    assert_int_equal(fastnet_peer_count(all.net->server), CLIENTS);
    test_net_destroy(all.net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(t1_five_hundred_tcp_only_clients)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
