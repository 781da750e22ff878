#include "core/pacer.h"

typedef struct pace {
    uint64_t rate_bytes_per_s;
    uint64_t cap_bytes;
} pace;

static pace pace_of(uint64_t window_bytes, uint64_t rtt_ns, uint32_t packet_bytes)
{
    uint64_t window = fn_min_u64(window_bytes, FN_BUCKET_CAP_BYTES_MAX);
    uint64_t rate = window * FN_NS_PER_S / 4 * 5 / fn_max_u64(rtt_ns, 1);
    rate = fn_min_u64(rate, FN_BUCKET_RATE_BYTES_PER_S_MAX);
    uint64_t accrued = rate * (FN_PACER_CREDIT_NS_MAX / FN_NS_PER_MS) / FN_MS_PER_S;
    uint64_t burst = (uint64_t)FN_PACER_BURST_PACKETS * packet_bytes;
    return (pace){rate, fn_min_u64(fn_max_u64(accrued, burst), window)};
}

void fn_pacer_init(fn_pacer *pacer, uint64_t window_bytes, uint64_t rtt_ns, uint32_t packet_bytes,
                   uint64_t now_ns)
{
    pace made = pace_of(window_bytes, rtt_ns, packet_bytes);
    fn_bucket_init(&pacer->bucket, made.rate_bytes_per_s, made.cap_bytes, now_ns);
}

void fn_pacer_set_rate(fn_pacer *pacer, uint64_t window_bytes, uint64_t rtt_ns,
                       uint32_t packet_bytes, uint64_t now_ns)
{
    pace made = pace_of(window_bytes, rtt_ns, packet_bytes);
    fn_bucket_set(&pacer->bucket, made.rate_bytes_per_s, made.cap_bytes, now_ns);
}

bool fn_pacer_can_send(const fn_pacer *pacer, uint64_t bytes, uint64_t now_ns)
{
    return fn_bucket_allows(&pacer->bucket, bytes, now_ns);
}

void fn_pacer_sent(fn_pacer *pacer, uint64_t bytes, uint64_t now_ns)
{
    fn_bucket_take(&pacer->bucket, bytes, now_ns);
}

uint64_t fn_pacer_deadline(const fn_pacer *pacer, uint64_t bytes, uint64_t now_ns)
{
    return fn_bucket_deadline(&pacer->bucket, bytes, now_ns);
}
