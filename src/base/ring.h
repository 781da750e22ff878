/*
 * A first-in first-out ring of fixed-size items over the caller's memory.
 *
 * The capacity is a power of two and never changes. Items are copied in and out; pointers that
 * `at`, `front` and `push_slot` give stay good until that item is popped. Nothing allocates.
 */
#ifndef FN_BASE_RING_H
#define FN_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fn_ring {
    uint8_t *items;
    size_t item_bytes;
    uint32_t capacity; /* a power of two */
    uint32_t head;     /* of the front item; runs freely, masked on use */
    uint32_t count;
} fn_ring;

/* memory: borrowed for the ring's life; item_bytes * capacity bytes, aligned for the item type. */
void fn_ring_init(fn_ring *ring, void *memory, size_t item_bytes, uint32_t capacity);

/* Copies one item in at the back; false, and nothing changes, when the ring is full. */
bool fn_ring_push_back(fn_ring *ring, const void *item);

/* Adds one item at the back and returns its (uncleared) place; NULL when the ring is full. */
void *fn_ring_push_slot(fn_ring *ring);

/* The oldest item in place; NULL when the ring is empty. */
void *fn_ring_front(fn_ring *ring);

/* Item index (0 = front); NULL from count on. */
void *fn_ring_at(fn_ring *ring, uint32_t index);

/* Removes the oldest item, copying it to item unless that is NULL; false when the ring is empty. */
bool fn_ring_pop_front(fn_ring *ring, void *item);

static inline uint32_t fn_ring_count(const fn_ring *ring)
{
    return ring->count;
}

static inline bool fn_ring_full(const fn_ring *ring)
{
    return ring->count == ring->capacity;
}

static inline void fn_ring_clear(fn_ring *ring)
{
    ring->head = 0;
    ring->count = 0;
}

#endif
