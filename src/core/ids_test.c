#include "core/ids.h"

#include "base/rng.h"
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t map_seed[FN_MAP_SEED_BYTES] = {9, 8, 7};
static fn_ids ids;
static fn_slots slots;
static fn_random source;
static void *memory;

static void start_ids(uint32_t live_max, uint32_t shard, uint32_t shard_bits)
{
    uint8_t seed[FN_RANDOM_SEED_BYTES] = {42};
    fn_random_start(&source, seed);
    free(memory);
    memory = malloc(fn_ids_memory_bytes(live_max));
    assert_non_null(memory);
    fn_ids_init(&ids, memory, live_max, shard, shard_bits, map_seed);
}

static void start_slots(uint32_t count)
{
    free(memory);
    memory = malloc(fn_slots_memory_bytes(count));
    assert_non_null(memory);
    fn_slots_init(&slots, memory, count);
}

static int stop(void **state)
{
    (void)state;
    free(memory);
    memory = NULL;
    return 0;
}

/* --- receiver ids ---------------------------------------------------------------------- */

static void ids_lead_to_their_connection(void **state)
{
    (void)state;
    uint32_t drawn[1000], found, extra;
    start_ids(1000, 0, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(fn_ids_draw(&ids, &source, i, &drawn[i]));
        assert_int_not_equal(drawn[i], 0);
    }
    assert_false(fn_ids_draw(&ids, &source, 1000, &extra));
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(fn_ids_find(&ids, drawn[i], &found));
        assert_int_equal(found, i);
    }
    assert_false(fn_ids_find(&ids, 0, &found));
    assert_false(fn_ids_find(&ids, drawn[0] ^ 0x55555555, &found));
}

static void ids_name_their_shard(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits <= FN_IDS_SHARD_BITS_MAX; bits++) {
        uint32_t shard = (1u << bits) - 1, id, spread = 0;
        start_ids(64, shard, bits);
        for (uint32_t i = 0; i < 64; i++) {
            assert_true(fn_ids_draw(&ids, &source, i, &id));
            if (bits > 0)
                assert_int_equal(id >> (32 - bits), shard);
            spread |= id;
        }
        assert_int_equal(spread & 0xfffff, 0xfffff);
    }
}

/* Two tables that draw from equal sources: the second one must redraw what the first one has. */
static void r9_taken_and_quarantined_ids_are_redrawn(void **state)
{
    (void)state;
    uint8_t seed[FN_RANDOM_SEED_BYTES] = {42};
    uint32_t first, second, third, found;
    start_ids(8, 0, 0);
    assert_true(fn_ids_draw(&ids, &source, 1, &first));
    fn_random_start(&source, seed);
    assert_true(fn_ids_draw(&ids, &source, 2, &second));
    assert_int_not_equal(first, second);
    fn_ids_retire(&ids, first, 100);
    assert_false(fn_ids_find(&ids, first, &found));
    fn_random_start(&source, seed);
    assert_true(fn_ids_draw(&ids, &source, 3, &third));
    assert_int_not_equal(third, first);
    assert_int_not_equal(third, second);
    fn_ids_expire(&ids, 99);
    fn_ids_retire(&ids, third, 1000);
    fn_random_start(&source, seed);
    assert_true(fn_ids_draw(&ids, &source, 3, &third));
    assert_int_not_equal(third, first);
    fn_ids_expire(&ids, 100);
    fn_random_start(&source, seed);
    assert_true(fn_ids_draw(&ids, &source, 4, &third));
    assert_int_equal(third, first);
    assert_true(fn_ids_find(&ids, first, &found));
    assert_int_equal(found, 4);
}

static void ids_never_run_out_by_closing(void **state)
{
    (void)state;
    uint32_t id, found;
    start_ids(4, 0, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(fn_ids_draw(&ids, &source, i, &id));
        fn_ids_retire(&ids, id, FN_NEVER);
        fn_ids_retire(&ids, id, FN_NEVER);
        assert_false(fn_ids_find(&ids, id, &found));
        assert_true(fn_map_count(&ids.map) <= 5);
    }
    assert_int_equal(ids.live_count, 0);
    fn_ids_expire(&ids, FN_NEVER - 1);
    assert_int_equal(fn_map_count(&ids.map), 0);
}

static void ids_agree_with_a_model(void **state)
{
    (void)state;
    enum { MOST = 50 };
    struct {
        uint32_t id;
        uint64_t until;
        bool in, retired;
    } model[MOST] = {{0}};
    fn_rng rng;
    fn_rng_init(&rng, 5);
    start_ids(MOST, 1, 4);
    for (uint64_t now = 1; now < 20000; now++) {
        uint32_t at = (uint32_t)fn_rng_below(&rng, MOST), found;
        fn_ids_expire(&ids, now);
        for (uint32_t i = 0; i < MOST; i++) {
            if (model[i].retired && model[i].until <= now)
                model[i].in = model[i].retired = false;
        }
        if (!model[at].in) {
            assert_true(fn_ids_draw(&ids, &source, at, &model[at].id));
            model[at].in = true;
        } else if (!model[at].retired && fn_rng_chance(&rng, 300)) {
            model[at].until = now + fn_rng_below(&rng, 300);
            model[at].retired = true;
            fn_ids_retire(&ids, model[at].id, model[at].until);
        }
        bool expected = model[at].in && !model[at].retired;
        assert_int_equal(fn_ids_find(&ids, model[at].id, &found), expected);
        if (expected)
            assert_int_equal(found, at);
    }
}

/* --- peer ids -------------------------------------------------------------------------- */

static void r9_a_stale_id_never_names_a_newer_peer(void **state)
{
    (void)state;
    uint32_t slot, first, id;
    start_slots(1);
    first = fn_slots_take(&slots);
    assert_int_not_equal(first, 0);
    assert_int_equal(fn_slots_take(&slots), 0);
    id = first;
    for (uint32_t reuse = 1; reuse < 65535; reuse++) {
        assert_true(fn_slots_release(&slots, id));
        assert_false(fn_slots_find(&slots, id, &slot));
        assert_false(fn_slots_release(&slots, id));
        uint32_t newer = fn_slots_take(&slots);
        assert_int_not_equal(newer, id);
        assert_int_not_equal(newer, first);
        assert_int_not_equal(newer, 0);
        assert_false(fn_slots_find(&slots, first, &slot));
        assert_true(fn_slots_find(&slots, newer, &slot));
        id = newer;
    }
    /* All 65,535 generations were used; only now the first comes back. */
    assert_true(fn_slots_release(&slots, id));
    assert_int_equal(fn_slots_take(&slots), first);
}

static void r9_slots_are_reused_first_in_first_out(void **state)
{
    (void)state;
    uint32_t taken[4];
    start_slots(4);
    for (uint32_t i = 0; i < 4; i++) {
        taken[i] = fn_slots_take(&slots);
        assert_int_equal(taken[i], 1u << 16 | i);
    }
    static const uint32_t order[] = {2, 0, 3, 1};
    for (uint32_t i = 0; i < 4; i++)
        assert_true(fn_slots_release(&slots, taken[order[i]]));
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(fn_slots_take(&slots), 2u << 16 | order[i]);
    assert_int_equal(fn_slots_take(&slots), 0);
}

/* Every id there is, against the ones that are taken. */
static void r9_only_taken_ids_are_found(void **state)
{
    (void)state;
    uint32_t slot;
    start_slots(3);
    fn_slots_take(&slots);
    uint32_t gone = fn_slots_take(&slots);
    fn_slots_take(&slots);
    fn_slots_release(&slots, gone);
    uint32_t again = fn_slots_take(&slots);
    assert_int_equal(again, 2u << 16 | 1);
    for (uint32_t generation = 0; generation < 65536; generation += 1 + generation / 8) {
        for (uint32_t at = 0; at < 65536; at += 1 + at / 8) {
            uint32_t id = generation << 16 | at;
            bool expected = id == (1u << 16 | 0) || id == (1u << 16 | 2) || id == again;
            assert_int_equal(fn_slots_find(&slots, id, &slot), expected);
            if (expected)
                assert_int_equal(slot, at);
        }
    }
}

static void largest_table_of_slots(void **state)
{
    (void)state;
    uint32_t slot;
    start_slots(FN_SLOTS_MAX);
    for (uint32_t round = 1; round <= 2; round++) {
        for (uint32_t i = 0; i < FN_SLOTS_MAX; i++)
            assert_int_equal(fn_slots_take(&slots), round << 16 | i);
        assert_int_equal(fn_slots_take(&slots), 0);
        assert_false(fn_slots_find(&slots, round << 16 | 0xffff, &slot));
        for (uint32_t i = 0; i < FN_SLOTS_MAX; i++)
            assert_true(fn_slots_release(&slots, round << 16 | i));
    }
    assert_int_equal(fn_slots_live_count(&slots), 0);
}

static void iteration_survives_coming_and_going(void **state)
{
    (void)state;
    uint32_t taken[6];
    start_slots(200);
    assert_int_equal(fn_slots_next(&slots, 0), 0);
    for (uint32_t i = 0; i < 6; i++)
        taken[i] = fn_slots_take(&slots);
    uint32_t seen = 0;
    for (uint32_t id = fn_slots_next(&slots, 0); id != 0; id = fn_slots_next(&slots, id)) {
        assert_int_equal(id, taken[seen++]);
        if (seen == 2)
            fn_slots_release(&slots, id); /* the one we stand on */
    }
    assert_int_equal(seen, 6);
    assert_int_equal(fn_slots_next(&slots, taken[0]), taken[2]);
    assert_int_equal(fn_slots_next(&slots, 0xffffffff), 0);
    assert_int_equal(fn_slots_next(&slots, 199), 0);
}

static void slots_agree_with_a_model(void **state)
{
    (void)state;
    enum { COUNT = 70 };
    uint32_t live[COUNT], count = 0;
    fn_rng rng;
    fn_rng_init(&rng, 11);
    start_slots(COUNT);
    for (int turn = 0; turn < 50000; turn++) {
        if (fn_rng_chance(&rng, 500) || count == 0) {
            uint32_t id = fn_slots_take(&slots), slot;
            assert_int_equal(id == 0, count == COUNT);
            if (id == 0)
                continue;
            assert_true(fn_slots_find(&slots, id, &slot));
            for (uint32_t i = 0; i < count; i++)
                assert_int_not_equal(live[i] & 0xffff, slot);
            live[count++] = id;
        } else {
            uint32_t at = (uint32_t)fn_rng_below(&rng, count);
            assert_true(fn_slots_release(&slots, live[at]));
            live[at] = live[--count];
        }
        assert_int_equal(fn_slots_live_count(&slots), count);
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ids_lead_to_their_connection),
        TEST(ids_name_their_shard),
        TEST(r9_taken_and_quarantined_ids_are_redrawn),
        TEST(ids_never_run_out_by_closing),
        TEST(ids_agree_with_a_model),
        TEST(r9_a_stale_id_never_names_a_newer_peer),
        TEST(r9_slots_are_reused_first_in_first_out),
        TEST(r9_only_taken_ids_are_found),
        TEST(largest_table_of_slots),
        TEST(iteration_survives_coming_and_going),
        TEST(slots_agree_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
