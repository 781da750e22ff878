#include "api/allocator.h"

#include <stdlib.h>

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

static void *default_alloc_zeroed(void *user, size_t size_bytes)
{
    (void)user;
    return calloc(1, size_bytes);
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
        return (fn_memory){
            .alloc = default_alloc, .alloc_zeroed = default_alloc_zeroed, .free = default_free};
    return (fn_memory){.user = allocator->user, .alloc = allocator->alloc, .free = allocator->free};
}
