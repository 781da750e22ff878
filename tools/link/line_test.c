#include "link/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { PACKETS_MAX = 1000, BYTES_MAX = 1 << 20 };

static fn_line start(fn_link_config config)
{
    fn_line line;
    assert_true(fn_line_start(&line, &config, 1, PACKETS_MAX, BYTES_MAX));
    return line;
}

static void nothing_comes_out_before_its_time(void **state)
{
    (void)state;
    fn_line line = start((fn_link_config){.delay_ns = 1000});
    assert_true(fn_line_due_ns(&line) == FN_NEVER);
    fn_line_put(&line, 5, "abc", 3, 42);
    uint64_t due_ns = fn_line_due_ns(&line);
    assert_in_range(due_ns, 1005, 1006);
    assert_null(fn_line_take(&line, due_ns - 1));
    fn_packet *packet = fn_line_take(&line, due_ns);
    assert_non_null(packet);
    assert_int_equal(packet->route, 42);
    assert_int_equal(packet->due_ns, due_ns);
    assert_int_equal(packet->bytes, 3);
    assert_memory_equal(packet->data, "abc", 3);
    fn_packet_release(packet);
    assert_int_equal(line.held_bytes, 0);
    assert_int_equal(line.delivered_bytes, 3);
    fn_line_stop(&line);
}

/* Against what the model says: a second link with the same seed answers the same. */
static void what_comes_out_is_what_the_model_said(void **state)
{
    (void)state;
    fn_link_config config = {.jitter_ns = 5000,
                             .loss_permille = 200,
                             .duplicate_permille = 200,
                             .corrupt_permille = 100};
    fn_line line = start(config);
    fn_link model;
    fn_link_init(&model, &config, 1);
    uint64_t copies_expected = 0, damaged_expected = 0, sum_expected = 0;
    for (uint64_t i = 0; i < 500; i++) {
        fn_link_copy copies[FN_LINK_COPIES_MAX];
        uint8_t data[100] = {0};
        fn_line_put(&line, i * 100, data, sizeof data, i);
        uint32_t count = fn_link_send(&model, i * 100, sizeof data, copies);
        for (uint32_t k = 0; k < count; k++) {
            copies_expected++;
            sum_expected += copies[k].at_ns;
            damaged_expected += copies[k].corrupt;
            if (copies[k].corrupt)
                fn_link_damage(&model, data, sizeof data);
        }
    }
    uint64_t copies = 0, damaged = 0, sum = 0, before_ns = 0;
    for (fn_packet *packet; (packet = fn_line_take(&line, FN_NEVER - 1)) != NULL; copies++) {
        static const uint8_t clean[100];
        assert_true(packet->due_ns >= before_ns);
        before_ns = packet->due_ns;
        sum += packet->due_ns;
        damaged += memcmp(packet->data, clean, sizeof clean) != 0;
        fn_packet_release(packet);
    }
    assert_int_equal(copies, copies_expected);
    assert_int_equal(damaged, damaged_expected);
    assert_int_equal(sum, sum_expected);
    assert_true(copies_expected > 300 && damaged_expected > 10);
    fn_line_stop(&line);
}

static void memory_is_bounded(void **state)
{
    (void)state;
    static const uint8_t data[10000];
    fn_line line = start((fn_link_config){.delay_ns = FN_NS_PER_S});
    for (uint32_t i = 0; i < 2 * PACKETS_MAX; i++)
        fn_line_put(&line, 0, data, 1, 0);
    assert_int_equal(line.heap.count, PACKETS_MAX);
    assert_int_equal(line.no_room, PACKETS_MAX);
    uint64_t last_ns = 0;
    assert_false(fn_line_put_stream(&line, 0, data, 1, 0, &last_ns));
    fn_line_stop(&line);
    line = start((fn_link_config){.delay_ns = FN_NS_PER_S});
    for (uint32_t i = 0; i < PACKETS_MAX; i++)
        fn_line_put(&line, 0, data, sizeof data, 0);
    assert_true(line.held_bytes <= BYTES_MAX);
    assert_true(line.held_bytes > BYTES_MAX - 2 * sizeof data);
    assert_true(line.no_room > 0);
    fn_line_stop(&line);
}

static void a_stream_comes_out_in_order_and_whole(void **state)
{
    (void)state;
    fn_line line = start((fn_link_config){.jitter_ns = 1000000, .loss_permille = 1000});
    uint64_t last_ns = 0;
    for (uint8_t i = 0; i < 200; i++)
        assert_true(fn_line_put_stream(&line, i, &i, i < 199, 7, &last_ns));
    for (uint8_t i = 0; i < 200; i++) {
        fn_packet *packet = fn_line_take(&line, FN_NEVER - 1);
        assert_non_null(packet);
        assert_int_equal(packet->bytes, i < 199);
        if (packet->bytes > 0)
            assert_int_equal(packet->data[0], i);
        fn_packet_release(packet);
    }
    fn_line_stop(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_comes_out_before_its_time),
        cmocka_unit_test(what_comes_out_is_what_the_model_said),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(a_stream_comes_out_in_order_and_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
