#include "core/id_ring.h"

#include "base/rng.h"
#include "base/units.h"
#include "core/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { STORE_BYTES = 4 << 20, MODEL_MAX = 4096 };

/* Against an array, from several starts, the last of them near the end of all ids. */
static void random_use_agrees_with_an_array(void **state)
{
    (void)state;
    static const uint64_t starts[] = {0, 15, 16, UINT64_C(1) << 32, (UINT64_C(1) << 62) - 6000};
    for (size_t s = 0; s < FN_ARRAY_COUNT(starts); s++) {
        static uintptr_t model[MODEL_MAX];
        memset(model, 0, sizeof model);
        test_store memory;
        test_store_open(&memory, STORE_BYTES);
        fn_id_ring ring = {.base = starts[s]};
        uint32_t count = 0, gone = 0;
        fn_rng rng;
        fn_rng_init(&rng, s);
        for (int i = 0; i < 20000 && gone < 2000; i++) {
            uint32_t ahead = (uint32_t)fn_rng_below(&rng, 200);
            if (fn_rng_below(&rng, 3) == 0) {
                fn_id_ring_advance(&ring, &memory.store);
                gone++;
                count -= count > 0;
            } else {
                assert_true(fn_id_ring_reach(&ring, &memory.store, ring.base + ahead));
                count = fn_max_u32(count, ahead + 1);
                model[gone + ahead] = (uintptr_t)i + 1;
                *fn_id_ring_at(&ring, ring.base + ahead) = (uintptr_t)i + 1;
            }
            assert_int_equal(ring.base, starts[s] + gone);
            assert_int_equal(ring.count, count);
            for (uint32_t k = 0; k < count; k += 7)
                assert_int_equal(*fn_id_ring_at(&ring, ring.base + k), model[gone + k]);
            assert_null(fn_id_ring_at(&ring, ring.base + count));
            assert_null(fn_id_ring_at(&ring, ring.base - 1));
        }
        fn_id_ring_free(&ring, &memory.store);
        assert_int_equal(test_store_used(&memory), 0);
        test_store_close(&memory);
    }
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    test_store memory;
    test_store_open(&memory, STORE_BYTES);
    fn_id_ring ring = {.base = 5};
    test_store_deny(&memory);
    assert_false(fn_id_ring_reach(&ring, &memory.store, 5));
    assert_null(fn_id_ring_at(&ring, 5));
    test_store_allow(&memory);
    assert_true(fn_id_ring_reach(&ring, &memory.store, 20));
    *fn_id_ring_at(&ring, 7) = 77;
    test_store_deny(&memory);
    assert_false(fn_id_ring_reach(&ring, &memory.store, 21));
    assert_false(fn_id_ring_reach(&ring, &memory.store, UINT64_MAX / 2));
    assert_int_equal(ring.count, 16);
    assert_int_equal(*fn_id_ring_at(&ring, 7), 77);
    fn_id_ring_free(&ring, &memory.store);
    test_store_close(&memory);
}

static void an_empty_ring_gives_what_is_large_back(void **state)
{
    (void)state;
    test_store memory;
    test_store_open(&memory, STORE_BYTES);
    fn_id_ring ring = {.base = 0};
    fn_id_ring_reach(&ring, &memory.store, 999);
    assert_true(test_store_used(&memory) >= 8000);
    for (int i = 0; i < 1000; i++)
        fn_id_ring_advance(&ring, &memory.store);
    assert_int_equal(test_store_used(&memory), 0);
    assert_true(fn_id_ring_reach(&ring, &memory.store, 1000));
    assert_int_equal(*fn_id_ring_at(&ring, 1000), 0);
    fn_id_ring_free(&ring, &memory.store);
    assert_int_equal(ring.base, 1001);
    test_store_close(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_use_agrees_with_an_array),
        cmocka_unit_test(without_memory_nothing_changes),
        cmocka_unit_test(an_empty_ring_gives_what_is_large_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
