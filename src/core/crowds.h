/*
 * crowds.h: how many of something each address has, and which address has the most.
 *
 * A crowd is all members of one IPv4 address or IPv6 /64 (fn_address_prefix). Entering, leaving and
 * both questions take constant time, however many members there are: a flood asks with each of its
 * connections. Who shares a place in the table is decided by a secret seed.
 *
 * Pure: memory is the caller's.
 */
#ifndef FN_CORE_CROWDS_H
#define FN_CORE_CROWDS_H

#include "base/address.h"
#include "base/list.h"
#include "base/map.h"

#include <stddef.h>
#include <stdint.h>

typedef struct fn_crowd {
    fn_list_node ranked; /* among those of its size */
    fn_list members;     /* in the order in which they entered */
    uint64_t prefix;
    uint64_t stamp_ns; /* the owner's; 0 when the first member enters */
    uint32_t size;
} fn_crowd;

/* Lies inside what is counted. All zero = in no crowd. */
typedef struct fn_crowd_member {
    fn_list_node node;
    fn_crowd *crowd;
} fn_crowd_member;

typedef struct fn_crowds {
    fn_map map; /* prefix → index of its row */
    fn_crowd *rows;
    fn_list *sizes; /* [n]: the crowds of n members; [0]: the free rows */
    uint32_t largest;
} fn_crowds;

size_t fn_crowds_memory_bytes(uint32_t members_max);

/* memory: borrowed for their life, aligned to 8. Not moved or copied afterwards. */
void fn_crowds_init(fn_crowds *crowds, void *memory, uint32_t members_max,
                    const uint8_t seed[FN_MAP_SEED_BYTES]);

/* member is in no crowd, and fewer than members_max are. */
void fn_crowds_enter(fn_crowds *crowds, fn_crowd_member *member, const fn_address *address);

/* Nothing happens when it is in none. */
void fn_crowds_leave(fn_crowds *crowds, fn_crowd_member *member);

/* How many members the address has. */
uint32_t fn_crowds_size(const fn_crowds *crowds, const fn_address *address);

/* A crowd that has the most members; NULL when there are none at all. */
fn_crowd *fn_crowds_largest(const fn_crowds *crowds);

/* Who entered first, and last, of those who are in it. */
static inline fn_crowd_member *fn_crowd_oldest(const fn_crowd *crowd)
{
    return FN_CONTAINER_OF(fn_list_front(&crowd->members), fn_crowd_member, node);
}

static inline fn_crowd_member *fn_crowd_youngest(const fn_crowd *crowd)
{
    return FN_CONTAINER_OF(fn_list_back(&crowd->members), fn_crowd_member, node);
}

#endif
