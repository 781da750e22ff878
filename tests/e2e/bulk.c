/*
 * Messages of mixed sizes from a client to a server, each checked byte for byte.
 *
 *   e2e_bulk receive CERT KEY COUNT             prints "listening udp=N tls=N", then one JSON line
 *   e2e_bulk send HOST:TLS_PORT CA COUNT [CHANNEL [PEERS_MAX]]
 *
 * With PEERS_MAX 1 the sender's UDP socket is connected, as that of a FastNetClient is.
 *
 * Message i has a length and a content that follow from i alone. The receiver exits 0 when each
 * came exactly once (and, on channel 0, in order) and unchanged, and has told the sender so. It
 * also tells the longest pause between two of them, and the sender by which way it ended.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastnet.h"

enum {
    BYTES_MAX = 48 * 1024,
    SMALL_BYTES_MAX = 1500,
    EVENTS = 32,
    TIME_LIMIT_S = 240,
};

/* A small mixing function: the same numbers on both sides. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 31) * 0x7fb5d329728ea185u;
    value = (value ^ value >> 27) * 0x81dadef4bc2dd44du;
    return value ^ value >> 33;
}

/* Mostly small, some empty, every hundredth large. */
static uint32_t length_of(uint32_t number)
{
    uint64_t random = mix(number + 1u);
    if (number % 100 == 99) {
        return (uint32_t)(random % BYTES_MAX) + 4;
    }
    return (uint32_t)(random % SMALL_BYTES_MAX) + 4;
}

static void fill(uint8_t *out, uint32_t number)
{
    uint32_t bytes = length_of(number);
    memcpy(out, &number, 4);
    for (uint32_t i = 4; i < bytes; i++) {
        out[i] = (uint8_t)(mix(number) >> (i % 8 * 8)) ^ (uint8_t)(i * 31);
    }
}

static bool out_of_time(uint64_t start_ns)
{
    return fastnet_now_ns() - start_ns > (uint64_t)TIME_LIMIT_S * 1000000000u;
}

typedef struct receiver {
    FastNetEndpoint *endpoint;
    uint32_t count;
    uint32_t connected, received, doubled, damaged, out_of_order;
    uint64_t bytes;
    uint64_t last_ns, pause_ns; /* when the last one came; the longest pause */
    bool *seen;
    bool ended;
} receiver;

static void check(receiver *self, const FastNetEvent *event)
{
    static uint8_t expected[BYTES_MAX + 4];
    uint32_t number = UINT32_MAX;
    uint64_t now_ns = fastnet_now_ns();
    if (self->last_ns > 0 && now_ns - self->last_ns > self->pause_ns) {
        self->pause_ns = now_ns - self->last_ns;
    }
    self->last_ns = now_ns;
    if (event->data_len >= 4) {
        memcpy(&number, event->data, 4);
    }
    if (number >= self->count || event->data_len != length_of(number)) {
        self->damaged++;
        return;
    }
    fill(expected, number);
    self->damaged += memcmp(expected, event->data, event->data_len) != 0;
    self->doubled += self->seen[number];
    self->seen[number] = true;
    self->out_of_order += event->channel == 0 && number != self->received;
    self->received++;
    self->bytes += event->data_len;
    if (self->received == self->count) {
        fastnet_send(self->endpoint, event->peer_id, 0, "all here", 8);
    }
}

static int receive(const char *certificate, const char *key, uint32_t count)
{
    FastNetEvent events[EVENTS];
    receiver self = {.count = count, .seen = calloc(count, sizeof(bool))};
    self.endpoint = fastnet_server_create(0, 0, certificate, key);
    if (!self.endpoint || !self.seen) {
        fprintf(stderr, "no server: %s\n", fastnet_connect_error_text());
        return 1;
    }
    printf("listening udp=%u tls=%u\n", fastnet_udp_port(self.endpoint),
           fastnet_tls_port(self.endpoint));
    fflush(stdout);
    uint64_t start_ns = fastnet_now_ns();
    while (!self.ended && !out_of_time(start_ns)) {
        int32_t got = fastnet_poll(self.endpoint, events, EVENTS, 100000);
        for (int32_t i = 0; i < got; i++) {
            if (events[i].type == FASTNET_EVENT_DATA) {
                check(&self, &events[i]);
            }
            self.connected += events[i].type == FASTNET_EVENT_CONNECTED;
            self.ended = self.ended || events[i].type == FASTNET_EVENT_DISCONNECTED;
        }
    }
    printf("{\"connected\":%" PRIu32 ",\"received\":%" PRIu32 ",\"doubled\":%" PRIu32
           ",\"damaged\":%" PRIu32 ",\"out_of_order\":%" PRIu32 ",\"bytes\":%" PRIu64
           ",\"pause_ms\":%" PRIu64 "}\n",
           self.connected, self.received, self.doubled, self.damaged, self.out_of_order, self.bytes,
           self.pause_ns / 1000000u);
    fastnet_server_destroy(self.endpoint);
    free(self.seen);
    return self.received == count && !self.doubled && !self.damaged && !self.out_of_order ? 0 : 1;
}

typedef struct sender {
    FastNetEndpoint *endpoint;
    FastNetPeerId peer;
    uint32_t sent;
    bool connected, confirmed, ended;
} sender;

static void poll_sender(sender *self, uint32_t timeout_us)
{
    FastNetEvent events[EVENTS];
    int32_t got = fastnet_poll(self->endpoint, events, EVENTS, timeout_us);
    for (int32_t i = 0; i < got; i++) {
        self->connected = self->connected || events[i].type == FASTNET_EVENT_CONNECTED;
        self->confirmed = self->confirmed || events[i].type == FASTNET_EVENT_DATA;
        if (events[i].type == FASTNET_EVENT_ERROR || events[i].type == FASTNET_EVENT_DISCONNECTED) {
            fprintf(stderr, "ended: %s\n", (const char *)events[i].data);
            self->ended = true;
        }
    }
}

static void send_all(sender *self, uint32_t count, uint8_t channel)
{
    static uint8_t message[BYTES_MAX + 4];
    uint64_t start_ns = fastnet_now_ns();
    while (!self->confirmed && !self->ended && !out_of_time(start_ns)) {
        FastNetResult result = FASTNET_OK;
        while (self->connected && self->sent < count && result == FASTNET_OK) {
            fill(message, self->sent);
            result =
                fastnet_send(self->endpoint, self->peer, channel, message, length_of(self->sent));
            self->sent += result == FASTNET_OK;
        }
        poll_sender(self, 1000);
    }
}

static void print_numbers(const sender *self)
{
    FastNetPeerStats stats = {.struct_size = sizeof stats};
    fastnet_peer_stats(self->endpoint, self->peer, &stats);
    bool udp = fastnet_peer_transport_mode(self->endpoint, self->peer) == FASTNET_TRANSPORT_UDP;
    printf("{\"sent\":%" PRIu32 ",\"confirmed\":%s,\"sent_packets\":%" PRIu64
           ",\"lost_packets\":%" PRIu64 ",\"retransmitted_bytes\":%" PRIu64
           ",\"transport\":\"%s\"}\n",
           self->sent, self->confirmed ? "true" : "false", stats.sent_packets, stats.lost_packets,
           stats.retransmitted_bytes, udp ? "udp" : "tcp");
}

static int send_messages(const char *host, const char *ca, uint32_t count, uint8_t channel,
                         uint32_t peers_max)
{
    sender self = {0};
    FastNetConfig config;
    FastNetConnectOptions options;
    fastnet_config_init(&config);
    config.trusted_roots_path = ca;
    config.handshake_timeout_ms = 20000;
    config.peers_max = peers_max;
    fastnet_connect_options_init(&options);
    options.server_name = "localhost";
    if (fastnet_endpoint_create(&config, &self.endpoint) != FASTNET_OK ||
        fastnet_connect(self.endpoint, host, 0, &options, &self.peer) != FASTNET_OK) {
        fprintf(stderr, "no connection: %s %s\n", fastnet_connect_error_text(),
                self.endpoint ? fastnet_last_error_text(self.endpoint) : "");
        return 1;
    }
    send_all(&self, count, channel);
    print_numbers(&self);
    fastnet_client_disconnect(self.endpoint);
    return self.confirmed ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "receive") == 0) {
        return receive(argv[2], argv[3], (uint32_t)atoi(argv[4]));
    }
    if (argc >= 5 && argc <= 7 && strcmp(argv[1], "send") == 0) {
        return send_messages(argv[2], argv[3], (uint32_t)atoi(argv[4]),
                             argc >= 6 ? (uint8_t)atoi(argv[5]) : 0,
                             argc == 7 ? (uint32_t)atoi(argv[6]) : 64);
    }
    fprintf(stderr, "usage: e2e_bulk receive CERT KEY COUNT | send HOST:PORT CA COUNT [CHANNEL "
                    "[PEERS_MAX]]\n");
    return 2;
}
