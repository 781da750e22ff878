#include "base/map.h"

#include "base/bits.h"

#include <assert.h>
#include <string.h>

#define MARK_USED (UINT64_C(1) << 63)

static uint32_t slots_for(uint32_t items_max)
{
    assert(items_max > 0 && items_max <= FN_MAP_ITEMS_MAX);
    return (uint32_t)fn_bits_power_of_two_up(((uint64_t)items_max * 4 + 2) / 3);
}

size_t fn_map_memory_bytes(uint32_t items_max)
{
    return slots_for(items_max) * sizeof(fn_map_slot);
}

void fn_map_init(fn_map *map, void *memory, uint32_t items_max,
                 const uint8_t seed[FN_MAP_SEED_BYTES])
{
    *map = (fn_map){.slots = memory, .slot_mask = slots_for(items_max) - 1, .items_max = items_max};
    memcpy(map->seed, seed, FN_MAP_SEED_BYTES);
    memset(memory, 0, fn_map_memory_bytes(items_max));
}

/* The slot of the key, or the empty slot where it belongs. Slots never fill up, so there is one. */
static uint32_t find(const fn_map *map, uint64_t key, uint64_t mark)
{
    uint32_t at = (uint32_t)mark & map->slot_mask;
    while (map->slots[at].mark != 0 && map->slots[at].key != key)
        at = (at + 1) & map->slot_mask;
    return at;
}

static uint64_t mark_of(const fn_map *map, uint64_t key)
{
    return fn_siphash_u64(map->seed, key) | MARK_USED;
}

bool fn_map_put(fn_map *map, uint64_t key, uint64_t value)
{
    uint64_t mark = mark_of(map, key);
    fn_map_slot *slot = &map->slots[find(map, key, mark)];
    if (slot->mark == 0) {
        if (map->count == map->items_max)
            return false;
        map->count++;
    }
    *slot = (fn_map_slot){.key = key, .value = value, .mark = mark};
    return true;
}

bool fn_map_get(const fn_map *map, uint64_t key, uint64_t *value)
{
    const fn_map_slot *slot = &map->slots[find(map, key, mark_of(map, key))];
    if (slot->mark == 0)
        return false;
    if (value != NULL)
        *value = slot->value;
    return true;
}

/* Closes the hole by moving back every later item of the run that may stand there: one whose own
 * place is not between the hole and where it stands now. */
static void shift_back(fn_map *map, uint32_t hole)
{
    for (uint32_t at = (hole + 1) & map->slot_mask; map->slots[at].mark != 0;
         at = (at + 1) & map->slot_mask) {
        uint32_t home = (uint32_t)map->slots[at].mark & map->slot_mask;
        if (((at - home) & map->slot_mask) < ((at - hole) & map->slot_mask))
            continue;
        map->slots[hole] = map->slots[at];
        hole = at;
    }
    map->slots[hole] = (fn_map_slot){0};
}

bool fn_map_remove(fn_map *map, uint64_t key)
{
    uint32_t at = find(map, key, mark_of(map, key));
    if (map->slots[at].mark == 0)
        return false;
    shift_back(map, at);
    map->count--;
    return true;
}
