/*
 * enet.c: ENet, without its checksum and compressor, two channels. It has no encryption. Its packet
 * throttle is set so that it never drops an unreliable packet by itself.
 */
#include "common/clock.h"
#include "common/peer.h"
#include "common/report.h"
#include "common/sockets.h"

#include <enet/enet.h>
#include <string.h>

#define CONNECT_MS 10000
#define OUTSTANDING \
    2048 /* packets handed over and not yet acknowledged: ENet itself has no limit */
#define GOODBYE_MS 200

const char *const peer_channels = "unreliable, reliable";

static struct {
    ENetHost *host;
    ENetPeer *peer;
    enet_uint32 flags;
    uint64_t spin_ns;
    uint32_t outstanding;
    bool in_step, gone, unflushed, batching, always_spins;
} state;

static void open_common(const bench_options *options, const ENetAddress *address)
{
    if (enet_initialize() != 0) {
        bench_fail("ENet does not start");
    }
    state.host = enet_host_create(address, 1, 2, 0, 0);
    if (!state.host) {
        bench_fail("no ENet host");
    }
    state.flags = strcmp(options->channel, "reliable") == 0 ? ENET_PACKET_FLAG_RELIABLE : 0;
    state.batching = strcmp(options->workload, "bulk") == 0;
    bool spins = strcmp(options->wait, "default") == 0;
    state.always_spins = strcmp(options->wait, "spin") == 0;
    state.spin_ns = spins ? PEER_DEFAULT_SPIN_US * BENCH_NS_PER_US : 0;
    enet_socket_set_option(state.host->socket, ENET_SOCKOPT_RCVBUF, 4 << 20);
    enet_socket_set_option(state.host->socket, ENET_SOCKOPT_SNDBUF, 4 << 20);
}

static void connected(ENetPeer *peer)
{
    state.peer = peer;
    enet_peer_throttle_configure(peer, ENET_PEER_PACKET_THROTTLE_INTERVAL,
                                 ENET_PEER_PACKET_THROTTLE_SCALE, 0);
}

peer_ports peer_listen(const bench_options *options)
{
    struct sockaddr_in address = bench_address(options->host, options->port);
    ENetAddress bound = {.host = address.sin_addr.s_addr, .port = (enet_uint16)options->port};
    open_common(options, &bound);
    return (peer_ports){.port = bench_port_of(state.host->socket)};
}

void peer_connect(const bench_options *options)
{
    struct sockaddr_in server = bench_address(options->host, options->port);
    ENetAddress address = {.host = server.sin_addr.s_addr, .port = (enet_uint16)options->port};
    ENetEvent event;
    open_common(options, NULL);
    if (!enet_host_connect(state.host, &address, 2, 0) ||
        enet_host_service(state.host, &event, CONNECT_MS) <= 0 ||
        event.type != ENET_EVENT_TYPE_CONNECT) {
        bench_fail("no ENet connection to %s:%d", options->host, (int)options->port);
    }
    connected(event.peer);
}

static void packet_done(ENetPacket *packet)
{
    (void)packet;
    state.outstanding--;
}

bool peer_send(const void *message, size_t bytes)
{
    if (!state.peer || state.outstanding >= OUTSTANDING) {
        return false;
    }
    ENetPacket *packet = enet_packet_create(message, bytes, state.flags);
    packet->freeCallback = packet_done;
    state.outstanding++;
    if (enet_peer_send(state.peer, 0, packet) != 0) {
        enet_packet_destroy(packet);
        return false;
    }
    state.unflushed = true;
    if (!state.in_step && !state.batching) {
        enet_host_flush(state.host);
        state.unflushed = false;
    }
    return true;
}

static bool service(void)
{
    ENetEvent event;
    if (enet_host_service(state.host, &event, 0) <= 0) {
        return false;
    }
    state.in_step = true;
    do {
        if (event.type == ENET_EVENT_TYPE_CONNECT) {
            connected(event.peer);
        } else if (event.type == ENET_EVENT_TYPE_RECEIVE) {
            driver_received(event.packet->data, event.packet->dataLength);
            enet_packet_destroy(event.packet);
        } else if (event.type == ENET_EVENT_TYPE_DISCONNECT) {
            state.gone = true;
            state.peer = NULL;
        }
    } while (enet_host_check_events(state.host, &event) > 0);
    state.in_step = false;
    if (state.unflushed) {
        enet_host_flush(state.host);
        state.unflushed = false;
    }
    return true;
}

/* ENet counts in milliseconds; waiting on its socket ourselves lets it wait as finely as the
 * others. Its own timers need a look every few milliseconds. */
void peer_step(uint64_t timeout_ns)
{
    timeout_ns = state.always_spins ? 0 : timeout_ns;
    if (service() || !timeout_ns) {
        return;
    }
    uint64_t end_ns = bench_now_ns() + state.spin_ns;
    while (state.spin_ns && bench_now_ns() < end_ns) {
        if (service()) {
            return;
        }
    }
    uint64_t slice_ns = timeout_ns < 5 * BENCH_NS_PER_MS ? timeout_ns : 5 * BENCH_NS_PER_MS;
    if (bench_wait(state.host->socket, false, slice_ns)) {
        service();
    }
}

bool peer_alive(void)
{
    return !state.gone;
}

void peer_report(void)
{
}

void peer_close(void)
{
    ENetEvent event;
    if (state.peer) {
        enet_peer_disconnect(state.peer, 0);
        while (enet_host_service(state.host, &event, GOODBYE_MS) > 0) {
            if (event.type == ENET_EVENT_TYPE_RECEIVE) {
                enet_packet_destroy(event.packet);
            } else if (event.type == ENET_EVENT_TYPE_DISCONNECT) {
                break;
            }
        }
    }
    enet_host_destroy(state.host);
    enet_deinitialize();
}
