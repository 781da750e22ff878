/*
 * Everybody comes at once, and some only stand in the door.
 *
 *   e2e_stampede join CA PORT COUNT WITHIN_MS TIMEOUT_MS   COUNT clients start within WITHIN_MS
 *   e2e_stampede rate CA PORT SECONDS                      full handshakes per second, 32 at once
 *   e2e_stampede slow PORT COUNT                           connections from 127.0.0.2 to .9 that
 * send one byte now and then, until SIGTERM
 *
 * All clients are peers of one endpoint. Each mode prints one JSON object; `slow` prints a line
 * when all its connections have been open once. TIMEOUT_MS 0 is the library's default.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fastnet.h"

enum {
    MS = 1000000,
    SLOTS = 32,
    EVENTS = 64,
    TIME_LIMIT_MS = 60000,
    ADDRESSES = 8,
    BYTE_EVERY_MS = 200,   /* of one connection */
    AGAIN_AFTER_MS = 1000, /* one that was closed is opened again, or twice that */
    OPENED_PER_MS = 16,
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* Thousands of sockets: as many as we may have. */
static void raise_limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static uint64_t now_ms(void)
{
    return fastnet_now_ns() / MS;
}

/* --- clients --- */

static FastNetEndpoint *create_client(const char *ca, uint32_t peers, uint32_t timeout_ms)
{
    FastNetConfig config;
    FastNetEndpoint *endpoint = NULL;
    fastnet_config_init(&config);
    config.trusted_roots_path = ca;
    config.peers_max = peers;
    if (timeout_ms > 0) {
        config.handshake_timeout_ms = timeout_ms;
    }
    if (fastnet_endpoint_create(&config, &endpoint) != FASTNET_OK) {
        fprintf(stderr, "%s\n", fastnet_connect_error_text());
        exit(2);
    }
    return endpoint;
}

static void start(FastNetEndpoint *client, uint16_t port)
{
    FastNetPeerId peer;
    FastNetConnectOptions options;
    fastnet_connect_options_init(&options);
    options.full_handshake = true;
    options.server_name = "localhost";
    if (fastnet_connect(client, "127.0.0.1", port, &options, &peer) != FASTNET_OK) {
        fprintf(stderr, "%s\n", fastnet_last_error_text(client));
        exit(2);
    }
}

typedef struct tally {
    uint32_t started, connected, failed, ended;
} tally;

static void count(tally *all, FastNetEndpoint *client, uint32_t timeout_us)
{
    FastNetEvent events[EVENTS];
    int32_t got = fastnet_poll(client, events, EVENTS, timeout_us);
    for (int32_t i = 0; i < got; i++) {
        all->connected += events[i].type == FASTNET_EVENT_CONNECTED;
        all->ended += events[i].type == FASTNET_EVENT_DISCONNECTED;
        if (events[i].type == FASTNET_EVENT_ERROR && all->failed++ < 5) {
            fprintf(stderr, "a join failed: %s: %s\n", fastnet_result_name(events[i].error_code),
                    (const char *)events[i].data);
        }
    }
}

static int join(const char *ca, uint16_t port, uint32_t clients, uint32_t within_ms,
                uint32_t timeout_ms)
{
    tally all = {0};
    FastNetEndpoint *client = create_client(ca, clients, timeout_ms);
    uint64_t begin_ms = now_ms();
    while (all.connected + all.failed < clients && now_ms() - begin_ms < TIME_LIMIT_MS) {
        uint64_t passed_ms = now_ms() - begin_ms;
        uint64_t due = within_ms == 0 ? clients : clients * passed_ms / within_ms;
        while (all.started < clients && all.started < due) {
            start(client, port);
            all.started++;
        }
        count(&all, client, 500);
    }
    uint64_t all_ms = now_ms() - begin_ms;
    for (uint64_t end_ms = now_ms() + 300; now_ms() < end_ms;) { /* they stay */
        count(&all, client, 500);
    }
    printf("{\"connected\":%" PRIu32 ",\"failed\":%" PRIu32 ",\"ended\":%" PRIu32
           ",\"all_ms\":%" PRIu64 "}\n",
           all.connected, all.failed, all.ended, all_ms);
    fastnet_endpoint_destroy(client);
    return 0;
}

static int rate(const char *ca, uint16_t port, uint32_t seconds)
{
    FastNetEvent events[EVENTS];
    uint32_t completed = 0;
    FastNetEndpoint *client = create_client(ca, 4 * SLOTS, 0);
    for (int i = 0; i < SLOTS; i++) {
        start(client, port);
    }
    uint64_t begin_ms = now_ms();
    while (now_ms() - begin_ms < seconds * 1000) {
        int32_t got = fastnet_poll(client, events, EVENTS, 20000);
        for (int32_t i = 0; i < got; i++) {
            if (events[i].type == FASTNET_EVENT_CONNECTED) {
                completed++;
                fastnet_disconnect_now(client, events[i].peer_id, 0, NULL);
                start(client, port);
            }
        }
    }
    printf("{\"per_s\":%.1f}\n", completed * 1000.0 / (double)(now_ms() - begin_ms));
    fastnet_endpoint_destroy(client);
    return 0;
}

/* --- slow ones --- */

typedef struct slow {
    int fd;           /* -1 = closed */
    uint64_t next_ms; /* the next byte, or the next attempt */
    uint32_t sent;
} slow;

typedef struct crowd {
    int epoll;
    uint16_t port;
    uint32_t size, opened, closed, bytes;
    slow *all;
} crowd;

static bool open_one(crowd *self, uint32_t at)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    slow *one = &self->all[at];
    from.sin_addr.s_addr = htonl(0x7f000002u + at % ADDRESSES);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(self->port);
    one->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (one->fd < 0) {
        fprintf(stderr, "no socket: %s\n", strerror(errno));
        return false;
    }
    int now = 1;
    setsockopt(one->fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &now, sizeof now);
    bind(one->fd, (struct sockaddr *)&from, sizeof from);
    if (connect(one->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS) {
        close(one->fd);
        one->fd = -1;
        one->next_ms = now_ms() + AGAIN_AFTER_MS;
        return true;
    }
    struct epoll_event wanted = {.events = EPOLLRDHUP, .data.u32 = at};
    epoll_ctl(self->epoll, EPOLL_CTL_ADD, one->fd, &wanted);
    one->sent = 0;
    one->next_ms = now_ms() + at % 16; /* the first one comes soon */
    self->opened++;
    return true;
}

static void was_closed(crowd *self, uint32_t at)
{
    close(self->all[at].fd);
    self->all[at].fd = -1;
    self->all[at].next_ms = now_ms() + AGAIN_AFTER_MS + at % AGAIN_AFTER_MS;
    self->closed++;
}

/* A ClientHello of 508 bytes that never gets whole. */
static void send_byte(crowd *self, uint32_t at)
{
    static const uint8_t head[] = {22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};
    slow *one = &self->all[at];
    const uint8_t byte = one->sent < sizeof head ? head[one->sent] : 0;
    one->next_ms = now_ms() + BYTE_EVERY_MS;
    if (send(one->fd, &byte, 1, MSG_NOSIGNAL) == 1) {
        one->sent++;
        self->bytes++;
    }
}

/* Some are opened, and those whose turn it is say their byte. */
static bool slow_turn(crowd *self, uint32_t *first, uint64_t began_ms)
{
    uint64_t present_ms = now_ms();
    uint32_t due = (uint32_t)((present_ms - began_ms) * OPENED_PER_MS);
    while (*first < self->size && *first < due) {
        if (!open_one(self, (*first)++)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < *first; i++) {
        if (self->all[i].next_ms > present_ms) {
            continue;
        }
        if (self->all[i].fd >= 0) {
            send_byte(self, i);
        } else if (!open_one(self, i)) {
            return false;
        }
    }
    return true;
}

static int stand_in_the_door(uint16_t port, uint32_t size)
{
    crowd self = {.epoll = epoll_create1(0), .port = port, .size = size};
    uint32_t first = 0;
    bool told = false;
    self.all = calloc(size, sizeof *self.all);
    if (!self.all) {
        return 2;
    }
    uint64_t began_ms = now_ms();
    while (!stopped) {
        struct epoll_event events[256];
        int got = epoll_wait(self.epoll, events, 256, 5);
        for (int i = 0; i < got; i++) {
            if (self.all[events[i].data.u32].fd >= 0) {
                was_closed(&self, events[i].data.u32);
            }
        }
        if (!slow_turn(&self, &first, began_ms)) {
            return 2;
        }
        if (first == size && !told) {
            told = true;
            printf("all are there\n");
            fflush(stdout);
        }
    }
    printf("{\"opened\":%" PRIu32 ",\"closed\":%" PRIu32 ",\"bytes\":%" PRIu32 "}\n", self.opened,
           self.closed, self.bytes);
    free(self.all);
    return 0;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    raise_limit();
    if (argc == 7 && strcmp(mode, "join") == 0) {
        return join(argv[2], (uint16_t)atoi(argv[3]), (uint32_t)atoi(argv[4]),
                    (uint32_t)atoi(argv[5]), (uint32_t)atoi(argv[6]));
    }
    if (argc == 5 && strcmp(mode, "rate") == 0) {
        return rate(argv[2], (uint16_t)atoi(argv[3]), (uint32_t)atoi(argv[4]));
    }
    if (argc == 4 && strcmp(mode, "slow") == 0) {
        return stand_in_the_door((uint16_t)atoi(argv[2]), (uint32_t)atoi(argv[3]));
    }
    fprintf(stderr, "usage: e2e_stampede join CA PORT COUNT WITHIN_MS TIMEOUT_MS\n"
                    "       e2e_stampede rate CA PORT SECONDS\n"
                    "       e2e_stampede slow PORT COUNT\n");
    return 2;
}
