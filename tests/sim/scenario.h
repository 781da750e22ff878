/*
 * scenario.h: named networks and loads, and one run of one of them.
 *
 * Every run goes: connect; load and trouble for some seconds; the network heals and everything
 * promised arrives within HEAL_NS; one side of each session closes in order, what it queued just
 * before still arrives; all memory comes back.
 */
#ifndef FN_SIM_SCENARIO_H
#define FN_SIM_SCENARIO_H

#include "world.h"

typedef struct fn_scenario {
    const char *name;
    const char *sentence;
    void (*setup)(fn_world_config *config, fn_rng *rng);
    const char *(*judge)(
        fn_world *world); /* may be NULL; after the load: NULL or a broken promise */
    const char *(*finish)(fn_world *world); /* NULL: heal, deliver, close; else in place of these */
    uint32_t seconds;                       /* of load and trouble */
} fn_scenario;

typedef struct fn_scenario_result {
    const char *failure; /* NULL = every promise was kept */
    uint64_t hash;       /* of the trace */
    uint64_t datagrams;
    uint64_t messages; /* received */
    uint64_t virtual_ns;
} fn_scenario_result;

extern const fn_scenario fn_scenarios[];
extern const uint32_t fn_scenario_count;

/* NULL when there is none of that name. */
const fn_scenario *fn_scenario_find(const char *name);

/* seconds 0 = the scenario's own. */
fn_scenario_result fn_scenario_run(const fn_scenario *scenario, uint64_t seed, uint32_t seconds,
                                   bool verbose);

#endif
