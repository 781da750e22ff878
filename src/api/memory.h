/*
 * memory.h: where the endpoint's memory comes from: the application's allocator, or malloc.
 *
 * Everything that the endpoint holds itself passes through here, and none of it in steady state.
 * Not through here: what OpenSSL allocates for TLS objects while somebody connects, and the
 * resolver's few hundred bytes, which may outlive the endpoint.
 */
#ifndef FN_API_MEMORY_H
#define FN_API_MEMORY_H

#include <stddef.h>

#include "fastnet.h"

typedef struct fn_memory {
    FastNetAllocator allocator;
} fn_memory;

/* allocator: copied; all zero means malloc and free. */
void fn_memory_init(fn_memory *memory, const FastNetAllocator *allocator);

/* Aligned to 16 bytes at least; not cleared. NULL when there is none. bytes is not 0. */
void *fn_memory_alloc(const fn_memory *memory, size_t bytes);

/* The same, all zero. Large blocks of the default allocator stay untouched until they are used. */
void *fn_memory_alloc_zeroed(const fn_memory *memory, size_t bytes);

/* bytes: as asked for. NULL is fine. */
void fn_memory_free(const fn_memory *memory, void *block, size_t bytes);

#endif
