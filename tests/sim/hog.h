/*
 * hog.h: neighbours on the server that take all the memory they are given: what no peer can exceed,
 * whatever it sends.
 *
 * Each has a seat in the server's pool, asks for blocks of every size and claim, and gives some
 * back now and then, in an order that leaves crumbs.
 */
#ifndef FN_SIM_HOG_H
#define FN_SIM_HOG_H

#include "world.h"

void fn_hogs_open(fn_world *world);

/* They ask until nothing more is to be had. For fn_world_config.change. */
void fn_hogs_take(fn_world *world);

/* They leave, and give everything back. Harmless when there are none. */
void fn_hogs_close(fn_world *world);

#endif
