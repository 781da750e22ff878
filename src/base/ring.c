#include "base/ring.h"

#include "base/bits.h"

#include <assert.h>
#include <string.h>

void fn_ring_init(fn_ring *ring, void *memory, size_t item_bytes, uint32_t capacity)
{
    assert(fn_bits_power_of_two(capacity));
    assert(item_bytes > 0);
    *ring = (fn_ring){.items = memory, .item_bytes = item_bytes, .capacity = capacity};
}

static uint8_t *slot(const fn_ring *ring, uint32_t index)
{
    return ring->items + ((ring->head + index) & (ring->capacity - 1)) * ring->item_bytes;
}

void *fn_ring_push_slot(fn_ring *ring)
{
    if (fn_ring_full(ring))
        return NULL;
    return slot(ring, ring->count++);
}

bool fn_ring_push_back(fn_ring *ring, const void *item)
{
    void *place = fn_ring_push_slot(ring);
    if (place == NULL)
        return false;
    memcpy(place, item, ring->item_bytes);
    return true;
}

void *fn_ring_at(fn_ring *ring, uint32_t index)
{
    return index < ring->count ? slot(ring, index) : NULL;
}

void *fn_ring_front(fn_ring *ring)
{
    return fn_ring_at(ring, 0);
}

bool fn_ring_pop_front(fn_ring *ring, void *item)
{
    if (ring->count == 0)
        return false;
    if (item != NULL)
        memcpy(item, slot(ring, 0), ring->item_bytes);
    ring->head++;
    ring->count--;
    return true;
}
