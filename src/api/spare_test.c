#include "host/idle_work.h"

#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { TICK_MS = 16 };

static bool is_hot_after(uint64_t interval_ns, int datagrams)
{
    fn_idle_work spare = {.all_prepared = true};
    fn_peer peer = {.id = 3};
    for (int i = 0; i < datagrams; i++)
        fn_idle_work_heard(&spare, &peer, FN_NS_PER_S + (uint64_t)i * interval_ns);
    assert_int_equal(spare.rows[3].peer, 3);
    assert_int_equal(spare.all_prepared, !spare.rows[3].hot);
    return spare.rows[3].hot;
}

static void only_who_talks_fast_is_prepared_for(void **state)
{
    (void)state;
    assert_false(is_hot_after(0, 1));
    assert_true(is_hot_after(10 * FN_NS_PER_US, 2));
    assert_true(is_hot_after(FN_NS_PER_MS, 100));
    assert_false(is_hot_after(TICK_MS * FN_NS_PER_MS, 100));
}

/* A row is for one peer as long as that speaks, so that many do not take it from each other. */
static void a_row_stays_with_its_peer(void **state)
{
    (void)state;
    fn_idle_work spare = {.all_prepared = true};
    fn_peer first = {.id = 3}, second = {.id = 3 + FN_IDLE_WORK_PEERS};
    uint64_t now_ns = FN_NS_PER_S;
    fn_idle_work_heard(&spare, &first, now_ns);
    fn_idle_work_heard(&spare, &second, now_ns + TICK_MS * FN_NS_PER_MS);
    assert_int_equal(spare.rows[3].peer, first.id);
    fn_idle_work_heard(&spare, &second, now_ns + FN_NS_PER_S);
    assert_int_equal(spare.rows[3].peer, second.id);
    assert_false(spare.rows[3].hot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_who_talks_fast_is_prepared_for),
        cmocka_unit_test(a_row_stays_with_its_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
