#include "hog.h"
#include "world_internal.h"

#include "base/result.h"
#include "base/units.h"
#include "core/channel_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_DEADLINE_NS (60 * FN_NS_PER_S)
/* The least of what `change` may make of a link. */
#define CHANGING_RTT_NS_MIN (2 * FN_NS_PER_MS)

#define START_NS (1000 * FN_NS_PER_S)

enum { TIMERS_MAX = 1 << 17 };

void *fn_world_calloc(size_t bytes)
{
    void *memory = calloc(1, bytes);
    if (memory == NULL)
        abort();
    return memory;
}

void fn_world_trace(fn_world *world, uint64_t value)
{
    world->hash = (world->hash ^ value) * UINT64_C(0x100000001b3);
    world->hash ^= world->hash >> 29;
}

void fn_world_fail(fn_world *world, const char *promise)
{
    if (world->failure == NULL)
        world->failure = promise;
}

void fn_world_set_timer(fn_world *world, fn_timer *timer, uint64_t at_ns)
{
    if (!fn_heap_set(&world->heap, &timer->node, at_ns)) {
        fprintf(stderr, "the simulator has too many timers\n");
        abort();
    }
}

/* --- building --- */

static void host_init(fn_world *world, fn_host *host, size_t arena_bytes, uint32_t sessions)
{
    fn_pool_shares shares = {.seats = sessions,
                             .home_bytes = world->config.memory_home_bytes,
                             .room_bytes = world->config.memory_room_bytes};
    uint8_t seed[FN_RANDOM_SEED_BYTES];
    fn_rng_bytes(&world->rng, seed, sizeof seed);
    fn_random_start(&host->random, seed);
    host->arena = aligned_alloc(64, fn_align_up(arena_bytes, 64));
    if (host->arena == NULL)
        abort();
    host->pool_metadata = fn_world_calloc(fn_pool_metadata_bytes(arena_bytes, sessions));
    fn_pool_init(&host->pool, host->arena, arena_bytes, host->pool_metadata, &shares);
    host->event_memory = fn_world_calloc(world->config.event_capacity * sizeof(fn_event));
    fn_events_init(&host->events, host->event_memory, world->config.event_capacity);
    fn_list_init(&host->inbox);
    fn_list_init(&host->batch);
    fn_heap_node_init(&host->timer.node);
    host->clock_offset_ns = fn_rng_below(&world->rng, 1000 * FN_NS_PER_S);
}

static void host_free(fn_host *host)
{
    free(host->arena);
    free(host->pool_metadata);
    free(host->event_memory);
}

static void on_deadline(fn_world *world, fn_timer *timer)
{
    fn_end *end = FN_CONTAINER(timer, fn_end, timer);
    fn_conn_tick(end->conn, fn_world_host_now(world, end));
    fn_world_play(world, end->host);
    fn_world_pump(world, end);
}

static bool is_due(const fn_world *world, const fn_end *end)
{
    return end->conn != NULL && fn_conn_deadline(end->conn) <= fn_world_host_now(world, end);
}

/* What one call of poll does: everything that arrived first, timers after it. */
static void on_host_tick(fn_world *world, fn_timer *timer)
{
    fn_host *host = FN_CONTAINER(timer, fn_host, timer);
    fn_world_receive(world, host);
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        fn_end *end = &world->ends[i];
        if (end->host == host && is_due(world, end))
            fn_conn_tick(end->conn, fn_world_host_now(world, end));
    }
    fn_world_play(world, host);
    fn_world_pump_host(world, host);
    fn_world_set_timer(world, timer, world->now_ns + world->config.tick_ns);
}

static void end_init(fn_world *world, uint32_t index)
{
    static const uint8_t modes[FN_WORLD_CHANNELS] = {FASTNET_MODE_RELIABLE_ORDERED,
                                                     FASTNET_MODE_UNRELIABLE, FASTNET_MODE_RELIABLE,
                                                     FASTNET_MODE_UNRELIABLE_SEQUENCED};
    fn_end *end = &world->ends[index];
    end->index = index;
    end->is_client = index % 2 == 0;
    end->host = end->is_client ? &world->clients[index / 2] : &world->server;
    end->peer = &world->ends[index ^ 1];
    /* Odd and even, so that the two ids of a session are never taken for each other. */
    end->receiver_id = (uint32_t)fn_rng_u64(&world->rng) << 4 | index;
    end->timer.fire = on_deadline;
    fn_heap_node_init(&end->timer.node);
    fn_heap_node_init(&end->load_timer.node);
    fn_list_init(&end->held);
    end->began_ns = world->now_ns;
    for (uint32_t i = 0; i < FN_WORLD_CHANNELS; i++)
        fn_stream_init(&end->streams[i], fn_rng_u64(&world->rng), modes[i]);
    if (end->is_client) {
        end->path_address[0] = world->next_address++;
        fn_world_remote(world, end, end->path_address[0]);
    }
}

static void conn_init(fn_world *world, fn_end *end, const uint8_t *send_secret,
                      const uint8_t *receive_secret)
{
    const fn_world_config *from = &world->config;
    const fn_limits *ours = &from->limits[end->is_client ? 0 : 1];
    const fn_limits *theirs = &from->limits[end->is_client ? 1 : 0];
    fn_conn_shared shared = {
        .pool = &end->host->pool,
        .random = &end->host->random,
        .events = &end->host->events,
        .channels = fn_channel_table_default,
        .channel_count = FN_CHANNEL_TABLE_DEFAULT_COUNT,
    };
    fn_conn_config config = {
        .is_client = end->is_client,
        .owner = end->index,
        .remote_receiver_id = end->peer->receiver_id,
        .send_secret = send_secret,
        .receive_secret = receive_secret,
        .limits = fn_limits_agree(ours, theirs),
        .send_queue_bytes_max = from->send_queue_bytes_max,
        .datagram_bytes_max = from->datagram_bytes_max,
        .rate_floor_bytes_per_s = from->rate_floor_bytes_per_s,
        .keepalive_ns = from->keepalive_ns,
        .key_update_packets = from->key_update_packets,
        .key_update_ns = from->key_update_ns,
        .stream_after_ns = FN_NEVER,
        .connect_deadline_ns = fn_world_host_now(world, end) + CONNECT_DEADLINE_NS,
        .memory_cap_bytes = from->memory_cap_bytes,
    };
    fn_tap_init(&end->tap, send_secret, end->peer->receiver_id, theirs->replay_window_packets / 2,
                from->change == NULL ? from->link[0].delay_ns + from->link[1].delay_ns
                                     : CHANGING_RTT_NS_MIN);
    size_t bytes = fn_conn_bytes(&config, &shared);
    end->memory = aligned_alloc(16, fn_align_up(bytes, 16));
    if (end->memory == NULL)
        abort();
    end->conn = fn_conn_create(end->memory, &config, &shared, fn_world_host_now(world, end));
    if (end->conn == NULL)
        fn_world_fail(world, "a connection could not be created");
    else if (end->is_client)
        fn_conn_set_rate_max(end->conn, from->rate_max_bytes_per_s);
}

/* What HELLO and WELCOME, and the secrets, would have made. */
static void agree(fn_world *world, uint32_t i)
{
    uint8_t up[FN_KDF_SECRET_BYTES];
    uint8_t back[FN_KDF_SECRET_BYTES];
    uint8_t unused[FN_KDF_SECRET_BYTES]; /* the attach key, which nobody needs without TCP */
    fn_end *client = fn_world_client(world, i);
    fn_end *server = fn_world_server(world, i);
    fn_rng_bytes(&world->rng, up, sizeof up);
    fn_rng_bytes(&world->rng, back, sizeof back);
    fn_rng_bytes(&world->rng, unused, sizeof unused);
    conn_init(world, client, up, back);
    conn_init(world, server, back, up);
}

static void session_init(fn_world *world, uint32_t i)
{
    host_init(world, &world->clients[i], world->config.client_arena_bytes, 1);
    end_init(world, 2 * i);
    end_init(world, 2 * i + 1);
    fn_link_init(&world->links[2 * i], &world->config.link[0], fn_rng_u64(&world->rng));
    fn_link_init(&world->links[2 * i + 1], &world->config.link[1], fn_rng_u64(&world->rng));
    agree(world, i);
}

static void on_change(fn_world *world, fn_timer *timer)
{
    if (world->quiet)
        return;
    world->config.change(world);
    fn_world_set_timer(world, timer, world->now_ns + world->config.change_ns);
}

static void start_ticking(fn_world *world, fn_host *host)
{
    host->timer.fire = on_host_tick;
    uint64_t first_ns = fn_rng_below(&world->rng, world->config.tick_ns);
    fn_world_set_timer(world, &host->timer, world->now_ns + first_ns);
}

void fn_world_init(fn_world *world, const fn_world_config *config, uint64_t seed)
{
    memset(world, 0, sizeof *world);
    world->config = *config;
    world->seed = seed;
    world->now_ns = START_NS;
    world->next_address = FN_WORLD_CLIENT_ADDRESS;
    world->heap_nodes = fn_world_calloc(TIMERS_MAX * sizeof(fn_heap_node *));
    fn_heap_init(&world->heap, world->heap_nodes, TIMERS_MAX);
    fn_rng_init(&world->rng, seed);
    host_init(world, &world->server, config->server_arena_bytes, config->sessions + config->hogs);
    if (config->hogs > 0)
        fn_hogs_open(world);
    for (uint32_t i = 0; i < config->sessions; i++)
        session_init(world, i);
    if (config->change != NULL) {
        world->change_timer.fire = on_change;
        fn_heap_node_init(&world->change_timer.node);
        fn_world_set_timer(world, &world->change_timer, world->now_ns + config->change_ns);
    }
    for (uint32_t i = 0; i < config->sessions && world->failure == NULL; i++) {
        if (config->tick_ns != 0)
            start_ticking(world, &world->clients[i]);
        fn_world_pump(world, fn_world_client(world, i));
        fn_world_pump(world, fn_world_server(world, i));
    }
    if (config->tick_ns != 0)
        start_ticking(world, &world->server);
}

/* --- ending --- */

static void conn_free(fn_world *world, fn_end *end)
{
    if (end->conn != NULL) {
        fn_world_release_held(world, end);
        fn_conn_withdraw(end->conn);
        fn_conn_destroy(end->conn);
        end->conn = NULL;
    }
    free(end->memory);
    end->memory = NULL;
}

static void end_free(fn_world *world, fn_end *end)
{
    conn_free(world, end);
    free(end->accepted);
    end->accepted = NULL;
    fn_tap_free(&end->tap);
    for (uint32_t i = 0; i < FN_WORLD_CHANNELS; i++)
        fn_stream_free(&end->streams[i]);
}

static void drop_list(fn_list *list)
{
    fn_list_node *node;
    while ((node = fn_list_pop_front(list)) != NULL)
        fn_datagram_release(FN_CONTAINER(node, fn_datagram, link));
}

/* Only datagrams are left in the heap: everything else was taken out. */
static void drop_flying(fn_world *world)
{
    fn_heap_node *node;
    while ((node = fn_heap_min(&world->heap)) != NULL) {
        fn_heap_remove(&world->heap, node);
        fn_datagram_release(FN_CONTAINER(node, fn_datagram, timer.node));
    }
}

static void stop_end(fn_world *world, fn_end *end)
{
    fn_heap_remove(&world->heap, &end->timer.node);
    fn_heap_remove(&world->heap, &end->load_timer.node);
}

static void stop_timers(fn_world *world)
{
    fn_heap_remove(&world->heap, &world->change_timer.node);
    fn_heap_remove(&world->heap, &world->server.timer.node);
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        stop_end(world, &world->ends[i]);
        fn_heap_remove(&world->heap, &world->ends[i].host->timer.node);
    }
}

static void check_pool_empty(fn_world *world, const fn_host *host)
{
    if (fn_pool_used_bytes(&host->pool) != 0)
        fn_world_fail(world, "memory was not given back at the end");
}

void fn_world_free(fn_world *world)
{
    stop_timers(world);
    fn_hogs_close(world);
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++)
        end_free(world, &world->ends[i]);
    drop_flying(world);
    drop_list(&world->server.inbox);
    drop_list(&world->server.batch);
    check_pool_empty(world, &world->server);
    host_free(&world->server);
    for (uint32_t i = 0; i < world->config.sessions; i++) {
        drop_list(&world->clients[i].inbox);
        drop_list(&world->clients[i].batch);
        check_pool_empty(world, &world->clients[i]);
        host_free(&world->clients[i]);
    }
    for (uint32_t i = 0; i < FN_WORLD_RECORDED_MAX; i++) {
        if (world->recorded[i] != NULL)
            fn_datagram_release(world->recorded[i]);
    }
    free(world->heap_nodes);
}

/* --- running --- */

static void check_memory(fn_world *world)
{
    size_t cap = world->config.memory_cap_bytes;
    if (world->hogs == NULL &&
        fn_pool_used_bytes(&world->server.pool) > cap * world->config.sessions)
        fn_world_fail(world, "the server holds more memory than its cap");
    for (uint32_t i = 0; i < world->config.sessions; i++) {
        if (fn_pool_used_bytes(&world->clients[i].pool) > cap)
            fn_world_fail(world, "a client holds more memory than its cap");
    }
}

static void check_stats(fn_world *world)
{
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        fn_end *end = &world->ends[i];
        fn_stats stats = {0};
        if (end->conn == NULL)
            continue;
        fn_conn_get_stats(end->conn, world->now_ns, &stats);
#define X(name)                                         \
    if (stats.counters.name < end->stats.counters.name) \
        fn_world_fail(world, "a counter went back: " #name);
        FN_STATS_MAP(X)
#undef X
        end->stats = stats;
    }
}

static void step(fn_world *world, fn_heap_node *node)
{
    fn_timer *timer = FN_CONTAINER(node, fn_timer, node);
    world->now_ns = fn_max_u64(world->now_ns, node->deadline_ns);
    fn_heap_remove(&world->heap, node);
    timer->fire(world, timer);
    check_memory(world);
    if (world->steps++ % 256 == 0)
        check_stats(world);
}

bool fn_world_run(fn_world *world, uint64_t until_ns, bool (*done)(fn_world *world))
{
    while (world->failure == NULL) {
        if (done != NULL && done(world))
            return true;
        fn_heap_node *node = fn_heap_min(&world->heap);
        if (node == NULL || node->deadline_ns > until_ns)
            break;
        step(world, node);
    }
    if (world->failure != NULL)
        return false;
    world->now_ns = fn_max_u64(world->now_ns, until_ns);
    return done == NULL || done(world);
}

/* --- questions --- */

uint64_t fn_world_bytes_to_attacker(fn_world *world)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < world->config.sessions; i++) {
        const fn_end *server = fn_world_server(world, i);
        for (uint32_t k = 0; k < server->remote_count; k++) {
            if (server->remotes[k].address == FN_WORLD_ATTACKER_ADDRESS)
                sum += server->remotes[k].sent_bytes;
        }
    }
    return sum;
}

bool fn_world_all_connected(fn_world *world)
{
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        if (!world->ends[i].connected)
            return false;
    }
    return true;
}

bool fn_world_all_delivered(fn_world *world)
{
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        fn_end *end = &world->ends[i];
        for (uint32_t channel = 0; channel < FN_WORLD_CHANNELS; channel++) {
            if (!fn_stream_complete(&end->streams[channel]))
                return false;
        }
        if (!fn_conn_is_flushed(end->conn))
            return false;
    }
    return true;
}

bool fn_world_all_dead(fn_world *world)
{
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        const fn_conn *conn = world->ends[i].conn;
        if (conn != NULL && fn_conn_get_state(conn) != FN_CONN_DEAD)
            return false;
    }
    return true;
}
