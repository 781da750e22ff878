/*
 * store.h: where one connection's queues get their memory: the
 * endpoint's pool, on the peer's account.
 */
#ifndef FN_CORE_STORE_H
#define FN_CORE_STORE_H

#include "base/pool.h"

#include <stddef.h>

typedef struct fn_store {
    fn_pool *pool;
    fn_pool_account account;
} fn_store;

/* NULL when the account's cap or the pool do not allow it: back-pressure. */
static inline void *fn_store_alloc_as(fn_store *store, size_t bytes, fn_pool_claim claim)
{
    return fn_pool_alloc(store->pool, &store->account, bytes, claim);
}

static inline void *fn_store_alloc(fn_store *store, size_t bytes)
{
    return fn_store_alloc_as(store, bytes, FN_POOL_USUAL);
}

/* NULL is fine. */
static inline void fn_store_free(fn_store *store, void *block)
{
    fn_pool_free(store->pool, &store->account, block);
}

#endif
