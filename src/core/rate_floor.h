/*
 * The rate that a game keeps, whatever the network does: up to rate_bytes_per_s, neither congestion
 * window nor pacer holds back acknowledgements, unreliable messages, or the first transmission of
 * messages on real-time reliable channels. Random loss alone cannot starve a 60 Hz stream.
 *
 * Credit holds 125 ms worth (one stall of 100 ms and a tick of 60
 * Hz), at least two packets of 1500.
 */
#ifndef FN_CORE_RATE_FLOOR_H
#define FN_CORE_RATE_FLOOR_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bucket.h"

#define FN_RATE_FLOOR_BYTES_PER_S_DEFAULT 65536
#define FN_RATE_FLOOR_BURST_NS            (125 * FN_NS_PER_MS)
#define FN_RATE_FLOOR_BURST_BYTES_MIN     3000

typedef struct fn_rate_floor {
    fn_bucket bucket;
} fn_rate_floor;

/* Starts full. rate_bytes_per_s 0 = no floor: nothing is ever granted. */
void fn_rate_floor_init(fn_rate_floor *floor, uint64_t rate_bytes_per_s, uint64_t now_ns);

/* Takes credit for one packet. False, and nothing taken, when there is not enough. */
bool fn_rate_floor_take(fn_rate_floor *floor, uint64_t bytes, uint64_t now_ns);

/* True when fn_rate_floor_take() would grant it. */
bool fn_rate_floor_allows(const fn_rate_floor *floor, uint64_t bytes, uint64_t now_ns);

/* Bytes of credit now. */
uint64_t fn_rate_floor_available(const fn_rate_floor *floor, uint64_t now_ns);

/* When fn_rate_floor_take() would grant it; not after now_ns = now; FN_NEVER without a floor. */
uint64_t fn_rate_floor_deadline(const fn_rate_floor *floor, uint64_t bytes, uint64_t now_ns);

#endif
