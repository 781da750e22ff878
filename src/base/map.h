/*
 * A hash map from u64 to u64 over the caller's memory, keyed by a secret seed so that peers who
 * choose their ids cannot choose who shares a chain.
 *
 * Open addressing, linear probing, removal by shifting back (no tombstones, so a map that lives for
 * years does not slow down). At most three quarters of the slots fill. Nothing allocates.
 */
#ifndef FN_BASE_MAP_H
#define FN_BASE_MAP_H

#include "base/siphash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FN_MAP_SEED_BYTES FN_SIPHASH_KEY_BYTES
#define FN_MAP_ITEMS_MAX  (UINT32_C(1) << 28)

typedef struct fn_map_slot {
    uint64_t key;
    uint64_t value;
    uint64_t mark; /* 0 = empty, else the key's hash with the top bit set */
} fn_map_slot;

typedef struct fn_map {
    fn_map_slot *slots;
    uint32_t slot_mask;
    uint32_t count;
    uint32_t items_max;
    uint8_t seed[FN_MAP_SEED_BYTES];
} fn_map;

/* Bytes of memory that a map of up to items_max (1 .. FN_MAP_ITEMS_MAX) items needs. */
size_t fn_map_memory_bytes(uint32_t items_max);

/* memory: borrowed for the map's life;
 * fn_map_memory_bytes(items_max), aligned to 8, cleared here. */
void fn_map_init(fn_map *map, void *memory, uint32_t items_max,
                 const uint8_t seed[FN_MAP_SEED_BYTES]);

/* Adds the key or replaces its value. False, and nothing changes, when a new key finds it full. */
bool fn_map_put(fn_map *map, uint64_t key, uint64_t value);

/* False, and *value is untouched, when the key is not there. value may be NULL. */
bool fn_map_get(const fn_map *map, uint64_t key, uint64_t *value);

/* False when the key was not there. */
bool fn_map_remove(fn_map *map, uint64_t key);

static inline uint32_t fn_map_count(const fn_map *map)
{
    return map->count;
}

#endif
