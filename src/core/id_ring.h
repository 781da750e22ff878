/*
 * id_ring.h: one word for each of a range of consecutive message ids, found by subtraction.
 *
 * A window of ids base .. base + count - 1 in a power-of-two ring that grows by doubling. The words
 * of ids that were not set are 0. A ring that is empty again gives what is large back.
 */
#ifndef FN_CORE_ID_RING_H
#define FN_CORE_ID_RING_H

#include "core/store.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct fn_id_ring {
    uintptr_t *words;
    uint64_t base;
    uint32_t count;
    uint32_t capacity;
} fn_id_ring;

void fn_id_ring_free(fn_id_ring *ring, fn_store *store);

/* Makes id part of the range, growing it at the end. False: memory is
 * short, nothing changed. id ≥ base. */
bool fn_id_ring_reach(fn_id_ring *ring, fn_store *store, uint64_t id);

/* The word of an id; NULL outside the range. */
uintptr_t *fn_id_ring_at(const fn_id_ring *ring, uint64_t id);

/* Drops the first id (there is one, or the range is empty and just moves up by one). */
void fn_id_ring_advance(fn_id_ring *ring, fn_store *store);

#endif
