/* allocator.h: the application's allocator, or malloc. */
#ifndef FN_API_ALLOCATOR_H
#define FN_API_ALLOCATOR_H

#include "base/memory.h"
#include "crypto/failure.h"
#include "fastnet.h"

/* ERR_ARGUMENT when it has only one of its two functions. */
int fn_allocator_check(const FastNetAllocator *allocator, fn_failure *failure);

/* allocator: copied; all zero means malloc and free. */
fn_memory fn_allocator_memory(const FastNetAllocator *allocator);

#endif
