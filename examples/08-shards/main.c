/*
 * 08-shards: one server on several cores: its endpoints share their ports, a thread polls each.
 *
 * Run it without arguments, or with the number of shards (default 2). A few clients connect to the
 * one TLS port; the system chooses the shard of each, and from then on all that a client sends
 * comes to that shard's thread. Every shard answers its own players.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "../local.h"
#include "fastnet/shards.h"

#define CLIENTS  8
#define QUESTION "which shard?"

typedef struct Shard {
    pthread_t thread;
    FastNetEndpoint *endpoint; /* used by its thread only */
    uint32_t index;
    uint32_t players;
} Shard;

static atomic_bool stop;

static void handle(Shard *shard, const FastNetEvent *event)
{
    char answer[32];
    if (event->type == FASTNET_EVENT_CONNECTED) {
        shard->players++;
    } else if (event->type == FASTNET_EVENT_DATA) {
        int length = snprintf(answer, sizeof answer, "shard %u", (unsigned)shard->index);
        fastnet_send(shard->endpoint, event->peer_id, event->channel, answer, (uint32_t)length);
    }
}

static void *run_shard(void *argument)
{
    Shard *shard = argument;
    FastNetEvent events[32];
    while (!atomic_load(&stop)) {
        int32_t count = fastnet_poll(shard->endpoint, events, 32, 100000);
        for (int32_t i = 0; i < count; i++) {
            handle(shard, &events[i]);
        }
    }
    return NULL;
}

static FastNetShards *create_shards(const Local *local, uint32_t count)
{
    FastNetConfig config;
    FastNetShards *shards = NULL;
    fastnet_config_init(&config);
    config.listen = true;
    config.certificate_path = local->certificate_path;
    config.private_key_path = local->key_path;
    config.peers_max = CLIENTS; /* of each shard */
    FastNetResult result = fastnet_shards_create(&config, count, &shards);
    if (result == FASTNET_ERR_UNSUPPORTED) { /* steering needs Linux; one shard works everywhere */
        result = fastnet_shards_create(&config, 1, &shards);
    }
    if (result != FASTNET_OK) {
        fprintf(stderr, "no shards: %s\n", fastnet_connect_error_text());
        exit(1);
    }
    return shards;
}

/* True once the client has its answer. */
static bool ask(FastNetEndpoint *client)
{
    FastNetEvent event;
    if (fastnet_poll(client, &event, 1, 1000) < 1) {
        return false;
    }
    if (event.type == FASTNET_EVENT_CONNECTED) {
        fastnet_send(client, event.peer_id, FASTNET_CHANNEL_RELIABLE_ORDERED, QUESTION,
                     sizeof QUESTION);
    } else if (event.type == FASTNET_EVENT_ERROR) {
        fprintf(stderr, "no connection: %s\n", (const char *)event.data);
        exit(1);
    }
    return event.type == FASTNET_EVENT_DATA;
}

int main(int argc, char **argv)
{
    Local local;
    Shard threads[FASTNET_SHARDS_MAX] = {0};
    FastNetEndpoint *clients[CLIENTS];
    FastNetPeerId server;
    local_start(&local);
    FastNetShards *shards =
        create_shards(&local, argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 2);
    for (uint32_t i = 0; i < fastnet_shards_count(shards); i++) {
        threads[i].index = i;
        threads[i].endpoint = fastnet_shards_endpoint(shards, i);
        pthread_create(&threads[i].thread, NULL, run_shard, &threads[i]);
    }
    for (int i = 0; i < CLIENTS; i++) { /* the ports are those of every shard */
        clients[i] = local_client(&local, fastnet_shards_endpoint(shards, 0), &server);
        while (!ask(clients[i])) {
        }
    }
    atomic_store(&stop, true);
    for (uint32_t i = 0; i < fastnet_shards_count(shards); i++) {
        fastnet_wake(threads[i].endpoint);
        pthread_join(threads[i].thread, NULL);
        printf("shard %u: %u players\n", (unsigned)i, (unsigned)threads[i].players);
    }
    for (int i = 0; i < CLIENTS; i++) {
        fastnet_endpoint_destroy(clients[i]);
    }
    fastnet_shards_destroy(shards); /* no thread uses an endpoint any more */
    local_stop(&local);
    return 0;
}
