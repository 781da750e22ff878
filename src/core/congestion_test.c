#include "core/congestion.h"

#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS     FN_NS_PER_MS
#define S      FN_NS_PER_S
#define PACKET 1200

static void send_packets(fn_congestion *congestion, uint32_t count, uint64_t now_ns)
{
    for (uint32_t i = 0; i < count; i++)
        fn_congestion_on_sent(congestion, PACKET, now_ns);
}

static void algorithms_are_found_by_name(void **unused)
{
    (void)unused;
    assert_ptr_equal(fn_congestion_find("cubic"), &fn_cubic_ops);
    assert_ptr_equal(fn_congestion_find("fixed"), &fn_fixed_window_ops);
    assert_null(fn_congestion_find("bbr"));
    assert_null(fn_congestion_find(""));
}

static void every_algorithm_counts_what_is_in_flight(void **unused)
{
    (void)unused;
    const char *const names[] = {"cubic", "fixed"};
    for (size_t i = 0; i < FN_ARRAY_COUNT(names); i++) {
        fn_congestion congestion;
        fn_congestion_init(&congestion, fn_congestion_find(names[i]), PACKET);
        uint64_t window = fn_congestion_window(&congestion);
        assert_int_equal(fn_congestion_room(&congestion), window);
        send_packets(&congestion, 3, S);
        assert_int_equal(fn_congestion_room(&congestion), window - 3 * PACKET);
        fn_congestion_on_acked(&congestion, PACKET, S, 10 * MS, S + 10 * MS);
        fn_congestion_on_removed(&congestion, PACKET);
        assert_int_equal(congestion.in_flight_bytes, PACKET);
        fn_congestion_on_lost(&congestion, PACKET, S, S + 20 * MS);
        assert_int_equal(congestion.in_flight_bytes, 0);
        send_packets(&congestion, 1000, 2 * S);
        assert_int_equal(fn_congestion_room(&congestion), 0);
    }
}

static void one_round_of_losses_is_one_reaction(void **unused)
{
    (void)unused;
    fn_congestion congestion;
    fn_congestion_init(&congestion, &fn_cubic_ops, PACKET);
    send_packets(&congestion, 10, S);
    assert_true(fn_congestion_on_lost(&congestion, PACKET, S, S + 100 * MS));
    assert_int_equal(fn_congestion_window(&congestion), 7 * PACKET);
    for (uint32_t i = 0; i < 8; i++)
        assert_false(fn_congestion_on_lost(&congestion, PACKET, S, S + (110 + i) * MS));
    assert_int_equal(fn_congestion_window(&congestion), 7 * PACKET);

    send_packets(&congestion, 2, S + 100 * MS); /* in the same instant as the reaction: before it */
    assert_false(fn_congestion_on_lost(&congestion, PACKET, S + 100 * MS, S + 200 * MS));
    send_packets(&congestion, 2, S + 101 * MS);
    assert_true(fn_congestion_on_lost(&congestion, PACKET, S + 101 * MS, S + 300 * MS));
    assert_int_equal(fn_congestion_window(&congestion), 7 * PACKET * 7 / 10);
}

static void recovery_does_not_grow_the_window(void **unused)
{
    (void)unused;
    fn_congestion congestion;
    fn_congestion_init(&congestion, &fn_cubic_ops, PACKET);
    send_packets(&congestion, 10, S);
    fn_congestion_on_lost(&congestion, PACKET, S, S + 100 * MS);
    for (uint32_t i = 0; i < 9; i++)
        fn_congestion_on_acked(&congestion, PACKET, S, 100 * MS, S + 101 * MS);
    assert_int_equal(fn_congestion_window(&congestion), 7 * PACKET);
}

static void loss_of_uncounted_packets_still_reacts(void **unused)
{
    (void)unused;
    fn_congestion congestion;
    fn_congestion_init(&congestion, &fn_cubic_ops, PACKET);
    assert_true(fn_congestion_on_lost(&congestion, 0, S, S + 100 * MS));
    assert_int_equal(fn_congestion_window(&congestion), 7 * PACKET);
    fn_congestion_on_acked(&congestion, 0, S + 200 * MS, 100 * MS, S + 300 * MS);
    assert_int_equal(fn_congestion_window(&congestion), 7 * PACKET);
}

static void window_that_is_not_used_does_not_grow(void **unused)
{
    (void)unused;
    fn_congestion congestion;
    fn_congestion_init(&congestion, &fn_cubic_ops, PACKET);
    for (uint64_t now = S; now < 60 * S; now += 100 * MS) {
        send_packets(&congestion, 4, now); /* less than half of ten */
        for (uint32_t i = 0; i < 4; i++)
            fn_congestion_on_acked(&congestion, PACKET, now, 50 * MS, now + 50 * MS);
    }
    assert_int_equal(fn_congestion_window(&congestion), 10 * PACKET);
    send_packets(&congestion, 5, 61 * S);
    fn_congestion_on_acked(&congestion, PACKET, 61 * S, 50 * MS, 61 * S + 50 * MS);
    assert_int_equal(fn_congestion_window(&congestion), 11 * PACKET);
}

static void in_avoidance_only_a_full_window_grows(void **unused)
{
    (void)unused;
    fn_congestion congestion;
    fn_congestion_init(&congestion, &fn_cubic_ops, PACKET);
    fn_congestion_on_lost(&congestion, 0, S, S + 1);
    for (uint64_t now = 2 * S; now < 20 * S; now += 100 * MS) {
        send_packets(&congestion, 6, now); /* of seven */
        for (uint32_t i = 0; i < 6; i++)
            fn_congestion_on_acked(&congestion, PACKET, now, 50 * MS, now + 50 * MS);
    }
    assert_int_equal(fn_congestion_window(&congestion), 7 * PACKET);
    for (uint64_t now = 30 * S; now < 40 * S; now += 100 * MS) {
        send_packets(&congestion, 7, now);
        for (uint32_t i = 0; i < 7; i++)
            fn_congestion_on_acked(&congestion, PACKET, now, 50 * MS, now + 50 * MS);
    }
    assert_true(fn_congestion_window(&congestion) > 7 * PACKET);
}

static void persistent_congestion_keeps_the_threshold_of_the_first_loss(void **unused)
{
    (void)unused;
    fn_congestion congestion;
    fn_congestion_init(&congestion, &fn_cubic_ops, PACKET);
    send_packets(&congestion, 10, S);
    fn_congestion_on_lost(&congestion, PACKET, S, 2 * S);
    fn_congestion_on_persistent_congestion(&congestion, 3 * S);
    assert_int_equal(fn_congestion_window(&congestion), 2 * PACKET);
    assert_false(fn_congestion_on_lost(&congestion, PACKET, S + 1, 3 * S + 1));
    assert_true(congestion.ops->in_slow_start(&congestion.state));
    assert_int_equal(fn_congestion_window(&congestion), 2 * PACKET);
}

static void fixed_window_stays(void **unused)
{
    (void)unused;
    fn_congestion congestion;
    fn_congestion_init(&congestion, &fn_fixed_window_ops, PACKET);
    assert_int_equal(fn_congestion_window(&congestion), FN_FIXED_WINDOW_PACKETS * PACKET);
    send_packets(&congestion, 300, S);
    for (uint32_t i = 0; i < 100; i++)
        fn_congestion_on_acked(&congestion, PACKET, S, MS, S + MS);
    fn_congestion_on_lost(&congestion, PACKET, S, 2 * S);
    fn_congestion_on_persistent_congestion(&congestion, 3 * S);
    assert_int_equal(fn_congestion_window(&congestion), FN_FIXED_WINDOW_PACKETS * PACKET);
    fn_congestion_set_packet_bytes(&congestion, 1452);
    assert_int_equal(fn_congestion_window(&congestion), FN_FIXED_WINDOW_PACKETS * 1452);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(algorithms_are_found_by_name),
        cmocka_unit_test(every_algorithm_counts_what_is_in_flight),
        cmocka_unit_test(one_round_of_losses_is_one_reaction),
        cmocka_unit_test(recovery_does_not_grow_the_window),
        cmocka_unit_test(loss_of_uncounted_packets_still_reacts),
        cmocka_unit_test(window_that_is_not_used_does_not_grow),
        cmocka_unit_test(in_avoidance_only_a_full_window_grows),
        cmocka_unit_test(persistent_congestion_keeps_the_threshold_of_the_first_loss),
        cmocka_unit_test(fixed_window_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
