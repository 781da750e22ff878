/*
 * What a congestion control algorithm implements. Who uses one includes core/congestion.h, which
 * keeps what is common to all: bytes in flight, one reaction per round trip, and whether the window
 * was used. An algorithm sees only what is left: clean growth and clean reductions.
 */
#ifndef FN_CORE_CONGESTION_OPS_H
#define FN_CORE_CONGESTION_OPS_H

#include <stdbool.h>
#include <stdint.h>

#define FN_CONGESTION_INITIAL_PACKETS  10    /* RFC 9002 §7.2 */
#define FN_CONGESTION_INITIAL_BYTES    14720 /* likewise */
#define FN_CONGESTION_MIN_PACKETS      2     /* likewise */
#define FN_CONGESTION_WINDOW_BYTES_MAX (1u << 30)

typedef struct fn_congestion_ack {
    uint64_t bytes;
    uint64_t sent_ns; /* when the acknowledged packet left */
    uint64_t now_ns;
    uint64_t rtt_ns; /* smoothed */
    bool limited;    /* the window held the sender back while this packet was in flight: may grow */
} fn_congestion_ack;

/* state points to the algorithm's member of the union in fn_congestion. No function may be NULL. */
typedef struct fn_congestion_ops {
    const char *name;
    void (*init)(void *state, uint32_t packet_bytes);
    void (*on_sent)(void *state, uint64_t bytes, uint64_t now_ns);
    void (*on_acked)(void *state, const fn_congestion_ack *ack); /* never for recovery's packets */
    void (*on_congestion)(void *state, uint64_t now_ns);         /* once per round with loss */
    void (*on_persistent_congestion)(void *state, uint64_t now_ns);
    void (*on_packet_bytes)(void *state, uint32_t packet_bytes); /* the path's MTU changed */
    uint64_t (*window)(const void *state);                       /* bytes */
    bool (*in_slow_start)(const void *state);
} fn_congestion_ops;

/* RFC 9002 §7.2: ten packets, but no more than 14720 bytes nor less than two packets. */
uint64_t fn_congestion_initial_bytes(uint32_t packet_bytes);

#endif
