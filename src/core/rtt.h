/*
 * Round-trip time of one path, and the timeouts that follow from it (RFC 9002 §5, §6).
 *
 * One deviation, stated in PROTOCOL.md: the probe timeout never exceeds max(1 s, 2 × smoothed RTT),
 * whatever the back-off, because a game that lost its link for a moment wants it back at once.
 */
#ifndef FN_CORE_RTT_H
#define FN_CORE_RTT_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"

#define FN_RTT_INITIAL_NS     (333 * FN_NS_PER_MS) /* RFC 9002 §6.2.2 */
#define FN_RTT_GRANULARITY_NS FN_NS_PER_MS         /* RFC 9002 §6.1.2 */
#define FN_RTT_TIMEOUT_CAP_NS FN_NS_PER_S
/* A sample is never believed to be longer: the other side makes it as long as it likes by
 * acknowledging late, and every timeout follows. Satellites and bloated buffers stay below. */
#define FN_RTT_SAMPLE_NS_MAX (10 * FN_NS_PER_S)

typedef struct fn_rtt {
    uint64_t latest_ns;
    uint64_t min_ns; /* FN_NEVER until the first sample */
    uint64_t smoothed_ns;
    uint64_t variance_ns; /* mean deviation: "rttvar" */
    uint64_t ack_delay_ns_max;
    bool sampled;
} fn_rtt;

static_assert(sizeof(fn_rtt) <= 48, "fn_rtt is part of every path");

/* ack_delay_ns_max: the longest that the peer says it delays
 * (FN_ACK_DELAY_NS). Also on a new path. */
void fn_rtt_init(fn_rtt *rtt, uint64_t ack_delay_ns_max);

/*
 * One sample: the highest newly acknowledged packet, if any newly
 * acknowledged one asked for an ack.
 *
 * ack_delay_ns is what the peer wrote; it is clamped to ack_delay_ns_max and never takes a sample
 * below the minimum, so a lying peer shifts the estimate by that much and no more.
 */
void fn_rtt_sample(fn_rtt *rtt, uint64_t sample_ns, uint64_t ack_delay_ns);

/* After persistent congestion the minimum starts anew with the next sample (RFC 9002 §5.2). */
void fn_rtt_forget_min(fn_rtt *rtt);

/* The smallest sample, or 0 before the first. */
static inline uint64_t fn_rtt_min_ns(const fn_rtt *rtt)
{
    return rtt->min_ns == FN_NEVER ? 0 : rtt->min_ns;
}

/* From the last ack-eliciting packet to the probe; backoff counts the
 * probes so far without an answer. */
uint64_t fn_rtt_probe_timeout_ns(const fn_rtt *rtt, uint32_t backoff);

/* A packet sent this long before an acknowledged one is lost (RFC 9002 §6.1.2: 9/8 RTT). */
uint64_t fn_rtt_loss_delay_ns(const fn_rtt *rtt);

/* Losing all for longer than this is persistent congestion (RFC 9002 §7.6.1). */
uint64_t fn_rtt_persistent_ns(const fn_rtt *rtt);

#endif
