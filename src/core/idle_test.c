#include "core/idle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S FN_NS_PER_S

static void assert_turns(const fn_idle *idle, uint64_t at_ns, fn_idle_due due)
{
    assert_int_equal(fn_idle_deadline(idle), at_ns);
    assert_int_equal(fn_idle_check(idle, at_ns - 1), FN_IDLE_NOTHING);
    assert_int_equal(fn_idle_check(idle, at_ns), due);
}

static void r6_keep_alive_is_due_after_quiet(void **unused)
{
    (void)unused;
    fn_idle idle;
    fn_idle_init(&idle, 30 * S, 10 * S, 100 * S);
    assert_turns(&idle, 110 * S, FN_IDLE_KEEPALIVE);
    fn_idle_on_received(&idle, 105 * S);
    assert_turns(&idle, 115 * S, FN_IDLE_KEEPALIVE);
    fn_idle_on_sent(&idle, 108 * S);
    assert_turns(&idle, 118 * S, FN_IDLE_KEEPALIVE);
}

static void r6_keep_alive_keeps_two_quiet_peers_connected(void **unused)
{
    (void)unused;
    fn_idle here, there;
    fn_idle_init(&here, 30 * S, 10 * S, 0);
    fn_idle_init(&there, 30 * S, 0, 0);
    uint32_t pings = 0;
    for (uint64_t now = 0; now < 3600 * S; now += S / 10) {
        if (fn_idle_check(&here, now) == FN_IDLE_KEEPALIVE) {
            pings++;
            fn_idle_on_sent(&here, now);
            fn_idle_on_received(&there, now); /* and its acknowledgement: */
            fn_idle_on_received(&here, now);
        }
        assert_int_not_equal(fn_idle_check(&here, now), FN_IDLE_TIMEOUT);
        assert_int_not_equal(fn_idle_check(&there, now), FN_IDLE_TIMEOUT);
    }
    assert_int_equal(pings, 359);
}

static void r6_keep_alive_fits_into_a_short_timeout(void **unused)
{
    (void)unused;
    fn_idle idle;
    fn_idle_init(&idle, 3 * S, 10 * S, 0);
    assert_turns(&idle, 1 * S, FN_IDLE_KEEPALIVE);
}

static void r6_idle_timeout_zero_is_never(void **unused)
{
    (void)unused;
    const uint64_t never[] = {0, FN_NEVER};
    for (size_t i = 0; i < FN_ARRAY_COUNT(never); i++) {
        fn_idle idle;
        fn_idle_init(&idle, never[i], never[i], 5 * S);
        assert_int_equal(fn_idle_deadline(&idle), FN_NEVER);
        assert_int_equal(fn_idle_check(&idle, FN_NEVER - 1), FN_IDLE_NOTHING);
        fn_idle_on_sent(&idle, 6 * S);
        fn_idle_on_received(&idle, 7 * S);
        assert_int_equal(fn_idle_deadline(&idle), FN_NEVER);
        fn_idle_init(&idle, never[i], 10 * S, 5 * S);
        assert_turns(&idle, 15 * S, FN_IDLE_KEEPALIVE);
        assert_int_equal(fn_idle_check(&idle, FN_NEVER - 1), FN_IDLE_KEEPALIVE);
    }
}

static void r6_silence_ends_the_session_whatever_we_send(void **unused)
{
    (void)unused;
    fn_idle idle;
    fn_idle_init(&idle, 30 * S, 10 * S, 0);
    for (uint64_t now = 0; now < 30 * S; now += S / 60)
        fn_idle_on_sent(&idle, now);
    assert_int_equal(fn_idle_check(&idle, 30 * S - 1), FN_IDLE_NOTHING);
    assert_int_equal(fn_idle_check(&idle, 30 * S), FN_IDLE_TIMEOUT);
}

static void who_has_just_spoken_gets_time_for_the_answer(void **unused)
{
    (void)unused;
    fn_idle idle;
    fn_idle_init(&idle, 30 * S, 0, 0);
    fn_idle_on_sent(&idle, 29 * S);
    assert_int_equal(fn_idle_deadline(&idle), 59 * S);
    fn_idle_on_sent(&idle, 58 * S);
    assert_turns(&idle, 59 * S, FN_IDLE_TIMEOUT);
    fn_idle_on_received(&idle, 58 * S);
    assert_turns(&idle, 88 * S, FN_IDLE_TIMEOUT);
}

/* --- recalled after a stall --- */

/* What waited in the socket says nothing: the session ends when it would have without the stall. */
static void a_stall_counts_nothing_as_heard_just_now(void **unused)
{
    (void)unused;
    fn_idle idle;
    fn_idle_init(&idle, 30 * S, 0, 0);
    fn_idle_on_received(&idle, 100 * S);
    fn_idle_on_received(&idle, 110 * S); /* out of the socket, after a stall from 100 on */
    assert_true(fn_idle_recall(&idle, 100 * S, 110 * S));
    fn_idle_on_sent(&idle, 110 * S); /* the question */
    assert_int_equal(fn_idle_timeout_at(&idle), 130 * S);
    fn_idle_on_received(&idle, 111 * S);
    assert_int_equal(fn_idle_timeout_at(&idle), 141 * S);
}

static void after_a_long_stall_everybody_has_three_seconds(void **unused)
{
    (void)unused;
    for (int spoke = 0; spoke < 2; spoke++)
        for (int waited = 0; waited < 2; waited++) {
            fn_idle idle;
            fn_idle_init(&idle, 30 * S, 0, 0);
            fn_idle_on_received(&idle, 99 * S);
            if (spoke)
                fn_idle_on_sent(&idle, 100 * S);
            if (waited)
                fn_idle_on_received(&idle, 140 * S);
            assert_true(fn_idle_recall(&idle, 100 * S, 140 * S));
            fn_idle_on_sent(&idle, 140 * S);
            assert_turns(&idle, 143 * S, FN_IDLE_TIMEOUT);
        }
}

static void a_timeout_shorter_than_that_stays_as_it_is(void **unused)
{
    (void)unused;
    fn_idle idle;
    fn_idle_init(&idle, 1 * S, 0, 0);
    assert_true(fn_idle_recall(&idle, 10 * S, 20 * S));
    assert_turns(&idle, 21 * S, FN_IDLE_TIMEOUT);
    fn_idle_init(&idle, 0, 0, 0);
    assert_true(fn_idle_recall(&idle, 10 * S, 20 * S));
    assert_int_equal(fn_idle_timeout_at(&idle), FN_NEVER);
}

/* Who never looks in time would keep the dead for ever. */
static void the_time_is_given_once_until_something_is_heard(void **unused)
{
    (void)unused;
    fn_idle idle;
    fn_idle_init(&idle, 30 * S, 0, 100 * S);
    assert_true(fn_idle_recall(&idle, 100 * S, 140 * S));
    assert_false(fn_idle_recall(&idle, 140 * S, 145 * S));
    assert_int_equal(fn_idle_timeout_at(&idle), 143 * S);
    fn_idle_on_received(&idle, 142 * S);
    assert_true(fn_idle_recall(&idle, 142 * S, 200 * S));
    assert_int_equal(fn_idle_timeout_at(&idle), 203 * S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(r6_keep_alive_is_due_after_quiet),
        cmocka_unit_test(r6_keep_alive_keeps_two_quiet_peers_connected),
        cmocka_unit_test(r6_keep_alive_fits_into_a_short_timeout),
        cmocka_unit_test(r6_idle_timeout_zero_is_never),
        cmocka_unit_test(r6_silence_ends_the_session_whatever_we_send),
        cmocka_unit_test(who_has_just_spoken_gets_time_for_the_answer),
        cmocka_unit_test(a_stall_counts_nothing_as_heard_just_now),
        cmocka_unit_test(after_a_long_stall_everybody_has_three_seconds),
        cmocka_unit_test(a_timeout_shorter_than_that_stays_as_it_is),
        cmocka_unit_test(the_time_is_given_once_until_something_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
