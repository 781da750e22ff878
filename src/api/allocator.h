/*
 * allocator.h: where the endpoint's memory comes from: the application's allocator, or malloc.
 *
 * Everything that the endpoint holds itself passes through here, and none of it in steady state.
 * Not through here: what OpenSSL allocates for TLS objects while somebody connects, and the
 * resolver's few hundred bytes, which may outlive the endpoint.
 */
#ifndef FN_API_ALLOCATOR_H
#define FN_API_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "crypto/failure.h"
#include "fastnet.h"

enum {
    FN_ALLOCATOR_ALIGNMENT = 16,
    FN_ALLOCATOR_BLOCKS_MAX = 24,
};

/* ERR_ARGUMENT when it has only one of its two functions. */
int fn_allocator_check(const FastNetAllocator *allocator, fn_failure *failure);

/* allocator: copied; all zero means malloc and free. */
fn_memory fn_allocator_memory(const FastNetAllocator *allocator);

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
