#include "base/map.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { keys_count = 48, small_keys_count = 4 };

static const uint8_t seed[FN_MAP_SEED_BYTES] = {3, 1, 4, 1, 5, 9, 2, 6};

/* The oracle: one place for every key that the test uses. */
typedef struct oracle {
    bool present[keys_count];
    uint64_t values[keys_count];
    uint32_t count;
} oracle;

static uint64_t key_of(uint32_t index)
{
    return index * UINT64_C(0x0100000001000001); /* 0 is a key like any other */
}

static void assert_same(const fn_map *map, const oracle *model, uint32_t keys)
{
    assert_int_equal(fn_map_count(map), model->count);
    for (uint32_t i = 0; i < keys; i++) {
        uint64_t value = 77;
        assert_int_equal(fn_map_get(map, key_of(i), &value), model->present[i]);
        assert_int_equal(value, model->present[i] ? model->values[i] : 77);
    }
}

static void put(fn_map *map, oracle *model, uint32_t key, uint64_t value)
{
    bool fits = model->present[key] || model->count < map->items_max;
    assert_int_equal(fn_map_put(map, key_of(key), value), fits);
    if (!fits)
        return;
    model->count += !model->present[key];
    model->present[key] = true;
    model->values[key] = value;
}

static void remove_key(fn_map *map, oracle *model, uint32_t key)
{
    assert_int_equal(fn_map_remove(map, key_of(key)), model->present[key]);
    model->count -= model->present[key];
    model->present[key] = false;
}

static void agrees_with_the_model_at_every_size(void **unused)
{
    (void)unused;
    static fn_map_slot memory[64];
    fn_rng rng;
    fn_rng_init(&rng, 6);
    for (uint32_t items_max = 1; items_max <= 32; items_max++) {
        assert_true(fn_map_memory_bytes(items_max) <= sizeof(memory));
        assert_true(items_max * sizeof(fn_map_slot) * 4 <= fn_map_memory_bytes(items_max) * 3);
        memset(memory, 0xee, sizeof(memory));
        fn_map map;
        fn_map_init(&map, memory, items_max, seed);
        oracle model = {.count = 0};
        for (int step = 0; step < 4000; step++) {
            uint32_t key = (uint32_t)fn_rng_below(&rng, keys_count);
            if (fn_rng_chance(&rng, 600))
                put(&map, &model, key, fn_rng_u64(&rng));
            else
                remove_key(&map, &model, key);
            if (step % 16 == 0)
                assert_same(&map, &model, keys_count);
        }
    }
}

/* Every sequence of five puts and removes of four keys, in three items' room, under many seeds:
 * each way that a run can wrap round the end and close up. */
static void agrees_on_every_short_sequence(void **unused)
{
    (void)unused;
    fn_map_slot memory[4];
    assert_int_equal(fn_map_memory_bytes(3), sizeof(memory));
    for (uint8_t variant = 0; variant < 8; variant++) {
        uint8_t other_seed[FN_MAP_SEED_BYTES] = {variant};
        for (uint32_t sequence = 0; sequence < 1u << 15; sequence++) {
            fn_map map;
            fn_map_init(&map, memory, 3, other_seed);
            oracle model = {.count = 0};
            for (uint32_t step = 0; step < 5; step++) {
                uint32_t operation = sequence >> 3 * step & 7;
                if (operation < small_keys_count)
                    put(&map, &model, operation, step);
                else
                    remove_key(&map, &model, operation - small_keys_count);
            }
            assert_same(&map, &model, small_keys_count);
        }
    }
}

/* Puts and gets that would find only leftovers of removed keys must still end, and be right. */
static void has_room_again_after_a_hundred_thousand_removals(void **unused)
{
    (void)unused;
    static fn_map_slot memory[2048];
    fn_map map;
    assert_int_equal(fn_map_memory_bytes(1000), sizeof(memory));
    fn_map_init(&map, memory, 1000, seed);
    for (uint64_t i = 0; i < 100000; i++) {
        if (i >= 1000) {
            assert_false(fn_map_put(&map, i << 32, i));
            assert_true(fn_map_remove(&map, (i - 1000) << 32));
            assert_false(fn_map_get(&map, (i - 1000) << 32, NULL));
        }
        assert_true(fn_map_put(&map, i << 32, i));
        assert_true(fn_map_get(&map, i << 32, NULL));
    }
    assert_int_equal(fn_map_count(&map), 1000);
    uint32_t used = 0;
    for (size_t i = 0; i < 2048; i++)
        used += memory[i].mark != 0;
    assert_int_equal(used, 1000);
}

static void two_seeds_give_two_orders(void **unused)
{
    (void)unused;
    fn_map_slot first[64];
    fn_map_slot second[64];
    uint8_t other_seed[FN_MAP_SEED_BYTES] = {0};
    fn_map maps[2];
    fn_map_init(&maps[0], first, 48, seed);
    fn_map_init(&maps[1], second, 48, other_seed);
    for (uint64_t key = 0; key < 48; key++) {
        fn_map_put(&maps[0], key, key);
        fn_map_put(&maps[1], key, key);
    }
    uint32_t same = 0;
    for (uint32_t i = 0; i < 64; i++)
        same += first[i].mark != 0 && second[i].mark != 0 && first[i].key == second[i].key;
    assert_true(same < 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_model_at_every_size),
        cmocka_unit_test(agrees_on_every_short_sequence),
        cmocka_unit_test(has_room_again_after_a_hundred_thousand_removals),
        cmocka_unit_test(two_seeds_give_two_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
