/*
 * fanout.c: FastNet's side of the fan-out benchmark: one endpoint as the server; in the client
 * process one endpoint for each --per_socket clients.
 */
#include "fanout.h"

#include "common/clock.h"
#include "common/report.h"
#include "common/tuning.h"

#include "fastnet.h"

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

static struct {
    const bench_options *options;
    FastNetEndpoint *server;
    FastNetPeerId peers[FANOUT_PEERS_MAX]; /* by slot, the low 16 bits of an id */
    FastNetEndpoint **endpoints;           /* the clients' */
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

static FastNetConfig common_config(const bench_options *options, uint32_t peers)
{
    FastNetConfig config;
    fastnet_config_init(&config);
    config.peers_max = peers;
    config.handshakes_per_address_per_s = 0;
    config.handshakes_max = 1024;
    tuning_apply(&config, options);
    return config;
}

void fanout_listen(const bench_options *options, uint16_t *port, uint16_t *tls_port)
{
    FastNetConfig config = common_config(options, (uint32_t)options->clients + 8);
    config.listen = true;
    config.bind_address = options->host;
    config.udp_port = (uint16_t)options->port;
    config.tls_port = (uint16_t)options->tls_port;
    config.certificate_path = options->certificate;
    config.private_key_path = options->key;
    config.memory_bytes_max = MEMORY_FIXED + MEMORY_EACH * (uint64_t)options->clients;
    fan.server = create(&config);
    *port = fastnet_udp_port(fan.server);
    *tls_port = fastnet_tls_port(fan.server);
}

void fanout_server_step(uint64_t timeout_ns)
{
    uint32_t timeout_us = (uint32_t)(timeout_ns / BENCH_NS_PER_US);
    int32_t count = fastnet_poll(fan.server, fan.events, EVENTS, timeout_us);
    for (int32_t i = 0; i < count; i++) {
        const FastNetEvent *event = &fan.events[i];
        uint32_t slot = event->peer_id & 0xffff;
        if (event->type == FASTNET_EVENT_DATA) {
            swarm_input(slot, event->data, event->data_len);
        } else if (event->type == FASTNET_EVENT_CONNECTED) {
            fan.peers[slot] = event->peer_id;
        } else if (event->type == FASTNET_EVENT_DISCONNECTED) {
            fan.peers[slot] = 0;
        }
    }
}

void fanout_send_state(uint32_t peer, const uint8_t *state)
{
    if (fan.peers[peer]) {
        fastnet_send(fan.server, fan.peers[peer], CHANNEL, state, FANOUT_STATE_BYTES);
    }
}

void fanout_server_flush(void)
{
    fastnet_flush(fan.server);
}

static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
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
    if (fan.server) {
        FastNetEndpointStats stats = {.struct_size = sizeof stats};
        fastnet_endpoint_stats(fan.server, &stats);
        bench_report_count("peers", stats.peers);
        bench_report_count("memory_bytes_used", stats.memory_bytes_used);
        bench_report_count("sent_datagrams", stats.sent_datagrams);
        bench_report_count("received_datagrams", stats.received_datagrams);
        bench_report_count("send_calls", stats.send_calls);
        bench_report_count("receive_calls", stats.receive_calls);
    }
}
