/*
 * What the receiving side owes its peer: which packet numbers arrived, and when to say so
 * (RFC 9000 §13.2, with a lazy class for unreliable traffic).
 *
 * Acknowledgements ride on any packet that leaves while fn_ack_wanted(); when none leaves until
 * fn_ack_deadline(), a packet with nothing else in it has to go. After sending: fn_ack_sent().
 *
 * Ranges are kept newest first, at most FN_ACK_RANGES_MAX. When more would be needed the oldest is
 * forgotten (its packets are then retransmitted: costly, never wrong). Hostile input can do no more
 * than fill the ranges.
 */
#ifndef FN_CORE_ACK_H
#define FN_CORE_ACK_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"

#define FN_ACK_RANGES_MAX    32
#define FN_ACK_DELAY_NS      (25 * FN_NS_PER_MS) /* the longest that an acknowledgement waits */
#define FN_ACK_USUAL_EVERY   2                   /* packets with reliable frames */
#define FN_ACK_LAZY_RIDES    4 /* of those, one rides along sooner: an ACK frame is work for both */
#define FN_ACK_LAZY_FRESH_NS (2 * FN_NS_PER_MS)
#define FN_ACK_LAZY_EVERY    10 /* packets with nothing but unreliable messages */

/* What a received packet asks for. */
typedef enum fn_ack_class {
    FN_ACK_SILENT, /* PADDING, ACK, CLOSE only: acknowledged when something leaves anyway */
    FN_ACK_LAZY,   /* unreliable messages only: every 10th, or after FN_ACK_DELAY_NS */
    FN_ACK_USUAL,  /* anything else: every 2nd, or after FN_ACK_DELAY_NS */
    FN_ACK_URGENT  /* at once: the sender waits for just this (a ping that measures) */
} fn_ack_class;

/* Packet numbers first .. last, both included. */
typedef struct fn_ack_range {
    uint64_t first;
    uint64_t last;
} fn_ack_range;

typedef struct fn_ack_ledger {
    fn_ack_range ranges[FN_ACK_RANGES_MAX]; /* descending; never adjacent */
    uint64_t largest_at_ns;                 /* when ranges[0].last arrived */
    uint64_t next_expected;                 /* highest number received so far + 1 */
    uint64_t unsent_lowest;                 /* of what no ACK frame has covered; FN_NEVER = none */
    uint64_t deadline_ns;
    uint8_t range_count;
    uint8_t lazy_count;  /* since the last acknowledgement was sent */
    uint8_t usual_count; /* likewise */
    bool wanted;
} fn_ack_ledger;

static_assert(sizeof(fn_ack_ledger) <= 552, "fn_ack_ledger is part of every connection");

void fn_ack_init(fn_ack_ledger *ledger);

/*
 * Records an authenticated packet. The replay window has seen to it that no number comes twice
 * (twice would be harmless: it changes no range).
 *
 * An eliciting packet (lazy and above) that arrives out of order or after a gap is acknowledged at
 * once, so that the sender learns of loss early (RFC 9000 §13.2.1).
 */
void fn_ack_received(fn_ack_ledger *ledger, uint64_t packet_number, uint64_t now_ns,
                     fn_ack_class class);

/* True when something arrived that no acknowledgement has covered yet: let it ride. */
static inline bool fn_ack_wanted(const fn_ack_ledger *ledger)
{
    return ledger->wanted && ledger->range_count > 0;
}

/*
 * True when an acknowledgement should ride on a data packet that leaves now. Nothing but unreliable
 * messages, and those just now, can wait for a few more: in a stream of small packets, an ACK frame
 * in each would cost more than the messages. At game rates it rides on the next packet.
 */
static inline bool fn_ack_rides(const fn_ack_ledger *ledger, uint64_t now_ns)
{
    if (!fn_ack_wanted(ledger) || ledger->deadline_ns == FN_NEVER)
        return false;
    bool fresh = ledger->deadline_ns > now_ns + (FN_ACK_DELAY_NS - FN_ACK_LAZY_FRESH_NS);
    return !fresh || ledger->usual_count > 0 || ledger->lazy_count >= FN_ACK_LAZY_RIDES;
}

/* When a packet must go for the acknowledgement's sake; in the past = now; FN_NEVER = no need. */
static inline uint64_t fn_ack_deadline(const fn_ack_ledger *ledger)
{
    return ledger->deadline_ns;
}

static inline bool fn_ack_is_due(const fn_ack_ledger *ledger, uint64_t now_ns)
{
    return now_ns >= ledger->deadline_ns;
}

/* An ACK frame with the newest range in it was put into a packet. */
void fn_ack_sent(fn_ack_ledger *ledger);

/* Ranges to encode: 0 .. count - 1, the newest (highest) first. */
static inline uint32_t fn_ack_range_count(const fn_ack_ledger *ledger)
{
    return ledger->range_count;
}

static inline fn_ack_range fn_ack_range_at(const fn_ack_ledger *ledger, uint32_t index)
{
    assert(index < ledger->range_count);
    return ledger->ranges[index];
}

/* For the frame's delay field: how long the highest number has been here. */
uint64_t fn_ack_delay_ns(const fn_ack_ledger *ledger, uint64_t now_ns);

/*
 * The peer has acknowledged a packet of ours whose ACK frame went up to
 * packet_number - 1: what is below need not be repeated (RFC 9000 §13.2.4). A
 * straggler below it that no frame has covered yet stays.
 */
void fn_ack_forget_below(fn_ack_ledger *ledger, uint64_t packet_number);

#endif
