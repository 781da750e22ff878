#include "base/pool.h"

#include "base/rng.h"
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
    arena_bytes_max = 33 * 1024 * 1024 + 3 * 1024 + 77,
    accounts_count = 4,
    blocks_count_max = 400,
    page_bytes = 4096,
};

static _Alignas(4096) uint8_t arena[arena_bytes_max];
static uint8_t metadata[arena_bytes_max / 128 + 1];

/* The oracle knows every live block, whose it is, and a pattern that nobody else may write over. */
typedef struct live_block {
    uint8_t *memory;
    size_t bytes;
    uint32_t account;
    uint8_t pattern;
} live_block;

typedef struct oracle {
    fn_pool pool;
    fn_pool_account accounts[accounts_count];
    live_block blocks[blocks_count_max];
    uint32_t count;
    size_t used_bytes[accounts_count];
    fn_rng rng;
} oracle;

static size_t charged(size_t bytes)
{
    size_t block = 128;
    while (block < bytes)
        block *= 2;
    return block;
}

static void fresh_pool(fn_pool *pool, size_t arena_bytes)
{
    memset(metadata, 0xff, sizeof(metadata)); /* what the caller leaves there does not matter */
    assert_true(fn_pool_metadata_bytes(arena_bytes) <= sizeof(metadata));
    fn_pool_init(pool, arena, arena_bytes, metadata);
}

static size_t promised_to_others(const oracle *model, uint32_t account)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < accounts_count; i++) {
        if (i != account && model->accounts[i].floor_bytes > model->used_bytes[i])
            bytes += model->accounts[i].floor_bytes - model->used_bytes[i];
    }
    return bytes;
}

static size_t used_total(const oracle *model)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < accounts_count; i++)
        bytes += model->used_bytes[i];
    return bytes;
}

static void assert_accounts(const oracle *model)
{
    for (uint32_t i = 0; i < accounts_count; i++) {
        assert_int_equal(model->accounts[i].used_bytes, model->used_bytes[i]);
        assert_true(model->used_bytes[i] <= model->accounts[i].cap_bytes);
    }
    assert_int_equal(fn_pool_used_bytes(&model->pool), used_total(model));
    assert_int_equal(fn_pool_free_bytes(&model->pool), model->pool.arena_bytes - used_total(model));
}

static void assert_no_overlap(const oracle *model, const live_block *added)
{
    assert_true(added->memory >= arena);
    assert_true(added->memory + charged(added->bytes) <= arena + model->pool.arena_bytes);
    assert_int_equal((size_t)(added->memory - arena) % charged(added->bytes), 0);
    for (uint32_t i = 0; i < model->count; i++) {
        const live_block *other = &model->blocks[i];
        assert_true(other->memory + charged(other->bytes) <= added->memory ||
                    added->memory + charged(added->bytes) <= other->memory);
    }
}

static void allocate(oracle *model)
{
    uint32_t account = (uint32_t)fn_rng_below(&model->rng, accounts_count);
    size_t bytes = fn_rng_u64(&model->rng) >> fn_rng_between(&model->rng, 41, 62);
    size_t room = model->pool.arena_bytes - used_total(model);
    bool allowed =
        bytes <= FN_POOL_BLOCK_BYTES_MAX &&
        model->used_bytes[account] + charged(bytes) <= model->accounts[account].cap_bytes &&
        charged(bytes) + promised_to_others(model, account) <= room;
    assert_int_equal(fn_pool_allows(&model->pool, &model->accounts[account], bytes), allowed);
    uint8_t *memory = fn_pool_alloc(&model->pool, &model->accounts[account], bytes);
    if (!allowed || charged(bytes) == 128)
        assert_int_equal(memory != NULL, allowed);
    if (memory == NULL)
        return;
    live_block added = {memory, bytes, account, (uint8_t)fn_rng_u64(&model->rng)};
    assert_no_overlap(model, &added);
    memset(memory, added.pattern, bytes);
    model->blocks[model->count++] = added;
    model->used_bytes[account] += charged(bytes);
}

static void release_one(oracle *model, uint32_t at)
{
    live_block freed = model->blocks[at];
    for (size_t i = 0; i < freed.bytes; i++) {
        if (freed.memory[i] != freed.pattern)
            fail_msg("byte %zu of a live block was overwritten", i);
    }
    fn_pool_free(&model->pool, &model->accounts[freed.account], freed.memory);
    model->used_bytes[freed.account] -= charged(freed.bytes);
    model->blocks[at] = model->blocks[--model->count];
}

static void open_accounts(oracle *model, size_t arena_bytes)
{
    for (uint32_t i = 0; i < accounts_count; i++) {
        size_t floor_bytes = arena_bytes / 16 * i / 2;
        size_t cap_bytes = i == 3 ? SIZE_MAX : arena_bytes / 4 * (i + 1);
        assert_true(
            fn_pool_account_open(&model->pool, &model->accounts[i], floor_bytes, cap_bytes));
    }
}

/* Once all is free, buddies have joined again: the arena gives its
 * largest blocks, to the last byte. */
static void assert_joined_again(oracle *model)
{
    fn_pool_account all;
    assert_true(fn_pool_account_open(&model->pool, &all, 0, SIZE_MAX));
    size_t left = model->pool.arena_bytes;
    while (left > 0) {
        size_t bytes = FN_POOL_BLOCK_BYTES_MAX;
        while (bytes > left)
            bytes /= 2;
        assert_non_null(fn_pool_alloc(&model->pool, &all, bytes));
        left -= bytes;
    }
    assert_null(fn_pool_alloc(&model->pool, &all, 1));
}

static void run_model(size_t arena_bytes, uint64_t seed, int steps)
{
    static oracle model;
    memset(&model, 0, sizeof(model));
    fresh_pool(&model.pool, arena_bytes);
    open_accounts(&model, arena_bytes);
    fn_rng_init(&model.rng, seed);
    for (int step = 0; step < steps; step++) {
        bool growing = step / 256 % 2 == 0;
        bool grow = fn_rng_chance(&model.rng, growing ? 700 : 300);
        if (grow && model.count < blocks_count_max)
            allocate(&model);
        else if (model.count > 0)
            release_one(&model, (uint32_t)fn_rng_below(&model.rng, model.count));
        assert_accounts(&model);
    }
    while (model.count > 0)
        release_one(&model, 0);
    assert_accounts(&model);
    for (uint32_t i = 0; i < accounts_count; i++)
        fn_pool_account_close(&model.pool, &model.accounts[i]);
    assert_int_equal(model.pool.floor_unused_bytes, 0);
    assert_joined_again(&model);
}

static void agrees_with_the_model_on_arenas_of_many_sizes(void **unused)
{
    (void)unused;
    static const size_t sizes[] = {128,
                                   1000,
                                   4096,
                                   65536 + 384,
                                   1024 * 1024,
                                   4 * 1024 * 1024,
                                   5 * 1024 * 1024 + 128,
                                   arena_bytes_max};
    for (size_t i = 0; i < FN_ARRAY_COUNT(sizes); i++)
        run_model(sizes[i], i, 4000);
}

/* Every order of freeing six neighbouring blocks joins them again. */
static void joins_buddies_in_every_order_of_freeing(void **unused)
{
    (void)unused;
    for (uint32_t order = 0; order < 720; order++) {
        fn_pool pool;
        fn_pool_account account;
        fresh_pool(&pool, 1024);
        assert_true(fn_pool_account_open(&pool, &account, 0, 1024));
        void *blocks[6];
        for (uint32_t i = 0; i < 6; i++)
            blocks[i] = fn_pool_alloc(&pool, &account, i < 4 ? 128 : 256);
        assert_int_equal(fn_pool_free_bytes(&pool), 0);
        uint32_t rest = order;
        for (uint32_t left = 6; left > 0; left--) {
            uint32_t pick = rest % left;
            rest /= left;
            fn_pool_free(&pool, &account, blocks[pick]);
            blocks[pick] = blocks[left - 1];
        }
        assert_int_equal(account.used_bytes, 0);
        assert_non_null(fn_pool_alloc(&pool, &account, 1024));
    }
}

static void charges_whole_blocks(void **unused)
{
    (void)unused;
    for (size_t bytes = 0; bytes <= 5000; bytes++)
        assert_int_equal(fn_pool_block_bytes(bytes), charged(bytes));
    assert_int_equal(fn_pool_block_bytes(FN_POOL_BLOCK_BYTES_MAX), FN_POOL_BLOCK_BYTES_MAX);
    assert_int_equal(fn_pool_block_bytes(FN_POOL_BLOCK_BYTES_MAX + 1), 0);
    assert_int_equal(fn_pool_block_bytes(SIZE_MAX), 0);
}

/* One peer takes all that it can; the other still gets every byte of its floor. */
static void a_greedy_account_leaves_the_floors_of_others(void **unused)
{
    (void)unused;
    fn_pool pool;
    fn_pool_account greedy;
    fn_pool_account modest;
    fresh_pool(&pool, 65536);
    assert_true(fn_pool_account_open(&pool, &greedy, 0, SIZE_MAX));
    assert_true(fn_pool_account_open(&pool, &modest, 4096, 8192));
    while (fn_pool_alloc(&pool, &greedy, 128) != NULL) {
    }
    assert_int_equal(greedy.used_bytes, 65536 - 4096);
    for (int i = 0; i < 4096 / 128; i++)
        assert_non_null(fn_pool_alloc(&pool, &modest, 128));
    assert_null(fn_pool_alloc(&pool, &modest, 128));
    assert_int_equal(fn_pool_free_bytes(&pool), 0);
}

static void promises_no_more_than_there_is(void **unused)
{
    (void)unused;
    fn_pool pool;
    fn_pool_account first;
    fn_pool_account second = {1, 2, 3};
    fresh_pool(&pool, 4096);
    assert_true(fn_pool_account_open(&pool, &first, 4096 - 128, 4096));
    void *block = fn_pool_alloc(&pool, &first, 4096 - 128);
    assert_non_null(block);
    assert_false(fn_pool_account_open(&pool, &second, 128, 128));
    fn_pool_free(&pool, &first, block);
    assert_false(fn_pool_account_open(&pool, &second, 129, 4096));
    assert_true(fn_pool_account_open(&pool, &second, 128, 128));
    fn_pool_account_close(&pool, &first);
    fn_pool_account_close(&pool, &second);
    assert_true(fn_pool_account_open(&pool, &second, 4096, 4096));
    fn_pool_free(&pool, &second, NULL);
}

/* Metadata left by a former pool may say that a free buddy follows the arena's end. */
static void does_not_join_what_lies_beyond_the_arena(void **unused)
{
    (void)unused;
    for (uint32_t order = 0; order < FN_POOL_ORDERS; order++) {
        fn_pool pool;
        fn_pool_account account;
        memset(metadata, (int)(0x80 | (order + 1)), sizeof(metadata));
        memset(arena, 0, sizeof(arena));
        fn_pool_init(&pool, arena, (size_t)128 << order, metadata);
        assert_true(fn_pool_account_open(&pool, &account, 0, SIZE_MAX));
        for (int round = 0; round < 2; round++) {
            void *memory = fn_pool_alloc(&pool, &account, (size_t)128 << order);
            assert_ptr_equal(memory, arena);
            fn_pool_free(&pool, &account, memory);
            assert_int_equal(fn_pool_free_bytes(&pool), (size_t)128 << order);
            assert_int_equal(pool.orders_free, 1u << order);
        }
    }
}

static size_t touched_pages(uint8_t untouched)
{
    size_t pages = 0;
    for (size_t page = 0; page < arena_bytes_max / page_bytes; page++) {
        const uint8_t *at = arena + page * page_bytes;
        pages += *at != untouched || memcmp(at, at + 1, page_bytes - 1) != 0;
    }
    return pages;
}

/* Resident memory: what was never handed out, nor split off
 * something that was, is never written. */
static void does_not_touch_what_it_did_not_hand_out(void **unused)
{
    (void)unused;
    fn_pool pool;
    fn_pool_account account;
    memset(arena, 0xa5, sizeof(arena));
    fresh_pool(&pool, arena_bytes_max);
    assert_true(fn_pool_account_open(&pool, &account, 0, SIZE_MAX));
    assert_int_equal(touched_pages(0xa5), 0);
    void *blocks[8];
    for (size_t i = 0; i < FN_ARRAY_COUNT(blocks); i++)
        blocks[i] = fn_pool_alloc(&pool, &account, 128);
    assert_in_range(touched_pages(0xa5), 1, FN_POOL_ORDERS);
    for (size_t i = 0; i < FN_ARRAY_COUNT(blocks); i++)
        fn_pool_free(&pool, &account, blocks[i]);
    assert_in_range(touched_pages(0xa5), 1, FN_POOL_ORDERS);
    size_t metadata_touched = 0;
    for (size_t i = 0; i < sizeof(metadata); i++)
        metadata_touched += metadata[i] != 0xff;
    assert_int_equal(metadata_touched, FN_POOL_BLOCK_BYTES_MAX / FN_POOL_BLOCK_BYTES_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_model_on_arenas_of_many_sizes),
        cmocka_unit_test(joins_buddies_in_every_order_of_freeing),
        cmocka_unit_test(charges_whole_blocks),
        cmocka_unit_test(a_greedy_account_leaves_the_floors_of_others),
        cmocka_unit_test(promises_no_more_than_there_is),
        cmocka_unit_test(does_not_join_what_lies_beyond_the_arena),
        cmocka_unit_test(does_not_touch_what_it_did_not_hand_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
