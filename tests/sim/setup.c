#include "setup.h"

#include "base/units.h"

#define MS FN_NS_PER_MS

uint32_t fn_setup_pick(fn_rng *rng, uint32_t a, uint32_t b, uint32_t c)
{
    uint64_t which = fn_rng_below(rng, 3);
    return which == 0 ? a : which == 1 ? b : c;
}

/* Statement by statement: C leaves the order inside an initializer open, and the same seed has to
 * give the same run with every compiler. */
static fn_load mixed_load(fn_rng *rng)
{
    fn_load load = {.weights = {3, 4, 3, 4}, .tagged_permille = 200};
    load.interval_ns = fn_rng_between(rng, 20, 60) * MS;
    load.message_bytes_max = fn_setup_pick(rng, 1000, 20000, 65536);
    return load;
}

void fn_setup_links(fn_world_config *config, fn_link_config link)
{
    config->link[0] = link;
    config->link[1] = link;
}

static fn_limits usual_limits(fn_rng *rng)
{
    fn_limits limits = {.message_bytes_max = 262144, .idle_timeout_ms = 30000};
    limits.receive_window_bytes = fn_setup_pick(rng, 262144 + 64, 524288, 1u << 20);
    limits.replay_window_packets = fn_setup_pick(rng, 1024, 4096, 4096);
    limits.message_window = fn_setup_pick(rng, 64, 1024, 4096);
    limits.datagram_bytes_max = fn_setup_pick(rng, 1200, 1452, 1452);
    return limits;
}

void fn_setup_usual(fn_world_config *config, fn_rng *rng)
{
    *config = (fn_world_config){
        .client_arena_bytes = FN_MIB(16),
        .server_arena_bytes = FN_MIB(32),
        .memory_cap_bytes = FN_MIB(8),
        .memory_home_bytes = FN_KIB(16),
        .sessions = 2,
        .send_queue_bytes_max = 2u << 20,
        .datagram_bytes_max = 1452,
        .rate_floor_bytes_per_s = 65536,
        .keepalive_ns = 10 * FN_NS_PER_S,
        .key_update_ns = 3600 * FN_NS_PER_S,
        .hold_ns_max = 50 * MS,
    };
    for (uint32_t i = 0; i < 2; i++) {
        config->limits[i] = usual_limits(rng);
        config->load[i] = mixed_load(rng);
    }
    config->event_capacity = fn_setup_pick(rng, 16, 64, 1024);
    config->key_update_packets = fn_setup_pick(rng, 64, 1000, 1u << 20);
    config->hold_permille = fn_setup_pick(rng, 0, 100, 500);
    config->tick_ns = fn_rng_chance(rng, 300) ? 16666667 : 0;
    fn_setup_links(config, (fn_link_config){.delay_ns = fn_rng_between(rng, 1, 80) * MS});
}

uint32_t fn_setup_any_session(fn_world *world)
{
    return (uint32_t)fn_rng_below(&world->rng, world->config.sessions);
}

/* Little memory each, but enough: twice the window, twice the send queue, and the ledgers. */
void fn_setup_small_memory(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->limits[0].message_bytes_max = 16384;
    config->limits[1].message_bytes_max = 16384;
    config->limits[0].receive_window_bytes = 40000;
    config->limits[1].receive_window_bytes = 40000;
    config->limits[0].replay_window_packets = 1024;
    config->limits[1].replay_window_packets = 1024;
    config->send_queue_bytes_max = 65536;
    config->memory_cap_bytes = FN_KIB(384);
    config->memory_home_bytes = FN_KIB(8);
    config->memory_room_bytes = FN_KIB(32);
    config->client_arena_bytes = FN_KIB(512);
    config->server_arena_bytes = FN_KIB(1024);
    config->load[0].message_bytes_max = 16384;
    config->load[1].message_bytes_max = 16384;
    config->hold_permille = 500;
    fn_link_config link = config->link[0];
    link.loss_permille = fn_setup_pick(rng, 0, 20, 100);
    fn_setup_links(config, link);
}
