#include "core/flow.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { WINDOW = 8000, MESSAGE_MAX = WINDOW - FN_FLOW_MESSAGE_COST };

static void a_message_costs_its_length_and_64(void **state)
{
    (void)state;
    fn_flow flow;
    fn_flow_init(&flow, 1000, 1000);
    assert_true(fn_flow_may_send(&flow, 936));
    assert_false(fn_flow_may_send(&flow, 937));
    fn_flow_charge(&flow, 436);
    assert_true(fn_flow_may_send(&flow, 436));
    assert_false(fn_flow_may_send(&flow, 437));
}

static void blocked_is_said_once_per_credit_value(void **state)
{
    (void)state;
    fn_flow flow;
    fn_flow_init(&flow, 1000, 1000);
    assert_false(fn_flow_may_send(&flow, 2000));
    assert_true(flow.say_blocked);
    flow.say_blocked = false;
    assert_false(fn_flow_may_send(&flow, 2000));
    assert_false(flow.say_blocked);
    assert_true(fn_flow_on_window(&flow, 1001));
    assert_false(fn_flow_may_send(&flow, 2000));
    assert_true(flow.say_blocked);
}

static void lost_blocked_is_repeated_only_while_it_is_news(void **state)
{
    (void)state;
    fn_flow flow;
    fn_flow_init(&flow, 1000, 1000);
    fn_flow_on_blocked_lost(&flow, 1000); /* was never said */
    assert_false(flow.say_blocked);
    fn_flow_may_send(&flow, 2000);
    flow.say_blocked = false;
    fn_flow_on_blocked_lost(&flow, 1000);
    assert_true(flow.say_blocked);
    fn_flow_on_window(&flow, 3000);
    assert_false(flow.say_blocked);
    fn_flow_on_blocked_lost(&flow, 1000);
    assert_false(flow.say_blocked);
}

static void credit_never_shrinks(void **state)
{
    (void)state;
    fn_flow flow;
    fn_flow_init(&flow, 1000, 1000);
    static const uint64_t values[] = {0, 1, 999, 1000};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        assert_false(fn_flow_on_window(&flow, values[i]));
    assert_int_equal(flow.limit, 1000);
    assert_true(fn_flow_on_window(&flow, (UINT64_C(1) << 62) - 1));
    assert_true(fn_flow_may_send(&flow, 1 << 24));
}

static void more_than_was_granted_is_refused(void **state)
{
    (void)state;
    fn_flow flow;
    fn_flow_init(&flow, 1000, 1000);
    assert_true(fn_flow_on_message(&flow, 436));
    assert_false(fn_flow_on_message(&flow, 437));
    assert_true(fn_flow_on_message(&flow, 436));
    assert_false(fn_flow_on_message(&flow, 0));
    fn_flow_release(&flow, 500);
    assert_false(fn_flow_on_message(&flow, 0)); /* not before it was said */
    assert_int_equal(fn_flow_announce(&flow), 1500);
    assert_true(fn_flow_on_message(&flow, 436));
}

static void credit_is_announced_by_quarters(void **state)
{
    (void)state;
    fn_flow flow;
    fn_flow_init(&flow, 1000, 1000);
    fn_flow_on_message(&flow, 900);
    fn_flow_release(&flow, 249);
    assert_false(flow.announce);
    fn_flow_release(&flow, 1);
    assert_true(flow.announce);
    assert_int_equal(fn_flow_announce(&flow), 1250);
    assert_false(flow.announce);
    fn_flow_on_window_lost(&flow, 1000); /* old news */
    assert_false(flow.announce);
    fn_flow_on_window_lost(&flow, 1250);
    assert_true(flow.announce);
}

/* One side with messages of any size, one that releases them some time after they arrived: whatever
 * the sizes, all that was sent arrives. Less than a quarter came free after BLOCKED once stood
 * still for ever. */
static void whoever_is_blocked_goes_on_when_anything_comes_free(void **state)
{
    (void)state;
    fn_rng rng;
    fn_rng_init(&rng, 11);
    fn_flow sender, receiver;
    fn_flow_init(&sender, WINDOW, WINDOW);
    fn_flow_init(&receiver, WINDOW, WINDOW);
    uint64_t held = 0;
    uint32_t stuck = 0;
    uint32_t bytes = 100;
    for (uint32_t sent = 0; sent < 2000;) {
        assert_true(++stuck < 100);
        if (fn_flow_may_send(&sender, bytes)) {
            fn_flow_charge(&sender, bytes);
            assert_true(fn_flow_on_message(&receiver, bytes));
            held += fn_flow_cost(bytes);
            bytes = (uint32_t)fn_rng_below(&rng, MESSAGE_MAX + 1);
            sent++;
            stuck = 0;
        } else if (sender.say_blocked) {
            sender.say_blocked = false;
            fn_flow_on_blocked(&receiver, sender.limit);
        }
        if (fn_rng_below(&rng, 2) == 0 && held > 0) {
            uint64_t cost = 1 + fn_rng_below(&rng, held);
            held -= cost;
            fn_flow_release(&receiver, cost);
        }
        if (receiver.announce)
            fn_flow_on_window(&sender, fn_flow_announce(&receiver));
    }
}

static void a_forged_blocked_value_does_no_harm(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 999, 1000, 1001, (UINT64_C(1) << 62) - 1};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        fn_flow flow;
        fn_flow_init(&flow, 1000, 1000);
        fn_flow_on_blocked(&flow, values[i]);
        if (flow.announce)
            assert_int_equal(fn_flow_announce(&flow), 1000);
        assert_false(fn_flow_on_message(&flow, 937));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_costs_its_length_and_64),
        cmocka_unit_test(blocked_is_said_once_per_credit_value),
        cmocka_unit_test(lost_blocked_is_repeated_only_while_it_is_news),
        cmocka_unit_test(credit_never_shrinks),
        cmocka_unit_test(more_than_was_granted_is_refused),
        cmocka_unit_test(credit_is_announced_by_quarters),
        cmocka_unit_test(whoever_is_blocked_goes_on_when_anything_comes_free),
        cmocka_unit_test(a_forged_blocked_value_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
