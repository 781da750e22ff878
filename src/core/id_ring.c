#include "core/id_ring.h"

#include <string.h>

enum { CAPACITY_MIN = 16, CAPACITY_KEPT = 64 };

void fn_id_ring_free(fn_id_ring *ring, fn_store *store)
{
    fn_store_free(store, ring->words);
    ring->words = NULL;
    ring->capacity = 0;
    ring->base += ring->count;
    ring->count = 0;
}

static bool grow(fn_id_ring *ring, fn_store *store, uint64_t needed)
{
    uint64_t capacity = ring->capacity == 0 ? CAPACITY_MIN : ring->capacity;
    while (capacity < needed)
        capacity *= 2;
    /* Without any ring nothing goes on at all. */
    fn_pool_claim claim = needed <= CAPACITY_MIN ? FN_POOL_FIRST : FN_POOL_USUAL;
    uintptr_t *words = fn_store_alloc_as(store, (size_t)capacity * sizeof *words, claim);
    if (words == NULL)
        return false;
    memset(words, 0, (size_t)capacity * sizeof *words);
    for (uint64_t id = ring->base; id < ring->base + ring->count; id++)
        words[id & (capacity - 1)] = ring->words[id & (ring->capacity - 1)];
    fn_store_free(store, ring->words);
    ring->words = words;
    ring->capacity = (uint32_t)capacity;
    return true;
}

bool fn_id_ring_reach(fn_id_ring *ring, fn_store *store, uint64_t id)
{
    uint64_t needed = id - ring->base + 1;
    if (needed <= ring->count)
        return true;
    if (needed > UINT32_MAX / 2 || (needed > ring->capacity && !grow(ring, store, needed)))
        return false;
    ring->count = (uint32_t)needed;
    return true;
}

uintptr_t *fn_id_ring_at(const fn_id_ring *ring, uint64_t id)
{
    if (id < ring->base || id - ring->base >= ring->count)
        return NULL;
    return &ring->words[id & (ring->capacity - 1)];
}

void fn_id_ring_advance(fn_id_ring *ring, fn_store *store)
{
    if (ring->count > 0) {
        ring->words[ring->base & (ring->capacity - 1)] = 0;
        ring->count--;
    }
    ring->base++;
    if (ring->count == 0 && ring->capacity > CAPACITY_KEPT)
        fn_id_ring_free(ring, store);
}
