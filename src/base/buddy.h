/*
 * A buddy allocator over one arena that the caller gives: where blocks lie. Who may have one is
 * base/pool's business.
 *
 * Blocks are powers of two, from FN_BUDDY_BYTES_MIN to FN_BUDDY_BYTES_MAX (or what fits the arena),
 * contiguous, and as aligned as the arena is, up to their own size. Allocating and freeing take at
 * most one step per block order (19). The same calls give the same addresses.
 *
 * Arena pages are not touched before a block on them (or its buddy) is handed out, so a large arena
 * that is never needed costs address space, not memory. The arena is opened from its end, smallest
 * piece first: what is small does not break what large blocks need.
 *
 * Owner: arena and tags belong to the caller and outlive the buddy, which is not moved or copied.
 */
#ifndef FN_BASE_BUDDY_H
#define FN_BASE_BUDDY_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FN_BUDDY_BYTES_MIN ((size_t)128)
#define FN_BUDDY_BYTES_MAX ((size_t)32 << 20) /* a largest message and what goes with it */
#define FN_BUDDY_ORDERS    19                 /* 128 bytes = order 0 … 32 MiB = order 18 */

_Static_assert(FN_BUDDY_BYTES_MIN << (FN_BUDDY_ORDERS - 1) == FN_BUDDY_BYTES_MAX,
               "one order per doubling");

typedef struct fn_buddy {
    uint8_t *arena;
    uint8_t *tags;         /* per minimum block: what starts there, see buddy.c */
    size_t arena_bytes;    /* a whole number of minimum blocks */
    size_t uncarved_bytes; /* the arena below was never touched */
    size_t used_bytes;     /* in whole blocks */
    uint32_t orders_free;  /* bit k: free[k] is not empty */
    fn_list free[FN_BUDDY_ORDERS];
} fn_buddy;

/* Bytes of tags that an arena of that size needs: one per minimum block. */
static inline size_t fn_buddy_tags_bytes(size_t arena_bytes)
{
    return arena_bytes / FN_BUDDY_BYTES_MIN;
}

/* arena is aligned to 16 bytes at least; tags need no alignment and no clearing. */
void fn_buddy_init(fn_buddy *buddy, void *arena, size_t arena_bytes, void *tags);

/* What a request of that many bytes takes: the power of two that holds it; 0 when none does. */
size_t fn_buddy_block_bytes(size_t bytes);

/* A block of fn_buddy_block_bytes(bytes), not cleared; NULL when there is none in one piece. */
void *fn_buddy_alloc(fn_buddy *buddy, size_t bytes);

/* Gives a live block back; returns its size. */
size_t fn_buddy_free(fn_buddy *buddy, void *block);

/* Whether a block came from this arena. */
static inline bool fn_buddy_owns(const fn_buddy *buddy, const void *block)
{
    return (uintptr_t)block - (uintptr_t)buddy->arena < buddy->arena_bytes;
}

static inline size_t fn_buddy_free_bytes(const fn_buddy *buddy)
{
    return buddy->arena_bytes - buddy->used_bytes;
}

#endif
