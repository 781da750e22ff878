#include "base/heap.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { nodes_count = 40 };

static void assert_whole(const fn_heap *heap)
{
    for (uint32_t i = 0; i < heap->count; i++) {
        assert_int_equal(heap->nodes[i]->place, i + 1);
        if (i > 0)
            assert_true(heap->nodes[(i - 1) / 4]->deadline_ns <= heap->nodes[i]->deadline_ns);
    }
}

static uint64_t model_min(const uint64_t *deadlines)
{
    uint64_t min = FN_NEVER;
    for (uint32_t i = 0; i < nodes_count; i++)
        min = fn_min_u64(min, deadlines[i]);
    return min;
}

static void agrees_with_a_linear_search(void **unused)
{
    (void)unused;
    fn_heap_node nodes[nodes_count];
    memset(nodes, 0, sizeof(nodes)); /* zeroed nodes are in no heap */
    fn_heap_node *places[nodes_count];
    uint64_t deadlines[nodes_count];
    fn_heap heap;
    fn_heap_init(&heap, places, nodes_count);
    for (uint32_t i = 0; i < nodes_count; i++)
        deadlines[i] = FN_NEVER;
    fn_rng rng;
    fn_rng_init(&rng, 7);
    for (int step = 0; step < 50000; step++) {
        uint32_t at = (uint32_t)fn_rng_below(&rng, nodes_count);
        uint64_t kind = fn_rng_below(&rng, 10);
        deadlines[at] = kind < 7 ? fn_rng_below(&rng, 50) : FN_NEVER;
        if (kind == 9)
            fn_heap_remove(&heap, &nodes[at]);
        else
            assert_true(fn_heap_set(&heap, &nodes[at], deadlines[at]));
        assert_int_equal(nodes[at].deadline_ns, deadlines[at]);
        assert_int_equal(fn_heap_contains(&nodes[at]), deadlines[at] != FN_NEVER);
        assert_int_equal(fn_heap_deadline_ns(&heap), model_min(deadlines));
        assert_int_equal(fn_heap_min(&heap) == NULL, model_min(deadlines) == FN_NEVER);
        assert_whole(&heap);
    }
}

/* All orders of inserting seven deadlines, two of them equal, then
 * taking the earliest each time. */
static void drains_every_order_of_insertion_sorted(void **unused)
{
    (void)unused;
    static const uint64_t values[7] = {10, 20, 30, 30, 40, 50, 60};
    for (uint32_t order = 0; order < 5040; order++) {
        fn_heap_node nodes[7];
        fn_heap_node *places[7];
        uint64_t left[7];
        fn_heap heap;
        fn_heap_init(&heap, places, 7);
        memcpy(left, values, sizeof(left));
        uint32_t rest = order;
        for (uint32_t i = 0; i < 7; i++) {
            uint32_t pick = rest % (7 - i);
            rest /= 7 - i;
            fn_heap_node_init(&nodes[i]);
            assert_true(fn_heap_set(&heap, &nodes[i], left[pick]));
            left[pick] = left[6 - i];
        }
        for (uint32_t i = 0; i < 7; i++) {
            assert_int_equal(fn_heap_deadline_ns(&heap), values[i]);
            fn_heap_remove(&heap, fn_heap_min(&heap));
            assert_whole(&heap);
        }
        assert_null(fn_heap_min(&heap));
    }
}

static void refuses_one_more_than_it_holds(void **unused)
{
    (void)unused;
    fn_heap_node nodes[3] = {{0, 0}, {0, 0}, {0, 0}};
    fn_heap_node *places[2];
    fn_heap heap;
    fn_heap_init(&heap, places, 2);
    assert_true(fn_heap_set(&heap, &nodes[0], 5));
    assert_true(fn_heap_set(&heap, &nodes[1], 4));
    assert_false(fn_heap_set(&heap, &nodes[2], 3));
    assert_false(fn_heap_contains(&nodes[2]));
    assert_true(fn_heap_set(&heap, &nodes[2], FN_NEVER));
    assert_true(fn_heap_set(&heap, &nodes[0], 1));
    assert_int_equal(fn_heap_deadline_ns(&heap), 1);
    assert_true(fn_heap_set(&heap, &nodes[0], FN_NEVER));
    assert_true(fn_heap_set(&heap, &nodes[2], 3));
    assert_ptr_equal(fn_heap_min(&heap), &nodes[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_linear_search),
        cmocka_unit_test(drains_every_order_of_insertion_sorted),
        cmocka_unit_test(refuses_one_more_than_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
