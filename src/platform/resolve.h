/* resolve.h: the addresses of a host name. */
#ifndef FN_PLATFORM_RESOLVE_H
#define FN_PLATFORM_RESOLVE_H

#include <stddef.h>

#include "base/address.h"

#define FN_RESOLVE_ADDRESSES_MAX 8

/* A lookup under way or finished. */
typedef struct fn_resolve fn_resolve;

typedef struct fn_resolve_result {
    fn_address addresses[FN_RESOLVE_ADDRESSES_MAX]; /* in the order to try: families alternate */
    size_t count;
} fn_resolve_result;

#endif
