#include "core/bucket.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S FN_NS_PER_S

static void credit_accrues_up_to_the_cap(void **unused)
{
    (void)unused;
    fn_bucket bucket;
    fn_bucket_init(&bucket, 1000, 500, 10 * S);
    assert_int_equal(fn_bucket_available(&bucket, 10 * S), 500);
    fn_bucket_take(&bucket, 500, 10 * S);
    assert_int_equal(fn_bucket_available(&bucket, 10 * S), 0);
    assert_int_equal(fn_bucket_available(&bucket, 10 * S + S / 10), 100);
    assert_int_equal(fn_bucket_available(&bucket, 10 * S + S / 2), 500);
    assert_int_equal(fn_bucket_available(&bucket, FN_NEVER), 500);
}

static void no_fraction_is_lost_in_small_steps(void **unused)
{
    (void)unused;
    fn_bucket bucket;
    fn_bucket_init(&bucket, 777, 1000, 0);
    fn_bucket_take(&bucket, 1000, 0);
    for (uint64_t now = 1; now <= 1000000; now++)
        fn_bucket_take(&bucket, 0, now * 1000);
    assert_int_equal(fn_bucket_available(&bucket, S), 777);
}

static void overdraft_is_paid_back_and_limited(void **unused)
{
    (void)unused;
    fn_bucket bucket;
    fn_bucket_init(&bucket, 1000, 500, 0);
    fn_bucket_take(&bucket, 800, 0);
    assert_int_equal(fn_bucket_available(&bucket, 3 * S / 10), 0);
    assert_int_equal(fn_bucket_available(&bucket, 4 * S / 10), 100);
    for (int i = 0; i < 10; i++)
        fn_bucket_take(&bucket, UINT64_MAX, S);
    assert_int_equal(fn_bucket_deadline(&bucket, 0, S), S + S / 2);
}

static void deadline_is_the_first_instant_that_allows(void **unused)
{
    (void)unused;
    fn_rng rng;
    fn_rng_init(&rng, 7);
    for (uint32_t i = 0; i < 20000; i++) {
        fn_bucket bucket;
        uint64_t rate = UINT64_C(1) << fn_rng_below(&rng, 41);
        uint64_t cap = 1 + fn_rng_below(&rng, UINT64_C(1) << fn_rng_below(&rng, 31));
        fn_bucket_init(&bucket, rate + fn_rng_below(&rng, rate), cap, 5);
        fn_bucket_take(&bucket, fn_rng_below(&rng, 2 * cap), 5);
        uint64_t bytes = fn_rng_below(&rng, 2 * cap);
        uint64_t now = 5 + fn_rng_below(&rng, 1000000);
        uint64_t at = fn_bucket_deadline(&bucket, bytes, now);
        assert_true(fn_bucket_allows(&bucket, bytes, at));
        assert_true(at == now || !fn_bucket_allows(&bucket, bytes, at - 1));
    }
}

static void more_than_the_cap_waits_until_full(void **unused)
{
    (void)unused;
    fn_bucket bucket;
    fn_bucket_init(&bucket, 1000, 500, 0);
    assert_true(fn_bucket_allows(&bucket, 900, 0));
    fn_bucket_take(&bucket, 900, 0);
    assert_int_equal(fn_bucket_deadline(&bucket, 900, 0), 9 * S / 10);
}

static void no_rate_and_no_cap_mean_no(void **unused)
{
    (void)unused;
    fn_bucket bucket;
    fn_bucket_init(&bucket, 0, 0, 0);
    assert_false(fn_bucket_allows(&bucket, 0, S));
    assert_int_equal(fn_bucket_deadline(&bucket, 1, S), FN_NEVER);
    fn_bucket_init(&bucket, 0, 10, 0);
    fn_bucket_take(&bucket, 10, 0);
    assert_int_equal(fn_bucket_deadline(&bucket, 1, S), FN_NEVER);
}

static void a_clock_that_steps_back_gives_nothing(void **unused)
{
    (void)unused;
    fn_bucket bucket;
    fn_bucket_init(&bucket, 1000, 500, 10 * S);
    fn_bucket_take(&bucket, 500, 10 * S);
    fn_bucket_take(&bucket, 0, 2 * S);
    assert_int_equal(fn_bucket_available(&bucket, 10 * S), 0);
}

static void changing_rate_credits_the_past_at_the_old_one(void **unused)
{
    (void)unused;
    fn_bucket bucket;
    fn_bucket_init(&bucket, 1000, 5000, 0);
    fn_bucket_take(&bucket, 5000, 0);
    fn_bucket_set(&bucket, 100, 5000, S);
    assert_int_equal(fn_bucket_available(&bucket, 2 * S), 1100);
    fn_bucket_set(&bucket, 100, 300, 2 * S);
    assert_int_equal(fn_bucket_available(&bucket, 2 * S), 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credit_accrues_up_to_the_cap),
        cmocka_unit_test(no_fraction_is_lost_in_small_steps),
        cmocka_unit_test(overdraft_is_paid_back_and_limited),
        cmocka_unit_test(deadline_is_the_first_instant_that_allows),
        cmocka_unit_test(more_than_the_cap_waits_until_full),
        cmocka_unit_test(no_rate_and_no_cap_mean_no),
        cmocka_unit_test(a_clock_that_steps_back_gives_nothing),
        cmocka_unit_test(changing_rate_credits_the_past_at_the_old_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
