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

extern const fn_scenario fn_scenarios[];
extern const uint32_t fn_scenario_count;

#endif
