#include "common/histogram.h"

#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { VALUES = 5000 };

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* The sorted values themselves are the oracle: a quantile may be off by the width of a bucket. */
static void quantiles_are_within_one_percent(void **state)
{
    static const double fractions[] = {0, 0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1};
    static bench_histogram histogram;
    static uint64_t values[VALUES];
    fn_rng rng;
    (void)state;
    fn_rng_init(&rng, 1);
    for (int bits = 1; bits <= 60; bits += 7) {
        memset(&histogram, 0, sizeof histogram);
        for (int i = 0; i < VALUES; i++) {
            values[i] = fn_rng_below(&rng, UINT64_C(1) << bits);
            bench_histogram_add(&histogram, values[i]);
        }
        qsort(values, VALUES, sizeof *values, compare);
        for (size_t i = 0; i < sizeof fractions / sizeof *fractions; i++) {
            double rank = ceil(fractions[i] * VALUES);
            uint64_t expected = values[rank > 0 ? (int)rank - 1 : 0];
            double found = (double)bench_histogram_quantile(&histogram, fractions[i]);
            assert_true(fabs(found - (double)expected) <= (double)expected * 0.01 + 1e-9);
        }
        assert_int_equal(histogram.min, values[0]);
        assert_int_equal(histogram.max, values[VALUES - 1]);
        assert_int_equal(bench_histogram_quantile(&histogram, 1), values[VALUES - 1]);
    }
}

static void small_values_are_exact(void **state)
{
    static bench_histogram histogram;
    (void)state;
    for (uint64_t value = 0; value < 100; value++) {
        bench_histogram_add(&histogram, value);
    }
    assert_int_equal(bench_histogram_quantile(&histogram, 0.5), 49);
    assert_int_equal(bench_histogram_quantile(&histogram, 0.99), 98);
    assert_true(fabs(bench_histogram_average(&histogram) - 49.5) < 1e-9);
}

static void an_empty_one_says_zero(void **state)
{
    static const bench_histogram histogram;
    (void)state;
    assert_int_equal(bench_histogram_quantile(&histogram, 0.5), 0);
    assert_true(bench_histogram_average(&histogram) == 0);
}

static void merging_is_adding_all(void **state)
{
    static bench_histogram parts[2], merged, whole;
    fn_rng rng;
    (void)state;
    fn_rng_init(&rng, 2);
    for (int i = 0; i < VALUES; i++) {
        uint64_t value = fn_rng_below(&rng, 1000000);
        bench_histogram_add(&parts[i % 2], value);
        bench_histogram_add(&whole, value);
    }
    bench_histogram_merge(&merged, &parts[0]);
    bench_histogram_merge(&merged, &parts[1]);
    assert_memory_equal(&merged, &whole, sizeof whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_within_one_percent),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(an_empty_one_says_zero),
        cmocka_unit_test(merging_is_adding_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
