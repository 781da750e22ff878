#include "core/fixed_window.h"

static void on_packet_bytes(void *state, uint32_t packet_bytes)
{
    fn_fixed_window *fixed = state;
    fixed->window_bytes = (uint64_t)FN_FIXED_WINDOW_PACKETS * packet_bytes;
}

static void on_sent(void *state, uint64_t bytes, uint64_t now_ns)
{
    (void)state;
    (void)bytes;
    (void)now_ns;
}

static void on_acked(void *state, const fn_congestion_ack *ack)
{
    (void)state;
    (void)ack;
}

static void on_loss(void *state, uint64_t now_ns)
{
    (void)state;
    (void)now_ns;
}

static uint64_t window(const void *state)
{
    const fn_fixed_window *fixed = state;
    return fixed->window_bytes;
}

static bool in_slow_start(const void *state)
{
    (void)state;
    return false;
}

const fn_congestion_ops fn_fixed_window_ops = {
    .name = "fixed",
    .init = on_packet_bytes,
    .on_sent = on_sent,
    .on_acked = on_acked,
    .on_congestion = on_loss,
    .on_persistent_congestion = on_loss,
    .on_packet_bytes = on_packet_bytes,
    .window = window,
    .in_slow_start = in_slow_start,
};
