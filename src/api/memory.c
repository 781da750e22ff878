#include "api/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 16 };

void fn_memory_init(fn_memory *memory, const FastNetAllocator *allocator)
{
    memory->allocator = *allocator;
}

void *fn_memory_alloc(const fn_memory *memory, size_t bytes)
{
    const FastNetAllocator *allocator = &memory->allocator;
    if (allocator->alloc != NULL)
        return allocator->alloc(allocator->user, bytes, ALIGNMENT);
    return malloc(bytes);
}

void *fn_memory_alloc_zeroed(const fn_memory *memory, size_t bytes)
{
    if (memory->allocator.alloc == NULL)
        return calloc(1, bytes);
    void *block = fn_memory_alloc(memory, bytes);
    if (block != NULL)
        memset(block, 0, bytes);
    return block;
}

void fn_memory_free(const fn_memory *memory, void *block, size_t bytes)
{
    const FastNetAllocator *allocator = &memory->allocator;
    if (block == NULL)
        return;
    if (allocator->alloc != NULL)
        allocator->free(allocator->user, block, bytes);
    else
        free(block);
}
