#include "core/crowds.h"

#include "base/units.h"

#include <assert.h>
#include <string.h>

size_t fn_crowds_memory_bytes(uint32_t members_max)
{
    return fn_map_memory_bytes(members_max) + members_max * sizeof(fn_crowd) +
           ((size_t)members_max + 1) * sizeof(fn_list);
}

void fn_crowds_init(fn_crowds *crowds, void *memory, uint32_t members_max,
                    const uint8_t seed[FN_MAP_SEED_BYTES])
{
    uint8_t *next = memory;
    fn_map_init(&crowds->map, next, members_max, seed);
    next += fn_map_memory_bytes(members_max);
    crowds->rows = (fn_crowd *)(void *)next;
    next += members_max * sizeof(fn_crowd);
    crowds->sizes = (fn_list *)(void *)next;
    crowds->largest = 0;
    memset(crowds->rows, 0, members_max * sizeof(fn_crowd));
    for (uint32_t i = 0; i <= members_max; i++)
        fn_list_init(&crowds->sizes[i]);
    for (uint32_t i = 0; i < members_max; i++) {
        fn_list_init(&crowds->rows[i].members);
        fn_list_push_back(&crowds->sizes[0], &crowds->rows[i].ranked);
    }
}

static fn_crowd *find(const fn_crowds *crowds, uint64_t prefix)
{
    uint64_t row;
    return fn_map_get(&crowds->map, prefix, &row) ? &crowds->rows[row] : NULL;
}

static fn_crowd *found(fn_crowds *crowds, uint64_t prefix)
{
    fn_list_node *node = fn_list_front(&crowds->sizes[0]);
    assert(node != NULL); /* there are as many rows as members */
    fn_crowd *crowd = FN_CONTAINER_OF(node, fn_crowd, ranked);
    crowd->prefix = prefix;
    crowd->stamp_ns = 0;
    fn_map_put(&crowds->map, prefix, (uint64_t)(crowd - crowds->rows));
    return crowd;
}

static void set_size(fn_crowds *crowds, fn_crowd *crowd, uint32_t size)
{
    fn_list_remove(&crowd->ranked);
    fn_list_push_back(&crowds->sizes[size], &crowd->ranked);
    /* It grew or shrank by one: the largest is its new size, or the one below its old size. */
    if (size > crowds->largest || fn_list_empty(&crowds->sizes[crowds->largest]))
        crowds->largest = size;
    crowd->size = size;
}

void fn_crowds_enter(fn_crowds *crowds, fn_crowd_member *member, const fn_address *address)
{
    uint64_t prefix = fn_address_prefix(address);
    fn_crowd *crowd = find(crowds, prefix);
    assert(member->crowd == NULL);
    if (crowd == NULL)
        crowd = found(crowds, prefix);
    member->crowd = crowd;
    fn_list_push_back(&crowd->members, &member->node);
    set_size(crowds, crowd, crowd->size + 1);
}

void fn_crowds_leave(fn_crowds *crowds, fn_crowd_member *member)
{
    fn_crowd *crowd = member->crowd;
    if (crowd == NULL)
        return;
    member->crowd = NULL;
    fn_list_remove(&member->node);
    set_size(crowds, crowd, crowd->size - 1);
    if (crowd->size == 0)
        fn_map_remove(&crowds->map, crowd->prefix);
}

uint32_t fn_crowds_size(const fn_crowds *crowds, const fn_address *address)
{
    const fn_crowd *crowd = find(crowds, fn_address_prefix(address));
    return crowd != NULL ? crowd->size : 0;
}

fn_crowd *fn_crowds_largest(const fn_crowds *crowds)
{
    if (crowds->largest == 0)
        return NULL;
    return FN_CONTAINER_OF(fn_list_front(&crowds->sizes[crowds->largest]), fn_crowd, ranked);
}
