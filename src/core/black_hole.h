/*
 * black_hole.h: does a path carry what it must, 1200 bytes? And do bursts get through that left in
 * one piece? PROTOCOL.md section 11.3.
 *
 * A tunnel whose ICMP is silent lets small packets pass and nothing else: pings are answered, so
 * the path looks alive, and large messages never arrive. Six packets in a row that are lost,
 * while smaller ones are acknowledged and none of that size is, are a suspicion; three padded
 * challenges that nobody answers make it certain. Any acknowledgement of a packet of that size
 * ends both: chance alone takes more than nine losses in a row, and all that is sent meanwhile.
 *
 * Some hosts drop what their sender handed to the system in one piece, to be cut later (UDP GSO),
 * because all of it together is longer than their link takes. Eight packets lost that left so,
 * with none acknowledged, show it.
 */
#ifndef FN_CORE_BLACK_HOLE_H
#define FN_CORE_BLACK_HOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"

enum {
    FN_BLACK_HOLE_SMALL_BYTES = 512, /* every path carries so much (RFC 791: 576 with headers) */
    FN_BLACK_HOLE_LOST = 6,
    FN_BLACK_HOLE_CHALLENGES = 3,
    FN_BLACK_HOLE_BURST_LOST = 8
};

typedef enum fn_black_hole_state {
    FN_BLACK_HOLE_NONE,
    FN_BLACK_HOLE_SUSPECTED, /* challenges are on their way */
    FN_BLACK_HOLE_CERTAIN
} fn_black_hole_state;

typedef struct fn_black_hole {
    uint64_t acked_number;  /* of the largest packet acknowledged lately */
    uint64_t first_lost;    /* number of the first of the run */
    uint64_t verdict_at_ns; /* SUSPECTED, all challenges sent: certain then; FN_NEVER */
    uint16_t acked_bytes;   /* of that packet */
    uint16_t lost_bytes;    /* of the smallest of the run, at most the 1200 that count */
    uint8_t lost;           /* in a row, with none of that size acknowledged */
    uint8_t challenges;     /* sent since the suspicion */
    uint8_t state;          /* fn_black_hole_state */
    uint8_t burst_lost;     /* packets of bursts, with none of any burst acknowledged */
    bool plain;             /* bursts vanish: every packet leaves by itself */
} fn_black_hole;

/* For a path that is new, or was validated anew. That bursts vanish is not forgotten. */
void fn_black_hole_init(fn_black_hole *hole);

/* Part of fn_black_hole_on_acked(). */
bool fn_black_hole_end(fn_black_hole *hole);

/* A packet of the path was acknowledged. True when that ended a suspicion, or a certainty. */
static inline bool fn_black_hole_on_acked(fn_black_hole *hole, uint64_t number, uint32_t bytes)
{
    enum { LATELY_PACKETS = 8 };
    if (bytes >= hole->acked_bytes || number > hole->acked_number + LATELY_PACKETS) {
        hole->acked_bytes = (uint16_t)bytes;
        hole->acked_number = number;
    }
    return hole->lost > 0 && bytes >= hole->lost_bytes && number > hole->first_lost &&
           fn_black_hole_end(hole);
}

/* A packet of the path was lost, and it was no probe for a larger size. largest_acked: of the
 * path's. True when it is suspected now: challenges have to leave. */
bool fn_black_hole_on_lost(fn_black_hole *hole, uint64_t number, uint32_t bytes,
                           uint64_t largest_acked);

/* A padded challenge left, and the next would be due at next_ns. True when it was the last one:
 * then nothing more is sent, and next_ns brings the verdict. */
bool fn_black_hole_challenged(fn_black_hole *hole, uint64_t next_ns);

/* True when the time for answers is over: the path has a black hole. */
bool fn_black_hole_is_due(fn_black_hole *hole, uint64_t now_ns);

/* A packet was lost that left together with others. */
void fn_black_hole_on_burst_lost(fn_black_hole *hole);

/* One was acknowledged. */
static inline void fn_black_hole_on_burst_acked(fn_black_hole *hole)
{
    hole->burst_lost = 0;
}

#endif
