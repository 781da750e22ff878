/*
 * Counts allocations while two endpoints talk in steady state.
 *
 *   e2e_steady_state CERT KEY CA MESSAGES
 *
 * Counted: calls of the endpoints' allocator hook, and of the C library's allocator by whatever
 * code (with a sanitizer through its hooks, else by standing in front of malloc). After a warm-up
 * MESSAGES travel in each direction, on all four channels, in sizes up to several datagrams. Prints
 * JSON; exits 0 when both counts are 0 and everything reliable arrived.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastnet.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WITH_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WITH_SANITIZER 1
#endif
#endif

enum { WARM_UP = 5000, SIZE_MAX_BYTES = 3000, IN_FLIGHT = 64, TIME_LIMIT_S = 200 };

static bool counting;
static uint64_t library_calls; /* malloc and its relatives */
static uint64_t hook_calls;    /* the endpoints' allocator */

#ifdef WITH_SANITIZER

int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void *, size_t),
                                              void (*)(const volatile void *));

static void on_malloc(const volatile void *block, size_t bytes)
{
    (void)block;
    (void)bytes;
    library_calls += counting;
}

static void on_free(const volatile void *block)
{
    (void)block;
}

static void start_watching(void)
{
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}

#else

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *block, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

void *malloc(size_t bytes)
{
    library_calls += counting;
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    library_calls += counting;
    return __libc_calloc(count, bytes);
}

void *realloc(void *block, size_t bytes)
{
    library_calls += counting;
    return __libc_realloc(block, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    library_calls += counting;
    return __libc_memalign(alignment, bytes);
}

static void start_watching(void)
{
}

#endif

static void *hook_alloc(void *user, size_t bytes, size_t alignment)
{
    (void)user;
    hook_calls += counting;
    return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void hook_free(void *user, void *block, size_t bytes)
{
    (void)user;
    (void)bytes;
    hook_calls += counting;
    free(block);
}

typedef struct side {
    FastNetEndpoint *endpoint;
    FastNetPeerId peer;
    uint64_t sent, received;
    uint64_t reliable_sent, reliable_received;
} side;

static bool is_reliable(uint8_t channel)
{
    return channel == FASTNET_CHANNEL_RELIABLE_ORDERED || channel == FASTNET_CHANNEL_RELIABLE;
}

static void poll_side(side *self)
{
    FastNetEvent events[64];
    int32_t count = fastnet_poll(self->endpoint, events, 64, 0);
    for (int32_t i = 0; i < count; i++) {
        switch (events[i].type) {
        case FASTNET_EVENT_CONNECTED:
            self->peer = events[i].peer_id;
            break;
        case FASTNET_EVENT_DATA:
            self->received++;
            self->reliable_received += is_reliable(events[i].channel);
            break;
        case FASTNET_EVENT_ERROR:
        case FASTNET_EVENT_DISCONNECTED:
            counting = false;
            fprintf(stderr, "ended: %s\n", (const char *)events[i].data);
            exit(1);
        default:
            break;
        }
    }
}

/* Mostly game-sized, now and then several datagrams. */
static uint32_t length_of(uint64_t number)
{
    return number % 50 == 0 ? SIZE_MAX_BYTES : (uint32_t)(number * 37 % 300);
}

static void send_some(side *self, const side *other, uint64_t until)
{
    static const uint8_t data[SIZE_MAX_BYTES];
    while (self->sent < until && self->reliable_sent < other->reliable_received + IN_FLIGHT) {
        uint8_t channel = self->sent % 4;
        FastNetResult result =
            fastnet_send(self->endpoint, self->peer, channel, data, length_of(self->sent));
        if (result != FASTNET_OK) {
            return;
        }
        self->sent++;
        self->reliable_sent += is_reliable(channel);
    }
}

static bool exchange(side *server, side *client, uint64_t messages)
{
    uint64_t start_ns = fastnet_now_ns();
    uint64_t until[2] = {server->sent + messages, client->sent + messages};
    while (server->sent < until[0] || client->sent < until[1] ||
           server->reliable_sent != client->reliable_received ||
           client->reliable_sent != server->reliable_received) {
        send_some(server, client, until[0]);
        poll_side(server);
        send_some(client, server, until[1]);
        poll_side(client);
        if (fastnet_now_ns() - start_ns > (uint64_t)TIME_LIMIT_S * 1000000000u) {
            return false;
        }
    }
    return true;
}

static FastNetEndpoint *create(const char *certificate, const char *key, const char *ca)
{
    FastNetConfig config;
    FastNetEndpoint *endpoint = NULL;
    fastnet_config_init(&config);
    config.listen = certificate != NULL;
    config.certificate_path = certificate;
    config.private_key_path = key;
    config.trusted_roots_path = ca;
    config.allocator.alloc = hook_alloc;
    config.allocator.free = hook_free;
    config.key_update_packets = 20000; /* several key updates belong to steady state */
    if (fastnet_endpoint_create(&config, &endpoint) != FASTNET_OK) {
        fprintf(stderr, "no endpoint: %s\n", fastnet_connect_error_text());
        exit(1);
    }
    return endpoint;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: e2e_steady_state CERT KEY CA MESSAGES\n");
        return 2;
    }
    uint64_t messages = (uint64_t)atoll(argv[4]);
    side server = {.endpoint = create(argv[1], argv[2], NULL)};
    side client = {.endpoint = create(NULL, NULL, argv[3])};
    FastNetPeerId peer;
    fastnet_connect(client.endpoint, "localhost", fastnet_tls_port(server.endpoint), NULL, &peer);
    while (!server.peer || !client.peer) {
        poll_side(&server);
        poll_side(&client);
    }
    start_watching();
    bool done = exchange(&server, &client, WARM_UP);
    counting = true;
    done = done && exchange(&server, &client, messages);
    counting = false;
    printf("{\"done\":%s,\"messages_each_way\":%" PRIu64 ",\"received\":%" PRIu64
           ",\"library_allocations\":%" PRIu64 ",\"hook_calls\":%" PRIu64 "}\n",
           done ? "true" : "false", messages, server.received + client.received, library_calls,
           hook_calls);
    fastnet_endpoint_destroy(client.endpoint);
    fastnet_endpoint_destroy(server.endpoint);
    return done && library_calls == 0 && hook_calls == 0 ? 0 : 1;
}
