#include "base/buddy.h"

#include "base/bits.h"
#include "base/units.h"

#include <assert.h>
#include <string.h>

/* A tag stands at the first minimum block of every buddy block: its order + 1, and whether it is
 * free. 0 stands everywhere else. Tags of arena that was never carved are not even initialised. */
#define TAG_FREE 0x80u

static uint8_t tag_used(uint32_t order)
{
    return (uint8_t)(order + 1);
}

static uint8_t tag_free(uint32_t order)
{
    return (uint8_t)(TAG_FREE | (order + 1));
}

static size_t block_bytes(uint32_t order)
{
    return FN_BUDDY_BYTES_MIN << order;
}

static uint8_t *tag_at(fn_buddy *buddy, size_t offset)
{
    return buddy->tags + offset / FN_BUDDY_BYTES_MIN;
}

/* --- free lists --- */

/* The links of a free block live in the block itself. */
static void list_block(fn_buddy *buddy, size_t offset, uint32_t order)
{
    fn_list_node *node = (fn_list_node *)(void *)(buddy->arena + offset);
    fn_list_push_front(&buddy->free[order], node);
    buddy->orders_free |= 1u << order;
    *tag_at(buddy, offset) = tag_free(order);
}

static void unlist_block(fn_buddy *buddy, size_t offset, uint32_t order)
{
    fn_list_remove((fn_list_node *)(void *)(buddy->arena + offset));
    if (fn_list_empty(&buddy->free[order]))
        buddy->orders_free &= ~(1u << order);
    *tag_at(buddy, offset) = 0;
}

/* Opens the next untouched part of the arena, from its end: blocks come out in rising size, and
 * each stands at a multiple of its own. */
static bool carve(fn_buddy *buddy)
{
    size_t left = buddy->uncarved_bytes;
    if (left == 0)
        return false;
    uint32_t order = fn_min_u32(fn_bits_lowest(left / FN_BUDDY_BYTES_MIN), FN_BUDDY_ORDERS - 1);
    size_t offset = left - block_bytes(order);
    memset(tag_at(buddy, offset), 0, (size_t)1 << order);
    buddy->uncarved_bytes = offset;
    list_block(buddy, offset, order);
    return true;
}

/* The smallest order from `order` up that has a free block; FN_BUDDY_ORDERS when none has. */
static uint32_t find_order(fn_buddy *buddy, uint32_t order)
{
    for (;;) {
        uint32_t candidates = buddy->orders_free >> order;
        if (candidates != 0)
            return order + fn_bits_lowest(candidates);
        if (!carve(buddy))
            return FN_BUDDY_ORDERS;
    }
}

void fn_buddy_init(fn_buddy *buddy, void *arena, size_t arena_bytes, void *tags)
{
    assert((uintptr_t)arena % 16 == 0);
    *buddy = (fn_buddy){.arena = arena, .tags = tags};
    buddy->arena_bytes = arena_bytes - arena_bytes % FN_BUDDY_BYTES_MIN;
    buddy->uncarved_bytes = buddy->arena_bytes;
    for (uint32_t order = 0; order < FN_BUDDY_ORDERS; order++)
        fn_list_init(&buddy->free[order]);
}

static uint32_t order_of(size_t bytes)
{
    size_t blocks = (fn_max_size(bytes, 1) + FN_BUDDY_BYTES_MIN - 1) / FN_BUDDY_BYTES_MIN;
    return fn_bits_highest(fn_bits_power_of_two_up(blocks));
}

size_t fn_buddy_block_bytes(size_t bytes)
{
    return bytes <= FN_BUDDY_BYTES_MAX ? block_bytes(order_of(bytes)) : 0;
}

/* --- allocating and freeing --- */

void *fn_buddy_alloc(fn_buddy *buddy, size_t bytes)
{
    if (bytes > FN_BUDDY_BYTES_MAX)
        return NULL;
    uint32_t wanted = order_of(bytes);
    uint32_t order = find_order(buddy, wanted);
    if (order == FN_BUDDY_ORDERS)
        return NULL;
    size_t offset = (size_t)((uint8_t *)fn_list_front(&buddy->free[order]) - buddy->arena);
    unlist_block(buddy, offset, order);
    while (order > wanted) {
        order--;
        list_block(buddy, offset + block_bytes(order), order);
    }
    *tag_at(buddy, offset) = tag_used(order);
    buddy->used_bytes += block_bytes(order);
    return buddy->arena + offset;
}

/* Joins the block with its buddy as long as that is free in one piece. */
static void release(fn_buddy *buddy, size_t offset, uint32_t order)
{
    for (; order + 1 < FN_BUDDY_ORDERS; order++) {
        size_t other = offset ^ block_bytes(order);
        if (other < buddy->uncarved_bytes || other >= buddy->arena_bytes ||
            *tag_at(buddy, other) != tag_free(order))
            break;
        unlist_block(buddy, other, order);
        offset &= ~block_bytes(order);
    }
    list_block(buddy, offset, order);
}

size_t fn_buddy_free(fn_buddy *buddy, void *block)
{
    size_t offset = (size_t)((uint8_t *)block - buddy->arena);
    assert(offset >= buddy->uncarved_bytes && offset < buddy->arena_bytes &&
           offset % FN_BUDDY_BYTES_MIN == 0);
    uint8_t tag = *tag_at(buddy, offset);
    assert(tag != 0 && (tag & TAG_FREE) == 0); /* a live block, not freed before */
    uint32_t order = tag - 1u;
    *tag_at(buddy, offset) = 0;
    buddy->used_bytes -= block_bytes(order);
    release(buddy, offset, order);
    return block_bytes(order);
}
