/*
 * world_internal.h: what the files of the world tell each other: carry.c moves datagrams, attack.c
 * does what an attacker on the wire can do, play.c is the application, world.c keeps time.
 */
#ifndef FN_SIM_WORLD_INTERNAL_H
#define FN_SIM_WORLD_INTERNAL_H

#include "world.h"

#define FN_CONTAINER(pointer, type, member) \
    ((type *)(void *)((uint8_t *)(pointer)-offsetof(type, member)))

void *fn_world_calloc(size_t bytes);

/* The clock that the connection sees. */
static inline uint64_t fn_world_host_now(const fn_world *world, const fn_end *end)
{
    return world->now_ns + end->host->clock_offset_ns;
}

/* Mixes a value into the trace. */
void fn_world_trace(fn_world *world, uint64_t value);

void fn_world_set_timer(fn_world *world, fn_timer *timer, uint64_t at_ns);

/* --- carry.c --- */

/* Receives all of the host's inbox, or just arrived; then the applications get their events. */
void fn_world_receive(fn_world *world, fn_host *host);

/* The connection's state after something happened to it: pump all ends of the host. */
void fn_world_pump_host(fn_world *world, fn_host *host);

fn_datagram *fn_datagram_clone(const fn_datagram *datagram);
void fn_datagram_release(fn_datagram *datagram);
void fn_datagram_launch(fn_world *world, fn_datagram *datagram, uint64_t at_ns);
fn_remote *fn_world_remote(fn_world *world, fn_end *end, uint32_t address);

/* --- attack.c --- */

/* A datagram was seen on the wire that arrives at at_ns (FN_NEVER: it is lost on its way). */
void fn_world_attack(fn_world *world, const fn_datagram *seen, uint64_t at_ns);

/* --- play.c --- */

/* The applications take all events of the host, then the batch's buffers are free. */
void fn_world_play(fn_world *world, fn_host *host);

/* Gives back what the application of an end still keeps. */
void fn_world_release_held(fn_world *world, fn_end *end);

void fn_world_load_start(fn_world *world, fn_end *end);

#endif
