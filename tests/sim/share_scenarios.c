#include "share_scenarios.h"

#include "base/units.h"
#include "setup.h"

#define MS FN_NS_PER_MS

enum { RATE_BYTES_PER_S = 40000, STREAM_BYTES = 1200, TICK_NS = 16666667 };

/* 60 Hz of unreliable messages, and as many reliable ones of 2000 bytes as are taken, on one of the
 * two default channels. */
static void setup(fn_world_config *config, fn_rng *rng, uint32_t stream_bytes)
{
    fn_setup_usual(config, rng);
    config->sessions = 1;
    config->hold_permille = 0;
    fn_setup_links(config, (fn_link_config){.delay_ns = 10 * MS});
    config->load[1] = (fn_load){0};
    config->load[0] = (fn_load){.interval_ns = TICK_NS,
                                .regular = true,
                                .weights = {0, 1, 0, 0},
                                .fixed_bytes = stream_bytes,
                                .message_bytes_max = stream_bytes,
                                .bulk_bytes = 64u << 20,
                                .bulk_message_bytes = 2000};
    config->load[0].bulk_channel =
        fn_rng_chance(rng, 500) ? FASTNET_CHANNEL_RELIABLE : FASTNET_CHANNEL_RELIABLE_ORDERED;
}

void fn_share_capped_setup(fn_world_config *config, fn_rng *rng)
{
    setup(config, rng, STREAM_BYTES);
    config->rate_max_bytes_per_s = RATE_BYTES_PER_S;
}

static uint64_t received_bytes(const fn_world *world, uint8_t channel)
{
    return world->ends[0].streams[channel].received_bytes;
}

static uint64_t loaded_ms(const fn_world *world)
{
    return (world->now_ns - world->ends[0].began_ns - world->ends[0].connected_ns) / MS;
}

/* A tenth is for what is still on its way, and for parts of messages; a
 * fifth for what else is in datagrams. */
static const char *judge_shares(fn_world *world, uint32_t stream_eighths)
{
    uint64_t cap_bytes = RATE_BYTES_PER_S / 1000 * loaded_ms(world);
    uint64_t reliable_bytes = received_bytes(world, world->config.load[0].bulk_channel);
    uint64_t stream_bytes = received_bytes(world, FASTNET_CHANNEL_UNRELIABLE);
    uint64_t all_bytes = reliable_bytes + stream_bytes;
    if (reliable_bytes < all_bytes / 8 * 9 / 10)
        return "a reliable channel got less than an eighth beside an unreliable stream";
    if (stream_bytes < all_bytes / 8 * stream_eighths * 9 / 10)
        return "an unreliable stream got less than its part beside a reliable channel";
    return all_bytes > cap_bytes * 8 / 10 ? NULL : "the cap was not made use of";
}

const char *fn_share_judge(fn_world *world)
{
    const char *complaint = judge_shares(world, 7);
    fn_conn_set_rate_max(world->ends[0].conn, 0); /* so that the rest is soon through */
    return complaint;
}

/* The line carries twice what the rate floor sends into it unasked; the congestion window has to
 * find the rest. (Where the floor alone fills the line, what is reliable has what the window's
 * least size lets pass.) */
void fn_share_narrow_setup(fn_world_config *config, fn_rng *rng)
{
    setup(config, rng, STREAM_BYTES);
    config->rate_floor_bytes_per_s = RATE_BYTES_PER_S / 2;
    fn_link_config link = {.delay_ns = fn_rng_between(rng, 5, 50) * MS,
                           .rate_bytes_per_s = RATE_BYTES_PER_S,
                           .queue_bytes_max = fn_setup_pick(rng, 6000, 12000, 30000)};
    fn_setup_links(config, link);
}

const char *fn_share_narrow_judge(fn_world *world)
{
    return judge_shares(world, 6); /* some of the stream's messages are lost in part */
}

void fn_share_floor_setup(fn_world_config *config, fn_rng *rng)
{
    setup(config, rng, 1000);
    config->tick_ns = TICK_NS;
    config->prompt_unreliable = true;
    config->load[0].bulk_channel = FASTNET_CHANNEL_RELIABLE;
    fn_setup_links(config, (fn_link_config){.delay_ns = 150 * MS, .loss_permille = 100});
}

const char *fn_share_floor_judge(fn_world *world)
{
    const fn_stream *stream = &world->ends[0].streams[FASTNET_CHANNEL_UNRELIABLE];
    return stream->received * 100 < stream->count * 80
               ? "less than 80 % of a 60 Hz stream arrived at 10 % loss"
               : NULL;
}
