#include "core/recent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS FN_NS_PER_MS
#define S  FN_NS_PER_S

/* 100 bytes each 10 ms; loses everything from second 10 to 13. */
static void a_cut_is_forgotten_within_five_seconds(void **state)
{
    (void)state;
    fn_recent recent;
    fn_recent_counts counts = {0}, difference;
    fn_recent_init(&recent, 0);
    for (uint64_t now_ns = 0; now_ns < 30 * S; now_ns += 10 * MS) {
        if (fn_recent_is_due(&recent, now_ns))
            fn_recent_set_mark(&recent, now_ns, &counts);
        counts.sent++;
        counts.sent_bytes += 100;
        counts.lost += now_ns >= 10 * S && now_ns < 13 * S ? 1 : 0;
        uint64_t over_ns = fn_recent_since(&recent, now_ns, &counts, &difference);
        assert_true(over_ns <= 5 * S);
        if (now_ns >= 5 * S)
            assert_true(over_ns >= 4 * S);
        assert_in_range(difference.sent, over_ns / (10 * MS), over_ns / (10 * MS) + 1);
        assert_int_equal(difference.sent_bytes, 100 * (uint64_t)difference.sent);
        if (now_ns == 13 * S)
            assert_in_range(difference.lost, 299, 300);
        if (now_ns >= 18 * S)
            assert_int_equal(difference.lost, 0);
    }
}

/* Nothing marks the time while nothing happens. */
static void a_quiet_connection_has_no_past(void **state)
{
    (void)state;
    fn_recent recent;
    fn_recent_counts difference;
    const fn_recent_counts before = {.sent = 5, .lost = 1};
    const fn_recent_counts counts = {.sent = 10, .lost = 3};
    fn_recent_init(&recent, 0);
    fn_recent_set_mark(&recent, 2 * S, &before);
    fn_recent_since(&recent, 2 * S + 900 * MS, &counts, &difference);
    assert_int_equal(difference.lost, 3);
    assert_int_equal(fn_recent_since(&recent, 60 * S, &counts, &difference), 0);
    assert_int_equal(difference.lost, 0);
    assert_int_equal(difference.sent, 0);
}

static void counters_may_wrap(void **state)
{
    (void)state;
    fn_recent recent;
    fn_recent_counts difference;
    const fn_recent_counts before = {.sent = UINT32_MAX - 1, .sent_bytes = 7};
    const fn_recent_counts counts = {.sent = 3, .sent_bytes = 107};
    fn_recent_init(&recent, 0);
    for (uint64_t i = 1; i <= FN_RECENT_MARKS; i++)
        fn_recent_set_mark(&recent, i * S, &before);
    fn_recent_since(&recent, 7 * S, &counts, &difference);
    assert_int_equal(difference.sent, 5);
    assert_int_equal(difference.sent_bytes, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_is_forgotten_within_five_seconds),
        cmocka_unit_test(a_quiet_connection_has_no_past),
        cmocka_unit_test(counters_may_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
