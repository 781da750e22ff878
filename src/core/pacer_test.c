#include "core/pacer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS     FN_NS_PER_MS
#define S      FN_NS_PER_S
#define PACKET 1200

/* Sends all that it may, each period_ns, for one second after the first burst. Bytes sent. */
static uint64_t drive(uint64_t window, uint64_t rtt_ns, uint64_t period_ns, uint64_t *burst_max)
{
    fn_pacer pacer;
    fn_pacer_init(&pacer, window, rtt_ns, PACKET, 0);
    uint64_t sent = 0;
    *burst_max = 0;
    for (uint64_t now = 0; now <= S; now += period_ns) {
        uint64_t burst = 0;
        while (fn_pacer_can_send(&pacer, PACKET, now)) {
            fn_pacer_sent(&pacer, PACKET, now);
            burst += PACKET;
        }
        *burst_max = fn_max_u64(*burst_max, burst);
        sent += now == 0 ? 0 : burst;
    }
    return sent;
}

typedef struct pace_row {
    uint64_t window, rtt_ms, period_us;
    uint64_t rate;      /* 1.25 × window / rtt, per second */
    uint64_t burst_max; /* max(10 packets, 50 ms of rate), at most the window */
} pace_row;

static const pace_row pace_rows[] = {
    {120000, 50, 16667, 3000000, 120000}, /* 60 Hz: a tick earns 50000, all of it is kept */
    {120000, 50, 33333, 3000000, 120000}, /* 30 Hz */
    {120000, 50, 100, 3000000, 120000},   /* a spinning caller */
    {120000, 500, 16667, 300000, 15000},  {120000, 500, 1000, 300000, 15000},
    {12000, 300, 16667, 50000, 12000},    {1200000, 300, 16667, 5000000, 250000},
};

static void pace_holds_at_any_rhythm(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < FN_ARRAY_COUNT(pace_rows); i++) {
        const pace_row *row = &pace_rows[i];
        uint64_t burst = 0;
        uint64_t sent = drive(row->window, row->rtt_ms * MS, row->period_us * 1000, &burst);
        assert_true(burst <= row->burst_max);
        assert_true(burst + PACKET > row->burst_max);
        assert_in_range(sent, row->rate * 96 / 100 - PACKET, row->rate + PACKET);
    }
}

static void caller_of_60_hz_fills_the_window_each_tick_on_a_short_path(void **unused)
{
    (void)unused;
    uint64_t burst = 0;
    uint64_t sent = drive(60000, MS, 16667 * FN_NS_PER_US, &burst);
    assert_int_equal(sent, UINT64_C(59) * 60000); /* 59 ticks after the first within a second */
}

static void deadline_leads_to_one_packet(void **unused)
{
    (void)unused;
    fn_pacer pacer;
    fn_pacer_init(&pacer, 120000, 100 * MS, PACKET, 0);
    while (fn_pacer_can_send(&pacer, PACKET, 0))
        fn_pacer_sent(&pacer, PACKET, 0);
    uint64_t at = fn_pacer_deadline(&pacer, PACKET, 0);
    /* 75000 bytes of credit hold 62 packets and half of another; 600 bytes take 400 µs. */
    assert_int_equal(at, 400 * FN_NS_PER_US);
    assert_false(fn_pacer_can_send(&pacer, PACKET, at - 1));
    assert_true(fn_pacer_can_send(&pacer, PACKET, at));
}

static void traffic_that_did_not_ask_is_paid_back(void **unused)
{
    (void)unused;
    fn_pacer pacer;
    fn_pacer_init(&pacer, 12000, 300 * MS, PACKET, 0);
    fn_pacer_sent(&pacer, 12000, 0);
    fn_pacer_sent(&pacer, 5000, 0); /* under the rate floor */
    assert_int_equal(fn_pacer_deadline(&pacer, PACKET, 0), (5000 + PACKET) * S / 50000);
}

static void unmeasured_path_is_no_division_by_zero(void **unused)
{
    (void)unused;
    fn_pacer pacer;
    fn_pacer_init(&pacer, UINT64_MAX, 0, PACKET, 0);
    assert_true(fn_pacer_can_send(&pacer, PACKET, 0));
    fn_pacer_set_rate(&pacer, 0, 0, PACKET, 1);
    assert_int_equal(fn_pacer_deadline(&pacer, PACKET, 1), FN_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pace_holds_at_any_rhythm),
        cmocka_unit_test(caller_of_60_hz_fills_the_window_each_tick_on_a_short_path),
        cmocka_unit_test(deadline_leads_to_one_packet),
        cmocka_unit_test(traffic_that_did_not_ask_is_paid_back),
        cmocka_unit_test(unmeasured_path_is_no_division_by_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
