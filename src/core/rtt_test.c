#include "core/rtt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS FN_NS_PER_MS
#define US FN_NS_PER_US

static void starts_with_the_initial_values(void **unused)
{
    (void)unused;
    fn_rtt rtt;
    fn_rtt_init(&rtt, 25 * MS);
    assert_int_equal(rtt.smoothed_ns, 333 * MS);
    assert_int_equal(rtt.variance_ns, 333 * MS / 2);
    assert_int_equal(fn_rtt_min_ns(&rtt), 0);
    /* 333 + 4 × 166.5 + 25 = 1024 ms, capped to one second */
    assert_int_equal(fn_rtt_probe_timeout_ns(&rtt, 0), 1000 * MS);
}

typedef struct sample_row {
    uint64_t sample_us, delay_us;
    uint64_t min_us, smoothed_us, variance_us; /* worked out by hand from RFC 9002 §5.3 */
} sample_row;

static const sample_row sample_rows[] = {
    {80000, 0, 80000, 80000, 40000},
    /* adjusted 160 - 0: variance (3 × 40 + 80) / 4, smoothed (7 × 80 + 160) / 8 */
    {160000, 0, 80000, 90000, 50000},
    /* delay 8: adjusted 90 - 8 = 82; variance (150 + 8) / 4; smoothed (630 + 82) / 8 */
    {90000, 8000, 80000, 89000, 39500},
    /* delay 30 is clamped to 25, but 100 - 25 < 80: not subtracted; (118.5 + 11) / 4, (623 + 100) /
       8 */
    {100000, 30000, 80000, 90375, 32375},
    /* a new minimum: nothing left to subtract; (97.125 + 50.375) / 4, (632.625 + 40) / 8 */
    {40000, 25000, 40000, 84078, 36875},
};

static void samples_follow_the_rfc(void **unused)
{
    (void)unused;
    fn_rtt rtt;
    fn_rtt_init(&rtt, 25 * MS);
    for (size_t i = 0; i < FN_ARRAY_COUNT(sample_rows); i++) {
        const sample_row *row = &sample_rows[i];
        fn_rtt_sample(&rtt, row->sample_us * US, row->delay_us * US);
        assert_int_equal(rtt.latest_ns, row->sample_us * US);
        assert_int_equal(fn_rtt_min_ns(&rtt), row->min_us * US);
        assert_int_equal(rtt.smoothed_ns / US, row->smoothed_us);
        assert_int_equal(rtt.variance_ns / US, row->variance_us);
    }
}

typedef struct timeout_row {
    uint64_t rtt_ms;
    uint32_t backoff;
    uint64_t timeout_ms;
} timeout_row;

/* After one sample r: smoothed r, variance r / 2, so the base is 3 r + 25 ms. */
static const timeout_row timeout_rows[] = {
    {10, 0, 55},     {10, 1, 110},   {10, 4, 880},          {10, 5, 1000},   {10, 200, 1000},
    {100, 0, 325},   {100, 1, 650},  {100, 2, 1000},        {100, 9, 1000},  {325, 0, 1000},
    {500, 3, 1000},  {600, 0, 1200}, {600, 8, 1200},        {2000, 0, 4000}, {0, 0, 26},
    {0, 5, 26 << 5}, {0, 6, 1000},   {0, UINT32_MAX, 1000},
};

static void probe_timeout_is_capped(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < FN_ARRAY_COUNT(timeout_rows); i++) {
        fn_rtt rtt;
        fn_rtt_init(&rtt, 25 * MS);
        fn_rtt_sample(&rtt, timeout_rows[i].rtt_ms * MS, 0);
        assert_int_equal(fn_rtt_probe_timeout_ns(&rtt, timeout_rows[i].backoff),
                         timeout_rows[i].timeout_ms * MS);
    }
}

static void probe_timeout_survives_absurd_samples(void **unused)
{
    (void)unused;
    fn_rtt rtt;
    fn_rtt_init(&rtt, UINT64_MAX);
    for (int i = 0; i < 100; i++) {
        fn_rtt_sample(&rtt, i % 2 == 0 ? UINT64_MAX : 0, UINT64_MAX);
        uint64_t cap = fn_max_u64(FN_NS_PER_S, 2 * rtt.smoothed_ns);
        for (uint32_t backoff = 0; backoff < 40; backoff++)
            assert_true(fn_rtt_probe_timeout_ns(&rtt, backoff) <= cap);
        assert_true(rtt.smoothed_ns <= 10 * FN_NS_PER_S);
    }
}

static void steady_link_converges(void **unused)
{
    (void)unused;
    fn_rtt rtt;
    fn_rtt_init(&rtt, 25 * MS);
    fn_rtt_sample(&rtt, 300 * MS, 0);
    for (int i = 0; i < 200; i++)
        fn_rtt_sample(&rtt, 40 * MS, 0);
    assert_in_range(rtt.smoothed_ns, 40 * MS, 40 * MS + 100);
    /* 40 + max(4 × 0, 1) + 25 */
    assert_in_range(fn_rtt_probe_timeout_ns(&rtt, 0), 66 * MS, 66 * MS + 1000);
}

static void loss_delay_is_nine_eighths_of_the_longer(void **unused)
{
    (void)unused;
    fn_rtt rtt;
    fn_rtt_init(&rtt, 25 * MS);
    fn_rtt_sample(&rtt, 80 * MS, 0);
    assert_int_equal(fn_rtt_loss_delay_ns(&rtt), 90 * MS);
    fn_rtt_sample(&rtt, 160 * MS, 0);
    assert_int_equal(fn_rtt_loss_delay_ns(&rtt), 180 * MS);
    fn_rtt_sample(&rtt, 8 * MS, 0);
    assert_true(fn_rtt_loss_delay_ns(&rtt) > 80 * MS);
    fn_rtt_init(&rtt, 25 * MS);
    fn_rtt_sample(&rtt, 20 * US, 0);
    assert_int_equal(fn_rtt_loss_delay_ns(&rtt), 1 * MS);
}

static void persistent_congestion_is_three_base_timeouts(void **unused)
{
    (void)unused;
    fn_rtt rtt;
    fn_rtt_init(&rtt, 25 * MS);
    fn_rtt_sample(&rtt, 100 * MS, 0);
    assert_int_equal(fn_rtt_persistent_ns(&rtt), 3 * (100 + 200 + 25) * MS);
}

static void minimum_can_start_anew(void **unused)
{
    (void)unused;
    fn_rtt rtt;
    fn_rtt_init(&rtt, 25 * MS);
    fn_rtt_sample(&rtt, 20 * MS, 0);
    fn_rtt_forget_min(&rtt);
    fn_rtt_sample(&rtt, 90 * MS, 10 * MS);
    assert_int_equal(fn_rtt_min_ns(&rtt), 90 * MS);
}

/* A satellite behind a bloated buffer is believed, an acknowledgement that was held back is not. */
static void a_sample_counts_for_ten_seconds_at_most(void **unused)
{
    (void)unused;
    fn_rtt rtt;
    fn_rtt_init(&rtt, 25 * MS);
    fn_rtt_sample(&rtt, 9999 * MS, 0);
    assert_int_equal(rtt.smoothed_ns, 9999 * MS);
    fn_rtt_init(&rtt, 25 * MS);
    fn_rtt_sample(&rtt, 126000 * MS, 0);
    assert_int_equal(rtt.latest_ns, 10000 * MS);
    assert_int_equal(rtt.smoothed_ns, 10000 * MS);
    assert_int_equal(fn_rtt_probe_timeout_ns(&rtt, 10), 20000 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_with_the_initial_values),
        cmocka_unit_test(samples_follow_the_rfc),
        cmocka_unit_test(probe_timeout_is_capped),
        cmocka_unit_test(probe_timeout_survives_absurd_samples),
        cmocka_unit_test(steady_link_converges),
        cmocka_unit_test(loss_delay_is_nine_eighths_of_the_longer),
        cmocka_unit_test(persistent_congestion_is_three_base_timeouts),
        cmocka_unit_test(minimum_can_start_anew),
        cmocka_unit_test(a_sample_counts_for_ten_seconds_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
