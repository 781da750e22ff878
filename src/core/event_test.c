#include "core/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { CAPACITY = 8 };

static fn_event memory[CAPACITY];

static fn_event made(uint32_t owner, uint64_t tag)
{
    return (fn_event){.type = FN_EVENT_MESSAGE, .owner = owner, .tag = tag};
}

static void events_come_out_in_order_and_none_is_lost(void **state)
{
    (void)state;
    fn_events events;
    fn_events_init(&events, memory, CAPACITY);
    uint64_t in = 0, out = 0;
    for (int round = 0; round < 100; round++) {
        fn_event event = made(1, in);
        while (fn_events_push(&events, &event))
            event = made(1, ++in);
        assert_int_equal(fn_events_room(&events), 0);
        for (int i = 0; i <= round % CAPACITY; i++) {
            assert_int_equal(fn_events_front(&events)->tag, out);
            assert_true(fn_events_pop(&events, &event));
            assert_int_equal(event.tag, out++);
        }
        assert_int_equal(fn_events_room(&events), round % CAPACITY + 1);
    }
}

/* Every set of withdrawn events of a full ring. */
static void withdrawn_events_are_passed_over(void **state)
{
    (void)state;
    for (uint32_t set = 0; set < 1u << CAPACITY; set++) {
        fn_events events;
        fn_events_init(&events, memory, CAPACITY);
        for (uint32_t i = 0; i < CAPACITY; i++) {
            fn_event event = made(i, i);
            fn_events_push(&events, &event);
        }
        for (uint32_t i = 0; i < CAPACITY; i++)
            if (set >> i & 1)
                fn_events_at(&events, i)->type = FN_EVENT_VOID;
        fn_event event;
        for (uint32_t i = 0; i < CAPACITY; i++) {
            if (set >> i & 1)
                continue;
            assert_true(fn_events_pop(&events, &event));
            assert_int_equal(event.owner, i);
        }
        assert_false(fn_events_pop(&events, &event));
        assert_null(fn_events_front(&events));
        assert_null(fn_events_at(&events, 0));
        assert_int_equal(fn_events_room(&events), CAPACITY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_out_in_order_and_none_is_lost),
        cmocka_unit_test(withdrawn_events_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
