#include "scenario.h"
#include "sims.h"

#include "base/result.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_NS (30 * FN_NS_PER_S)
#define HEAL_NS    (60 * FN_NS_PER_S)
#define LINGER_NS  (20 * FN_NS_PER_S)
#define CLOSE_NS   (60 * FN_NS_PER_S)

enum { LAST_MESSAGES = 20, CLOSE_CODE = 77 };

static const char close_text[] = "the game is over";

static bool connect_all(fn_world *world)
{
    if (fn_world_run(world, world->now_ns + CONNECT_NS, fn_world_all_connected))
        return true;
    fn_world_fail(world, "a session did not connect in time");
    return false;
}

static bool heal(fn_world *world)
{
    fn_world_heal(world);
    if (fn_world_run(world, world->now_ns + HEAL_NS, fn_world_all_delivered))
        return true;
    fn_world_fail(world, "what was promised did not arrive on a healthy network");
    return false;
}

/* One side sends a last few messages and closes in the same instant. */
static void close_session(fn_world *world, uint32_t i)
{
    fn_end *end = &world->ends[2 * i + fn_rng_below(&world->rng, 2)];
    end->peer->may_close = true;
    uint32_t bytes_max = fn_min_u32(20000, world->config.limits[0].message_bytes_max);
    for (uint32_t k = 0; k < LAST_MESSAGES; k++) {
        uint8_t channel = k % 2 == 0 ? FASTNET_CHANNEL_RELIABLE_ORDERED : FASTNET_CHANNEL_RELIABLE;
        uint32_t bytes = (uint32_t)fn_rng_below(&world->rng, bytes_max + 1);
        fn_world_send(world, end, channel, bytes, false);
    }
    fn_world_close(world, end, CLOSE_CODE, close_text, LINGER_NS);
}

static const char *judge_closed(fn_world *world)
{
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        const fn_end *end = &world->ends[i];
        if (end->ending && !end->closed)
            return "a reliable message was said to be lost, and no end followed";
        if (!end->closing)
            continue;
        for (uint32_t channel = 0; channel < FN_WORLD_CHANNELS; channel++) {
            if (!fn_stream_complete(&end->streams[channel]))
                return "an orderly close lost what was queued before it";
        }
        const fn_end *other = end->peer;
        if (!other->closed)
            return "an orderly close was not reported to the other side";
        /* All copies of CLOSE may be lost: then silence ends the session. */
        if (world->config.closes_in_trouble && other->closed_result == FASTNET_ERR_TIMEOUT)
            continue;
        if (other->closed_result != FASTNET_ERR_CLOSED || other->closed_code != CLOSE_CODE ||
            strcmp(other->closed_text, close_text) != 0)
            return "an orderly close was reported with another reason";
    }
    return NULL;
}

static void close_all(fn_world *world)
{
    for (uint32_t i = 0; i < world->config.sessions && world->failure == NULL; i++)
        close_session(world, i);
    if (!fn_world_run(world, world->now_ns + CLOSE_NS, fn_world_all_dead)) {
        fn_world_fail(world, "a closed connection did not die");
        return;
    }
    const char *complaint = judge_closed(world);
    if (complaint != NULL)
        fn_world_fail(world, complaint);
}

static void call(fn_world *world, const char *(*function)(fn_world *world))
{
    const char *complaint = world->failure == NULL && function != NULL ? function(world) : NULL;
    if (complaint != NULL)
        fn_world_fail(world, complaint);
}

static void play_through(fn_world *world, const fn_scenario *scenario, uint32_t seconds)
{
    if (!connect_all(world))
        return;
    fn_world_run(world, world->now_ns + seconds * FN_NS_PER_S, NULL);
    call(world, scenario->judge);
    if (scenario->finish != NULL) {
        call(world, scenario->finish);
        return;
    }
    if (world->config.closes_in_trouble)
        world->quiet = true;
    else
        heal(world);
    if (world->failure == NULL)
        close_all(world);
}

static void count(const fn_world *world, fn_scenario_result *result)
{
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        result->datagrams += world->ends[i].datagrams_sent;
        for (uint32_t channel = 0; channel < FN_WORLD_CHANNELS; channel++)
            result->messages += world->ends[i].streams[channel].received;
    }
}

static void print_end(const fn_end *end, uint64_t now_ns)
{
    static const char *const states[] = {"VALIDATING", "CONNECTED", "LINGERING",
                                         "CLOSING",    "DRAINING",  "DEAD"};
    fn_stats stats = {0};
    if (end->conn == NULL)
        return;
    fn_conn_get_stats(end->conn, now_ns, &stats);
    printf("%s %u: %s, path %u, window %llu, in flight %llu, queued %llu, rtt %.1f ms, mtu %u\n",
           end->is_client ? "client" : "server", end->index / 2,
           states[fn_conn_get_state(end->conn)], stats.path,
           (unsigned long long)stats.congestion_window_bytes,
           (unsigned long long)stats.bytes_in_flight, (unsigned long long)stats.queued_bytes,
           (double)stats.rtt_ns / 1e6, stats.mtu_bytes);
#define X(name) printf("  " #name " %llu", (unsigned long long)stats.counters.name);
    FN_STATS_MAP(X)
#undef X
    printf("\n");
    for (uint32_t i = 0; i < FN_WORLD_CHANNELS; i++) {
        const fn_stream *stream = &end->streams[i];
        printf("  channel %u: sent %llu, received %llu, tags %llu of %llu, latency up to %.1f ms\n",
               i, (unsigned long long)stream->count, (unsigned long long)stream->received,
               (unsigned long long)stream->told, (unsigned long long)stream->tagged,
               (double)stream->latency_ns_max / 1e6);
    }
}

static void print_attack(fn_world *world)
{
    const fn_attack_tally *tally = &world->tally;
    printf("attacker: %llu replayed, %llu replayed from elsewhere, %llu raced, %llu damaged, "
           "%llu forged\n",
           (unsigned long long)tally->replayed, (unsigned long long)tally->elsewhere,
           (unsigned long long)tally->raced, (unsigned long long)tally->damaged,
           (unsigned long long)tally->forged);
    printf("  from its own address: %llu, %llu bytes to the server, %llu bytes back\n",
           (unsigned long long)tally->from_attacker, (unsigned long long)tally->server_bytes,
           (unsigned long long)fn_world_bytes_to_attacker(world));
}

static fn_scenario_result run(const void *which, uint64_t seed, uint32_t seconds, bool verbose)
{
    const fn_scenario *scenario = which;
    fn_world *world = calloc(1, sizeof *world);
    if (world == NULL)
        abort();
    fn_world_config config = {0};
    fn_rng rng;
    fn_rng_init(&rng, seed ^ UINT64_C(0x5ce7a210));
    scenario->setup(&config, &rng);
    fn_world_init(world, &config, seed);
    world->verbose = verbose;
    play_through(world, scenario, seconds != 0 ? seconds : scenario->seconds);
    fn_scenario_result result = {.hash = world->hash, .virtual_ns = world->now_ns};
    count(world, &result);
    for (uint32_t i = 0; verbose && i < 2 * config.sessions; i++)
        print_end(&world->ends[i], world->now_ns);
    if (verbose)
        print_attack(world);
    fn_world_free(world);
    result.failure = world->failure;
    free(world);
    return result;
}

bool fn_core_sim_get(size_t index, fn_sim *out)
{
    if (index >= fn_scenario_count)
        return false;
    const fn_scenario *scenario = &fn_scenarios[index];
    *out = (fn_sim){scenario->name, scenario->sentence, scenario, run};
    return true;
}
