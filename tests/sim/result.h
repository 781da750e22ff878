/* result.h: what became of one run of a scenario. */
#ifndef FN_SIM_RESULT_H
#define FN_SIM_RESULT_H

#include <stdint.h>

typedef struct fn_scenario_result {
    const char *failure; /* NULL = every promise was kept */
    uint64_t hash;       /* of the trace */
    uint64_t datagrams;
    uint64_t messages; /* received */
    uint64_t virtual_ns;
} fn_scenario_result;

#endif
