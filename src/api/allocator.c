#include "api/allocator.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void *default_alloc(void *user, size_t size_bytes, size_t alignment)
{
    (void)user;
    (void)alignment;
    return malloc(size_bytes);
}

static void default_free(void *user, void *block, size_t size_bytes)
{
    (void)user;
    (void)size_bytes;
    free(block);
}

int fn_allocator_check(const FastNetAllocator *allocator, fn_failure *failure)
{
    if ((allocator->alloc == NULL) == (allocator->free == NULL))
        return FASTNET_OK;
    return fn_failure_set(failure, FASTNET_ERR_ARGUMENT,
                          "allocator has only one of alloc and free; it needs both or none");
}

fn_memory fn_allocator_memory(const FastNetAllocator *allocator)
{
    if (allocator->alloc == NULL)
        return (fn_memory){.alloc = default_alloc, .free = default_free};
    return (fn_memory){.user = allocator->user, .alloc = allocator->alloc, .free = allocator->free};
}

void *fn_allocator_zeroed(const fn_memory *memory, size_t bytes)
{
    if (memory->alloc == default_alloc)
        return calloc(1, bytes);
    void *block = fn_memory_alloc(memory, bytes, FN_ALLOCATOR_ALIGNMENT);
    if (block != NULL)
        memset(block, 0, bytes);
    return block;
}

void *fn_blocks_take(fn_blocks *blocks, size_t bytes, bool touch)
{
    assert(blocks->count < FN_ALLOCATOR_BLOCKS_MAX);
    void *block = touch ? fn_allocator_zeroed(&blocks->memory, bytes)
                        : fn_memory_alloc(&blocks->memory, bytes, FN_ALLOCATOR_ALIGNMENT);
    if (block == NULL)
        return NULL;
    blocks->rows[blocks->count].block = block;
    blocks->rows[blocks->count].bytes = bytes;
    blocks->count++;
    return block;
}

void fn_blocks_free(fn_blocks *blocks)
{
    while (blocks->count > 0) {
        blocks->count--;
        fn_memory_free(&blocks->memory, blocks->rows[blocks->count].block,
                       blocks->rows[blocks->count].bytes);
    }
}
