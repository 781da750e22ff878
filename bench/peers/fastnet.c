/*
 * fastnet.c: FastNet through its public header only. A channel is its number: 0 reliable ordered, 1
 * unreliable, 2 reliable, 3 sequenced.
 */
#include "common/clock.h"
#include "common/peer.h"
#include "common/report.h"
#include "common/tuning.h"

#include "fastnet.h"

#include <stdlib.h>

#define CONNECT_NS    (10 * BENCH_NS_PER_S)
#define EVENTS        64
#define BULK_QUEUED   (128u << 10) /* bytes: half of an unreliable channel's queue */
#define LOOK_INTERVAL 32           /* sends between looks at what is queued */

const char *const peer_channels = "1, 0, 2, 3";

static struct {
    bench_options options;
    FastNetEndpoint *endpoint;
    FastNetPeerId peer;
    FastNetEvent events[EVENTS];
    uint8_t channel;
    bool in_step, gone, batching, full;
    uint32_t sends;
} state;

static void on_log(void *user, int32_t level, const char *line)
{
    (void)user;
    (void)level;
    bench_notice("%s", line);
}

static void open_endpoint(const bench_options *options, FastNetConfig *config)
{
    state.options = *options;
    config->log = on_log;
    tuning_apply(config, options);
    if (fastnet_endpoint_create(config, &state.endpoint) != FASTNET_OK) {
        bench_fail("no endpoint: %s", fastnet_connect_error_text());
    }
    state.channel = (uint8_t)atoi(options->channel);
    state.batching = bench_listed("bulk", options->workload);
}

peer_ports peer_listen(const bench_options *options)
{
    FastNetConfig config;
    fastnet_config_init(&config);
    config.listen = true;
    config.bind_address = options->host;
    config.udp_port = (uint16_t)options->port;
    config.tls_port = (uint16_t)options->tls_port;
    config.certificate_path = options->certificate;
    config.private_key_path = options->key;
    config.handshakes_per_address_per_s = 0;
    open_endpoint(options, &config);
    return (peer_ports){.port = fastnet_udp_port(state.endpoint),
                        .tls_port = fastnet_tls_port(state.endpoint)};
}

static void on_event(const FastNetEvent *event)
{
    switch (event->type) {
    case FASTNET_EVENT_DATA:
        driver_received(event->data, event->data_len);
        break;
    case FASTNET_EVENT_CONNECTED:
        state.peer = event->peer_id;
        break;
    case FASTNET_EVENT_ERROR:
        bench_fail("no connection: %s", (const char *)event->data);
    case FASTNET_EVENT_DISCONNECTED:
        state.gone = true;
        state.peer = 0;
        break;
    }
}

void peer_step(uint64_t timeout_ns)
{
    uint32_t timeout_us = tuning_timeout_us(&state.options, timeout_ns);
    int32_t count = fastnet_poll(state.endpoint, state.events, EVENTS, timeout_us);
    state.in_step = true;
    for (int32_t i = 0; i < count; i++) {
        on_event(&state.events[i]);
    }
    state.in_step = false;
    if (count > 0) {
        fastnet_flush(state.endpoint);
    }
}

void peer_connect(const bench_options *options)
{
    FastNetConfig config;
    FastNetConnectOptions connecting;
    FastNetPeerId peer;
    fastnet_config_init(&config);
    config.trusted_roots_path = options->certificate;
    config.peers_max = 1; /* the socket is connected then, as it is in the other clients */
    open_endpoint(options, &config);
    fastnet_connect_options_init(&connecting);
    connecting.server_name = "localhost";
    if (fastnet_connect(state.endpoint, options->host, (uint16_t)options->tls_port, &connecting,
                        &peer) != FASTNET_OK) {
        bench_fail("no connection: %s", fastnet_last_error_text(state.endpoint));
    }
    uint64_t begin_ns = bench_now_ns();
    while (!state.peer) {
        if (bench_now_ns() - begin_ns > CONNECT_NS) {
            bench_fail("no connection within 10 s");
        }
        peer_step(10 * BENCH_NS_PER_MS);
    }
}

/* An unreliable channel drops its oldest message when full; a reliable one says that it is. */
static bool has_room(void)
{
    bool drops = state.channel == FASTNET_CHANNEL_UNRELIABLE ||
                 state.channel == FASTNET_CHANNEL_UNRELIABLE_SEQUENCED;
    if (!drops || !state.batching || (!state.full && ++state.sends % LOOK_INTERVAL != 0)) {
        return true;
    }
    FastNetPeerStats stats = {.struct_size = sizeof stats};
    fastnet_peer_stats(state.endpoint, state.peer, &stats);
    state.full = stats.queued_bytes >= BULK_QUEUED;
    return !state.full;
}

bool peer_send(const void *message, size_t bytes)
{
    if (!state.peer || !has_room()) {
        return false;
    }
    if (fastnet_send(state.endpoint, state.peer, state.channel, message, (uint32_t)bytes) !=
        FASTNET_OK) {
        return false;
    }
    if (!state.in_step && !state.batching) {
        fastnet_flush(state.endpoint);
    }
    return true;
}

bool peer_alive(void)
{
    return !state.gone;
}

void peer_report(void)
{
    FastNetEndpointStats endpoint = {.struct_size = sizeof endpoint};
    FastNetPeerStats peer = {.struct_size = sizeof peer};
    fastnet_endpoint_stats(state.endpoint, &endpoint);
    bench_report_count("sent_datagrams", endpoint.sent_datagrams);
    bench_report_count("received_datagrams", endpoint.received_datagrams);
    bench_report_count("rejected_datagrams", endpoint.rejected_datagrams);
    bench_report_count("send_calls", endpoint.send_calls);
    bench_report_count("receive_calls", endpoint.receive_calls);
#ifdef BENCH_HAVE_PACKETS_PREPARED
    bench_report_count("packets_prepared", endpoint.packets_prepared);
#endif
    if (state.peer && fastnet_peer_stats(state.endpoint, state.peer, &peer) == FASTNET_OK) {
        bench_report_count("lost_packets", peer.lost_packets);
        bench_report_count("dropped_messages", peer.dropped_messages);
        bench_report_count("congestion_window_bytes", peer.congestion_window_bytes);
        bench_report_count("mtu_bytes", peer.mtu_bytes);
        bench_report_count("udp_path", peer.path == FASTNET_PATH_UDP);
    }
}

void peer_close(void)
{
    if (state.peer) {
        fastnet_disconnect_now(state.endpoint, state.peer, 0, NULL);
        fastnet_poll(state.endpoint, state.events, EVENTS, 0);
    }
    fastnet_endpoint_destroy(state.endpoint);
}
