#include "base/rng.h"

#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void gives_the_published_sequences(void **unused)
{
    (void)unused;
    /* splitmix64 from 1234567, which is how the state is seeded. */
    static const uint64_t seeded[4] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                       UINT64_C(9817491932198370423),
                                       UINT64_C(4593380528125082431)};
    /* xoshiro256** from the state 1, 2, 3, 4. */
    static const uint64_t drawn[] = {
        UINT64_C(11520),
        UINT64_C(0),
        UINT64_C(1509978240),
        UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600),
        UINT64_C(16172922978634559625),
        UINT64_C(8476171486693032832),
        UINT64_C(10595114339597558777),
        UINT64_C(2904607092377533576),
    };
    fn_rng rng;
    fn_rng_init(&rng, 1234567);
    assert_memory_equal(rng.state, seeded, sizeof(seeded));
    rng = (fn_rng){{1, 2, 3, 4}};
    for (size_t i = 0; i < FN_ARRAY_COUNT(drawn); i++)
        assert_int_equal(fn_rng_u64(&rng), drawn[i]);
}

static void draws_every_value_below_a_bound_about_equally(void **unused)
{
    (void)unused;
    fn_rng rng;
    fn_rng_init(&rng, 8);
    for (uint64_t bound = 1; bound <= 12; bound++) {
        uint32_t seen[12] = {0};
        for (int i = 0; i < 12000; i++) {
            uint64_t value = fn_rng_below(&rng, bound);
            assert_true(value < bound);
            seen[value]++;
        }
        for (uint64_t i = 0; i < bound; i++)
            assert_in_range(seen[i], 12000 / bound * 8 / 10, 12000 / bound * 12 / 10);
    }
    assert_int_equal(fn_rng_below(&rng, 0), 0);
}

/* A bound of 3/4 of the range: plain modulo would give the lowest third twice as often. */
static void draws_without_bias_from_a_huge_bound(void **unused)
{
    (void)unused;
    fn_rng rng;
    fn_rng_init(&rng, 9);
    uint64_t bound = UINT64_C(3) << 62;
    uint32_t thirds[3] = {0};
    for (int i = 0; i < 30000; i++)
        thirds[fn_rng_below(&rng, bound) >> 62]++;
    for (size_t i = 0; i < 3; i++)
        assert_in_range(thirds[i], 9500, 10500);
}

static void keeps_ranges_and_chances(void **unused)
{
    (void)unused;
    fn_rng rng;
    fn_rng_init(&rng, 10);
    uint32_t hits = 0;
    bool low_seen = false;
    bool high_seen = false;
    for (int i = 0; i < 20000; i++) {
        double x = fn_rng_double01(&rng);
        assert_true(x >= 0.0 && x < 1.0);
        uint64_t value = fn_rng_between(&rng, 5, 9);
        assert_in_range(value, 5, 9);
        low_seen |= value == 5;
        high_seen |= value == 9;
        assert_false(fn_rng_chance(&rng, 0));
        assert_true(fn_rng_chance(&rng, 1000));
        hits += fn_rng_chance(&rng, 100);
    }
    assert_true(low_seen && high_seen);
    assert_in_range(hits, 1800, 2200);
    assert_int_equal(fn_rng_between(&rng, 4, 4), 4);
    bool top_seen = false;
    for (int i = 0; i < 100; i++)
        top_seen |= fn_rng_between(&rng, 0, UINT64_MAX) >> 63 != 0;
    assert_true(top_seen);
}

/* The first bytes do not depend on how many are asked for, and nothing beyond is touched. */
static void fills_any_number_of_bytes(void **unused)
{
    (void)unused;
    uint8_t whole[40];
    fn_rng rng;
    fn_rng_init(&rng, 11);
    fn_rng_bytes(&rng, whole, sizeof(whole));
    for (size_t bytes = 0; bytes < sizeof(whole); bytes++) {
        uint8_t part[41];
        memset(part, 0xee, sizeof(part));
        fn_rng_init(&rng, 11);
        fn_rng_bytes(&rng, part, bytes);
        assert_memory_equal(part, whole, bytes);
        assert_int_equal(part[bytes], 0xee);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_published_sequences),
        cmocka_unit_test(draws_every_value_below_a_bound_about_equally),
        cmocka_unit_test(draws_without_bias_from_a_huge_bound),
        cmocka_unit_test(keeps_ranges_and_chances),
        cmocka_unit_test(fills_any_number_of_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
