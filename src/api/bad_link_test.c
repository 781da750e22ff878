#include "host/carrier/bad_link.h"

#include "api/allocator.h"
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static fn_memory memory(void)
{
    const FastNetAllocator none = {0};
    return fn_allocator_memory(&none);
}

static fn_bad_link *make(fn_bad_link_settings settings)
{
    fn_memory from = memory();
    fn_bad_link *link = fn_bad_link_create(&from, &settings, 64);
    assert_non_null(link);
    return link;
}

static void destroy(fn_bad_link *link)
{
    fn_memory to = memory();
    fn_bad_link_destroy(&to, link);
}

static void put(fn_bad_link *link, uint64_t now_ns, uint32_t number)
{
    fn_address to = fn_address_any(true, 7);
    fn_bad_link_put(link, now_ns, &to, NULL, (const uint8_t *)&number, sizeof number);
}

/* How many come out until the link is empty; numbers[] gets their order. */
static uint32_t drain(fn_bad_link *link, uint32_t *numbers)
{
    uint32_t count = 0;
    const fn_bad_link_item *item;
    while ((item = fn_bad_link_take(link, FN_NEVER - 1)) != NULL) {
        assert_int_equal(item->bytes, sizeof *numbers);
        assert_int_equal(item->to.port, 7);
        memcpy(&numbers[count++], item->data, sizeof *numbers);
    }
    return count;
}

enum { MANY = 2000 };

static uint32_t numbers[2 * MANY];

static void nothing_is_changed_by_a_good_link(void **state)
{
    (void)state;
    fn_bad_link *link = make((fn_bad_link_settings){0});
    for (uint32_t i = 0; i < MANY; i++)
        put(link, i, i);
    assert_int_equal(drain(link, numbers), MANY);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(numbers[i], i);
    assert_true(fn_bad_link_deadline_ns(link) == FN_NEVER);
    destroy(link);
}

static void loss_and_repetition_have_their_rates(void **state)
{
    (void)state;
    static const struct {
        fn_bad_link_settings settings;
        uint32_t low;
        uint32_t high;
    } rows[] = {
        {{.loss_permille = 1000}, 0, 0},
        {{.loss_permille = 500, .seed = 1}, MANY * 45 / 100, MANY * 55 / 100},
        {{.duplicate_permille = 1000}, 2 * MANY, 2 * MANY},
        {{.duplicate_permille = 100, .seed = 2}, MANY * 108 / 100, MANY * 112 / 100},
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(rows); i++) {
        fn_bad_link *link = make(rows[i].settings);
        for (uint32_t k = 0; k < MANY; k++)
            put(link, k, k);
        assert_in_range(drain(link, numbers), rows[i].low, rows[i].high);
        destroy(link);
    }
}

static void delay_and_jitter_hold_back(void **state)
{
    (void)state;
    fn_bad_link *link = make((fn_bad_link_settings){.delay_ms = 10, .jitter_ms = 5, .seed = 3});
    for (uint32_t i = 0; i < 100; i++)
        put(link, 0, i);
    assert_in_range(fn_bad_link_deadline_ns(link), 10 * FN_NS_PER_MS, 15 * FN_NS_PER_MS);
    assert_null(fn_bad_link_take(link, 10 * FN_NS_PER_MS - 1));
    uint32_t count = 0;
    while (fn_bad_link_take(link, 15 * FN_NS_PER_MS) != NULL)
        count++;
    assert_int_equal(count, 100);
    destroy(link);
}

static void same_seed_gives_the_same_fate(void **state)
{
    (void)state;
    static uint32_t again[2 * MANY];
    const fn_bad_link_settings settings = {300, 200, 1, 50, 77};
    fn_bad_link *a = make(settings);
    fn_bad_link *b = make(settings);
    for (uint32_t i = 0; i < MANY; i++) {
        put(a, i * 1000, i);
        put(b, i * 1000, i);
    }
    uint32_t count = drain(a, numbers);
    assert_int_equal(drain(b, again), count);
    assert_memory_equal(numbers, again, count * sizeof *again);
    destroy(a);
    destroy(b);
}

static void what_does_not_fit_is_lost(void **state)
{
    (void)state;
    static uint32_t all[FN_BAD_LINK_DATAGRAMS_MAX + 10];
    fn_bad_link *link = make((fn_bad_link_settings){.delay_ms = 1});
    for (uint32_t i = 0; i < FN_BAD_LINK_DATAGRAMS_MAX + 10; i++)
        put(link, 0, i);
    assert_int_equal(drain(link, all), FN_BAD_LINK_DATAGRAMS_MAX);
    destroy(link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_changed_by_a_good_link),
        cmocka_unit_test(loss_and_repetition_have_their_rates),
        cmocka_unit_test(delay_and_jitter_hold_back),
        cmocka_unit_test(same_seed_gives_the_same_fate),
        cmocka_unit_test(what_does_not_fit_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
