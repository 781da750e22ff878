#include "core/seats.h"

#include "base/units.h"

#include <assert.h>

size_t fn_seats_memory_bytes(uint32_t seats_max)
{
    return 2 * fn_crowds_memory_bytes(seats_max);
}

void fn_seats_init(fn_seats *seats, const fn_seats_config *config, void *memory,
                   const uint8_t seed[FN_MAP_SEED_BYTES])
{
    size_t bytes = fn_crowds_memory_bytes(config->seats_max);
    seats->config = *config;
    fn_crowds_init(&seats->held, memory, config->seats_max, seed);
    fn_crowds_init(&seats->unproven, (uint8_t *)memory + bytes, config->seats_max, seed);
    fn_list_init(&seats->by_age);
}

/* --- how many -------------------------------------------------------------------------- */

/* Whoever is on this host has better ways to harm the server than to fill it. */
uint32_t fn_seats_per_address(const fn_seats *seats, const fn_address *address)
{
    uint32_t all = seats->config.seats_max;
    if (seats->config.per_address_max > 0)
        return seats->config.per_address_max;
    if (fn_address_is_loopback(address))
        return all;
    return fn_max_u32(all - all / 4, fn_min_u32(all, FN_SEATS_ALL_MAX));
}

bool fn_seats_allows(const fn_seats *seats, const fn_address *address)
{
    uint32_t most = fn_seats_per_address(seats, address);
    return most >= seats->config.seats_max || fn_crowds_size(&seats->held, address) < most;
}

/* --- life ------------------------------------------------------------------------------ */

void fn_seats_take(fn_seats *seats, fn_seat *seat, const fn_address *address)
{
    seat->address = *address;
    fn_crowds_enter(&seats->held, &seat->held, address);
}

void fn_seats_doubt(fn_seats *seats, fn_seat *seat, uint64_t now_ns)
{
    assert(seat->held.crowd != NULL);
    if (fn_list_linked(&seat->node))
        return;
    seat->due_ns = fn_add_saturating(now_ns, seats->config.prove_ns);
    fn_list_push_back(&seats->by_age, &seat->node);
    fn_crowds_enter(&seats->unproven, &seat->unproven, &seat->address);
}

void fn_seats_prove(fn_seats *seats, fn_seat *seat)
{
    fn_list_remove(&seat->node);
    fn_crowds_leave(&seats->unproven, &seat->unproven);
}

void fn_seats_leave(fn_seats *seats, fn_seat *seat)
{
    fn_seats_prove(seats, seat);
    fn_crowds_leave(&seats->held, &seat->held);
}

/* --- giving way ------------------------------------------------------------------------ */

fn_seat *fn_seats_give_way(const fn_seats *seats, uint64_t now_ns, const fn_address *newcomer)
{
    fn_list_node *node = fn_list_front(&seats->by_age);
    fn_seat *oldest = node != NULL ? FN_CONTAINER_OF(node, fn_seat, node) : NULL;
    if (oldest != NULL && oldest->due_ns <= now_ns)
        return oldest;
    uint32_t share = fn_max_u32(FN_SEATS_SHARE_MIN, seats->config.seats_max / 8);
    const fn_crowd *crowd = fn_crowds_largest(&seats->unproven);
    if (crowd == NULL || crowd->size <= share || crowd->prefix == fn_address_prefix(newcomer))
        return NULL;
    return FN_CONTAINER_OF(fn_crowd_oldest(crowd), fn_seat, unproven);
}
