#include "core/ids.h"

#include "base/bitset.h"
#include "base/list.h"
#include "base/units.h"

#include <assert.h>
#include <string.h>

/* --- receiver ids --------------------------------------------------------------------- */

/* In the map's value: this bit and the row of a quarantined id, or the connection of one in use. */
#define RETIRED (UINT64_C(1) << 32)

typedef struct fn_ids_layout {
    size_t retired, unused, timers, bytes; /* offsets; the map is first */
} fn_ids_layout;

static fn_ids_layout lay_out(uint32_t live_max)
{
    fn_ids_layout layout;
    layout.retired = fn_align_up(fn_map_memory_bytes(2 * live_max), 8);
    layout.timers = layout.retired + live_max * sizeof(fn_ids_retired);
    layout.unused = layout.timers + live_max * sizeof(fn_heap_node *);
    layout.bytes = layout.unused + live_max * sizeof(uint32_t);
    return layout;
}

size_t fn_ids_memory_bytes(uint32_t live_max)
{
    assert(live_max >= 1 && live_max <= FN_IDS_LIVE_MAX);
    return lay_out(live_max).bytes;
}

void fn_ids_init(fn_ids *ids, void *memory, uint32_t live_max, uint32_t shard, uint32_t shard_bits,
                 const uint8_t seed[FN_MAP_SEED_BYTES])
{
    assert(live_max >= 1 && live_max <= FN_IDS_LIVE_MAX);
    assert(shard_bits <= FN_IDS_SHARD_BITS_MAX && shard >> shard_bits == 0);
    fn_ids_layout layout = lay_out(live_max);
    uint8_t *bytes = memory;
    memset(ids, 0, sizeof *ids);
    fn_map_init(&ids->map, memory, 2 * live_max, seed);
    ids->retired = (fn_ids_retired *)(void *)(bytes + layout.retired);
    ids->unused = (uint32_t *)(void *)(bytes + layout.unused);
    fn_heap_init(&ids->timers, (fn_heap_node **)(void *)(bytes + layout.timers), live_max);
    for (uint32_t i = 0; i < live_max; i++) {
        fn_heap_node_init(&ids->retired[i].timer);
        ids->unused[i] = i;
    }
    ids->unused_count = live_max;
    ids->live_max = live_max;
    ids->shard = shard;
    ids->shard_bits = shard_bits;
}

static uint32_t draw(const fn_ids *ids, fn_random *random)
{
    uint32_t id = fn_random_u32(random);
    if (ids->shard_bits == 0)
        return id;
    uint32_t below = 32 - ids->shard_bits;
    return ids->shard << below | (id & ((UINT32_C(1) << below) - 1));
}

/* At most 2^17 of at least 2^20 ids are taken, so a redraw is rare, and a third one rarer still. */
bool fn_ids_draw(fn_ids *ids, fn_random *random, uint32_t connection, uint32_t *id)
{
    static_assert(2 * FN_IDS_LIVE_MAX <= 1 << (32 - FN_IDS_SHARD_BITS_MAX - 3),
                  "an eighth of a shard at most");
    if (ids->live_count == ids->live_max)
        return false;
    do {
        *id = draw(ids, random);
    } while (*id == 0 || fn_map_get(&ids->map, *id, NULL));
    bool added = fn_map_put(&ids->map, *id, connection);
    assert(added);
    ids->live_count++;
    return added;
}

bool fn_ids_find(const fn_ids *ids, uint32_t id, uint32_t *connection)
{
    uint64_t value;
    if (!fn_map_get(&ids->map, id, &value) || (value & RETIRED) != 0)
        return false;
    *connection = (uint32_t)value;
    return true;
}

static void free_first(fn_ids *ids)
{
    fn_ids_retired *row = FN_CONTAINER_OF(fn_heap_min(&ids->timers), fn_ids_retired, timer);
    fn_heap_remove(&ids->timers, &row->timer);
    fn_map_remove(&ids->map, row->id);
    ids->unused[ids->unused_count++] = (uint32_t)(row - ids->retired);
}

void fn_ids_retire(fn_ids *ids, uint32_t id, uint64_t until_ns)
{
    uint32_t connection;
    if (!fn_ids_find(ids, id, &connection))
        return;
    if (ids->unused_count == 0)
        free_first(ids);
    uint32_t at = ids->unused[--ids->unused_count];
    ids->retired[at].id = id;
    /* One before FN_NEVER, which would mean: no timer. */
    fn_heap_set(&ids->timers, &ids->retired[at].timer, fn_min_u64(until_ns, FN_NEVER - 1));
    fn_map_put(&ids->map, id, RETIRED | at);
    ids->live_count--;
}

void fn_ids_expire(fn_ids *ids, uint64_t now_ns)
{
    while (fn_heap_deadline_ns(&ids->timers) <= now_ns)
        free_first(ids);
}

/* --- peer ids ------------------------------------------------------------------------- */

#define NO_SLOT UINT32_MAX

static uint32_t slot_of(uint32_t id)
{
    return id & 0xffff;
}

static uint32_t id_of(const fn_slots *slots, uint32_t slot)
{
    return (uint32_t)slots->generations[slot] << 16 | slot;
}

static fn_bitset live_set(const fn_slots *slots)
{
    return (fn_bitset){.words = slots->live, .bits = slots->slot_count};
}

static size_t live_bytes(uint32_t slot_count)
{
    return FN_BITSET_WORDS(slot_count) * sizeof(uint64_t);
}

size_t fn_slots_memory_bytes(uint32_t slot_count)
{
    assert(slot_count >= 1 && slot_count <= FN_SLOTS_MAX);
    return live_bytes(slot_count) + 2 * (size_t)slot_count * sizeof(uint16_t);
}

void fn_slots_init(fn_slots *slots, void *memory, uint32_t slot_count)
{
    assert(slot_count >= 1 && slot_count <= FN_SLOTS_MAX);
    memset(slots, 0, sizeof *slots);
    memset(memory, 0, fn_slots_memory_bytes(slot_count));
    slots->live = memory;
    slots->generations = (uint16_t *)(void *)((uint8_t *)memory + live_bytes(slot_count));
    slots->next = slots->generations + slot_count;
    slots->slot_count = slot_count;
    for (uint32_t i = 0; i < slot_count; i++)
        slots->next[i] = (uint16_t)(i + 1);
    slots->free_first = 0;
    slots->free_last = slot_count - 1;
}

uint32_t fn_slots_take(fn_slots *slots)
{
    if (slots->live_count == slots->slot_count)
        return 0;
    uint32_t slot = slots->free_first;
    slots->free_first = slot == slots->free_last ? NO_SLOT : slots->next[slot];
    uint16_t generation = (uint16_t)(slots->generations[slot] + 1);
    slots->generations[slot] = generation != 0 ? generation : 1;
    fn_bitset live = live_set(slots);
    fn_bitset_set(&live, slot);
    slots->live_count++;
    return id_of(slots, slot);
}

bool fn_slots_find(const fn_slots *slots, uint32_t id, uint32_t *slot)
{
    fn_bitset live = live_set(slots);
    uint32_t at = slot_of(id);
    if (at >= slots->slot_count || !fn_bitset_test(&live, at) || id_of(slots, at) != id)
        return false;
    *slot = at;
    return true;
}

bool fn_slots_release(fn_slots *slots, uint32_t id)
{
    uint32_t slot;
    if (!fn_slots_find(slots, id, &slot))
        return false;
    fn_bitset live = live_set(slots);
    fn_bitset_clear(&live, slot);
    if (slots->free_first == NO_SLOT)
        slots->free_first = slot;
    else
        slots->next[slots->free_last] = (uint16_t)slot;
    slots->free_last = slot;
    slots->live_count--;
    return true;
}

uint32_t fn_slots_next(const fn_slots *slots, uint32_t previous)
{
    fn_bitset live = live_set(slots);
    uint32_t from = previous == 0 ? 0 : slot_of(previous) + 1;
    if (from >= slots->slot_count)
        return 0;
    uint32_t slot = fn_bitset_find_first_set_from(&live, from);
    return slot < slots->slot_count ? id_of(slots, slot) : 0;
}
