/* fastnet_sim: runs scenarios by name and seed, and says how to replay what failed. */
#include "scenario.h"

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

static bool run_one(const fn_scenario *scenario, uint64_t seed, const sim_options *options)
{
    fn_scenario_result result = fn_scenario_run(scenario, seed, options->seconds, options->verbose);
    if (result.failure == NULL && options->twice &&
        fn_scenario_run(scenario, seed, options->seconds, false).hash != result.hash)
        result.failure = "the same seed gave another trace";
    if (options->verbose)
        printf("%s %llu: %.3f s, %llu datagrams, %llu messages, trace %016llx\n", scenario->name,
               (unsigned long long)seed, (double)result.virtual_ns / 1e9,
               (unsigned long long)result.datagrams, (unsigned long long)result.messages,
               (unsigned long long)result.hash);
    if (result.failure == NULL)
        return true;
    printf("fastnet_sim --scenario %s --seed %llu", scenario->name, (unsigned long long)seed);
    if (options->seconds != 0)
        printf(" --seconds %u", options->seconds);
    printf("  # %s\n", result.failure);
    return false;
}

static bool run_seeds(const fn_scenario *scenario, const sim_options *options)
{
    bool fine = true;
    for (uint64_t i = 0; i < options->seeds; i++)
        fine &= run_one(scenario, options->first_seed + i, options);
    return fine;
}

int main(int argc, char **argv)
{
    sim_options options = {.first_seed = 1, .seeds = 1};
    if (!parse(argc, argv, &options))
        return usage();
    if (options.list) {
        for (uint32_t i = 0; i < fn_scenario_count; i++)
            printf("%-44s %s\n", fn_scenarios[i].name, fn_scenarios[i].sentence);
        return 0;
    }
    if (!fn_aead_start())
        return 1;
    if (options.scenario != NULL) {
        const fn_scenario *scenario = fn_scenario_find(options.scenario);
        if (scenario == NULL) {
            fprintf(stderr, "fastnet_sim: no scenario '%s'; see --list\n", options.scenario);
            return 2;
        }
        return run_seeds(scenario, &options) ? 0 : 1;
    }
    bool fine = true;
    for (uint32_t i = 0; i < fn_scenario_count; i++)
        fine &= run_seeds(&fn_scenarios[i], &options);
    return fine ? 0 : 1;
}
