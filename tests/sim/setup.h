/*
 * setup.h: the usual network and load, from which the scenarios differ.
 */
#ifndef FN_SIM_SETUP_H
#define FN_SIM_SETUP_H

#include "world.h"

void fn_setup_usual(fn_world_config *config, fn_rng *rng);

/* Little memory each, but enough. */
void fn_setup_small_memory(fn_world_config *config, fn_rng *rng);

/* Both ways. */
void fn_setup_links(fn_world_config *config, fn_link_config link);

uint32_t fn_setup_pick(fn_rng *rng, uint32_t a, uint32_t b, uint32_t c);
uint32_t fn_setup_any_session(fn_world *world);

#endif
