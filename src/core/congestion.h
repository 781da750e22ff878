/*
 * Congestion control of one path: bytes in flight, the window, and an algorithm behind a table of
 * functions (core/congestion_ops.h).
 *
 * Here is what every algorithm needs alike (RFC 9002 §7): packets sent before a reaction to loss do
 * not cause another one and do not grow the window; only packets that were in flight when the
 * window was last full grow it (§7.8), where "full" is half full in slow start, since pacing keeps
 * it from ever being quite full.
 *
 * What leaves under the rate floor need not be counted: skip fn_congestion_on_sent() for it and
 * pass 0 bytes when it is lost. Otherwise a game's stream can occupy a small window for good and
 * starve everything else.
 */
#ifndef FN_CORE_CONGESTION_H
#define FN_CORE_CONGESTION_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/congestion_ops.h"
#include "core/cubic.h"
#include "core/fixed_window.h"

typedef struct fn_congestion {
    const fn_congestion_ops *ops;
    union {
        fn_cubic cubic;
        fn_fixed_window fixed_window;
    } state;
    uint64_t in_flight_bytes;
    uint64_t full_ns;     /* when the window was last seen full, if full_seen */
    uint64_t recovery_ns; /* when the last reaction to loss happened, if recovered */
    uint32_t packet_bytes;
    bool full_seen;
    bool recovered;
} fn_congestion;

static_assert(sizeof(fn_congestion) <= 112, "fn_congestion is part of every path");

/* An algorithm by name ("cubic", "fixed"); NULL when there is none. */
const fn_congestion_ops *fn_congestion_find(const char *name);

/* packet_bytes: the path's present MTU (UDP payload). Also when a path is new. */
void fn_congestion_init(fn_congestion *congestion, const fn_congestion_ops *ops,
                        uint32_t packet_bytes);

/* An ack-eliciting packet left. */
void fn_congestion_on_sent(fn_congestion *congestion, uint64_t bytes, uint64_t now_ns);

/* A packet in flight was acknowledged. rtt_ns: smoothed. */
void fn_congestion_on_acked(fn_congestion *congestion, uint64_t bytes, uint64_t sent_ns,
                            uint64_t rtt_ns, uint64_t now_ns);

/* A packet was declared lost; the first one of a round reduces the window. True when it did. */
bool fn_congestion_on_lost(fn_congestion *congestion, uint64_t bytes, uint64_t sent_ns,
                           uint64_t now_ns);

/* All was lost for fn_rtt_persistent_ns(): the window falls to its minimum (RFC 9002 §7.6.2). */
void fn_congestion_on_persistent_congestion(fn_congestion *congestion, uint64_t now_ns);

/* A packet left the flight and tells nothing about congestion: a lost MTU probe, a dead path. */
void fn_congestion_on_removed(fn_congestion *congestion, uint64_t bytes);

/* The path's MTU changed. */
void fn_congestion_set_packet_bytes(fn_congestion *congestion, uint32_t packet_bytes);

uint64_t fn_congestion_window(const fn_congestion *congestion);

/* Bytes that may leave now; 0 when the window is full. */
uint64_t fn_congestion_room(const fn_congestion *congestion);

#endif
