#include "match_run.h"

#include "path_scenarios.h"
#include "sims.h"

#include "base/result.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_NS (20 * FN_NS_PER_S)
#define HEAL_NS    (60 * FN_NS_PER_S)
#define CLOSE_NS   (60 * FN_NS_PER_S)
#define LINGER_MS  20000

enum { LAST_MESSAGES = 20, CLOSE_CODE = 77 };

static const char close_text[] = "the game is over";

static bool connect_all(fn_match *match)
{
    if (fn_match_run(match, CONNECT_NS, fn_match_all_connected))
        return true;
    fn_match_fail(match, "a session did not connect in time");
    return false;
}

static void heal(fn_match *match)
{
    fn_match_heal(match);
    if (!fn_match_run(match, HEAL_NS, fn_match_all_delivered))
        fn_match_fail(match, "what was promised did not arrive on a healthy network");
}

/* One side sends a last few messages and disconnects in the same instant. */
static void close_session(fn_match *match, uint32_t player)
{
    fn_rng *rng = &match->internet.rng;
    fn_side *side = &match->sides[2 * player + fn_rng_below(rng, 2)];
    uint32_t bytes_max = fn_min_u32(20000, match->config.endpoint[0].message_bytes_max);
    side->peer->may_close = true;
    for (uint32_t k = 0; k < LAST_MESSAGES; k++) {
        uint8_t channel = k % 2 == 0 ? FASTNET_CHANNEL_RELIABLE_ORDERED : FASTNET_CHANNEL_RELIABLE;
        fn_match_send(match, side, channel, (uint32_t)fn_rng_below(rng, bytes_max + 1), false);
    }
    fn_match_close(match, side, CLOSE_CODE, close_text);
}

static const char *judge_closed(fn_match *match)
{
    for (uint32_t i = 0; i < 2 * match->config.players; i++) {
        const fn_side *side = &match->sides[i];
        const fn_side *other = side->peer;
        if (!side->closing)
            continue;
        for (uint32_t channel = 0; channel < FN_WORLD_CHANNELS; channel++) {
            if (!fn_stream_complete(&side->streams[channel]))
                return "an orderly disconnect lost what was queued before it";
        }
        if (!other->closed)
            return "an orderly disconnect was not reported to the other side";
        /* All copies of CLOSE may be lost: then silence ends the session, or the other side is gone
         * when it is asked again. */
        bool unheard =
            other->closed_result == FASTNET_ERR_TIMEOUT || other->closed_result == FASTNET_ERR_GONE;
        if (match->config.closes_in_trouble && unheard)
            continue;
        if (other->closed_result != FASTNET_ERR_CLOSED || other->closed_code != CLOSE_CODE ||
            strcmp(other->closed_text, close_text) != 0)
            return "an orderly disconnect was reported with another reason";
    }
    return NULL;
}

static void close_all(fn_match *match)
{
    for (uint32_t i = 0; i < match->config.players && match->failure == NULL; i++)
        close_session(match, i);
    if (!fn_match_run(match, CLOSE_NS, fn_match_all_gone)) {
        fn_match_fail(match, "a session that was ended holds memory");
        return;
    }
    const char *complaint = judge_closed(match);
    if (complaint != NULL)
        fn_match_fail(match, complaint);
}

static void play_through(fn_match *match, const fn_match_scenario *scenario, uint32_t seconds)
{
    if (!connect_all(match))
        return;
    fn_match_run(match, seconds * FN_NS_PER_S, NULL);
    const char *complaint =
        match->failure == NULL && scenario->judge != NULL ? scenario->judge(match) : NULL;
    if (complaint != NULL)
        fn_match_fail(match, complaint);
    if (match->config.closes_in_trouble)
        match->quiet = true;
    else
        heal(match);
    if (match->failure == NULL)
        close_all(match);
}

static void count(const fn_match *match, fn_scenario_result *result)
{
    for (uint32_t i = 0; i < 2 * match->config.players; i++) {
        result->datagrams += match->sides[i].datagrams_sent;
        for (uint32_t channel = 0; channel < FN_WORLD_CHANNELS; channel++)
            result->messages += match->sides[i].streams[channel].received;
    }
}

static void print_side(const fn_side *side)
{
    printf("%s %u: connected after %.3f s, %llu datagrams (%llu over TCP), %llu path changes\n",
           side->is_client ? "player" : "server", side->index / 2, (double)side->connected_ns / 1e9,
           (unsigned long long)side->datagrams_sent, (unsigned long long)side->stream_datagrams,
           (unsigned long long)side->path_changes);
    for (uint32_t i = 0; i < FN_WORLD_CHANNELS; i++) {
        const fn_stream *stream = &side->streams[i];
        printf("  channel %u: sent %llu, received %llu, tags %llu of %llu, latency up to %.1f ms\n",
               i, (unsigned long long)stream->count, (unsigned long long)stream->received,
               (unsigned long long)stream->told, (unsigned long long)stream->tagged,
               (double)stream->latency_ns_max / 1e6);
    }
}

static void print_attack(const fn_match *match)
{
    const fn_attack_tally *tally = &match->tally;
    printf("attacker: %llu replayed, %llu from elsewhere, %llu raced, %llu damaged, %llu forged; "
           "%llu bytes to the server, %llu bytes back\n",
           (unsigned long long)tally->replayed, (unsigned long long)tally->elsewhere,
           (unsigned long long)tally->raced, (unsigned long long)tally->damaged,
           (unsigned long long)tally->forged, (unsigned long long)tally->server_bytes,
           (unsigned long long)match->bytes_to_attacker);
}

static fn_scenario_result run(const void *which, uint64_t seed, uint32_t seconds, bool verbose)
{
    const fn_match_scenario *scenario = which;
    fn_match *match = calloc(1, sizeof *match);
    fn_match_config config = {0};
    fn_rng rng;
    if (match == NULL)
        abort();
    fn_rng_init(&rng, seed ^ UINT64_C(0x5ce7a210));
    scenario->setup(&config, &rng);
    for (uint32_t i = 0; i < 2; i++)
        config.endpoint[i].linger_ms = LINGER_MS;
    fn_match_init(match, &config, seed);
    match->verbose = verbose;
    play_through(match, scenario, seconds != 0 ? seconds : scenario->seconds);
    fn_scenario_result result = {
        .hash = match->hash, .virtual_ns = match->internet.now_ns, .failure = match->failure};
    count(match, &result);
    for (uint32_t i = 0; verbose && i < 2 * config.players; i++)
        print_side(&match->sides[i]);
    if (verbose)
        print_attack(match);
    fn_match_free(match);
    free(match);
    return result;
}

bool fn_match_sim_get(size_t index, fn_sim *out)
{
    static const fn_match_scenario scenarios[] = {
#define X(name, setup, judge, seconds, sentence) {#name, sentence, setup, judge, seconds},
        PATH_SCENARIO_MAP(X)
#undef X
    };
    if (index >= FN_ARRAY_COUNT(scenarios))
        return false;
    *out = (fn_sim){scenarios[index].name, scenarios[index].sentence, &scenarios[index], run};
    return true;
}
