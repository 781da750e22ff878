/* Shards as they are meant to run: one thread each. Worth most under ThreadSanitizer. */
#include "fastnet/shards.h"

#include <pthread.h>
#include <stdatomic.h>

#include "api/test_net.h"
#include "io/shard_steering.h"

enum {
    SHARDS = 2,
    CLIENTS = 12,
    MESSAGES = 200,
    LOSE_ALL = 1000,
    NEXT_MS = 20,
};

typedef struct cues {
    atomic_bool stop;
    atomic_bool cut; /* nothing leaves over UDP any more */
} cues;

typedef struct worker {
    pthread_t thread;
    test_net *net;
    FastNetEndpoint *endpoint;
    cues *cues;
    bool reload;
    bool cut;
    FastNetEndpointStats stats;
} worker;

typedef struct client {
    FastNetEndpoint *endpoint;
    FastNetPeerId server;
    uint32_t sent;
    uint32_t answered;
    bool connected;
} client;

static void answer(worker *self, const FastNetEvent *event)
{
    if (event->type == FASTNET_EVENT_DATA)
        assert_int_equal(fastnet_send(self->endpoint, event->peer_id, event->channel, event->data,
                                      event->data_len),
                         FASTNET_OK);
}

static void *work(void *argument)
{
    worker *self = argument;
    FastNetEvent events[32];
    while (!atomic_load(&self->cues->stop)) {
        if (atomic_load(&self->cues->cut) && !self->cut) {
            self->cut = true;
            fastnet_simulate_bad_link(self->endpoint, LOSE_ALL, 0, 0, 0, 1);
        }
        int32_t count = fastnet_poll(self->endpoint, events, 32, 20000);
        for (int32_t i = 0; i < count; i++)
            answer(self, &events[i]);
        if (count > 0 && self->reload) {
            self->reload = false;
            assert_int_equal(
                fastnet_certificate_reload(self->endpoint, self->net->certificate, self->net->key),
                FASTNET_OK);
        }
    }
    self->stats.struct_size = sizeof self->stats;
    assert_int_equal(fastnet_endpoint_stats(self->endpoint, &self->stats), FASTNET_OK);
    return NULL;
}

static void start(worker workers[SHARDS], test_net *net, FastNetShards *shards, cues *shared)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        workers[i] = (worker){.net = net, .cues = shared, .reload = i == 0};
        workers[i].endpoint = fastnet_shards_endpoint(shards, i);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
}

static void turn(client *self)
{
    FastNetEvent events[32];
    int32_t count = fastnet_poll(self->endpoint, events, 32, 0);
    for (int32_t i = 0; i < count; i++) {
        uint32_t number = 0;
        assert_true(events[i].type == FASTNET_EVENT_CONNECTED ||
                    events[i].type == FASTNET_EVENT_DATA ||
                    events[i].type == FASTNET_EVENT_PATH_CHANGED);
        self->connected = self->connected || events[i].type == FASTNET_EVENT_CONNECTED;
        if (events[i].type != FASTNET_EVENT_DATA)
            continue;
        memcpy(&number, events[i].data, sizeof number);
        assert_int_equal(number, self->answered);
        self->answered++;
    }
}

/* One message per client every 20 ms, ordered; half-way their way over UDP is cut. */
static void play(client clients[CLIENTS], cues *shared)
{
    uint64_t end_ns = fastnet_now_ns() + 40 * FN_NS_PER_S, next_ns = 0;
    for (uint32_t done = 0; done < CLIENTS;) {
        assert_true(fastnet_now_ns() < end_ns);
        bool send = fastnet_now_ns() >= next_ns;
        next_ns = send ? fastnet_now_ns() + NEXT_MS * FN_NS_PER_MS : next_ns;
        done = 0;
        for (uint32_t i = 0; i < CLIENTS; i++) {
            client *self = &clients[i];
            turn(self);
            if (send && self->connected && self->sent < MESSAGES &&
                fastnet_send(self->endpoint, self->server, 0, &self->sent, sizeof self->sent) ==
                    FASTNET_OK)
                self->sent++;
            if (self->sent == MESSAGES / 2) {
                fastnet_simulate_bad_link(self->endpoint, LOSE_ALL, 0, 0, 0, 1);
                atomic_store(&shared->cut, true);
            }
            done += self->answered == MESSAGES ? 1 : 0;
        }
        fastnet_poll(clients[0].endpoint, NULL, 0, 500);
    }
}

static void every_shard_has_its_thread(void **state)
{
    (void)state;
    if (!fn_steering_supported()) {
        print_message("this backend steers no datagrams, so there is one shard at most\n");
        return;
    }
    test_net *net = test_net_create();
    FastNetConfig config = test_server_config(net);
    FastNetShards *shards = NULL;
    worker workers[SHARDS];
    client clients[CLIENTS] = {0};
    cues all = {false, false};
    assert_int_equal(fastnet_shards_create(&config, SHARDS, &shards), FASTNET_OK);
    start(workers, net, shards, &all);
    net->server = fastnet_shards_endpoint(shards, 0);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        FastNetConfig client_config = test_client_config(net);
        clients[i].endpoint = test_add(net, &client_config);
        clients[i].server = test_connect_to(net, clients[i].endpoint, "127.0.0.1", NULL);
    }
    play(clients, &all);
    atomic_store(&all.stop, true);
    uint64_t handed = 0, peers = 0, unknown = 0;
    for (uint32_t i = 0; i < SHARDS; i++) {
        fastnet_wake(workers[i].endpoint);
        pthread_join(workers[i].thread, NULL);
        handed += workers[i].stats.handed_over;
        peers += workers[i].stats.peers;
        unknown += workers[i].stats.unknown_datagrams;
    }
    assert_int_equal(peers, CLIENTS);
    assert_int_equal(unknown, 0);
    assert_true(handed > 0); /* but for one run in 4096 */
    test_net_destroy(net);
    fastnet_shards_destroy(shards);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_shard_has_its_thread)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
