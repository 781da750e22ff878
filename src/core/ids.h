/*
 * ids.h: two kinds of names for connections.
 *
 * fn_ids: receiver ids, on the wire. Each endpoint draws the id that it wants to be addressed by,
 * at random, so that nobody can guess who has which, and finds its connection by it in one lookup.
 * The top bits may name a shard for a load balancer. An id that was closed stays unknown and unused
 * for a while: late datagrams must not reach somebody else.
 *
 * fn_slots: peer ids, in the API. Slot in the low 16 bits, generation in the
 * high 16, never 0. A slot is reused as late as possible, and its old ids stay
 * invalid until it was reused 65,535 times.
 */
#ifndef FN_CORE_IDS_H
#define FN_CORE_IDS_H

#include "base/heap.h"
#include "base/map.h"
#include "crypto/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- receiver ids --------------------------------------------------------------------- */

enum {
    FN_IDS_SHARD_BITS_MAX = 12,
    FN_IDS_LIVE_MAX = 65536,
};

typedef struct fn_ids_retired {
    fn_heap_node timer;
    uint32_t id;
} fn_ids_retired;

typedef struct fn_ids {
    fn_map map; /* id -> connection, or FN_IDS_RETIRED and the index of its row */
    fn_heap timers;
    fn_ids_retired *retired; /* live_max rows; the unused ones are a stack of indexes */
    uint32_t *unused;
    uint32_t unused_count;
    uint32_t live_count;
    uint32_t live_max;
    uint32_t shard;
    uint32_t shard_bits;
} fn_ids;

/* live_max: 1..FN_IDS_LIVE_MAX ids in use at once; as many more can be quarantined. */
size_t fn_ids_memory_bytes(uint32_t live_max);

/* memory: borrowed for its life, aligned to 8. shard is below 2^shard_bits. */
void fn_ids_init(fn_ids *ids, void *memory, uint32_t live_max, uint32_t shard, uint32_t shard_bits,
                 const uint8_t seed[FN_MAP_SEED_BYTES]);

/* Draws an id that is neither in use nor quarantined, and not 0. False: live_max are in use. */
bool fn_ids_draw(fn_ids *ids, fn_random *random, uint32_t connection, uint32_t *id);

/* The connection that an id from the network means. False: nobody's. */
bool fn_ids_find(const fn_ids *ids, uint32_t id, uint32_t *connection);

/* The id is unknown from now on and drawn again only after until_ns (or when quarantine is full and
 * its turn comes first). Nothing happens when it is not in use. */
void fn_ids_retire(fn_ids *ids, uint32_t id, uint64_t until_ns);

/* Ends the quarantines that are over. Cheap when none is: call it before drawing. */
void fn_ids_expire(fn_ids *ids, uint64_t now_ns);

/* --- peer ids ------------------------------------------------------------------------- */

enum {
    FN_SLOTS_MAX = 65535,
};

typedef struct fn_slots {
    uint16_t *generations;
    uint16_t *next; /* free slots, first in first out */
    uint64_t *live; /* one bit per slot */
    uint32_t slot_count;
    uint32_t live_count;
    uint32_t free_first;
    uint32_t free_last;
} fn_slots;

size_t fn_slots_memory_bytes(uint32_t slot_count);

/* memory: borrowed for its life, aligned to 8. slot_count: 1..FN_SLOTS_MAX. */
void fn_slots_init(fn_slots *slots, void *memory, uint32_t slot_count);

/* Takes the slot that is free for the longest time and returns its new id; 0 = none is free. */
uint32_t fn_slots_take(fn_slots *slots);

/* True, and the slot, when the id names a taken slot of this very generation. Any id is safe. */
bool fn_slots_find(const fn_slots *slots, uint32_t id, uint32_t *slot);

/* False: the id was stale. */
bool fn_slots_release(fn_slots *slots, uint32_t id);

/* The id of the first taken slot after `previous` (any id, also a stale one; 0 = from the start); 0
 * at the end. */
uint32_t fn_slots_next(const fn_slots *slots, uint32_t previous);

static inline uint32_t fn_slots_live_count(const fn_slots *slots)
{
    return slots->live_count;
}

#endif
