#include "host/blocks.h"

#include <assert.h>
#include <string.h>

void *fn_allocator_zeroed(const fn_memory *memory, size_t bytes)
{
    if (memory->alloc_zeroed != NULL)
        return memory->alloc_zeroed(memory->user, bytes);
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
