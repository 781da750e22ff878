/*
 * test_store.h: a store over a pool of its own, for the tests of what keeps its things in the pool.
 */
#ifndef FN_CORE_TEST_STORE_H
#define FN_CORE_TEST_STORE_H

#include "core/store.h"

#include <assert.h>
#include <stdlib.h>

typedef struct test_store {
    fn_pool pool;
    fn_store store;
    void *arena;
    void *metadata;
} test_store;

static inline void test_store_open(test_store *test, size_t bytes)
{
    test->arena = malloc(bytes);
    const fn_pool_shares shares = {.seats = 1};
    test->metadata = malloc(fn_pool_metadata_bytes(bytes, shares.seats));
    fn_pool_init(&test->pool, test->arena, bytes, test->metadata, &shares);
    test->store.pool = &test->pool;
    bool opened = fn_pool_account_open(&test->pool, &test->store.account, bytes, NULL);
    assert(opened);
    (void)opened;
}

static inline size_t test_store_used(const test_store *test)
{
    return fn_pool_used_bytes(&test->pool);
}

/* Asserts that everything was given back. */
static inline void test_store_close(test_store *test)
{
    fn_pool_account_close(&test->pool, &test->store.account);
    free(test->arena);
    free(test->metadata);
}

/* From now on no allocation succeeds; undone by test_store_allow(). */
static inline void test_store_deny(test_store *test)
{
    test->store.account.cap_bytes = test->store.account.used_bytes;
}

static inline void test_store_allow(test_store *test)
{
    test->store.account.cap_bytes = test->pool.arena_bytes;
}

#endif
