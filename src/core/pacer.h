/*
 * Spreads a window over its round trip (RFC 9002 §7.7): credit accrues over the time since the last
 * transmit at 1.25 × window / smoothed RTT.
 *
 * Credit is capped to what accrues in 50 ms, but to ten packets at least and to the window at most:
 * so a caller that comes 60 times a second sends in each of its ticks all that the tick earned, and
 * is not throttled by its own rhythm.
 */
#ifndef FN_CORE_PACER_H
#define FN_CORE_PACER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bucket.h"

#define FN_PACER_BURST_PACKETS 10
#define FN_PACER_CREDIT_NS_MAX (50 * FN_NS_PER_MS)

typedef struct fn_pacer {
    fn_bucket bucket;
} fn_pacer;

/* Starts with full credit. Arguments as fn_pacer_set_rate(). */
void fn_pacer_init(fn_pacer *pacer, uint64_t window_bytes, uint64_t rtt_ns, uint32_t packet_bytes,
                   uint64_t now_ns);

/* After window, smoothed RTT or MTU changed (after each ACK frame is a good moment). */
void fn_pacer_set_rate(fn_pacer *pacer, uint64_t window_bytes, uint64_t rtt_ns,
                       uint32_t packet_bytes, uint64_t now_ns);

bool fn_pacer_can_send(const fn_pacer *pacer, uint64_t bytes, uint64_t now_ns);

/* Every packet in flight is charged, also those that did not ask. */
void fn_pacer_sent(fn_pacer *pacer, uint64_t bytes, uint64_t now_ns);

/* When fn_pacer_can_send() becomes true; not after now_ns = it is. */
uint64_t fn_pacer_deadline(const fn_pacer *pacer, uint64_t bytes, uint64_t now_ns);

#endif
