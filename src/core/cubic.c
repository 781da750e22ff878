#include "core/cubic.h"

#include "base/units.h"

#define Q16                16
#define WINDOW_Q16_MAX     ((uint64_t)FN_CONGESTION_WINDOW_BYTES_MAX << Q16)
#define IDLE_AFTER_NS      (50 * FN_NS_PER_MS) /* shorter gaps between acks are the caller's rhythm */
#define CURVE_DISTANCE_MAX UINT64_C(200000)    /* ms from K; beyond the window's maximum anyway */
#define ROOT_MAX           UINT64_C(2642245)   /* the cube root of 2^64 */

/* RFC 9438 §5: C = 0.4 and β = 0.7, as fractions, and what follows from them. */
#define BETA_NUMERATOR       7
#define BETA_DENOMINATOR     10
#define CONVERGE_NUMERATOR   17 /* (1 + β) / 2 */
#define CONVERGE_DENOMINATOR 20
#define RENO_NUMERATOR       9 /* 3 (1 - β) / (1 + β) */
#define RENO_DENOMINATOR     17
#define CURVE_NUMERATOR      4
#define CURVE_DENOMINATOR    10
#define MS3_PER_S3           UINT64_C(1000000000)

uint64_t fn_cubic_root(uint64_t value)
{
    uint64_t low = 0;
    uint64_t high = ROOT_MAX;
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (middle * middle * middle <= value)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static uint64_t min_q16(const fn_cubic *cubic)
{
    return ((uint64_t)FN_CONGESTION_MIN_PACKETS * cubic->packet_bytes) << Q16;
}

static void init(void *state, uint32_t packet_bytes)
{
    fn_cubic *cubic = state;
    *cubic = (fn_cubic){
        .window_q16 = fn_congestion_initial_bytes(packet_bytes) << Q16,
        .threshold_q16 = FN_NEVER,
        .packet_bytes = packet_bytes,
    };
}

static void on_sent(void *state, uint64_t bytes, uint64_t now_ns)
{
    (void)state;
    (void)bytes;
    (void)now_ns;
}

/* RFC 9438 §4.2; and §4.8: without a known peak the curve starts flat, here and now. */
static void epoch_begin(fn_cubic *cubic)
{
    cubic->epoch = true;
    cubic->elapsed_ns = 0;
    cubic->reno_q16 = cubic->window_q16;
    cubic->inflection_ms = 0;
    if (cubic->peak_q16 <= cubic->window_q16) {
        cubic->peak_q16 = cubic->window_q16;
        return;
    }
    uint64_t climb_bytes = (cubic->peak_q16 - cubic->window_q16) >> Q16;
    uint64_t cube_ms3 =
        climb_bytes * (MS3_PER_S3 * CURVE_DENOMINATOR / CURVE_NUMERATOR) / cubic->packet_bytes;
    cubic->inflection_ms = (uint32_t)fn_cubic_root(cube_ms3);
}

/* Time with nothing in flight does not count (RFC 9438 §5.8). */
static void epoch_advance(fn_cubic *cubic, const fn_congestion_ack *ack)
{
    uint64_t gap_ns = fn_sub_saturating(ack->now_ns, cubic->last_ack_ns);
    uint64_t flight_ns = fn_sub_saturating(ack->now_ns, ack->sent_ns);
    cubic->elapsed_ns += fn_min_u64(gap_ns, fn_max_u64(flight_ns, IDLE_AFTER_NS));
}

/* W_cubic(t) = C (t - K)^3 + W_max (RFC 9438 §4.2). */
static uint64_t curve_q16(const fn_cubic *cubic, uint64_t elapsed_ns)
{
    uint64_t elapsed_ms = elapsed_ns / FN_NS_PER_MS;
    bool past = elapsed_ms > cubic->inflection_ms;
    uint64_t distance_ms =
        past ? elapsed_ms - cubic->inflection_ms : cubic->inflection_ms - elapsed_ms;
    distance_ms = fn_min_u64(distance_ms, CURVE_DISTANCE_MAX);
    uint64_t cube = distance_ms * distance_ms * distance_ms / 1000;
    uint64_t scaled = cube * CURVE_NUMERATOR * cubic->packet_bytes;
    uint64_t divisor = CURVE_DENOMINATOR * MS3_PER_S3 / 1000;
    uint64_t part_q16 = ((scaled / divisor) << Q16) + ((scaled % divisor) << Q16) / divisor;
    return past ? cubic->peak_q16 + part_q16 : fn_sub_saturating(cubic->peak_q16, part_q16);
}

/* W_est (RFC 9438 §4.3). */
static void reno_grow(fn_cubic *cubic, uint64_t bytes)
{
    uint64_t gain = (bytes * cubic->packet_bytes) << Q16;
    if (cubic->reno_q16 < cubic->prior_q16)
        gain = gain * RENO_NUMERATOR / RENO_DENOMINATOR;
    cubic->reno_q16 += gain / (cubic->window_q16 >> Q16);
    cubic->reno_q16 = fn_min_u64(cubic->reno_q16, WINDOW_Q16_MAX);
}

static void avoidance_grow(fn_cubic *cubic, const fn_congestion_ack *ack)
{
    if (cubic->epoch)
        epoch_advance(cubic, ack);
    else
        epoch_begin(cubic);
    reno_grow(cubic, ack->bytes);
    uint64_t window = cubic->window_q16;
    if (curve_q16(cubic, cubic->elapsed_ns) < cubic->reno_q16) {
        cubic->window_q16 = fn_max_u64(window, cubic->reno_q16);
        return;
    }
    uint64_t target = curve_q16(cubic, fn_add_saturating(cubic->elapsed_ns, ack->rtt_ns));
    target = fn_clamp_u64(target, window, window + window / 2);
    uint64_t step = (target - window) * ack->bytes / (window >> Q16);
    cubic->window_q16 = window + fn_min_u64(step, target - window);
}

static void on_acked(void *state, const fn_congestion_ack *ack)
{
    fn_cubic *cubic = state;
    if (ack->limited && cubic->window_q16 < cubic->threshold_q16)
        cubic->window_q16 += ack->bytes << Q16;
    else if (ack->limited)
        avoidance_grow(cubic, ack);
    cubic->window_q16 = fn_min_u64(cubic->window_q16, WINDOW_Q16_MAX);
    cubic->last_ack_ns = ack->now_ns;
}

/* Multiplicative decrease and fast convergence (RFC 9438 §4.6, §4.7). */
static void on_congestion(void *state, uint64_t now_ns)
{
    (void)now_ns;
    fn_cubic *cubic = state;
    uint64_t window = cubic->window_q16;
    cubic->peak_q16 =
        window < cubic->peak_q16 ? window * CONVERGE_NUMERATOR / CONVERGE_DENOMINATOR : window;
    cubic->prior_q16 = window;
    cubic->window_q16 = fn_max_u64(window * BETA_NUMERATOR / BETA_DENOMINATOR, min_q16(cubic));
    cubic->threshold_q16 = cubic->window_q16;
    cubic->epoch = false;
}

static void on_persistent_congestion(void *state, uint64_t now_ns)
{
    (void)now_ns;
    fn_cubic *cubic = state;
    cubic->window_q16 = min_q16(cubic);
    cubic->peak_q16 = 0;
    cubic->epoch = false;
}

static void on_packet_bytes(void *state, uint32_t packet_bytes)
{
    fn_cubic *cubic = state;
    cubic->packet_bytes = packet_bytes;
    cubic->window_q16 = fn_max_u64(cubic->window_q16, min_q16(cubic));
}

static uint64_t window(const void *state)
{
    const fn_cubic *cubic = state;
    return cubic->window_q16 >> Q16;
}

static bool in_slow_start(const void *state)
{
    const fn_cubic *cubic = state;
    return cubic->window_q16 < cubic->threshold_q16;
}

const fn_congestion_ops fn_cubic_ops = {
    .name = "cubic",
    .init = init,
    .on_sent = on_sent,
    .on_acked = on_acked,
    .on_congestion = on_congestion,
    .on_persistent_congestion = on_persistent_congestion,
    .on_packet_bytes = on_packet_bytes,
    .window = window,
    .in_slow_start = in_slow_start,
};
