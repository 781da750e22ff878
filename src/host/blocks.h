/*
 * blocks.h: memory that lives as long as its owner.
 *
 * Everything that the endpoint holds itself passes through here, and none of it in steady state.
 * Not through here: what OpenSSL allocates for TLS objects while somebody connects, and the
 * resolver's few hundred bytes, which may outlive the endpoint.
 */
#ifndef FN_HOST_BLOCKS_H
#define FN_HOST_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

enum {
    FN_ALLOCATOR_ALIGNMENT = 16,
    FN_ALLOCATOR_BLOCKS_MAX = 24,
};

/* bytes are not 0. Blocks of malloc stay untouched until they are used. NULL when there is none. */
void *fn_allocator_zeroed(const fn_memory *memory, size_t bytes);

/* Blocks that live as long as their owner, freed together. All zero with memory set = empty. */
typedef struct fn_blocks {
    fn_memory memory;
    uint32_t count;
    struct {
        void *block;
        size_t bytes;
    } rows[FN_ALLOCATOR_BLOCKS_MAX];
} fn_blocks;

/* A zeroed block, or with `touch` false one that is as the allocator gave it. NULL: no memory. */
void *fn_blocks_take(fn_blocks *blocks, size_t bytes, bool touch);
void fn_blocks_free(fn_blocks *blocks);

#endif
