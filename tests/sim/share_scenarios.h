/*
 * share_scenarios.h: more to send than the line carries, and who of the default channels gets what.
 */
#ifndef FN_SIM_SHARE_SCENARIOS_H
#define FN_SIM_SHARE_SCENARIOS_H

#include "scenario.h"

/* name, setup, judge, finish, seconds, sentence */
#define SHARE_SCENARIO_MAP(X)                                                                   \
    X(reliable_beside_a_full_stream, fn_share_capped_setup, fn_share_judge, NULL, 10,           \
      "an unreliable stream of 72 KB/s, capped at 40: an eighth is for what is reliable")       \
    X(reliable_beside_a_full_stream_on_a_narrow_line, fn_share_narrow_setup,                    \
      fn_share_narrow_judge, NULL, 20, "likewise on a line of 40 KB/s that nobody was told of") \
    X(game_rhythm_at_the_rate_floor, fn_share_floor_setup, fn_share_floor_judge, NULL, 20,      \
      "60 Hz of 1000 bytes at 10 % loss: shares take nothing from the rate floor")

#define X(name, setup, judge, finish, seconds, sentence) \
    void setup(fn_world_config *config, fn_rng *rng);
SHARE_SCENARIO_MAP(X)
#undef X

const char *fn_share_judge(fn_world *world);
const char *fn_share_narrow_judge(fn_world *world);
const char *fn_share_floor_judge(fn_world *world);

#endif
