/* When a wait looks again and when it blocks. */
#include "host/spin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/units.h"
#include "fastnet.h"

#define US   FN_NS_PER_US
#define MS   FN_NS_PER_MS
#define FROM (1000 * MS)

/* Looks every microsecond from now on; returns how long it did before it would block. */
static uint64_t look_until_blocked(fn_spin *spin, uint64_t now_ns, uint64_t longest_ns)
{
    uint64_t spent_ns = 0;
    while (spent_ns < longest_ns && fn_spin_goes_on(spin, now_ns + spent_ns))
        spent_ns += US;
    return spent_ns;
}

static void zero_blocks_at_once(void **state)
{
    (void)state;
    fn_spin spin;
    fn_spin_init(&spin, 0);
    fn_spin_sent(&spin, FROM);
    assert_false(fn_spin_goes_on(&spin, FROM));
    fn_spin_received(&spin, FROM + US);
    assert_false(fn_spin_goes_on(&spin, FROM + US));
    assert_int_equal(spin.attempts, 0);
}

static void always_never_blocks(void **state)
{
    (void)state;
    fn_spin spin;
    fn_spin_init(&spin, FASTNET_SPIN_ALWAYS);
    for (uint64_t now_ns = FROM; now_ns < 3 * FROM; now_ns += MS)
        assert_true(fn_spin_goes_on(&spin, now_ns));
}

static void idle_blocks_at_once(void **state)
{
    (void)state;
    fn_spin spin;
    fn_spin_init(&spin, 50);
    assert_false(fn_spin_goes_on(&spin, FROM));
    assert_false(fn_spin_goes_on(&spin, FROM + US));
}

static void the_budget_runs_from_the_last_datagram(void **state)
{
    (void)state;
    fn_spin spin;
    fn_spin_init(&spin, 50);
    fn_spin_sent(&spin, FROM);
    assert_int_equal(look_until_blocked(&spin, FROM, MS), 50 * US);
    /* One attempt for what was sent, however often is asked. */
    assert_false(fn_spin_goes_on(&spin, FROM + 51 * US));
    assert_int_equal(spin.attempts, 1);
    assert_int_equal(spin.answered, 0);
}

static void answers_in_time_keep_it_spinning(void **state)
{
    (void)state;
    fn_spin spin;
    fn_spin_init(&spin, 50);
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t now_ns = FROM + i * 40 * US;
        fn_spin_sent(&spin, now_ns);
        assert_int_equal(look_until_blocked(&spin, now_ns, 30 * US), 30 * US);
        fn_spin_received(&spin, now_ns + 30 * US);
    }
    assert_int_equal(spin.attempts, 1000);
    assert_int_equal(spin.answered, 1000);
}

/* Sends at 60 Hz, each answered after 20 ms: spends almost nothing on it. */
static void answers_that_come_late_end_it_but_for_some_tries(void **state)
{
    (void)state;
    fn_spin spin;
    uint64_t spent_ns = 0, now_ns = FROM;
    fn_spin_init(&spin, 50);
    for (int i = 0; i < 1000; i++, now_ns += 16 * MS) {
        fn_spin_sent(&spin, now_ns);
        spent_ns += look_until_blocked(&spin, now_ns, MS);
        fn_spin_received(&spin, now_ns + 8 * MS);
        spent_ns += look_until_blocked(&spin, now_ns + 8 * MS, MS);
    }
    assert_in_range(spin.attempts, 2000 / 32, 2000 / 32 + 6);
    assert_int_equal(spent_ns, spin.attempts * 50 * US);
    assert_int_equal(spin.answered, 0);
}

static void one_answer_in_time_brings_it_back(void **state)
{
    (void)state;
    fn_spin spin;
    uint64_t now_ns = FROM;
    fn_spin_init(&spin, 50);
    for (int i = 0; i < 100; i++, now_ns += MS) {
        fn_spin_sent(&spin, now_ns);
        look_until_blocked(&spin, now_ns, MS);
    }
    uint64_t before = spin.attempts;
    fn_spin_sent(&spin, now_ns);
    assert_false(fn_spin_goes_on(&spin, now_ns));
    fn_spin_received(&spin, now_ns + 20 * US); /* while blocked, but soon */
    assert_true(fn_spin_goes_on(&spin, now_ns + 20 * US));
    assert_int_equal(spin.attempts, before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_blocks_at_once),
        cmocka_unit_test(always_never_blocks),
        cmocka_unit_test(idle_blocks_at_once),
        cmocka_unit_test(the_budget_runs_from_the_last_datagram),
        cmocka_unit_test(answers_in_time_keep_it_spinning),
        cmocka_unit_test(answers_that_come_late_end_it_but_for_some_tries),
        cmocka_unit_test(one_answer_in_time_brings_it_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
