#include "base/buddy.h"

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
    blocks_count_max = 400,
    page_bytes = 4096,
};

static _Alignas(4096) uint8_t arena[arena_bytes_max];
static uint8_t tags[arena_bytes_max / 128 + 1];

/* The oracle knows every live block, and a pattern that nobody else may write over. */
typedef struct live_block {
    uint8_t *memory;
    size_t bytes;
    uint8_t pattern;
} live_block;

typedef struct oracle {
    fn_buddy buddy;
    live_block blocks[blocks_count_max];
    uint32_t count;
    size_t used_bytes;
    fn_rng rng;
} oracle;

static size_t charged(size_t bytes)
{
    size_t block = 128;
    while (block < bytes)
        block *= 2;
    return block;
}

static void fresh_buddy(fn_buddy *buddy, size_t arena_bytes)
{
    memset(tags, 0xff, sizeof(tags)); /* what the caller leaves there does not matter */
    assert_true(fn_buddy_tags_bytes(arena_bytes) <= sizeof(tags));
    fn_buddy_init(buddy, arena, arena_bytes, tags);
}

static void assert_sums(const oracle *model)
{
    assert_int_equal(model->buddy.used_bytes, model->used_bytes);
    assert_int_equal(fn_buddy_free_bytes(&model->buddy),
                     model->buddy.arena_bytes - model->used_bytes);
}

static void assert_no_overlap(const oracle *model, const live_block *added)
{
    assert_true(fn_buddy_owns(&model->buddy, added->memory));
    assert_true(added->memory + charged(added->bytes) <= arena + model->buddy.arena_bytes);
    assert_int_equal((size_t)(added->memory - arena) % charged(added->bytes), 0);
    for (uint32_t i = 0; i < model->count; i++) {
        const live_block *other = &model->blocks[i];
        assert_true(other->memory + charged(other->bytes) <= added->memory ||
                    added->memory + charged(added->bytes) <= other->memory);
    }
}

static void allocate(oracle *model)
{
    size_t bytes = fn_rng_u64(&model->rng) >> fn_rng_between(&model->rng, 41, 62);
    bool allowed = bytes <= FN_BUDDY_BYTES_MAX &&
                   charged(bytes) <= model->buddy.arena_bytes - model->used_bytes;
    uint8_t *memory = fn_buddy_alloc(&model->buddy, bytes);
    if (!allowed || charged(bytes) == 128)
        assert_int_equal(memory != NULL, allowed);
    if (memory == NULL)
        return;
    live_block added = {memory, bytes, (uint8_t)fn_rng_u64(&model->rng)};
    assert_no_overlap(model, &added);
    memset(memory, added.pattern, bytes);
    model->blocks[model->count++] = added;
    model->used_bytes += charged(bytes);
}

static void release_one(oracle *model, uint32_t at)
{
    live_block freed = model->blocks[at];
    for (size_t i = 0; i < freed.bytes; i++) {
        if (freed.memory[i] != freed.pattern)
            fail_msg("byte %zu of a live block was overwritten", i);
    }
    assert_int_equal(fn_buddy_free(&model->buddy, freed.memory), charged(freed.bytes));
    model->used_bytes -= charged(freed.bytes);
    model->blocks[at] = model->blocks[--model->count];
}

/* Once all is free, buddies have joined again: the arena gives its largest blocks, to the last
 * byte. */
static void assert_joined_again(oracle *model)
{
    size_t left = model->buddy.arena_bytes;
    while (left > 0) {
        size_t bytes = FN_BUDDY_BYTES_MAX;
        while (bytes > left)
            bytes /= 2;
        assert_non_null(fn_buddy_alloc(&model->buddy, bytes));
        left -= bytes;
    }
    assert_null(fn_buddy_alloc(&model->buddy, 1));
}

static void run_model(size_t arena_bytes, uint64_t seed, int steps)
{
    static oracle model;
    memset(&model, 0, sizeof(model));
    fresh_buddy(&model.buddy, arena_bytes);
    fn_rng_init(&model.rng, seed);
    for (int step = 0; step < steps; step++) {
        bool growing = step / 256 % 2 == 0;
        bool grow = fn_rng_chance(&model.rng, growing ? 700 : 300);
        if (grow && model.count < blocks_count_max)
            allocate(&model);
        else if (model.count > 0)
            release_one(&model, (uint32_t)fn_rng_below(&model.rng, model.count));
        assert_sums(&model);
    }
    while (model.count > 0)
        release_one(&model, 0);
    assert_sums(&model);
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
        fn_buddy buddy;
        fresh_buddy(&buddy, 1024);
        void *blocks[6];
        for (uint32_t i = 0; i < 6; i++)
            blocks[i] = fn_buddy_alloc(&buddy, i < 4 ? 128 : 256);
        assert_int_equal(fn_buddy_free_bytes(&buddy), 0);
        uint32_t rest = order;
        for (uint32_t left = 6; left > 0; left--) {
            uint32_t pick = rest % left;
            rest /= left;
            fn_buddy_free(&buddy, blocks[pick]);
            blocks[pick] = blocks[left - 1];
        }
        assert_int_equal(buddy.used_bytes, 0);
        assert_non_null(fn_buddy_alloc(&buddy, 1024));
    }
}

static void charges_whole_blocks(void **unused)
{
    (void)unused;
    for (size_t bytes = 0; bytes <= 5000; bytes++)
        assert_int_equal(fn_buddy_block_bytes(bytes), charged(bytes));
    assert_int_equal(fn_buddy_block_bytes(FN_BUDDY_BYTES_MAX), FN_BUDDY_BYTES_MAX);
    assert_int_equal(fn_buddy_block_bytes(FN_BUDDY_BYTES_MAX + 1), 0);
    assert_int_equal(fn_buddy_block_bytes(SIZE_MAX), 0);
}

/* Small blocks come from the small pieces: those of the largest size stay whole. */
static void small_blocks_leave_the_large_pieces_whole(void **unused)
{
    (void)unused;
    fn_buddy buddy;
    fresh_buddy(&buddy, 2 * 65536 + 8192);
    for (int i = 0; i < 8192 / 128; i++)
        assert_non_null(fn_buddy_alloc(&buddy, 128));
    assert_non_null(fn_buddy_alloc(&buddy, 65536));
    assert_non_null(fn_buddy_alloc(&buddy, 65536));
    assert_null(fn_buddy_alloc(&buddy, 1));
}

/* Metadata left by a former arena may say that a free buddy follows the arena's end. */
static void does_not_join_what_lies_beyond_the_arena(void **unused)
{
    (void)unused;
    for (uint32_t order = 0; order < FN_BUDDY_ORDERS; order++) {
        fn_buddy buddy;
        memset(tags, (int)(0x80 | (order + 1)), sizeof(tags));
        memset(arena, 0, sizeof(arena));
        fn_buddy_init(&buddy, arena, (size_t)128 << order, tags);
        for (int round = 0; round < 2; round++) {
            void *memory = fn_buddy_alloc(&buddy, (size_t)128 << order);
            assert_ptr_equal(memory, arena);
            fn_buddy_free(&buddy, memory);
            assert_int_equal(fn_buddy_free_bytes(&buddy), (size_t)128 << order);
            assert_int_equal(buddy.orders_free, 1u << order);
        }
    }
}

static size_t touched_pages(uint8_t untouched)
{
    size_t pages = 0;
    for (size_t page = 0; page < (arena_bytes_max + page_bytes - 1) / page_bytes; page++) {
        const uint8_t *at = arena + page * page_bytes;
        size_t bytes = fn_min_size(page_bytes, arena_bytes_max - page * page_bytes);
        pages += *at != untouched || memcmp(at, at + 1, bytes - 1) != 0;
    }
    return pages;
}

/* Resident memory: what was never handed out, nor split off something that was, is never written.
 */
static void does_not_touch_what_it_did_not_hand_out(void **unused)
{
    (void)unused;
    fn_buddy buddy;
    memset(arena, 0xa5, sizeof(arena));
    fresh_buddy(&buddy, arena_bytes_max);
    assert_int_equal(touched_pages(0xa5), 0);
    void *blocks[8];
    for (size_t i = 0; i < FN_ARRAY_COUNT(blocks); i++)
        blocks[i] = fn_buddy_alloc(&buddy, 128);
    assert_in_range(touched_pages(0xa5), 1, FN_BUDDY_ORDERS);
    for (size_t i = 0; i < FN_ARRAY_COUNT(blocks); i++)
        fn_buddy_free(&buddy, blocks[i]);
    assert_in_range(touched_pages(0xa5), 1, FN_BUDDY_ORDERS);
    size_t tags_touched = 0;
    for (size_t i = 0; i < sizeof(tags); i++)
        tags_touched += tags[i] != 0xff;
    assert_int_equal(tags_touched, 8); /* the arena's smallest piece, 1 KiB */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_model_on_arenas_of_many_sizes),
        cmocka_unit_test(joins_buddies_in_every_order_of_freeing),
        cmocka_unit_test(charges_whole_blocks),
        cmocka_unit_test(small_blocks_leave_the_large_pieces_whole),
        cmocka_unit_test(does_not_join_what_lies_beyond_the_arena),
        cmocka_unit_test(does_not_touch_what_it_did_not_hand_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
