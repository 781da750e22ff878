/*
 * Many clients join at once while the server's polls are timed.
 *
 *   e2e_joins CERT KEY CA COUNT
 *
 * The server polls on a thread of its own, as a game would: without waiting, then a short rest. One
 * client endpoint with COUNT peers connects on the main thread. Prints JSON: how many joined, and
 * the longest poll as time on the processor and as time on the wall. The first is what a poll
 * costs; the second also counts the pauses that other programs on this machine cause.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fastnet.h"

enum { TIME_LIMIT_S = 60, REST_NS = 200 * 1000 };

typedef struct server {
    FastNetEndpoint *endpoint;
    atomic_bool stop;
    atomic_uint joined;
    uint64_t polls, cpu_ns_max, wall_ns_max, cpu_ns;
} server;

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void timed_poll(server *self)
{
    FastNetEvent events[64];
    uint64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    uint64_t wall_ns = fastnet_now_ns();
    int32_t count = fastnet_poll(self->endpoint, events, 64, 0);
    wall_ns = fastnet_now_ns() - wall_ns;
    cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
    self->polls++;
    self->cpu_ns += cpu_ns;
    self->cpu_ns_max = larger(self->cpu_ns_max, cpu_ns);
    self->wall_ns_max = larger(self->wall_ns_max, wall_ns);
    for (int32_t i = 0; i < count; i++) {
        if (events[i].type == FASTNET_EVENT_CONNECTED) {
            atomic_fetch_add(&self->joined, 1);
        }
    }
}

static void *serve(void *argument)
{
    server *self = argument;
    const struct timespec rest = {0, REST_NS};
    while (!atomic_load(&self->stop)) {
        timed_poll(self);
        nanosleep(&rest, NULL);
    }
    return NULL;
}

static FastNetEndpoint *create_server(const char *certificate, const char *key, uint32_t count)
{
    FastNetConfig config;
    FastNetEndpoint *endpoint = NULL;
    fastnet_config_init(&config);
    config.listen = true;
    config.certificate_path = certificate;
    config.private_key_path = key;
    config.peers_max = count;
    config.handshakes_max = count;
    config.handshakes_per_address_per_s = 0; /* they all come from here */
    config.handshake_timeout_ms = 30000;
    fastnet_endpoint_create(&config, &endpoint);
    return endpoint;
}

static FastNetEndpoint *create_client(const char *ca, uint32_t count)
{
    FastNetConfig config;
    FastNetEndpoint *endpoint = NULL;
    fastnet_config_init(&config);
    config.trusted_roots_path = ca;
    config.peers_max = count;
    config.handshake_timeout_ms = 30000;
    fastnet_endpoint_create(&config, &endpoint);
    return endpoint;
}

/* Returns how many connected; the server may need a moment longer to see the last ones. */
static uint32_t join(FastNetEndpoint *client, server *self, uint32_t count)
{
    FastNetPeerId peer;
    FastNetEvent events[64];
    uint32_t connected = 0, failed = 0;
    uint64_t start_ns = fastnet_now_ns();
    for (uint32_t i = 0; i < count; i++) {
        failed += fastnet_connect(client, "localhost", fastnet_tls_port(self->endpoint), NULL,
                                  &peer) != FASTNET_OK;
    }
    while ((connected + failed < count || atomic_load(&self->joined) < connected) &&
           fastnet_now_ns() - start_ns < (uint64_t)TIME_LIMIT_S * 1000000000u) {
        int32_t got = fastnet_poll(client, events, 64, 10000);
        for (int32_t i = 0; i < got; i++) {
            connected += events[i].type == FASTNET_EVENT_CONNECTED;
            if (events[i].type == FASTNET_EVENT_ERROR) {
                fprintf(stderr, "a join failed: %s\n", (const char *)events[i].data);
                failed++;
            }
        }
    }
    return connected;
}

int main(int argc, char **argv)
{
    server self = {0};
    pthread_t thread;
    if (argc != 5) {
        fprintf(stderr, "usage: e2e_joins CERT KEY CA COUNT\n");
        return 2;
    }
    uint32_t count = (uint32_t)atoi(argv[4]);
    self.endpoint = create_server(argv[1], argv[2], count);
    FastNetEndpoint *client = create_client(argv[3], count);
    if (!self.endpoint || !client || pthread_create(&thread, NULL, serve, &self) != 0) {
        fprintf(stderr, "no endpoints: %s\n", fastnet_connect_error_text());
        return 1;
    }
    uint64_t start_ns = fastnet_now_ns();
    uint32_t connected = join(client, &self, count);
    uint64_t all_ns = fastnet_now_ns() - start_ns;
    atomic_store(&self.stop, true);
    pthread_join(thread, NULL);
    printf("{\"connected\":%" PRIu32 ",\"joined\":%u,\"polls\":%" PRIu64
           ",\"poll_cpu_ms_max\":%.3f,\"poll_wall_ms_max\":%.3f,\"server_cpu_ms\":%.1f,"
           "\"all_ms\":%.1f}\n",
           connected, atomic_load(&self.joined), self.polls, (double)self.cpu_ns_max / 1e6,
           (double)self.wall_ns_max / 1e6, (double)self.cpu_ns / 1e6, (double)all_ns / 1e6);
    fastnet_endpoint_destroy(client);
    fastnet_endpoint_destroy(self.endpoint);
    return connected == count ? 0 : 1;
}
