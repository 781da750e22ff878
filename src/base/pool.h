/*
 * The memory of one endpoint: a buddy allocator over one arena that the caller gives.
 *
 * Blocks are powers of two, from FN_POOL_BLOCK_BYTES_MIN to FN_POOL_BLOCK_BYTES_MAX (or what fits
 * the arena), contiguous, and as aligned as the arena is, up to their own size. Allocating and
 * freeing take at most one step per block order (19). The same calls give the same addresses.
 *
 * Arena pages are not touched before a block on them (or its buddy) is handed out, so a large arena
 * that is never needed costs address space, not memory.
 *
 * Every allocation is charged to an account (one per peer, one for the endpoint itself):
 *   cap    the account can never hold more than this; one peer cannot eat the pool,
 *   floor  the account can always get this much; others cannot take it away.
 * Charges are whole blocks: fn_pool_block_bytes(). The floor promises bytes, not contiguity: only a
 * request for a minimum block is certain to find them in one piece.
 *
 * Owner: arena and metadata belong to the caller and outlive the pool.
 *        A pool is not moved or copied.
 */
#ifndef FN_BASE_POOL_H
#define FN_BASE_POOL_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FN_POOL_BLOCK_BYTES_MIN ((size_t)128)
#define FN_POOL_BLOCK_BYTES_MAX ((size_t)32 << 20) /* a largest message and what goes with it */
#define FN_POOL_ORDERS          19                 /* 128 bytes = order 0 … 32 MiB = order 18 */

_Static_assert(FN_POOL_BLOCK_BYTES_MIN << (FN_POOL_ORDERS - 1) == FN_POOL_BLOCK_BYTES_MAX,
               "one order per doubling");

typedef struct fn_pool_account {
    size_t used_bytes;
    size_t cap_bytes;
    size_t floor_bytes;
} fn_pool_account;

typedef struct fn_pool {
    uint8_t *arena;
    uint8_t *tags;             /* per minimum block: what starts there, see pool.c */
    size_t arena_bytes;        /* a whole number of minimum blocks */
    size_t carved_bytes;       /* from here on the arena was never touched */
    size_t used_bytes;         /* sum over the accounts */
    size_t floor_unused_bytes; /* sum of what the accounts' floors still promise */
    uint32_t orders_free;      /* bit k: free[k] is not empty */
    fn_list free[FN_POOL_ORDERS];
} fn_pool;

/* Bytes of metadata that a pool over an arena of that size needs: one per minimum block. */
size_t fn_pool_metadata_bytes(size_t arena_bytes);

/* arena is aligned to 16 bytes at least; metadata needs no alignment and no clearing. */
void fn_pool_init(fn_pool *pool, void *arena, size_t arena_bytes, void *metadata);

/* Registers an account. floor_bytes <= cap_bytes. False, and nothing is registered, when the pool
 * cannot promise the floor beside what it promised and gave already. */
bool fn_pool_account_open(fn_pool *pool, fn_pool_account *account, size_t floor_bytes,
                          size_t cap_bytes);

/* Gives the floor back. The account holds nothing any more (an assert). */
void fn_pool_account_close(fn_pool *pool, fn_pool_account *account);

/* What a request of that many bytes is charged: the power of two
 * that holds it; 0 when none does. */
size_t fn_pool_block_bytes(size_t bytes);

/* A block of at least `bytes`, not cleared. NULL when the account's cap, the others' floors or the
 * free blocks do not allow it: that is back-pressure, not an error. */
void *fn_pool_alloc(fn_pool *pool, fn_pool_account *account, size_t bytes);

/* True when the account may be charged that much; alloc can then still fail by fragmentation. */
bool fn_pool_allows(const fn_pool *pool, const fn_pool_account *account, size_t bytes);

/* Returns a block to the pool and to the account that it was charged to. NULL is fine. */
void fn_pool_free(fn_pool *pool, fn_pool_account *account, void *block);

static inline size_t fn_pool_used_bytes(const fn_pool *pool)
{
    return pool->used_bytes;
}

static inline size_t fn_pool_free_bytes(const fn_pool *pool)
{
    return pool->arena_bytes - pool->used_bytes;
}

#endif
