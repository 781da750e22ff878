/*
 * match_run.h: named matches, and one run of one of them. Every run goes as in scenario.h: connect;
 * load and trouble; the network heals and everything promised arrives; one side of each session
 * disconnects in order; all memory comes back.
 */
#ifndef FN_SIM_MATCH_RUN_H
#define FN_SIM_MATCH_RUN_H

#include "match.h"

typedef struct fn_match_scenario {
    const char *name;
    const char *sentence;
    void (*setup)(fn_match_config *config, fn_rng *rng);
    const char *(*judge)(
        fn_match *match); /* may be NULL; after the load: NULL or a broken promise */
    uint32_t seconds;     /* of load and trouble */
} fn_match_scenario;

#endif
