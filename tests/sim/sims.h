/*
 * sims.h: all scenarios under one roof: of connections alone (scenario.h), and of whole matches
 * (match_run.h).
 */
#ifndef FN_SIM_SIMS_H
#define FN_SIM_SIMS_H

#include "result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fn_sim {
    const char *name;
    const char *sentence;
    const void *scenario;
    fn_scenario_result (*run)(const void *scenario, uint64_t seed, uint32_t seconds, bool verbose);
} fn_sim;

/* False behind the last one of either kind. */
bool fn_core_sim_get(size_t index, fn_sim *out);
bool fn_match_sim_get(size_t index, fn_sim *out);

#endif
