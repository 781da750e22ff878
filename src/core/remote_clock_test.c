#include "core/remote_clock.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS FN_NS_PER_MS
#define S  FN_NS_PER_S

static void unknown_until_the_first_ping(void **unused)
{
    (void)unused;
    fn_remote_clock remote;
    fn_remote_clock_init(&remote);
    assert_false(fn_remote_clock_known(&remote));
    assert_int_equal(fn_remote_clock_offset_ns(&remote, 10 * MS), 0);
    fn_remote_clock_sample(&remote, 500 * S, 3 * S, 0);
    assert_true(fn_remote_clock_known(&remote));
    assert_int_equal(fn_remote_clock_offset_ns(&remote, 10 * MS), (int64_t)(497 * S + 5 * MS));
}

/* A ping each 500 ms over a symmetric path of 20 ms each way, queueing delay of up to 80 ms. */
static void smallest_delay_wins(void **unused)
{
    (void)unused;
    const int64_t offsets[] = {0, (int64_t)(77777 * S), -(int64_t)(3 * S)};
    for (size_t i = 0; i < FN_ARRAY_COUNT(offsets); i++) {
        fn_remote_clock remote;
        fn_remote_clock_init(&remote);
        fn_rng rng;
        fn_rng_init(&rng, i + 1);
        for (uint32_t ping = 0; ping < 200; ping++) {
            uint64_t left_ns = 100 * S + ping * 500 * MS;
            uint64_t queued_ns = ping % 8 == 0 ? 0 : fn_rng_below(&rng, 80 * MS);
            fn_remote_clock_sample(&remote, left_ns + (uint64_t)offsets[i],
                                   left_ns + 20 * MS + queued_ns, 40 * MS);
            assert_int_equal(fn_remote_clock_offset_ns(&remote, 40 * MS), offsets[i]);
        }
    }
}

static void old_samples_leave_within_ten_seconds(void **unused)
{
    (void)unused;
    fn_remote_clock remote;
    fn_remote_clock_init(&remote);
    fn_remote_clock_sample(&remote, 1000 * S, 0, 0); /* looks as if it came very fast */
    for (uint64_t now = 1; now <= 11; now++)
        fn_remote_clock_sample(&remote, 900 * S + now * S, now * S, 0);
    assert_int_equal(fn_remote_clock_offset_ns(&remote, 0), (int64_t)(900 * S));
}

static void a_sample_lasts_at_least_five_seconds(void **unused)
{
    (void)unused;
    fn_remote_clock remote;
    fn_remote_clock_init(&remote);
    fn_remote_clock_sample(&remote, 50 * S, 0, 0);
    fn_remote_clock_sample(&remote, 54 * S, 4 * S + 999 * MS, 0);
    fn_remote_clock_sample(&remote, 54 * S, 5 * S + 100 * MS, 0);
    assert_int_equal(fn_remote_clock_offset_ns(&remote, 0), (int64_t)(50 * S));
}

static void rare_pings_still_count(void **unused)
{
    (void)unused;
    fn_remote_clock remote;
    fn_remote_clock_init(&remote);
    fn_remote_clock_sample(&remote, 50 * S, 0, 0);
    fn_remote_clock_sample(&remote, 100 * S, 60 * S, 0);
    assert_int_equal(fn_remote_clock_offset_ns(&remote, 0), (int64_t)(40 * S));
}

static void absurd_timestamps_do_no_harm(void **unused)
{
    (void)unused;
    const uint64_t absurd[] = {0, UINT64_MAX, UINT64_C(1) << 63, (UINT64_C(1) << 63) - 1};
    fn_remote_clock remote;
    fn_remote_clock_init(&remote);
    for (uint32_t i = 0; i < 64; i++) {
        fn_remote_clock_sample(&remote, absurd[i % 4], i * 3 * S, 0);
        (void)fn_remote_clock_offset_ns(&remote, UINT64_MAX);
    }
    assert_true(fn_remote_clock_known(&remote));
}

/* The path gets 30 ms shorter one way: the estimate moves there in steps. */
static void a_better_estimate_is_approached(void **unused)
{
    (void)unused;
    fn_remote_clock remote;
    fn_remote_clock_init(&remote);
    uint64_t now_ns = 100 * S;
    for (uint32_t i = 0; i < 40; i++, now_ns += S)
        fn_remote_clock_sample(&remote, now_ns + 7 * S - 50 * MS, now_ns, 100 * MS);
    int64_t before_ns = fn_remote_clock_offset_ns(&remote, 100 * MS);
    assert_int_equal(before_ns, (int64_t)(7 * S));
    for (uint32_t i = 0; i < 40; i++, now_ns += S) {
        fn_remote_clock_sample(&remote, now_ns + 7 * S - 20 * MS, now_ns, 100 * MS);
        int64_t offset_ns = fn_remote_clock_offset_ns(&remote, 100 * MS);
        assert_true(offset_ns >= before_ns && offset_ns - before_ns <= (int64_t)(4 * MS));
        before_ns = offset_ns;
    }
    assert_in_range(before_ns, 7 * S + 29 * MS, 7 * S + 30 * MS);
}

/* The other side was suspended for an hour: what was known is of no use. */
static void a_great_error_is_taken_at_once(void **unused)
{
    (void)unused;
    fn_remote_clock remote;
    fn_remote_clock_init(&remote);
    fn_remote_clock_sample(&remote, 7200 * S, 100 * S, 20 * MS);
    for (uint32_t i = 0; i < 11; i++)
        fn_remote_clock_sample(&remote, (3600 + i) * S, (101 + i) * S, 20 * MS);
    assert_int_equal(fn_remote_clock_offset_ns(&remote, 20 * MS), (int64_t)(3499 * S + 10 * MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_until_the_first_ping),
        cmocka_unit_test(smallest_delay_wins),
        cmocka_unit_test(old_samples_leave_within_ten_seconds),
        cmocka_unit_test(a_sample_lasts_at_least_five_seconds),
        cmocka_unit_test(rare_pings_still_count),
        cmocka_unit_test(absurd_timestamps_do_no_harm),
        cmocka_unit_test(a_better_estimate_is_approached),
        cmocka_unit_test(a_great_error_is_taken_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
