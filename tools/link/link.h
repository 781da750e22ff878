/*
 * link.h: one direction of a bad network, as a pure model.
 *
 * It is told when a datagram of some length enters, and answers when (and how often, and whether
 * damaged) it comes out. It never holds bytes, knows no protocol and no clock: the simulator and
 * `fastnet netem` share it. The same seed and the same calls give the same answers.
 *
 * Order of what can happen: down, too large, random loss, burst loss, queue full; what is left is
 * serialised at the rate, delayed, perhaps held back, damaged, or doubled.
 */
#ifndef FN_LINK_LINK_H
#define FN_LINK_LINK_H

#include "base/rng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FN_LINK_COPIES_MAX = 2 };

/* All zero = a perfect link: no delay, no loss, no limits. */
typedef struct fn_link_config {
    uint64_t delay_ns;         /* one way */
    uint64_t jitter_ns;        /* evenly 0..jitter on top: larger than the spacing = reordering */
    uint64_t reorder_delay_ns; /* what a held back datagram waits in addition */
    uint64_t rate_bytes_per_s; /* 0 = unlimited */
    uint32_t queue_bytes_max;  /* waiting for the rate; more is dropped */
    uint32_t mtu_bytes;        /* larger datagrams vanish; 0 = unlimited */
    uint32_t loss_permille;    /* each datagram for itself */
    uint32_t burst_start_permille; /* Gilbert-Elliott: good to bad, asked per datagram */
    uint32_t burst_end_permille;   /* bad to good */
    uint32_t burst_loss_permille;  /* loss while bad */
    uint32_t duplicate_permille;
    uint32_t reorder_permille; /* held back by reorder_delay_ns */
    uint32_t corrupt_permille;
    bool keep_order; /* jitter alone lets nobody overtake; holding back still does */
    bool down;       /* a partition: everything vanishes */
} fn_link_config;

/* What became of the datagrams. */
typedef struct fn_link_counts {
    uint64_t entered;
    uint64_t lost;
    uint64_t too_large;
    uint64_t queue_full;
    uint64_t duplicated;
    uint64_t corrupted;
} fn_link_counts;

typedef struct fn_link {
    fn_link_config config; /* may be changed between calls */
    fn_link_counts counts;
    fn_rng rng;
    uint64_t busy_until_ns; /* when the last accepted byte has left the queue */
    uint64_t last_at_ns;    /* the latest arrival that was not held back; for keep_order */
    bool in_burst;
} fn_link;

/* One arrival at the far end. */
typedef struct fn_link_copy {
    uint64_t at_ns;
    bool corrupt; /* pass the bytes through fn_link_damage() */
} fn_link_copy;

void fn_link_init(fn_link *link, const fn_link_config *config, uint64_t seed);

/* A datagram enters. Returns how many copies come out: 0 = it is gone. Times are not before now. */
uint32_t fn_link_send(fn_link *link, uint64_t now_ns, size_t bytes,
                      fn_link_copy out[FN_LINK_COPIES_MAX]);

/*
 * Bytes of a stream enter: nothing is lost, doubled or overtaken, for streams have no such words.
 * Returns when they come out: after the queue, the delay and the jitter, and after *last_at_ns,
 * which is the stream's own (0 at first) and moves on. They share rate and queue with datagrams.
 */
uint64_t fn_link_send_stream(fn_link *link, uint64_t now_ns, size_t bytes, uint64_t *last_at_ns);

/*
 * When a stream may send next: now_ns while it finds half of the queue free. Streams wait instead
 * of losing, and the other half is for datagrams, which would find the queue always full.
 */
uint64_t fn_link_stream_ready_ns(const fn_link *link, uint64_t now_ns);

/* Flips one to four bits. */
void fn_link_damage(fn_link *link, uint8_t *datagram, size_t bytes);

#endif
