/* What strangers can do to a server: nothing that its players notice. */
#include "api/test_net.h"

#include "base/rng.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* Strangers come from another address than the players, as in life. */
#define STRANGER "127.0.0.2"

static struct sockaddr_in address_of(const char *host, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, host, &address.sin_addr);
    return address;
}

static int bound_socket(int type, const char *host)
{
    struct sockaddr_in address = address_of(host, 0);
    int fd = socket(AF_INET, type, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void assert_alive(test_net *net)
{
    test_forget_events(net);
    assert_int_equal(fastnet_send(net->client, net->to_server, 0, "ping", 4), FASTNET_OK);
    const FastNetEvent *event = test_await(net, net->server, FASTNET_EVENT_DATA);
    assert_memory_equal(event->data, "ping", 4);
    assert_int_equal(fastnet_send(net->server, net->to_client, 0, "pong", 4), FASTNET_OK);
    test_await(net, net->client, FASTNET_EVENT_DATA);
    assert_int_equal(test_count(net, net->server, FASTNET_EVENT_DATA), 1);
    assert_int_equal(test_count(net, NULL, FASTNET_EVENT_DISCONNECTED), 0);
}

static FastNetEndpointStats stats_of(const FastNetEndpoint *endpoint)
{
    FastNetEndpointStats stats = {.struct_size = sizeof stats};
    assert_int_equal(fastnet_endpoint_stats(endpoint, &stats), FASTNET_OK);
    return stats;
}

/* --- UDP --- */

/* A player behind a hand-made relay on loopback: the test sees, and can repeat, what it sends. */
typedef struct test_relay {
    int front; /* the client's server */
    int back;  /* the server's client */
    struct sockaddr_in client;
    bool client_known;
    struct sockaddr_in server;
    uint8_t last[2048]; /* from the client */
    size_t last_bytes;
} test_relay;

static uint16_t port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t bytes = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &bytes);
    return ntohs(address.sin_port);
}

static void relay_open(test_relay *relay)
{
    memset(relay, 0, sizeof *relay);
    relay->front = bound_socket(SOCK_DGRAM, "127.0.0.1");
    relay->back = bound_socket(SOCK_DGRAM, "127.0.0.1");
}

static void relay_close(test_relay *relay)
{
    close(relay->front);
    close(relay->back);
}

static void relay_turn(test_relay *relay)
{
    uint8_t data[2048];
    ssize_t bytes;
    socklen_t length = sizeof relay->client;
    while ((bytes = recvfrom(relay->front, data, sizeof data, MSG_DONTWAIT,
                             (struct sockaddr *)&relay->client, &length)) >= 0) {
        relay->client_known = true;
        memcpy(relay->last, data, (size_t)bytes);
        relay->last_bytes = (size_t)bytes;
        sendto(relay->back, data, (size_t)bytes, 0, (struct sockaddr *)&relay->server,
               sizeof relay->server);
    }
    while ((bytes = recv(relay->back, data, sizeof data, MSG_DONTWAIT)) >= 0) {
        if (relay->client_known)
            sendto(relay->front, data, (size_t)bytes, 0, (struct sockaddr *)&relay->client,
                   sizeof relay->client);
    }
}

static void run_relayed(test_net *net, test_relay *relay, uint32_t ms)
{
    uint64_t end_ns = fastnet_now_ns() + ms * FN_NS_PER_MS;
    while (fastnet_now_ns() < end_ns) {
        relay_turn(relay);
        for (uint32_t i = 0; i < net->endpoint_count; i++)
            test_poll(net, net->all[i], 0);
    }
}

/* The server tells its clients the relay's port. */
static test_net *relayed_net(test_relay *relay)
{
    char advertised[32];
    relay_open(relay);
    snprintf(advertised, sizeof advertised, "127.0.0.1:%u", (unsigned)port_of(relay->front));
    test_net *net = test_net_create();
    FastNetConfig server = test_server_config(net);
    FastNetConfig client = test_client_config(net);
    server.advertised_address = advertised;
    server.mtu_bytes_max = 1200;
    client.mtu_bytes_max = 1200;
    net->server = test_add(net, &server);
    net->client = test_add(net, &client);
    relay->server = address_of("127.0.0.1", fastnet_udp_port(net->server));
    net->to_server = test_connect_to(net, net->client, "127.0.0.1", NULL);
    while (test_count(net, NULL, FASTNET_EVENT_CONNECTED) < 2)
        run_relayed(net, relay, 1);
    net->to_client = test_find(net, net->server, FASTNET_EVENT_CONNECTED, 0)->peer_id;
    run_relayed(net, relay, 60);
    test_forget_events(net);
    return net;
}

static void s3_replayed_datagrams_are_delivered_once(void **state)
{
    (void)state;
    test_relay relay;
    test_net *net = relayed_net(&relay);
    int stranger = bound_socket(SOCK_DGRAM, STRANGER);
    fastnet_send(net->client, net->to_server, 1, "once", 4);
    fastnet_flush(net->client);
    while (relay.last_bytes == 0 || test_count(net, net->server, FASTNET_EVENT_DATA) == 0)
        run_relayed(net, &relay, 1);
    FastNetEndpointStats before = stats_of(net->server);
    for (int i = 0; i < 100; i++) {
        sendto(relay.back, relay.last, relay.last_bytes, 0, (struct sockaddr *)&relay.server,
               sizeof relay.server);
        sendto(stranger, relay.last, relay.last_bytes, 0, (struct sockaddr *)&relay.server,
               sizeof relay.server);
    }
    run_relayed(net, &relay, 50);
    FastNetEndpointStats after = stats_of(net->server);
    assert_int_equal(test_count(net, net->server, FASTNET_EVENT_DATA), 1);
    assert_true(after.rejected_datagrams >= before.rejected_datagrams + 200);
    /* No answer, and the stranger's address was not believed. */
    uint8_t data[2048];
    assert_int_equal(recv(stranger, data, sizeof data, MSG_DONTWAIT), -1);
    FastNetAddress address;
    fastnet_peer_address(net->server, net->to_client, &address);
    assert_int_not_equal(strncmp(address.text, STRANGER, strlen(STRANGER)), 0);
    close(stranger);
    relay_close(&relay);
    test_net_destroy(net);
}

static void s5_damaged_datagrams_change_nothing(void **state)
{
    (void)state;
    test_relay relay;
    test_net *net = relayed_net(&relay);
    int stranger = bound_socket(SOCK_DGRAM, STRANGER);
    uint8_t data[2048];
    fastnet_send(net->client, net->to_server, 1, "seen", 4);
    fastnet_flush(net->client);
    while (relay.last_bytes == 0 || test_count(net, net->server, FASTNET_EVENT_DATA) == 0)
        run_relayed(net, &relay, 1);
    size_t bytes = relay.last_bytes;
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        memcpy(data, relay.last, bytes);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        sendto(stranger, data, bytes, 0, (struct sockaddr *)&relay.server, sizeof relay.server);
        if (bit % 64 == 0)
            run_relayed(net, &relay, 1);
    }
    for (size_t cut = 0; cut < bytes; cut++)
        sendto(stranger, relay.last, cut, 0, (struct sockaddr *)&relay.server, sizeof relay.server);
    run_relayed(net, &relay, 50);
    assert_int_equal(test_count(net, net->server, FASTNET_EVENT_DATA), 1);
    assert_int_equal(test_count(net, NULL, FASTNET_EVENT_DISCONNECTED), 0);
    assert_int_equal(recv(stranger, data, sizeof data, MSG_DONTWAIT), -1);
    fastnet_send(net->client, net->to_server, 0, "alive", 5);
    run_relayed(net, &relay, 50);
    assert_int_equal(test_count(net, net->server, FASTNET_EVENT_DATA), 2);
    close(stranger);
    relay_close(&relay);
    test_net_destroy(net);
}

static void s5_player_keeps_its_session_when_its_port_changes(void **state)
{
    (void)state;
    test_relay relay;
    test_net *net = relayed_net(&relay);
    /* A NAT forgot the player: from now on it comes from another port. */
    close(relay.back);
    relay.back = bound_socket(SOCK_DGRAM, "127.0.0.1");
    uint16_t port = port_of(relay.back);
    FastNetAddress address = {{0}};
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    while (strstr(address.text, ":") == NULL || atoi(strstr(address.text, ":") + 1) != port) {
        assert_true(fastnet_now_ns() < end_ns);
        fastnet_send(net->client, net->to_server, 1, "moved", 5);
        run_relayed(net, &relay, 20);
        fastnet_peer_address(net->server, net->to_client, &address);
    }
    assert_int_equal(test_count(net, NULL, FASTNET_EVENT_DISCONNECTED), 0);
    fastnet_send(net->server, net->to_client, 0, "found", 5);
    run_relayed(net, &relay, 100);
    assert_int_equal(test_count(net, net->client, FASTNET_EVENT_DATA), 1);
    relay_close(&relay);
    test_net_destroy(net);
}

static void s5_random_datagrams_cost_a_lookup(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    struct sockaddr_in server = address_of("127.0.0.1", fastnet_udp_port(net->server));
    int stranger = bound_socket(SOCK_DGRAM, STRANGER);
    uint8_t data[1500];
    fn_rng rng;
    fn_rng_init(&rng, 5);
    for (int i = 0; i < 3000; i++) {
        size_t bytes = (size_t)fn_rng_below(&rng, sizeof data);
        fn_rng_bytes(&rng, data, bytes);
        if (i % 2 == 0 && bytes > 0)
            data[0] = (uint8_t)(0xc0 | (data[0] & 0x0f));
        sendto(stranger, data, bytes, 0, (struct sockaddr *)&server, sizeof server);
        if (i % 50 == 0)
            test_turn(net);
    }
    test_run_ms(net, 20);
    assert_true(stats_of(net->server).unknown_datagrams > 0);
    assert_int_equal(recv(stranger, data, sizeof data, MSG_DONTWAIT), -1);
    assert_alive(net);
    close(stranger);
    test_net_destroy(net);
}

/* --- TCP --- */

static int connects_from(const test_net *net, const char *from)
{
    struct sockaddr_in server = address_of("127.0.0.1", fastnet_tls_port(net->server));
    int fd = bound_socket(SOCK_STREAM, from);
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    assert_int_equal(connect(fd, (struct sockaddr *)&server, sizeof server), 0);
    return fd;
}

static int stranger_connects(const test_net *net)
{
    return connects_from(net, STRANGER);
}

/* The server has closed that connection: end of stream or reset. */
static bool was_closed(int fd)
{
    uint8_t data[512];
    ssize_t bytes;
    while ((bytes = recv(fd, data, sizeof data, MSG_DONTWAIT)) > 0) {
    }
    return bytes == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void await_closed(test_net *net, int fd)
{
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    while (!was_closed(fd)) {
        assert_true(fastnet_now_ns() < end_ns);
        test_turn(net);
    }
}

static void garbage_on_the_tls_port_is_closed(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    static const char *const garbage[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                          "\x16\x03\x01\xff\xff garbage", "SSH-2.0-x\r\n"};
    for (size_t i = 0; i < FN_ARRAY_COUNT(garbage); i++) {
        int fd = stranger_connects(net);
        send(fd, garbage[i], strlen(garbage[i]), MSG_NOSIGNAL);
        await_closed(net, fd);
        close(fd);
    }
    assert_true(stats_of(net->server).handshakes_failed >= FN_ARRAY_COUNT(garbage));
    assert_alive(net);
    test_net_destroy(net);
}

static void s6_idle_tls_connections_freeze_nobody(void **state)
{
    (void)state;
    enum { IDLE = 100 };
    int fds[IDLE];
    FastNetConfig server;
    fastnet_config_init(&server);
    server.handshake_timeout_ms = 700;
    test_net *net = test_net_with(&server, NULL);
    for (int i = 0; i < IDLE; i++) {
        fds[i] = stranger_connects(net);
        /* Some say nothing at all, some begin a ClientHello and stop half-way. */
        if (i % 2 == 0)
            send(fds[i], "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11, MSG_NOSIGNAL);
        test_turn(net);
    }
    test_run_ms(net, 20);
    assert_int_equal(stats_of(net->server).handshakes, IDLE);
    uint64_t start_ns = fastnet_now_ns();
    test_net_connect(net);
    assert_true(fastnet_now_ns() - start_ns < 500 * FN_NS_PER_MS);
    assert_alive(net);
    for (int i = 0; i < IDLE; i++) {
        await_closed(net, fds[i]);
        close(fds[i]);
    }
    assert_int_equal(stats_of(net->server).handshakes, 0);
    assert_alive(net);
    test_net_destroy(net);
}

static void s6_one_byte_at_a_time_ends_at_the_deadline(void **state)
{
    (void)state;
    FastNetConfig server;
    fastnet_config_init(&server);
    server.handshake_timeout_ms = 400;
    test_net *net = test_net_with(&server, NULL);
    int fd = stranger_connects(net);
    const uint8_t head[] = {22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};
    uint64_t start_ns = fastnet_now_ns();
    for (size_t i = 0; !was_closed(fd); i++) {
        const uint8_t byte = i < sizeof head ? head[i] : 0;
        send(fd, &byte, 1, MSG_NOSIGNAL);
        test_run_ms(net, 10);
        assert_true(fastnet_now_ns() - start_ns < 3 * FN_NS_PER_S);
    }
    assert_true(fastnet_now_ns() - start_ns >= 350 * FN_NS_PER_MS);
    close(fd);
    test_net_destroy(net);
}

static test_net *net_with_cap(uint32_t handshakes_max)
{
    FastNetConfig server;
    fastnet_config_init(&server);
    server.handshakes_max = handshakes_max;
    return test_net_with(&server, NULL);
}

static void s6_silent_crowd_gives_way_at_the_cap(void **state)
{
    (void)state;
    enum { CAP = 16, STRANGERS = 40 };
    int fds[STRANGERS];
    test_net *net = net_with_cap(CAP);
    for (int i = 0; i < STRANGERS; i++) {
        fds[i] = stranger_connects(net);
        test_run_ms(net, 1);
    }
    FastNetEndpointStats stats = stats_of(net->server);
    assert_int_equal(stats.handshakes, CAP);
    assert_int_equal(stats.handshakes_evicted, STRANGERS - CAP);
    assert_true(was_closed(fds[0]));
    assert_false(was_closed(fds[STRANGERS - 1]));
    test_net_connect(net);
    for (int i = 0; i < STRANGERS; i++)
        close(fds[i]);
    test_net_destroy(net);
}

/* No more places, and nobody who has to go: newcomers wait outside, and cost nothing there. */
static void newcomers_wait_in_the_queue_until_somebody_overruns(void **state)
{
    (void)state;
    enum { CAP = 4 };
    int fds[CAP];
    test_net *net = net_with_cap(CAP);
    for (int i = 0; i < CAP; i++) {
        char from[32];
        snprintf(from, sizeof from, "127.0.0.%d", 20 + i);
        fds[i] = connects_from(net, from);
    }
    test_run_ms(net, 20);
    uint64_t begin_ns = fastnet_now_ns();
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    test_run_ms(net, 100);
    assert_int_equal(stats_of(net->server).handshakes, CAP);
    assert_int_equal(stats_of(net->server).handshakes_evicted, 0);
    /* It sleeps meanwhile: the door is not listened to. */
    fastnet_poll(net->server, NULL, 0, 0);
    assert_true(fastnet_next_deadline(net->server) > 1000);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    assert_true(fastnet_now_ns() - begin_ns < FN_NS_PER_S);
    assert_int_equal(stats_of(net->server).handshakes_evicted, 1);
    assert_int_equal(test_count(net, net->client, FASTNET_EVENT_ERROR), 0);
    for (int i = 0; i < CAP; i++)
        close(fds[i]);
    test_net_destroy(net);
}

/* A server closes with one in its hand. */
static void server_ends_while_somebody_is_held_at_its_door(void **state)
{
    (void)state;
    enum { CAP = 2 };
    int fds[CAP + 1];
    test_net *net = net_with_cap(CAP);
    for (int i = 0; i <= CAP; i++) {
        fds[i] = stranger_connects(net);
        test_run_ms(net, 5);
    }
    test_remove(net, net->server);
    for (int i = 0; i <= CAP; i++)
        close(fds[i]);
    test_net_destroy(net);
}

typedef struct log_lines {
    uint32_t limits; /* that name an address and the setting */
    uint32_t all;
} log_lines;

static void count_limit_lines(void *user, int32_t level, const char *line)
{
    log_lines *self = user;
    self->all++;
    self->limits += level == FASTNET_LOG_WARNING && strstr(line, "127.0.0.") == line &&
                    (strstr(line, "handshakes_per_address_per_s") != NULL ||
                     strstr(line, "peers_per_address_max") != NULL);
}

static test_net *limited_net(log_lines *log, uint32_t per_s, uint32_t peers)
{
    test_net *net = test_net_create();
    FastNetConfig server = test_server_config(net);
    FastNetConfig client = test_client_config(net);
    server.handshakes_per_address_per_s = per_s;
    server.peers_per_address_max = peers;
    server.log = count_limit_lines;
    server.log_user = log;
    net->server = test_add(net, &server);
    net->client = test_add(net, &client);
    return net;
}

static void address_that_connects_too_often_is_limited(void **state)
{
    (void)state;
    log_lines log = {0};
    test_net *net = limited_net(&log, 5, 0);
    int fds[20];
    for (int i = 0; i < 20; i++) {
        fds[i] = stranger_connects(net);
        test_turn(net);
    }
    test_run_ms(net, 20);
    assert_true(stats_of(net->server).handshakes_limited >= 10);
    assert_int_equal(log.limits, 1); /* one line for all of them */
    /* Only that address is. */
    test_net_connect(net);
    for (int i = 0; i < 20; i++)
        close(fds[i]);
    test_net_destroy(net);
}

/* A school behind one address, with the defaults: those above the rate try again, unheard. */
static void forty_players_of_one_address_get_in(void **state)
{
    (void)state;
    enum { PLAYERS = 40 };
    log_lines log = {0};
    test_net *net = limited_net(&log, 20, 0);
    uint64_t begin_ns = fastnet_now_ns();
    for (int i = 0; i < PLAYERS; i++)
        test_connect_to(net, net->client, "127.0.0.1", NULL);
    test_await_nth(net, net->client, FASTNET_EVENT_CONNECTED, PLAYERS - 1);
    print_message("all were in after %u ms\n",
                  (unsigned)((fastnet_now_ns() - begin_ns) / FN_NS_PER_MS));
    assert_true(fastnet_now_ns() - begin_ns < 3 * FN_NS_PER_S);
    assert_int_equal(test_count(net, net->client, FASTNET_EVENT_ERROR), 0);
    assert_true(stats_of(net->server).handshakes_limited >= 20);
    assert_int_equal(stats_of(net->client).handshakes_failed, 0);
    assert_int_equal(log.limits, 1);
    test_net_destroy(net);
}

static void address_with_all_its_places_is_told_so(void **state)
{
    (void)state;
    enum { PLACES = 3 };
    log_lines log = {0};
    test_net *net = limited_net(&log, 0, PLACES);
    for (int i = 0; i < PLACES; i++)
        test_connect_to(net, net->client, "127.0.0.1", NULL);
    test_await_nth(net, net->client, FASTNET_EVENT_CONNECTED, PLACES - 1);
    for (int i = 0; i < 5; i++) {
        uint64_t begin_ns = fastnet_now_ns();
        test_forget_events(net);
        test_connect_to(net, net->client, "127.0.0.1", NULL);
        const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_ERROR);
        assert_int_equal(event->error_code, FASTNET_ERR_LIMIT);
        assert_non_null(strstr((const char *)event->data, "this address"));
        assert_true(fastnet_now_ns() - begin_ns < FN_NS_PER_S); /* no use in trying again */
    }
    assert_int_equal(log.limits, 1);
    /* Others have theirs, and a place that is given back can be taken. */
    test_forget_events(net);
    FastNetPeerId other = test_connect_to(net, net->client, "::1", NULL);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    fastnet_disconnect_now(net->server, fastnet_peer_next(net->server, 0), 0, NULL);
    fastnet_disconnect_now(net->client, other, 0, NULL);
    test_await(net, net->client, FASTNET_EVENT_DISCONNECTED);
    test_run_ms(net, 100);
    test_forget_events(net);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    test_net_destroy(net);
}

/* A server that closes the first connections, before or after it has read something. */
static void *close_some(void *context)
{
    int listener = *(int *)context;
    uint8_t data[4096];
    struct timeval patience = {TEST_TIMEOUT_MS / 1000, 0}; /* an accept that waits for nobody */
    setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (int i = 0; i < 3; i++) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            break;
        if (i > 0)
            (void)!recv(fd, data, i == 1 ? 1 : sizeof data, 0);
        if (i == 0) {
            struct linger now = {1, 0};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        close(fd);
    }
    close(listener); /* from now on: refused */
    return NULL;
}

/* Reset, closed with something unread, closed in good order: all may pass. Refused does not. */
static void client_tries_again_what_may_pass(void **state)
{
    (void)state;
    pthread_t thread;
    test_net *net = test_net_create();
    FastNetConfig client = test_client_config(net);
    client.log_level = FASTNET_LOG_DEBUG;
    net->client = test_add(net, &client);
    int listener = bound_socket(SOCK_STREAM, "127.0.0.1");
    assert_int_equal(listen(listener, 8), 0);
    uint16_t port = port_of(listener);
    FastNetPeerId peer;
    assert_int_equal(pthread_create(&thread, NULL, close_some, &listener), 0);
    assert_int_equal(fastnet_connect(net->client, "127.0.0.1", port, NULL, &peer), FASTNET_OK);
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_ERROR);
    pthread_join(thread, NULL); /* all three were made */
    assert_int_equal(event->error_code, FASTNET_ERR_ADDRESS);
    assert_non_null(strstr((const char *)event->data, "refused"));
    assert_int_equal(event->peer_id, peer);
    assert_int_equal(net->event_count, 1);
    test_net_destroy(net);
}

static void client_gives_up_at_its_timeout_and_says_what_it_saw(void **state)
{
    (void)state;
    FastNetConfig client;
    fastnet_config_init(&client);
    client.handshake_timeout_ms = 700;
    test_net *net = test_net_with(NULL, &client);
    assert_int_equal(fastnet_ban_add(net->server, "127.0.0.1"), FASTNET_OK);
    uint64_t begin_ns = fastnet_now_ns();
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_ERROR);
    assert_int_equal(event->error_code, FASTNET_ERR_CLOSED);
    assert_true(strstr((const char *)event->data, "closed") != NULL ||
                strstr((const char *)event->data, "reset") != NULL);
    assert_in_range(fastnet_now_ns() - begin_ns, 100 * FN_NS_PER_MS, FN_NS_PER_S);
    assert_true(stats_of(net->client).handshakes_failed <= 1);
    test_net_destroy(net);
}

static void tls_connection_is_closed_once_udp_is_validated(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    char path[64];
    char target[128];
    uint32_t sockets = 0;
    test_run_ms(net, 100);
    /* Both endpoints live in this process: UDP twice, one listener, and no TCP connection. */
    for (int fd = 0; fd < 256; fd++) {
        struct sockaddr_storage peer;
        socklen_t bytes = sizeof peer;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        int type = 0;
        socklen_t type_bytes = sizeof type;
        if (length > 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_bytes) == 0 &&
            type == SOCK_STREAM && getpeername(fd, (struct sockaddr *)&peer, &bytes) == 0 &&
            peer.ss_family != AF_UNIX)
            sockets++;
    }
    assert_int_equal(sockets, 0);
    assert_alive(net);
    test_net_destroy(net);
}

static void count_line(void *user, int32_t level, const char *line)
{
    (void)level, (void)line;
    ++*(uint32_t *)user;
}

/* Every number below the limit is in use. (A limit below what is open would be something else:
 * poll() refuses more sockets than the limit, epoll does not.) */
static rlim_t used_descriptors(void)
{
    int lowest_free = dup(STDIN_FILENO);
    assert_true(lowest_free > 0);
    close(lowest_free);
    return (rlim_t)lowest_free;
}

static void attack_connecting_without_descriptors_left_does_not_flood_the_log(void **state)
{
    (void)state;
    enum { STRANGERS = 60 };
    int fds[STRANGERS];
    uint32_t lines = 0;
    struct rlimit before, none;
    test_net *net = test_net_create();
    FastNetConfig config = test_server_config(net);
    config.log = count_line;
    config.log_user = &lines;
    net->server = test_add(net, &config);
    for (int i = 0; i < STRANGERS; i++)
        fds[i] = stranger_connects(net);
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = used_descriptors();
    setrlimit(RLIMIT_NOFILE, &none);
    test_run_ms(net, 100);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_in_range(lines, 1, 20);
    for (int i = 0; i < STRANGERS; i++)
        close(fds[i]);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s3_replayed_datagrams_are_delivered_once),
        cmocka_unit_test(s5_damaged_datagrams_change_nothing),
        cmocka_unit_test(s5_player_keeps_its_session_when_its_port_changes),
        cmocka_unit_test(s5_random_datagrams_cost_a_lookup),
        cmocka_unit_test(garbage_on_the_tls_port_is_closed),
        cmocka_unit_test(s6_idle_tls_connections_freeze_nobody),
        cmocka_unit_test(s6_one_byte_at_a_time_ends_at_the_deadline),
        cmocka_unit_test(s6_silent_crowd_gives_way_at_the_cap),
        cmocka_unit_test(newcomers_wait_in_the_queue_until_somebody_overruns),
        cmocka_unit_test(server_ends_while_somebody_is_held_at_its_door),
        cmocka_unit_test(address_that_connects_too_often_is_limited),
        cmocka_unit_test(forty_players_of_one_address_get_in),
        cmocka_unit_test(address_with_all_its_places_is_told_so),
        cmocka_unit_test(client_tries_again_what_may_pass),
        cmocka_unit_test(client_gives_up_at_its_timeout_and_says_what_it_saw),
        cmocka_unit_test(tls_connection_is_closed_once_udp_is_validated),
        cmocka_unit_test(attack_connecting_without_descriptors_left_does_not_flood_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
