#include "core/rtt.h"

#define BACKOFF_MAX         16
#define PERSISTENT_TIMEOUTS 3 /* RFC 9002 §7.6.1, kPersistentCongestionThreshold */

void fn_rtt_init(fn_rtt *rtt, uint64_t ack_delay_ns_max)
{
    *rtt = (fn_rtt){
        .min_ns = FN_NEVER,
        .smoothed_ns = FN_RTT_INITIAL_NS,
        .variance_ns = FN_RTT_INITIAL_NS / 2,
        .ack_delay_ns_max = fn_min_u64(ack_delay_ns_max, FN_RTT_SAMPLE_NS_MAX),
    };
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

void fn_rtt_sample(fn_rtt *rtt, uint64_t sample_ns, uint64_t ack_delay_ns)
{
    sample_ns = fn_min_u64(sample_ns, FN_RTT_SAMPLE_NS_MAX);
    rtt->latest_ns = sample_ns;
    rtt->min_ns = fn_min_u64(rtt->min_ns, sample_ns);
    if (!rtt->sampled) {
        rtt->sampled = true;
        rtt->smoothed_ns = sample_ns;
        rtt->variance_ns = sample_ns / 2;
        return;
    }
    uint64_t delay_ns = fn_min_u64(ack_delay_ns, rtt->ack_delay_ns_max);
    uint64_t adjusted_ns = sample_ns - rtt->min_ns >= delay_ns ? sample_ns - delay_ns : sample_ns;
    uint64_t deviation_ns = distance(rtt->smoothed_ns, adjusted_ns);
    rtt->variance_ns = (3 * rtt->variance_ns + deviation_ns) / 4;
    rtt->smoothed_ns = (7 * rtt->smoothed_ns + adjusted_ns) / 8;
}

void fn_rtt_forget_min(fn_rtt *rtt)
{
    rtt->min_ns = FN_NEVER;
}

static uint64_t base_timeout_ns(const fn_rtt *rtt)
{
    return rtt->smoothed_ns + fn_max_u64(4 * rtt->variance_ns, FN_RTT_GRANULARITY_NS) +
           rtt->ack_delay_ns_max;
}

uint64_t fn_rtt_probe_timeout_ns(const fn_rtt *rtt, uint32_t backoff)
{
    uint64_t cap_ns = fn_max_u64(FN_RTT_TIMEOUT_CAP_NS, 2 * rtt->smoothed_ns);
    return fn_min_u64(base_timeout_ns(rtt) << fn_min_u32(backoff, BACKOFF_MAX), cap_ns);
}

uint64_t fn_rtt_loss_delay_ns(const fn_rtt *rtt)
{
    uint64_t longer_ns = fn_max_u64(rtt->latest_ns, rtt->smoothed_ns);
    return fn_max_u64(longer_ns + longer_ns / 8, FN_RTT_GRANULARITY_NS);
}

uint64_t fn_rtt_persistent_ns(const fn_rtt *rtt)
{
    return PERSISTENT_TIMEOUTS * base_timeout_ns(rtt);
}
