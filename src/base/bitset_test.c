#include "base/bitset.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uint32_t model_find(const bool *model, uint32_t bits, uint32_t from, bool wanted)
{
    for (uint32_t i = from; i < bits; i++) {
        if (model[i] == wanted)
            return i;
    }
    return bits;
}

static void assert_same(const fn_bitset *set, const bool *model)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < set->bits; i++) {
        assert_int_equal(fn_bitset_test(set, i), model[i]);
        count += model[i];
    }
    assert_int_equal(fn_bitset_count(set), count);
    for (uint32_t from = 0; from <= set->bits + 1; from++) {
        assert_int_equal(fn_bitset_find_first_set_from(set, from),
                         model_find(model, set->bits, from, true));
        assert_int_equal(fn_bitset_find_first_clear_from(set, from),
                         model_find(model, set->bits, from, false));
    }
}

static void agrees_with_an_array_of_bools(void **unused)
{
    (void)unused;
    static const uint32_t sizes[] = {1, 63, 64, 65, 127, 128, 200};
    fn_rng rng;
    fn_rng_init(&rng, 5);
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        uint64_t words[FN_BITSET_WORDS(200)] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
        bool model[200] = {false};
        fn_bitset set;
        fn_bitset_init(&set, words, sizes[s]);
        assert_same(&set, model);
        for (int step = 0; step < 600; step++) {
            uint32_t at = (uint32_t)fn_rng_below(&rng, sizes[s]);
            model[at] = fn_rng_chance(&rng, step < 300 ? 900 : 100);
            if (model[at])
                fn_bitset_set(&set, at);
            else
                fn_bitset_clear(&set, at);
            assert_same(&set, model);
        }
    }
}

/* All 2^8 sets of 8 bits, whole. */
static void agrees_on_every_small_set(void **unused)
{
    (void)unused;
    for (uint32_t pattern = 0; pattern < 256; pattern++) {
        uint64_t word;
        bool model[8];
        fn_bitset set;
        fn_bitset_init(&set, &word, 8);
        for (uint32_t i = 0; i < 8; i++) {
            model[i] = (pattern >> i & 1) != 0;
            if (model[i])
                fn_bitset_set(&set, i);
        }
        assert_same(&set, model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_an_array_of_bools),
        cmocka_unit_test(agrees_on_every_small_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
