/*
 * fanout.c: FastNet's side of the fan-out benchmark: one endpoint as the server, or --shards of
 * them with a thread each; in the client process one endpoint for each --per_socket clients.
 */
#include "fanout.h"

#include "common/clock.h"
#include "common/report.h"
#include "common/tuning.h"

#include "fastnet.h"
#include "fastnet/shards.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#define EVENTS       256
#define MEMORY_FIXED (UINT64_C(64) << 20)
#define MEMORY_EACH  (UINT64_C(64) << 10)
#define CHANNEL      FASTNET_CHANNEL_UNRELIABLE

typedef struct client {
    FastNetPeerId peer;
    uint32_t endpoint;
} client;

typedef struct server {
    FastNetEndpoint *endpoint;
    FastNetPeerId peers[FANOUT_PEERS_MAX]; /* by slot, the low 16 bits of an id */
    FastNetEvent events[EVENTS];
} server;

static server servers[FANOUT_SHARDS_MAX];
static _Thread_local server *self = &servers[0];

static struct {
    const bench_options *options;
    FastNetEndpoint **endpoints; /* the clients' */
    uint32_t endpoint_count;
    client *clients;
    int epoll;
    FastNetEvent events[EVENTS];
} fan;

static FastNetEndpoint *create(const FastNetConfig *config)
{
    FastNetEndpoint *endpoint = NULL;
    if (fastnet_endpoint_create(config, &endpoint) != FASTNET_OK) {
        bench_fail("no endpoint: %s", fastnet_connect_error_text());
    }
    return endpoint;
}

static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static FastNetConfig common_config(const bench_options *options, uint32_t peers)
{
    FastNetConfig config;
    fastnet_config_init(&config);
    config.peers_max = peers;
    config.handshakes_per_address_per_s = 0;
    config.handshakes_max = 1024;
    config.keep_tls_warm = options->keep_tls != 0;
    tuning_apply(&config, options);
    return config;
}

static void take_shard(uint32_t number)
{
    self = &servers[number];
}

static void create_shards(const FastNetConfig *config, uint32_t count)
{
    FastNetShards *shards = NULL;
    if (count > FANOUT_SHARDS_MAX) {
        bench_fail("--shards must be 1 to %d", FANOUT_SHARDS_MAX);
    }
    if (fastnet_shards_create(config, count, &shards) != FASTNET_OK) {
        bench_fail("no shards: %s", fastnet_connect_error_text());
    }
    for (uint32_t i = 0; i < count; i++) {
        servers[i].endpoint = fastnet_shards_endpoint(shards, i);
    }
    swarm_shards(count, take_shard);
}

void fanout_listen(const bench_options *options, uint16_t *port, uint16_t *tls_port)
{
    FastNetConfig config = common_config(options, (uint32_t)options->clients + 8);
    allow_descriptors(); /* connections that are kept have one each */
    config.listen = true;
    config.bind_address = options->host;
    config.udp_port = (uint16_t)options->port;
    config.tls_port = (uint16_t)options->tls_port;
    config.certificate_path = options->certificate;
    config.private_key_path = options->key;
    config.memory_bytes_max = MEMORY_FIXED + MEMORY_EACH * (uint64_t)options->clients;
    if (options->shards > 1) {
        create_shards(&config, (uint32_t)options->shards);
    } else {
        self->endpoint = create(&config);
    }
    *port = fastnet_udp_port(self->endpoint);
    *tls_port = fastnet_tls_port(self->endpoint);
}

void fanout_server_step(uint64_t timeout_ns)
{
    uint32_t timeout_us = (uint32_t)(timeout_ns / BENCH_NS_PER_US);
    int32_t count = fastnet_poll(self->endpoint, self->events, EVENTS, timeout_us);
    for (int32_t i = 0; i < count; i++) {
        const FastNetEvent *event = &self->events[i];
        uint32_t slot = event->peer_id & 0xffff;
        if (event->type == FASTNET_EVENT_DATA) {
            swarm_input(slot, event->data, event->data_len);
        } else if (event->type == FASTNET_EVENT_CONNECTED) {
            self->peers[slot] = event->peer_id;
        } else if (event->type == FASTNET_EVENT_DISCONNECTED) {
            self->peers[slot] = 0;
        }
    }
}

void fanout_send_state(uint32_t peer, const uint8_t *state)
{
    if (self->peers[peer]) {
        fastnet_send(self->endpoint, self->peers[peer], CHANNEL, state, FANOUT_STATE_BYTES);
    }
}

void fanout_server_flush(void)
{
    fastnet_flush(self->endpoint);
}

void fanout_open(const bench_options *options)
{
    uint32_t per_socket = options->per_socket > 0 ? (uint32_t)options->per_socket : 1;
    fan.options = options;
    fan.endpoint_count = ((uint32_t)options->clients + per_socket - 1) / per_socket;
    fan.endpoints = calloc(fan.endpoint_count, sizeof(FastNetEndpoint *));
    fan.clients = calloc((size_t)options->clients, sizeof *fan.clients);
    fan.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!fan.endpoints || !fan.clients || fan.epoll < 0) {
        bench_fail("out of memory or descriptors");
    }
    allow_descriptors();
    FastNetConfig config = common_config(options, per_socket);
    config.trusted_roots_path = options->certificate;
    config.memory_bytes_max = (UINT64_C(4) << 20) + MEMORY_EACH * per_socket;
    for (uint32_t i = 0; i < fan.endpoint_count; i++) {
        fan.endpoints[i] = create(&config);
        struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = i};
        epoll_ctl(fan.epoll, EPOLL_CTL_ADD, fastnet_endpoint_fd(fan.endpoints[i]), &wanted);
    }
}

static void poll_endpoint(uint32_t number)
{
    int32_t count;
    do {
        count = fastnet_poll(fan.endpoints[number], fan.events, EVENTS, 0);
        for (int32_t i = 0; i < count; i++) {
            const FastNetEvent *event = &fan.events[i];
            uint32_t which = (uint32_t)(uintptr_t)event->user;
            if (event->type == FASTNET_EVENT_DATA) {
                swarm_state(which, event->data, event->data_len);
            } else if (event->type == FASTNET_EVENT_CONNECTED) {
                swarm_connected(which);
            } else if (event->type == FASTNET_EVENT_ERROR) {
                swarm_failed(which, (const char *)event->data);
            } else if (event->type == FASTNET_EVENT_DISCONNECTED) {
                bench_notice("client %u left: %s", (unsigned)which, (const char *)event->data);
            }
        }
    } while (count == EVENTS);
}

void fanout_connect(uint32_t number)
{
    FastNetConnectOptions connecting;
    client *c = &fan.clients[number];
    fastnet_connect_options_init(&connecting);
    connecting.server_name = "localhost";
    connecting.user = (void *)(uintptr_t)number;
    c->endpoint = number % fan.endpoint_count;
    if (fastnet_connect(fan.endpoints[c->endpoint], fan.options->host,
                        (uint16_t)fan.options->tls_port, &connecting, &c->peer) != FASTNET_OK) {
        c->peer = 0;
        swarm_failed(number, fastnet_last_error_text(fan.endpoints[c->endpoint]));
    }
    poll_endpoint(c->endpoint); /* the TCP connect begins here */
}

void fanout_client_step(uint64_t timeout_ns)
{
    struct epoll_event ready[EVENTS];
    struct timespec timeout = bench_timespec(timeout_ns);
    int count = epoll_pwait2(fan.epoll, ready, EVENTS, &timeout, NULL);
    for (int i = 0; i < count; i++) {
        poll_endpoint(ready[i].data.u32);
    }
}

void fanout_client_timers(void)
{
    for (uint32_t i = 0; i < fan.endpoint_count; i++) {
        if (fastnet_next_deadline(fan.endpoints[i]) == 0) {
            poll_endpoint(i);
        }
    }
}

void fanout_send_input(uint32_t number, const uint8_t *input)
{
    client *c = &fan.clients[number];
    FastNetEndpoint *endpoint = fan.endpoints[c->endpoint];
    fastnet_send(endpoint, c->peer, CHANNEL, input, FANOUT_INPUT_BYTES);
    fastnet_flush(endpoint);
}

void fanout_report(void)
{
    FastNetEndpointStats sum = {0};
    for (uint32_t i = 0; i < FANOUT_SHARDS_MAX && servers[i].endpoint; i++) {
        FastNetEndpointStats stats = {.struct_size = sizeof stats};
        fastnet_endpoint_stats(servers[i].endpoint, &stats);
        sum.peers += stats.peers;
        sum.memory_bytes_used += stats.memory_bytes_used;
        sum.sent_datagrams += stats.sent_datagrams;
        sum.received_datagrams += stats.received_datagrams;
        sum.send_calls += stats.send_calls;
        sum.receive_calls += stats.receive_calls;
        sum.forwarded_datagrams += stats.forwarded_datagrams;
    }
    if (servers[0].endpoint) {
        bench_report_count("peers", sum.peers);
        bench_report_count("memory_bytes_used", sum.memory_bytes_used);
        bench_report_count("sent_datagrams", sum.sent_datagrams);
        bench_report_count("received_datagrams", sum.received_datagrams);
        bench_report_count("send_calls", sum.send_calls);
        bench_report_count("receive_calls", sum.receive_calls);
        bench_report_count("forwarded_datagrams", sum.forwarded_datagrams);
    }
}
