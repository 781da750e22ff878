#include "base/pool.h"

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
    return FN_POOL_BLOCK_BYTES_MIN << order;
}

static size_t floor_unused(const fn_pool_account *account)
{
    return account->floor_bytes - fn_min_size(account->floor_bytes, account->used_bytes);
}

static uint8_t *tag_at(fn_pool *pool, size_t offset)
{
    return pool->tags + offset / FN_POOL_BLOCK_BYTES_MIN;
}

/* --- free lists --- */

/* The links of a free block live in the block itself. */
static void list_block(fn_pool *pool, size_t offset, uint32_t order)
{
    fn_list_node *node = (fn_list_node *)(void *)(pool->arena + offset);
    fn_list_push_front(&pool->free[order], node);
    pool->orders_free |= 1u << order;
    *tag_at(pool, offset) = tag_free(order);
}

static void unlist_block(fn_pool *pool, size_t offset, uint32_t order)
{
    fn_list_remove((fn_list_node *)(void *)(pool->arena + offset));
    if (fn_list_empty(&pool->free[order]))
        pool->orders_free &= ~(1u << order);
    *tag_at(pool, offset) = 0;
}

/* Opens the next untouched part of the arena: the largest block that fits. Blocks come out in
 * falling size, so each stands at a multiple of its own. */
static bool carve(fn_pool *pool)
{
    size_t left = pool->arena_bytes - pool->carved_bytes;
    if (left == 0)
        return false;
    size_t bytes = fn_min_size(left, FN_POOL_BLOCK_BYTES_MAX);
    uint32_t order = fn_bits_highest(bytes / FN_POOL_BLOCK_BYTES_MIN);
    size_t offset = pool->carved_bytes;
    memset(tag_at(pool, offset), 0, (size_t)1 << order);
    pool->carved_bytes += block_bytes(order);
    list_block(pool, offset, order);
    return true;
}

/* The smallest order from `order` up that has a free block; FN_POOL_ORDERS when none has. */
static uint32_t find_order(fn_pool *pool, uint32_t order)
{
    for (;;) {
        uint32_t candidates = pool->orders_free >> order;
        if (candidates != 0)
            return order + fn_bits_lowest(candidates);
        if (!carve(pool))
            return FN_POOL_ORDERS;
    }
}

/* --- whole and its parts --- */

size_t fn_pool_metadata_bytes(size_t arena_bytes)
{
    return arena_bytes / FN_POOL_BLOCK_BYTES_MIN;
}

void fn_pool_init(fn_pool *pool, void *arena, size_t arena_bytes, void *metadata)
{
    assert((uintptr_t)arena % 16 == 0);
    *pool = (fn_pool){.arena = arena, .tags = metadata};
    pool->arena_bytes = arena_bytes - arena_bytes % FN_POOL_BLOCK_BYTES_MIN;
    for (uint32_t order = 0; order < FN_POOL_ORDERS; order++)
        fn_list_init(&pool->free[order]);
}

static uint32_t order_of(size_t bytes)
{
    size_t blocks = (fn_max_size(bytes, 1) + FN_POOL_BLOCK_BYTES_MIN - 1) / FN_POOL_BLOCK_BYTES_MIN;
    return fn_bits_highest(fn_bits_power_of_two_up(blocks));
}

size_t fn_pool_block_bytes(size_t bytes)
{
    return bytes <= FN_POOL_BLOCK_BYTES_MAX ? block_bytes(order_of(bytes)) : 0;
}

/* --- accounts --- */

static void charge(fn_pool *pool, fn_pool_account *account, size_t used_bytes)
{
    pool->used_bytes = pool->used_bytes - account->used_bytes + used_bytes;
    pool->floor_unused_bytes -= floor_unused(account);
    account->used_bytes = used_bytes;
    pool->floor_unused_bytes += floor_unused(account);
}

bool fn_pool_account_open(fn_pool *pool, fn_pool_account *account, size_t floor_bytes,
                          size_t cap_bytes)
{
    assert(floor_bytes <= cap_bytes);
    if (floor_bytes > fn_pool_free_bytes(pool) - pool->floor_unused_bytes)
        return false;
    *account = (fn_pool_account){.cap_bytes = cap_bytes, .floor_bytes = floor_bytes};
    pool->floor_unused_bytes += floor_bytes;
    return true;
}

void fn_pool_account_close(fn_pool *pool, fn_pool_account *account)
{
    assert(account->used_bytes == 0);
    pool->floor_unused_bytes -= floor_unused(account);
    *account = (fn_pool_account){0};
}

bool fn_pool_allows(const fn_pool *pool, const fn_pool_account *account, size_t bytes)
{
    size_t charged = fn_pool_block_bytes(bytes);
    if (charged == 0 || charged > fn_sub_saturating(account->cap_bytes, account->used_bytes))
        return false;
    size_t promised_to_others = pool->floor_unused_bytes - floor_unused(account);
    return charged <= fn_pool_free_bytes(pool) - promised_to_others;
}

/* --- allocating and freeing --- */

void *fn_pool_alloc(fn_pool *pool, fn_pool_account *account, size_t bytes)
{
    if (!fn_pool_allows(pool, account, bytes))
        return NULL;
    uint32_t wanted = order_of(bytes);
    uint32_t order = find_order(pool, wanted);
    if (order == FN_POOL_ORDERS)
        return NULL;
    size_t offset = (size_t)((uint8_t *)fn_list_front(&pool->free[order]) - pool->arena);
    unlist_block(pool, offset, order);
    while (order > wanted) {
        order--;
        list_block(pool, offset + block_bytes(order), order);
    }
    *tag_at(pool, offset) = tag_used(order);
    charge(pool, account, account->used_bytes + block_bytes(order));
    return pool->arena + offset;
}

/* Joins the block with its buddy as long as that is free in one piece. */
static void release(fn_pool *pool, size_t offset, uint32_t order)
{
    for (; order + 1 < FN_POOL_ORDERS; order++) {
        size_t buddy = offset ^ block_bytes(order);
        if (buddy >= pool->carved_bytes || *tag_at(pool, buddy) != tag_free(order))
            break;
        unlist_block(pool, buddy, order);
        offset &= ~block_bytes(order);
    }
    list_block(pool, offset, order);
}

void fn_pool_free(fn_pool *pool, fn_pool_account *account, void *block)
{
    if (block == NULL)
        return;
    size_t offset = (size_t)((uint8_t *)block - pool->arena);
    assert(offset < pool->carved_bytes && offset % FN_POOL_BLOCK_BYTES_MIN == 0);
    uint8_t tag = *tag_at(pool, offset);
    assert(tag != 0 && (tag & TAG_FREE) == 0); /* a live block, not freed before */
    uint32_t order = tag - 1u;
    assert(account->used_bytes >= block_bytes(order));
    charge(pool, account, account->used_bytes - block_bytes(order));
    *tag_at(pool, offset) = 0;
    release(pool, offset, order);
}
