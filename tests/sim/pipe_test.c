#include "pipe.h"

#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { TIMERS = 4096, BYTES = 40000 };
#define DELAY_NS (20 * FN_NS_PER_MS)

/* A clock, a heap and a seed: all that a pipe needs of a world. */
typedef struct bench {
    fn_internet internet;
    uint32_t notices;
    fn_heap_node *nodes[TIMERS];
    fn_link links[FN_PIPE_SIDES];
    fn_pipe pipe;
} bench;

static bench b;

static void count_notice(fn_internet *internet, fn_pipe *pipe, uint32_t side)
{
    (void)pipe;
    (void)internet;
    b.notices += side == 1;
}

static int open_pipe(void **state)
{
    (void)state;
    memset(&b, 0, sizeof b);
    fn_heap_init(&b.internet.heap, b.nodes, TIMERS);
    fn_rng_init(&b.internet.rng, 5);
    for (uint32_t side = 0; side < FN_PIPE_SIDES; side++)
        fn_link_init(&b.links[side], &(fn_link_config){.delay_ns = DELAY_NS}, side);
    fn_pipe_open(&b.pipe, &b.links[0], &b.links[1]);
    b.pipe.notify = count_notice;
    return 0;
}

static int free_pipe(void **state)
{
    (void)state;
    fn_pipe_free(&b.internet, &b.pipe);
    return fn_heap_min(&b.internet.heap) == NULL ? 0 : -1;
}

static void run(uint64_t for_ns)
{
    uint64_t until_ns = b.internet.now_ns + for_ns;
    fn_heap_node *node;
    while ((node = fn_heap_min(&b.internet.heap)) != NULL && node->deadline_ns <= until_ns) {
        fn_net_timer *timer = FN_CONTAINER_OF(node, fn_net_timer, node);
        b.internet.now_ns = node->deadline_ns;
        fn_heap_remove(&b.internet.heap, node);
        timer->fire(&b.internet, timer);
    }
    b.internet.now_ns = until_ns;
}

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 7 + at / 256);
}

/* Writes as long as there is room; returns how many bytes were written in all. */
static size_t write_all(size_t from, size_t to, size_t piece)
{
    uint8_t bytes[2000];
    while (from < to && fn_pipe_has_room(&b.pipe, 0)) {
        size_t count = fn_min_size(piece, to - from);
        for (size_t i = 0; i < count; i++)
            bytes[i] = byte_at(from + i);
        fn_pipe_write(&b.internet, &b.pipe, 0, bytes, count, (uint32_t)count);
        from += count;
    }
    return from;
}

static size_t read_all(size_t from)
{
    uint8_t bytes[777];
    size_t count;
    while ((count = fn_pipe_read(&b.internet, &b.pipe, 1, bytes, sizeof bytes)) > 0)
        for (size_t i = 0; i < count; i++)
            assert_int_equal(bytes[i], byte_at(from++));
    return from;
}

static void all_arrives_in_order_whatever_is_lost(void **state)
{
    (void)state;
    size_t written = 0, got = 0;
    b.pipe.loss_permille = 200;
    for (int i = 0; i < 2000 && got < BYTES; i++) {
        written = write_all(written, BYTES, 1000);
        run(10 * FN_NS_PER_MS);
        got = read_all(got);
    }
    assert_int_equal(got, BYTES);
}

static void nothing_comes_before_its_time(void **state)
{
    (void)state;
    write_all(0, 100, 100);
    run(DELAY_NS - 1);
    assert_int_equal(read_all(0), 0);
    run(FN_NS_PER_MS);
    assert_int_equal(read_all(0), 100);
    assert_true(b.notices > 0);
}

/* Nobody reads: the window fills, then what may wait. */
static void a_reader_that_stands_still_fills_the_window(void **state)
{
    (void)state;
    size_t written = 0;
    for (int i = 0; i < 100; i++) {
        written = write_all(written, 1000000, 1000);
        run(100 * FN_NS_PER_MS);
    }
    assert_in_range(written, FN_PIPE_WINDOW_BYTES + FN_PIPE_UNSENT_BYTES - 2000,
                    FN_PIPE_WINDOW_BYTES + FN_PIPE_UNSENT_BYTES + 2000);
    assert_int_equal(read_all(0), FN_PIPE_WINDOW_BYTES / 1000 * 1000);
    run(100 * FN_NS_PER_MS);
    assert_true(fn_pipe_has_room(&b.pipe, 0));
}

static void a_stalled_way_holds_back_and_lets_go(void **state)
{
    (void)state;
    fn_pipe_stall(&b.pipe, 0);
    write_all(0, 500, 100);
    run(FN_NS_PER_S);
    assert_int_equal(read_all(0), 0);
    fn_pipe_resume(&b.internet, &b.pipe, 0, 300 * FN_NS_PER_MS);
    run(299 * FN_NS_PER_MS);
    assert_int_equal(read_all(0), 0);
    write_all(500, 700, 100);
    run(100 * FN_NS_PER_MS);
    assert_int_equal(read_all(0), 700);
}

static void a_reset_leaves_half_a_segment(void **state)
{
    (void)state;
    write_all(0, 300, 100);
    fn_pipe_reset(&b.internet, &b.pipe);
    assert_false(fn_pipe_ended(&b.pipe, 1));
    size_t got = read_all(0);
    assert_in_range(got, 1, 50); /* of the first, or of its first part */
    assert_true(fn_pipe_ended(&b.pipe, 1));
    assert_true(fn_pipe_ended(&b.pipe, 0));
    write_all(300, 400, 100);
    run(FN_NS_PER_S);
    assert_int_equal(read_all(got), got);
}

static void the_end_comes_after_all_that_was_written(void **state)
{
    (void)state;
    write_all(0, 300, 100);
    fn_pipe_end(&b.internet, &b.pipe, 0);
    run(DELAY_NS + FN_NS_PER_MS);
    assert_false(fn_pipe_ended(&b.pipe, 1));
    assert_int_equal(read_all(0), 300);
    assert_true(fn_pipe_ended(&b.pipe, 1));
    assert_false(fn_pipe_ended(&b.pipe, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pipe, free_pipe)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_arrives_in_order_whatever_is_lost),
        TEST(nothing_comes_before_its_time),
        TEST(a_reader_that_stands_still_fills_the_window),
        TEST(a_stalled_way_holds_back_and_lets_go),
        TEST(a_reset_leaves_half_a_segment),
        TEST(the_end_comes_after_all_that_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
