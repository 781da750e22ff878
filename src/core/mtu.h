/*
 * How large a datagram the path carries: datagram packetization layer path MTU discovery (RFC
 * 8899). All sizes are UDP payloads.
 *
 * Starts at FN_MTU_BASE_BYTES, tries the maximum first, then halves what is left. A size is given
 * up after three lost probes. A lost probe says nothing about congestion: ask fn_mtu_is_probe()
 * before reporting a loss. Ten minutes after a search that ended below the maximum, another begins.
 *
 * When the path shrinks (eight packets above the base lost in a row while smaller ones get through)
 * the size falls back to the base at once. For that to be noticed, packets sent by the probe
 * timeout must be no larger than FN_MTU_BASE_BYTES.
 */
#ifndef FN_CORE_MTU_H
#define FN_CORE_MTU_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"

#define FN_MTU_BASE_BYTES       1200
#define FN_MTU_BYTES_MAX        1452 /* default ceiling: 1500 less IPv6 and UDP headers */
#define FN_MTU_STEP_BYTES       16   /* a search ends when less than this is left to win */
#define FN_MTU_PROBES_MAX       3    /* lost probes that condemn a size */
#define FN_MTU_BLACK_HOLE_COUNT 8
#define FN_MTU_RAISE_NS         (600 * FN_NS_PER_S)

typedef struct fn_mtu {
    uint64_t probe_number;  /* packet number of the probe in flight, if probing */
    uint64_t probe_at_ns;   /* when the next probe may leave; FN_NEVER = search over */
    uint64_t lost_number;   /* packet number of the first large packet lost in a row */
    uint64_t large_acked;   /* highest number + 1 of an acknowledged packet above the base */
    uint64_t small_acked;   /* likewise, not above the base */
    uint16_t bytes_max;     /* the configured ceiling */
    uint16_t current_bytes; /* known to get through */
    uint16_t ceiling_bytes; /* not known to fail */
    uint16_t probe_bytes;   /* of the probe in flight, or lost last */
    uint8_t probes_lost;    /* of probe_bytes, in a row */
    uint8_t large_lost;     /* packets above the base lost, with none acknowledged between */
    bool probing;           /* a probe is in flight */
} fn_mtu;

static_assert(sizeof(fn_mtu) <= 56, "fn_mtu is part of every path");

/* For a new path, once it is validated: the first probe may leave now. bytes_max up to 65507; below
 * the base there is no search. */
void fn_mtu_init(fn_mtu *mtu, uint32_t bytes_max, uint64_t now_ns);

/* The largest datagram to send. */
static inline uint32_t fn_mtu_current(const fn_mtu *mtu)
{
    return mtu->current_bytes;
}

/* Size of the probe to send now (a PING and PADDING, exactly that large), or 0. */
uint32_t fn_mtu_probe_due(const fn_mtu *mtu, uint64_t now_ns);

/* When a probe becomes due; FN_NEVER while one is in flight or no search is needed. */
uint64_t fn_mtu_deadline(const fn_mtu *mtu);

/* The probe that was due left under this packet number. */
void fn_mtu_probe_sent(fn_mtu *mtu, uint64_t packet_number, uint32_t bytes);

/* True for the probe in flight. Ask before fn_mtu_on_acked() and fn_mtu_on_lost(). */
static inline bool fn_mtu_is_probe(const fn_mtu *mtu, uint64_t packet_number)
{
    return mtu->probing && mtu->probe_number == packet_number;
}

/* Any packet of the path was acknowledged. True when fn_mtu_current() changed. */
bool fn_mtu_on_acked(fn_mtu *mtu, uint64_t packet_number, uint32_t bytes, uint64_t now_ns);

/* Any packet of the path was declared lost. True when fn_mtu_current() changed. */
bool fn_mtu_on_lost(fn_mtu *mtu, uint64_t packet_number, uint32_t bytes, uint64_t now_ns);

/*
 * The socket refused a datagram of this size (EMSGSIZE): believed at once. A probe is still to be
 * reported lost. True when fn_mtu_current() changed.
 */
bool fn_mtu_on_too_large(fn_mtu *mtu, uint32_t bytes, uint64_t now_ns);

#endif
