#include "scenario.h"
#include "hog.h"

#include "base/result.h"
#include "base/units.h"
#include "setup.h"
#include "share_scenarios.h"

#define MS FN_NS_PER_MS

static fn_end *any_end(fn_world *world)
{
    return &world->ends[fn_rng_below(&world->rng, 2 * world->config.sessions)];
}

static uint64_t sum_received(const fn_world *world, uint32_t channel)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++)
        sum += world->ends[i].streams[channel].received;
    return sum;
}

/* --- loss, order, time --- */

static void clean(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->hold_permille = 0;
}

static const char *judge_clean(fn_world *world)
{
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        fn_conn_get_stats(world->ends[i].conn, world->now_ns, &world->ends[i].stats);
        if (world->ends[i].stats.counters.rejected_packets != 0)
            return "an honest datagram was rejected on a clean network";
        if (world->ends[i].stats.counters.lost_packets != 0)
            return "a packet was declared lost on a clean network";
    }
    return NULL;
}

static void lossy(fn_world_config *config, fn_rng *rng, uint32_t permille)
{
    fn_setup_usual(config, rng);
    config->link[0].loss_permille = permille;
    config->link[1].loss_permille = permille;
}

static void loss1(fn_world_config *config, fn_rng *rng)
{
    lossy(config, rng, 10);
}

static void loss5(fn_world_config *config, fn_rng *rng)
{
    lossy(config, rng, 50);
}

static void loss10(fn_world_config *config, fn_rng *rng)
{
    lossy(config, rng, 100);
}

static void loss20(fn_world_config *config, fn_rng *rng)
{
    lossy(config, rng, 200);
}

static void loss30(fn_world_config *config, fn_rng *rng)
{
    lossy(config, rng, 300);
}

static void loss_one_way(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->link[fn_rng_below(rng, 2)].loss_permille = 400;
}

static void burst(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    fn_link_config link = config->link[0];
    link.burst_start_permille = 10;
    link.burst_end_permille = 80;
    link.burst_loss_permille = 900;
    fn_setup_links(config, link);
}

static void duplicate(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    fn_link_config link = config->link[0];
    link.duplicate_permille = 400;
    link.jitter_ns = 5 * MS;
    fn_setup_links(config, link);
}

static void reorder(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    fn_link_config link = config->link[0];
    link.reorder_permille = 200;
    link.reorder_delay_ns = fn_rng_between(rng, 1, 150) * MS;
    fn_setup_links(config, link);
}

static void jitter(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    fn_link_config link = config->link[0];
    link.jitter_ns = fn_rng_between(rng, 5, 200) * MS;
    fn_setup_links(config, link);
}

static void corrupt(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    fn_link_config link = config->link[0];
    link.corrupt_permille = 150;
    fn_setup_links(config, link);
}

static void ratelimit(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    fn_link_config link = config->link[0];
    link.rate_bytes_per_s = fn_rng_between(rng, 20000, 300000);
    link.queue_bytes_max = fn_setup_pick(rng, 6000, 30000, 100000);
    fn_setup_links(config, link);
}

static void bulk_both_ways(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    fn_link_config link = {.delay_ns = 25 * MS,
                           .rate_bytes_per_s = 1000000,
                           .queue_bytes_max = 60000,
                           .loss_permille = fn_setup_pick(rng, 0, 1, 10)};
    fn_setup_links(config, link);
    for (uint32_t i = 0; i < 2; i++) {
        config->load[i].bulk_bytes = 3u << 20;
        config->load[i].bulk_message_bytes = fn_setup_pick(rng, 1000, 16384, 200000);
        config->load[i].bulk_channel = FASTNET_CHANNEL_RELIABLE;
    }
    config->sessions = 1;
}

static const char *judge_bulk(fn_world *world)
{
    for (uint32_t i = 0; i < 2; i++) {
        if (world->ends[i].streams[FASTNET_CHANNEL_RELIABLE].received_bytes < 500000)
            return "bulk made no progress";
    }
    return NULL;
}

/* More fits between the two than may be on its way. */
static void long_fat(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->sessions = 1;
    config->tick_ns = 0;
    config->limits[0].replay_window_packets = 1024;
    config->limits[1].replay_window_packets = 1024;
    config->limits[0].receive_window_bytes = 4u << 20;
    config->limits[1].receive_window_bytes = 4u << 20;
    fn_setup_links(config, (fn_link_config){.delay_ns = 100 * MS});
    for (uint32_t i = 0; i < 2; i++) {
        config->load[i].bulk_bytes = 6u << 20;
        config->load[i].bulk_message_bytes = 1000;
        config->load[i].bulk_channel = FASTNET_CHANNEL_RELIABLE;
    }
}

/* --- paths --- */

static void change_mtu(fn_world *world)
{
    static const uint32_t sizes[] = {1200, 1232, 1280, 1400, 1452, 0};
    uint64_t which = fn_rng_below(&world->rng, FN_ARRAY_COUNT(sizes));
    fn_world_set_mtu(world, fn_setup_any_session(world), sizes[which]);
}

/* What is too large for the path is a probe, or one flight before the change was noticed. */
static const char *judge_mtu(fn_world *world)
{
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        const fn_link_counts *counts = &world->links[i].counts;
        if (counts->too_large * 100 > counts->entered * 15)
            return "datagrams go on being larger than the path";
    }
    return NULL;
}

static void mtu(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->change = change_mtu;
    config->change_ns = 1500 * MS;
    fn_link_config link = config->link[0];
    link.mtu_bytes = 1280;
    link.loss_permille = fn_setup_pick(rng, 0, 10, 30);
    fn_setup_links(config, link);
}

static void mtu_reported(fn_world_config *config, fn_rng *rng)
{
    mtu(config, rng);
    config->reports_mtu = true;
}

static void large_datagrams(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->datagram_bytes_max = 9000;
    config->limits[0].datagram_bytes_max = 9000;
    config->limits[1].datagram_bytes_max = 9000;
    fn_link_config link = config->link[0];
    link.mtu_bytes = fn_setup_pick(rng, 1452, 4000, 9000);
    fn_setup_links(config, link);
}

static void toggle_down(fn_world *world)
{
    uint32_t session = fn_setup_any_session(world);
    bool is_down =
        world->links[2 * session].config.down || world->links[2 * session + 1].config.down;
    bool up = !is_down && fn_rng_chance(&world->rng, 700);
    fn_world_set_down(world, session, up, !is_down && (!up || fn_rng_chance(&world->rng, 700)));
}

static void blackout(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->change = toggle_down;
    config->change_ns = fn_rng_between(rng, 300, 2000) * MS;
}

/* Down once, for long, while small unreliable messages go on. */
static void go_dark(fn_world *world)
{
    bool up = fn_rng_chance(&world->rng, 600);
    for (uint32_t i = 0; i < world->config.sessions; i++)
        fn_world_set_down(world, i, up, !up || fn_rng_chance(&world->rng, 500));
    world->config.change_ns = 3600 * FN_NS_PER_S;
}

static void long_dark(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->limits[0].replay_window_packets = 1024;
    config->limits[1].replay_window_packets = 1024;
    config->change = go_dark;
    config->change_ns = 1000 * MS;
    for (uint32_t i = 0; i < 2; i++) {
        config->load[i] = (fn_load){.interval_ns = 10 * MS,
                                    .weights = {1, 20, 1, 20},
                                    .fixed_bytes = 30,
                                    .message_bytes_max = 30,
                                    .tagged_permille = 200};
    }
}

static void change_address(fn_world *world)
{
    uint32_t session = fn_setup_any_session(world);
    if (fn_rng_chance(&world->rng, 500))
        fn_world_rebind(world, session);
    else
        fn_world_roam(world, session, fn_rng_chance(&world->rng, 500));
}

static void roam(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->change = change_address;
    config->change_ns = fn_rng_between(rng, 800, 3000) * MS;
    fn_link_config link = config->link[0];
    link.loss_permille = fn_setup_pick(rng, 0, 20, 100);
    link.jitter_ns = fn_setup_pick(rng, 0, 5, 50) * MS;
    fn_setup_links(config, link);
}

static void rebind_only(fn_world *world)
{
    fn_world_rebind(world, fn_setup_any_session(world));
}

static void s5_rebinding(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->change = rebind_only;
    config->change_ns = 2000 * MS;
}

static const char *judge_rebinding(fn_world *world)
{
    for (uint32_t i = 0; i < world->config.sessions; i++) {
        if (fn_world_server(world, i)->path_changes > 0)
            return NULL;
    }
    return "the session never followed a new address";
}

/* --- keys, attackers --- */

static void key_storm(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->key_update_packets = 64;
    fn_link_config link = config->link[0];
    link.delay_ns = 10 * MS;
    link.loss_permille = fn_setup_pick(rng, 0, 50, 200);
    link.jitter_ns = fn_setup_pick(rng, 0, 10, 100) * MS;
    fn_setup_links(config, link);
}

static const char *judge_flips(fn_world *world)
{
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        if (world->ends[i].tap.flips < 2)
            return "a key was not updated";
    }
    return NULL;
}

static void key_age(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->key_update_packets = 1u << 20;
    config->key_update_ns = 500 * MS;
    config->link[0].delay_ns = 10 * MS;
    config->link[1].delay_ns = 10 * MS;
}

static void attacker(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->attack = (fn_attack){.replay_permille = 300,
                                 .elsewhere_permille = 200,
                                 .race_permille = 50,
                                 .damage_permille = 200,
                                 .forge_permille = 200};
    fn_link_config link = config->link[0];
    link.delay_ns = fn_rng_between(rng, 6, 60) * MS;
    fn_setup_links(config, link);
}

static const char *judge_attacker(fn_world *world)
{
    return world->dropped_attacks > 100 ? NULL : "the attacker was not there";
}

/* Half of what the attacker does is noise, the rest are exact copies: late, or 5 ms early. */
static void s5_copies(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->tick_ns = 0;
    config->attack = (fn_attack){.elsewhere_permille = 1000,
                                 .race_permille = fn_setup_pick(rng, 200, 600, 1000),
                                 .damage_permille = 1000,
                                 .forge_permille = 1000,
                                 .all_elsewhere = true,
                                 .sessions_only = true};
    for (uint32_t i = 0; i < 2; i++) {
        config->load[i].interval_ns = 2 * MS;
        config->load[i].message_bytes_max = 400;
    }
    config->link[0].delay_ns = fn_rng_between(rng, 6, 60) * MS;
    config->link[1].delay_ns = config->link[0].delay_ns;
}

static const char *judge_copies(fn_world *world)
{
    const fn_attack_tally *tally = &world->tally;
    if (tally->from_attacker < 100000 || tally->raced < 5000)
        return "the attacker sent less than it should";
    uint64_t back_bytes = fn_world_bytes_to_attacker(world);
    if (back_bytes == 0)
        return "no copy ever came before its original";
    if (back_bytes > 3 * tally->server_bytes)
        return "more than three times its bytes went to the attacker";
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        const fn_end *end = &world->ends[i];
        if (end->path_changes != 0)
            return "the session moved";
        if (end->path_address[fn_conn_path(end->conn)] == FN_WORLD_ATTACKER_ADDRESS)
            return "the session lies on the attacker's address";
    }
    return NULL;
}

static void s3_replay(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->attack = (fn_attack){.replay_permille = 1000, .elsewhere_permille = 1000};
    config->key_update_packets = 200;
}

/* --- memory --- */

/* The sessions together may ask for more than the server has. */
static void memory_contention(fn_world_config *config, fn_rng *rng)
{
    fn_setup_small_memory(config, rng);
    config->sessions = 4;
    config->memory_home_bytes = FN_KIB(160);
    config->server_arena_bytes = FN_KIB(768);
}

/* The server's memory is full of others for the whole of the game, from the first moment on: each
 * session lives on its home. */
static void memory_hostile(fn_world_config *config, fn_rng *rng)
{
    fn_setup_small_memory(config, rng);
    config->sessions = 3;
    config->hogs = 8;
    config->memory_home_bytes = FN_KIB(128);
    config->server_arena_bytes = (config->sessions + config->hogs) * FN_KIB(128) + FN_KIB(512);
    config->change = fn_hogs_take;
    config->change_ns = 3 * MS;
}

static const char *judge_memory_hostile(fn_world *world)
{
    bool was_full = fn_pool_used_bytes(&world->server.pool) > world->config.server_arena_bytes / 2;
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        const fn_stream *streams = world->ends[i].streams;
        if (streams[FASTNET_CHANNEL_RELIABLE_ORDERED].received < 20 ||
            streams[FASTNET_CHANNEL_RELIABLE].received < 20 ||
            streams[FASTNET_CHANNEL_UNRELIABLE].received < 20)
            return "a session came to a halt while others held the memory";
    }
    fn_hogs_close(world);
    world->config.change = NULL;
    return was_full ? NULL : "the memory was never full";
}

/* --- rhythm --- */

static void game_rhythm(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->sessions = 1;
    config->tick_ns = 16666667;
    config->hold_permille = 0;
    config->prompt_unreliable = true;
    fn_setup_links(config, (fn_link_config){.delay_ns = 150 * MS, .loss_permille = 100});
    fn_load load = {.interval_ns = 16666667,
                    .regular = true,
                    .weights = {0, 1, 0, 0},
                    .fixed_bytes = 200,
                    .message_bytes_max = 200};
    config->load[0] = load;
    config->load[1] = load;
}

static void game_rhythm_and_bulk(fn_world_config *config, fn_rng *rng)
{
    game_rhythm(config, rng);
    for (uint32_t i = 0; i < 2; i++) {
        config->load[i].bulk_bytes = 1u << 20;
        config->load[i].bulk_message_bytes = 8192;
        config->load[i].bulk_channel = FASTNET_CHANNEL_RELIABLE;
    }
}

static const char *judge_game_rhythm(fn_world *world)
{
    for (uint32_t i = 0; i < 2; i++) {
        const fn_stream *stream = &world->ends[i].streams[FASTNET_CHANNEL_UNRELIABLE];
        if (stream->received * 100 < stream->count * 80)
            return "less than 80 % of a 60 Hz stream arrived at 10 % loss";
        bool bulk = world->config.load[i].bulk_bytes > 0;
        if (bulk && world->ends[i].streams[FASTNET_CHANNEL_RELIABLE].received_bytes < 50000)
            return "bulk made no progress beside a 60 Hz stream";
    }
    return NULL;
}

static void idle(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->limits[0].idle_timeout_ms = 3000;
    config->limits[1].idle_timeout_ms = 3000;
    config->keepalive_ns = 1000 * MS;
    config->load[0] = (fn_load){0};
    config->load[1] = (fn_load){0};
    fn_link_config link = config->link[0];
    link.loss_permille = fn_setup_pick(rng, 0, 20, 50);
    fn_setup_links(config, link);
}

static void silence(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->limits[0].idle_timeout_ms = 4000;
    config->limits[1].idle_timeout_ms = 4000;
}

/* The network dies for good: both sides must find out, soon after the idle timeout. */
static const char *finish_silence(fn_world *world)
{
    for (uint32_t i = 0; i < world->config.sessions; i++) {
        fn_world_set_down(world, i, true, true);
        fn_world_client(world, i)->may_close = true;
        fn_world_server(world, i)->may_close = true;
    }
    world->quiet = true;
    uint64_t limit_ns = 4000 * MS + 4000 * MS;
    if (!fn_world_run(world, world->now_ns + limit_ns, fn_world_all_dead))
        return "a session outlived its idle timeout";
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        if (!world->ends[i].closed || world->ends[i].closed_result != FASTNET_ERR_TIMEOUT)
            return "silence was not reported as a timeout";
    }
    return NULL;
}

/* What was queued before an orderly end arrives, whatever the network does meanwhile. */
static void close_in_trouble(fn_world_config *config, fn_rng *rng)
{
    lossy(config, rng, 100);
    config->closes_in_trouble = true;
    for (uint32_t i = 0; i < 2; i++) {
        config->link[i].jitter_ns = 30 * MS;
        config->load[i].tagged_permille = 0; /* nobody is told after having closed */
    }
}

/* --- everything at once --- */

static void change_anything(fn_world *world)
{
    switch (fn_rng_below(&world->rng, 5)) {
    case 0:
        change_mtu(world);
        break;
    case 1:
        toggle_down(world);
        break;
    case 2:
        change_address(world);
        break;
    default: {
        fn_link *link = &world->links[any_end(world)->index];
        link->config.loss_permille = (uint32_t)fn_rng_below(&world->rng, 200);
        link->config.delay_ns = fn_rng_between(&world->rng, 1, 150) * MS;
        link->config.down = false;
    }
    }
}

static void everything(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->sessions = 3;
    config->server_arena_bytes = FN_MIB(32);
    for (uint32_t i = 0; i < 2; i++) {
        fn_link_config *link = &config->link[i];
        link->jitter_ns = fn_rng_below(rng, 60) * MS;
        link->loss_permille = (uint32_t)fn_rng_below(rng, 150);
        link->burst_start_permille = (uint32_t)fn_rng_below(rng, 5);
        link->burst_end_permille = 100;
        link->burst_loss_permille = 800;
        link->duplicate_permille = (uint32_t)fn_rng_below(rng, 100);
        link->reorder_permille = (uint32_t)fn_rng_below(rng, 100);
        link->reorder_delay_ns = fn_rng_below(rng, 100) * MS;
        link->corrupt_permille = (uint32_t)fn_rng_below(rng, 50);
        link->rate_bytes_per_s = fn_rng_chance(rng, 500) ? fn_rng_between(rng, 50000, 500000) : 0;
        link->queue_bytes_max = 40000;
    }
    config->attack = (fn_attack){.replay_permille = 50,
                                 .elsewhere_permille = 20,
                                 .race_permille = 5,
                                 .damage_permille = 20,
                                 .forge_permille = 20};
    config->change = change_anything;
    config->change_ns = 700 * MS;
}

/* --- the defects that gave this library its reason --- */

static void r1_retransmission(fn_world_config *config, fn_rng *rng)
{
    lossy(config, rng, 250);
    for (uint32_t i = 0; i < 2; i++) {
        config->load[i].weights[FASTNET_CHANNEL_UNRELIABLE] = 0;
        config->load[i].weights[FASTNET_CHANNEL_UNRELIABLE_SEQUENCED] = 0;
    }
}

static const char *judge_retransmission(fn_world *world)
{
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        fn_conn_get_stats(world->ends[i].conn, world->now_ns, &world->ends[i].stats);
        if (world->ends[i].stats.counters.retransmitted_bytes == 0)
            return "nothing was retransmitted";
    }
    return NULL;
}

/* Far more messages than packets on one channel, the reverse on the other. */
static void r2_acks(fn_world_config *config, fn_rng *rng)
{
    lossy(config, rng, 100);
    config->load[0] = (fn_load){.interval_ns = 5 * MS,
                                .weights = {1, 0, 1, 0},
                                .fixed_bytes = 12,
                                .message_bytes_max = 12,
                                .tagged_permille = 1000};
    config->load[1] = (fn_load){.interval_ns = 60 * MS,
                                .weights = {1, 0, 1, 0},
                                .fixed_bytes = 9000,
                                .message_bytes_max = 9000,
                                .tagged_permille = 1000};
}

static void r3_other_channels(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->tick_ns = 0;
    config->hold_permille = 0;
    fn_setup_links(config, (fn_link_config){.delay_ns = 20 * MS});
    fn_load load = {.interval_ns = 10 * MS,
                    .weights = {1, 6, 3, 6},
                    .fixed_bytes = 300,
                    .message_bytes_max = 300};
    config->load[0] = load;
    config->load[1] = load;
}

static const char *judge_other_channels(fn_world *world)
{
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        if (world->ends[i].streams[0].latency_ns_max > 45 * MS)
            return "traffic on other channels delayed the ordered channel";
    }
    return sum_received(world, 0) > 100 ? NULL : "the ordered channel stalled";
}

static void r4_early(fn_world_config *config, fn_rng *rng)
{
    reorder(config, rng);
    for (uint32_t i = 0; i < 2; i++) {
        config->load[i].weights[FASTNET_CHANNEL_RELIABLE_ORDERED] = 20;
        config->link[i].reorder_permille = 400;
    }
}

/* 5 % loss: what is sent again is little more than what was lost. */
static void r5_acks(fn_world_config *config, fn_rng *rng)
{
    lossy(config, rng, 50);
    config->hold_permille = 0;
    config->key_update_packets = 1u << 20;
    for (uint32_t i = 0; i < 2; i++) {
        config->load[i] = (fn_load){.interval_ns = 15 * MS,
                                    .weights = {1, 0, 1, 0},
                                    .fixed_bytes = 900,
                                    .message_bytes_max = 900};
    }
}

static const char *judge_little_in_vain(fn_world *world)
{
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        fn_end *end = &world->ends[i];
        fn_conn_get_stats(end->conn, world->now_ns, &end->stats);
        if (end->stats.counters.retransmitted_bytes > end->stats.counters.sent_bytes * 15 / 100)
            return "far more was sent again than was lost";
    }
    return NULL;
}

static void r6_one_way(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->load[1] = (fn_load){0};
    fn_link_config link = config->link[0];
    link.loss_permille = fn_setup_pick(rng, 0, 20, 100);
    fn_setup_links(config, link);
}

static void r7_fragments(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->sessions = 1;
    config->hold_permille = 0;
    for (uint32_t i = 0; i < 2; i++) {
        config->load[i] = (fn_load){.interval_ns = 100 * MS,
                                    .weights = {1, 1, 1, 1},
                                    .fixed_bytes = (uint32_t)fn_rng_between(rng, 1501, 20000),
                                    .message_bytes_max = 65536};
    }
}

static const char *judge_fragments(fn_world *world)
{
    for (uint32_t i = 0; i < 2; i++) {
        for (uint32_t channel = 0; channel < FN_WORLD_CHANNELS; channel++) {
            if (world->ends[i].streams[channel].fragmented_received == 0)
                return "no fragmented message arrived on a channel";
        }
    }
    return NULL;
}

static void r8_backpressure(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    config->sessions = 1;
    fn_setup_links(config, (fn_link_config){.delay_ns = 30 * MS,
                                            .rate_bytes_per_s = 400000,
                                            .queue_bytes_max = 30000,
                                            .loss_permille = 10});
    for (uint32_t i = 0; i < 2; i++) {
        config->load[i] = (fn_load){.interval_ns = 5 * MS,
                                    .bulk_bytes = 3u << 20,
                                    .bulk_message_bytes = fn_setup_pick(rng, 100, 700, 5000),
                                    .bulk_channel = FASTNET_CHANNEL_RELIABLE_ORDERED};
    }
}

static const char *judge_backpressure(fn_world *world)
{
    for (uint32_t i = 0; i < 2; i++) {
        if (world->ends[i].backpressure == 0)
            return "a full queue was never reported";
    }
    return NULL;
}

#define SCENARIO_MAP(X)                                                                          \
    X(clean, clean, judge_clean, NULL, 6, "nothing goes wrong")                                  \
    X(loss1, loss1, NULL, NULL, 6, "1 % random loss")                                            \
    X(loss5, loss5, NULL, NULL, 6, "5 % random loss")                                            \
    X(loss10, loss10, NULL, NULL, 6, "10 % random loss")                                         \
    X(loss20, loss20, NULL, NULL, 6, "20 % random loss")                                         \
    X(loss30, loss30, NULL, NULL, 6, "30 % random loss")                                         \
    X(loss_one_way, loss_one_way, NULL, NULL, 6, "40 % loss in one direction only")              \
    X(burst, burst, NULL, NULL, 6, "bursts of loss")                                             \
    X(duplicate, duplicate, NULL, NULL, 5, "40 % of all datagrams come twice")                   \
    X(reorder, reorder, NULL, NULL, 5, "20 % are held back")                                     \
    X(jitter, jitter, NULL, NULL, 5, "up to 200 ms of jitter")                                   \
    X(corrupt, corrupt, NULL, NULL, 5, "15 % arrive with other bits")                            \
    X(ratelimit, ratelimit, NULL, NULL, 6, "a narrow link with a short queue")                   \
    X(bulk_both_ways, bulk_both_ways, judge_bulk, NULL, 10, "both sides send all they can")      \
    X(long_fat, long_fat, judge_bulk, NULL, 8, "more than a replay window between the two")      \
    X(mtu, mtu, judge_mtu, NULL, 8, "the path's MTU shrinks and grows, silently")                \
    X(mtu_reported, mtu_reported, NULL, NULL, 8, "likewise, and the system says so")             \
    X(large_datagrams, large_datagrams, NULL, NULL, 5, "datagrams of up to 9000 bytes")          \
    X(blackout, blackout, NULL, NULL, 8, "partitions, one way and both ways")                    \
    X(long_dark, long_dark, NULL, NULL, 15, "a long partition under a stream of small messages") \
    X(roam, roam, NULL, NULL, 8, "the client's address changes")                                 \
    X(key_storm, key_storm, judge_flips, NULL, 8, "a key update every 64 packets")               \
    X(key_age, key_age, judge_flips, NULL, 6, "a key update every 500 ms")                       \
    X(attacker, attacker, judge_attacker, NULL, 5, "replays, races, damage and forgeries")       \
    X(small_memory, fn_setup_small_memory, NULL, NULL, 6, "384 KiB each")                        \
    X(memory_contention, memory_contention, NULL, NULL, 5, "a server with too little for all")   \
    X(memory_hostile, memory_hostile, judge_memory_hostile, NULL, 6,                             \
      "neighbours that take all the memory they are given")                                      \
    X(game_rhythm, game_rhythm, judge_game_rhythm, NULL, 10, "60 Hz at 10 % loss and 300 ms")    \
    X(game_rhythm_and_bulk, game_rhythm_and_bulk, judge_game_rhythm, NULL, 20,                   \
      "the same beside a bulk transfer")                                                         \
    X(idle, idle, NULL, NULL, 20, "nobody sends anything, and the session lives")                \
    X(silence, silence, NULL, finish_silence, 3, "the network dies for good")                    \
    X(close_in_trouble, close_in_trouble, NULL, NULL, 3, "an orderly end at 10 % loss")          \
    X(everything, everything, NULL, NULL, 8, "all of it together")                               \
    X(r1_retransmission, r1_retransmission, judge_retransmission, NULL, 5,                       \
      "what is lost is sent again")                                                              \
    X(r2_packets_are_acknowledged_not_messages, r2_acks, NULL, NULL, 5,                          \
      "many messages in a packet, many packets for a message")                                   \
    X(r3_other_channels_do_not_stall_ordered, r3_other_channels, judge_other_channels, NULL, 5,  \
      "ordering is per channel")                                                                 \
    X(r4_early_messages_are_delivered_after_the_gap, r4_early, NULL, NULL, 5,                    \
      "in order, each once")                                                                     \
    X(r5_little_is_sent_again_in_vain, r5_acks, judge_little_in_vain, NULL, 8,                   \
      "acknowledgements name what arrived")                                                      \
    X(r6_one_way_traffic_is_acknowledged, r6_one_way, NULL, NULL, 5,                             \
      "packets with nothing but acknowledgements")                                               \
    X(r6_idle_peers_stay, idle, NULL, NULL, 30, "keep-alive")                                    \
    X(r7_fragments_arrive_on_every_channel, r7_fragments, judge_fragments, NULL, 5,              \
      "messages larger than a datagram")                                                         \
    X(r8_backpressure_never_drops, r8_backpressure, judge_backpressure, NULL, 5,                 \
      "a full queue is said to be full")                                                         \
    X(s3_replay_changes_nothing, s3_replay, judge_attacker, NULL, 5,                             \
      "every datagram comes again, from anywhere")                                               \
    X(s4_key_update_agrees, key_storm, judge_flips, NULL, 8,                                     \
      "both sides at once, with loss and reordering")                                            \
    X(s5_rebinding_keeps_the_session, s5_rebinding, judge_rebinding, NULL, 8,                    \
      "a NAT gives the client another address")                                                  \
    X(s5_hundred_thousand_copies, s5_copies, judge_copies, NULL, 24,                             \
      "100,000 forged, damaged, late and early copies from elsewhere")

const fn_scenario fn_scenarios[] = {
#define X(name, setup, judge, finish, seconds, sentence) \
    {#name, sentence, setup, judge, finish, seconds},
    SCENARIO_MAP(X) SHARE_SCENARIO_MAP(X)
#undef X
};

const uint32_t fn_scenario_count = FN_ARRAY_COUNT(fn_scenarios);
