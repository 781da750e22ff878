/*
 * stats.h: the numbers of one session, as the public FastNetPeerStats
 * shows them. Counters only grow.
 */
#ifndef FN_CORE_STATS_H
#define FN_CORE_STATS_H

#include <stdint.h>

/* One row per number. */
#define FN_STATS_MAP(X)    \
    X(sent_packets)        \
    X(sent_bytes)          \
    X(received_packets)    \
    X(received_bytes)      \
    X(lost_packets)        \
    X(retransmitted_bytes) \
    X(sent_messages)       \
    X(received_messages)   \
    X(dropped_messages)    \
    X(rejected_packets)    \
    X(key_updates)         \
    X(spurious_losses)     \
    X(probes)              \
    X(acks_only)

typedef struct fn_counters {
#define X(name) uint64_t name;
    FN_STATS_MAP(X)
#undef X
} fn_counters;

typedef struct fn_stats {
    fn_counters counters;
    uint64_t rtt_ns;
    uint64_t rtt_ns_min;
    uint64_t rtt_ns_latest;
    uint64_t rtt_variance_ns;
    int64_t remote_clock_offset_ns;
    uint64_t queued_bytes;
    uint64_t congestion_window_bytes;
    uint64_t bytes_in_flight;
    uint64_t send_bytes_per_s;
    uint64_t receive_bytes_per_s;
    uint32_t loss_permille;
    uint32_t receive_loss_permille;
    uint32_t datagram_message_bytes_max;
    uint32_t mtu_bytes;
    uint8_t path;
} fn_stats;

#endif
