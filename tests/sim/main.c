/* fastnet_sim: runs scenarios by name and seed, and says how to replay what failed. */
#include "sims.h"

#include "crypto/aead.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct sim_options {
    const char *scenario; /* NULL = all */
    uint64_t first_seed;
    uint64_t seeds;
    uint32_t seconds;
    bool verbose;
    bool list;
    bool twice; /* each run two times: the traces must be the same */
} sim_options;

static int usage(void)
{
    fprintf(stderr, "usage: fastnet_sim --list\n"
                    "       fastnet_sim [--scenario NAME] [--seed N] [--seeds COUNT] [--seconds S] "
                    "[--twice] [--verbose]\n");
    return 2;
}

static bool parse(int argc, char **argv, sim_options *out)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--list") == 0) {
            out->list = true;
        } else if (strcmp(name, "--verbose") == 0) {
            out->verbose = true;
        } else if (strcmp(name, "--twice") == 0) {
            out->twice = true;
        } else if (i + 1 == argc) {
            return false;
        } else if (strcmp(name, "--scenario") == 0) {
            out->scenario = argv[++i];
        } else if (strcmp(name, "--seed") == 0) {
            out->first_seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(name, "--seeds") == 0) {
            out->seeds = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(name, "--seconds") == 0) {
            out->seconds = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else {
            return false;
        }
    }
    return true;
}

static bool run_one(const fn_sim *sim, uint64_t seed, const sim_options *options)
{
    fn_scenario_result result = sim->run(sim->scenario, seed, options->seconds, options->verbose);
    if (result.failure == NULL && options->twice &&
        sim->run(sim->scenario, seed, options->seconds, false).hash != result.hash)
        result.failure = "the same seed gave another trace";
    if (options->verbose)
        printf("%s %llu: %.3f s, %llu datagrams, %llu messages, trace %016llx\n", sim->name,
               (unsigned long long)seed, (double)result.virtual_ns / 1e9,
               (unsigned long long)result.datagrams, (unsigned long long)result.messages,
               (unsigned long long)result.hash);
    if (result.failure == NULL)
        return true;
    printf("fastnet_sim --scenario %s --seed %llu", sim->name, (unsigned long long)seed);
    if (options->seconds != 0)
        printf(" --seconds %u", options->seconds);
    printf("  # %s\n", result.failure);
    return false;
}

static bool run_seeds(const fn_sim *sim, const sim_options *options)
{
    bool fine = true;
    for (uint64_t i = 0; i < options->seeds; i++)
        fine &= run_one(sim, options->first_seed + i, options);
    return fine;
}

/* All of them, one after the other. False behind the last one. */
static bool get(size_t index, fn_sim *out)
{
    static size_t core_count;
    while (fn_core_sim_get(core_count, out))
        core_count++;
    return index < core_count ? fn_core_sim_get(index, out)
                              : fn_match_sim_get(index - core_count, out);
}

int main(int argc, char **argv)
{
    sim_options options = {.first_seed = 1, .seeds = 1};
    fn_sim sim;
    if (!parse(argc, argv, &options))
        return usage();
    if (options.list) {
        for (size_t i = 0; get(i, &sim); i++)
            printf("%-44s %s\n", sim.name, sim.sentence);
        return 0;
    }
    if (!fn_aead_start())
        return 1;
    bool fine = true;
    bool found = false;
    for (size_t i = 0; get(i, &sim); i++) {
        if (options.scenario != NULL && strcmp(options.scenario, sim.name) != 0)
            continue;
        found = true;
        fine &= run_seeds(&sim, &options);
    }
    if (!found) {
        fprintf(stderr, "fastnet_sim: no scenario '%s'; see --list\n", options.scenario);
        return 2;
    }
    return fine ? 0 : 1;
}
