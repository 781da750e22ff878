#include "core/cubic.h"

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

/* A sender that keeps its window full; each packet is acknowledged one round trip after it left. */
typedef struct flow {
    fn_congestion congestion;
    uint64_t now_ns;
    uint64_t rtt_ns;
} flow;

static void flow_init(flow *f, uint64_t rtt_ns)
{
    fn_congestion_init(&f->congestion, &fn_cubic_ops, PACKET);
    f->now_ns = 10 * S;
    f->rtt_ns = rtt_ns;
}

static double packets(const flow *f)
{
    return (double)fn_congestion_window(&f->congestion) / PACKET;
}

static void flow_fill(flow *f)
{
    while (fn_congestion_room(&f->congestion) >= PACKET)
        fn_congestion_on_sent(&f->congestion, PACKET, f->now_ns);
}

/* One round trip: the acknowledgements of one window, spread evenly over it. */
static void flow_round(flow *f)
{
    uint64_t count = fn_congestion_window(&f->congestion) / PACKET;
    uint64_t start_ns = f->now_ns;
    for (uint64_t i = 1; i <= count; i++) {
        flow_fill(f);
        f->now_ns = start_ns + f->rtt_ns * i / count;
        fn_congestion_on_acked(&f->congestion, PACKET, f->now_ns - f->rtt_ns, f->rtt_ns, f->now_ns);
    }
}

static void flow_grow_to(flow *f, uint64_t window_packets)
{
    flow_fill(f);
    while (packets(f) < (double)window_packets) {
        fn_congestion_on_acked(&f->congestion, PACKET, f->now_ns, f->rtt_ns, f->now_ns);
        flow_fill(f);
    }
}

/* The first loss of a round; then what was in flight is acknowledged, and recovery is over. */
static void flow_lose(flow *f)
{
    f->now_ns += f->rtt_ns;
    assert_true(fn_congestion_on_lost(&f->congestion, PACKET, f->now_ns - f->rtt_ns, f->now_ns));
    uint64_t sent_ns = f->now_ns;
    f->now_ns += f->rtt_ns;
    while (f->congestion.in_flight_bytes >= PACKET)
        fn_congestion_on_acked(&f->congestion, PACKET, sent_ns, f->rtt_ns, f->now_ns);
    f->now_ns += f->rtt_ns;
}

static double root_of(double value)
{
    double low = 0, high = value + 1;
    for (int i = 0; i < 200; i++) {
        double middle = (low + high) / 2;
        if (middle * middle * middle <= value)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void assert_near(double got, double expected, double tolerance)
{
    if (got < expected - tolerance || got > expected + tolerance)
        fail_msg("%f is not within %f of %f", got, tolerance, expected);
}

static void cube_root_is_exact(void **unused)
{
    (void)unused;
    for (uint64_t root = 0; root < 2642245; root += 1 + root / 50) {
        uint64_t cube = root * root * root;
        assert_int_equal(fn_cubic_root(cube), root);
        assert_int_equal(fn_cubic_root(cube + 3 * root * root + 3 * root), root);
        assert_true(root == 0 || fn_cubic_root(cube - 1) == root - 1);
    }
    assert_int_equal(fn_cubic_root(UINT64_MAX), 2642245);
}

static void initial_window_follows_the_rfc(void **unused)
{
    (void)unused;
    const uint32_t rows[][2] = {{1200, 12000}, {1452, 14520}, {1472, 14720},  {5000, 14720},
                                {7360, 14720}, {8952, 17904}, {65507, 131014}};
    for (size_t i = 0; i < FN_ARRAY_COUNT(rows); i++) {
        fn_congestion congestion;
        fn_congestion_init(&congestion, &fn_cubic_ops, rows[i][0]);
        assert_int_equal(fn_congestion_window(&congestion), rows[i][1]);
    }
}

static void slow_start_doubles_each_round(void **unused)
{
    (void)unused;
    flow f;
    flow_init(&f, 100 * MS);
    for (uint64_t expected = 10; expected < 5000; expected *= 2) {
        assert_near(packets(&f), (double)expected, 0.01);
        flow_round(&f);
    }
}

/* RFC 9438 Figure 1, computed in floating point: W(t) = 0.4 (t - K)^3 + W_max. */
static void growth_follows_the_cubic_curve(void **unused)
{
    (void)unused;
    const uint64_t peaks[] = {300, 500, 2000};
    for (size_t i = 0; i < FN_ARRAY_COUNT(peaks); i++) {
        flow f;
        flow_init(&f, 100 * MS);
        flow_grow_to(&f, peaks[i]);
        double peak = packets(&f);
        flow_lose(&f);
        assert_near(packets(&f), 0.7 * peak, 0.01);
        double inflection_s = root_of(0.3 * peak / 0.4);
        uint64_t start_ns = f.now_ns;
        while (f.now_ns < start_ns + 20 * S) {
            flow_round(&f);
            double t = (double)(f.now_ns - start_ns) / 1e9;
            double x = t - inflection_s;
            double expected = 0.4 * x * x * x + peak;
            if (t > 0.5)
                assert_near(packets(&f), expected, 0.01 * expected + 2);
        }
        assert_true(packets(&f) > peak);
    }
}

/* Short path, small window: what Reno would do is faster. 0.529 packets a round, then one. */
static void small_windows_grow_as_reno(void **unused)
{
    (void)unused;
    flow f;
    flow_init(&f, 10 * MS);
    flow_grow_to(&f, 20);
    flow_lose(&f);
    assert_near(packets(&f), 14, 0.01);
    double alpha = 3 * (1 - 0.7) / (1 + 0.7);
    for (uint32_t round = 1; round <= 11; round++) {
        flow_round(&f);
        assert_near(packets(&f), 14 + alpha * round, 0.35);
    }
    while (packets(&f) < 20)
        flow_round(&f);
    double before = packets(&f);
    for (uint32_t round = 1; round <= 10; round++)
        flow_round(&f);
    assert_near(packets(&f), before + 10, 0.6);
}

static void never_slower_than_reno(void **unused)
{
    (void)unused;
    flow f;
    flow_init(&f, 20 * MS);
    flow_grow_to(&f, 60);
    flow_lose(&f);
    double reno = packets(&f);
    for (uint32_t round = 0; round < 400; round++) {
        flow_round(&f);
        reno += 0.5294;
        assert_true(packets(&f) > reno * 0.98 - 1);
    }
}

static void fast_convergence_lowers_the_peak(void **unused)
{
    (void)unused;
    flow f;
    flow_init(&f, 100 * MS);
    flow_grow_to(&f, 1000);
    flow_lose(&f);
    assert_near((double)(f.congestion.state.cubic.peak_q16 >> 16) / PACKET, 1000, 1);
    flow_round(&f);
    double second = packets(&f);
    assert_true(second < 1000);
    flow_lose(&f);
    assert_near((double)(f.congestion.state.cubic.peak_q16 >> 16) / PACKET, 0.85 * second, 1);
    assert_near(packets(&f), 0.7 * second, 1);
}

static void window_never_falls_below_two_packets(void **unused)
{
    (void)unused;
    flow f;
    flow_init(&f, 50 * MS);
    for (int i = 0; i < 40; i++) {
        f.now_ns += S;
        fn_congestion_on_sent(&f.congestion, PACKET, f.now_ns);
        assert_true(fn_congestion_on_lost(&f.congestion, PACKET, f.now_ns, f.now_ns + 1));
        f.now_ns += 2;
        assert_true(fn_congestion_window(&f.congestion) >= 2 * PACKET);
    }
    assert_int_equal(fn_congestion_window(&f.congestion), 2 * PACKET);
    fn_congestion_set_packet_bytes(&f.congestion, 1452);
    assert_int_equal(fn_congestion_window(&f.congestion), 2 * 1452);
}

static void an_idle_minute_does_not_grow_the_window(void **unused)
{
    (void)unused;
    flow busy, idle;
    flow_init(&busy, 100 * MS);
    flow_grow_to(&busy, 400);
    flow_lose(&busy);
    for (uint32_t round = 0; round < 10; round++)
        flow_round(&busy);
    idle = busy;
    while (idle.congestion.in_flight_bytes > 0)
        fn_congestion_on_acked(&idle.congestion, PACKET, idle.now_ns - idle.rtt_ns, idle.rtt_ns,
                               idle.now_ns);
    idle.now_ns += 60 * S;
    for (uint32_t round = 0; round < 10; round++) {
        flow_round(&busy);
        flow_round(&idle);
    }
    assert_near(packets(&idle), packets(&busy), 0.02 * packets(&busy));
}

static void persistent_congestion_restarts_flat(void **unused)
{
    (void)unused;
    flow f;
    flow_init(&f, 100 * MS);
    flow_grow_to(&f, 100);
    flow_lose(&f);
    fn_congestion_on_persistent_congestion(&f.congestion, f.now_ns);
    assert_int_equal(fn_congestion_window(&f.congestion), 2 * PACKET);
    f.now_ns += 200 * MS;
    while (f.congestion.ops->in_slow_start(&f.congestion.state))
        flow_round(&f);
    assert_near(packets(&f), 70, 2); /* the threshold that the loss had set */
    flow_round(&f);
    assert_int_equal(f.congestion.state.cubic.inflection_ms, 0);
    assert_true(packets(&f) < 75);
}

static void growth_stops_at_the_limit(void **unused)
{
    (void)unused;
    fn_congestion congestion;
    fn_congestion_init(&congestion, &fn_cubic_ops, 65507);
    uint64_t now_ns = S;
    for (uint32_t i = 0; i < 40000; i++) {
        uint64_t bytes = fn_congestion_room(&congestion) > 0 ? 65507 : 0;
        fn_congestion_on_sent(&congestion, bytes, now_ns);
        fn_congestion_on_acked(&congestion, i % 2 == 0 ? 0 : bytes, now_ns, MS, now_ns);
        if (i == 30000)
            fn_congestion_on_lost(&congestion, 0, now_ns, now_ns + 1);
        now_ns += MS;
        assert_true(fn_congestion_window(&congestion) <= FN_CONGESTION_WINDOW_BYTES_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cube_root_is_exact),
        cmocka_unit_test(initial_window_follows_the_rfc),
        cmocka_unit_test(slow_start_doubles_each_round),
        cmocka_unit_test(growth_follows_the_cubic_curve),
        cmocka_unit_test(small_windows_grow_as_reno),
        cmocka_unit_test(never_slower_than_reno),
        cmocka_unit_test(fast_convergence_lowers_the_peak),
        cmocka_unit_test(window_never_falls_below_two_packets),
        cmocka_unit_test(an_idle_minute_does_not_grow_the_window),
        cmocka_unit_test(persistent_congestion_restarts_flat),
        cmocka_unit_test(growth_stops_at_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
