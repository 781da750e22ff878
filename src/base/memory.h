/*
 * Where things that are not sized in advance get their memory: a pair of functions from the caller,
 * of the same shape as FastNetAllocator in the public header.
 *
 * `alloc` may return NULL; `free` gets back the size that was asked for. Neither is used in steady
 * state. Whoever keeps a secret in a block wipes it before it gives the block back.
 */
#ifndef FN_BASE_MEMORY_H
#define FN_BASE_MEMORY_H

#include <stddef.h>

typedef struct fn_memory {
    void *user;
    void *(*alloc)(void *user, size_t size_bytes, size_t alignment);
    void (*free)(void *user, void *block, size_t size_bytes);
    /* Cleared, aligned for any type; NULL = there is no cheaper way than to clear it. malloc's own
     * zeroed pages stay untouched until they are used. */
    void *(*alloc_zeroed)(void *user, size_t size_bytes);
} fn_memory;

/* A block, not cleared, or NULL. alignment is a power of two. */
static inline void *fn_memory_alloc(const fn_memory *memory, size_t size_bytes, size_t alignment)
{
    return memory->alloc(memory->user, size_bytes, alignment);
}

/* NULL is fine. */
static inline void fn_memory_free(const fn_memory *memory, void *block, size_t size_bytes)
{
    if (block != NULL)
        memory->free(memory->user, block, size_bytes);
}

#endif
