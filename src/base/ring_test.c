#include "base/ring.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct item {
    uint8_t bytes[5]; /* an odd size: places are counted in items, not words */
} item;

static item item_of(uint64_t number)
{
    item made = {{(uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16), 7, 9}};
    return made;
}

static void assert_item(const void *got, uint64_t number)
{
    item expected = item_of(number);
    assert_non_null(got);
    assert_memory_equal(got, &expected, sizeof(expected));
}

static void keeps_order_through_random_pushes_and_pops(void **unused)
{
    (void)unused;
    for (uint32_t capacity = 1; capacity <= 16; capacity *= 2) {
        item memory[17];
        memset(memory, 0xee, sizeof(memory));
        fn_ring ring;
        fn_ring_init(&ring, memory, sizeof(item), capacity);
        fn_rng rng;
        fn_rng_init(&rng, capacity);
        uint64_t pushed = 0;
        uint64_t popped = 0;
        for (int step = 0; step < 5000; step++) {
            item moved = item_of(pushed);
            if (fn_rng_chance(&rng, 500)) {
                bool fits = pushed - popped < capacity;
                assert_int_equal(fn_ring_full(&ring), !fits);
                assert_int_equal(fn_ring_push_back(&ring, &moved), fits);
                pushed += fits;
            } else {
                bool any = pushed != popped;
                assert_int_equal(fn_ring_pop_front(&ring, &moved), any);
                if (any)
                    assert_item(&moved, popped);
                popped += any;
            }
            assert_int_equal(fn_ring_count(&ring), pushed - popped);
            for (uint32_t i = 0; i < fn_ring_count(&ring); i++)
                assert_item(fn_ring_at(&ring, i), popped + i);
            assert_null(fn_ring_at(&ring, fn_ring_count(&ring)));
            assert_ptr_equal(fn_ring_front(&ring), fn_ring_at(&ring, 0));
        }
        assert_int_equal(memory[capacity].bytes[0], 0xee);
    }
}

static void works_in_place_and_across_the_counter_wrap(void **unused)
{
    (void)unused;
    uint32_t memory[4];
    fn_ring ring;
    fn_ring_init(&ring, memory, sizeof(uint32_t), 4);
    ring.head = UINT32_MAX - 1; /* as after four thousand million pops */
    for (uint32_t i = 0; i < 4; i++)
        *(uint32_t *)fn_ring_push_slot(&ring) = i;
    assert_null(fn_ring_push_slot(&ring));
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(*(uint32_t *)fn_ring_front(&ring), i);
        assert_true(fn_ring_pop_front(&ring, NULL));
    }
    assert_null(fn_ring_front(&ring));
    fn_ring_push_slot(&ring);
    fn_ring_clear(&ring);
    assert_int_equal(fn_ring_count(&ring), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_through_random_pushes_and_pops),
        cmocka_unit_test(works_in_place_and_across_the_counter_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
