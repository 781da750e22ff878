/*
 * Timers: a min-heap of deadlines. The node lives inside what it times; the heap borrows an array
 * of node pointers from the caller. A deadline of FN_NEVER means: not in the heap.
 *
 * Setting, moving and removing take O(log n), the earliest deadline O(1). The same calls give the
 * same order, also among equal deadlines. A node of all zero bytes is in no heap.
 */
#ifndef FN_BASE_HEAP_H
#define FN_BASE_HEAP_H

#include "base/units.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct fn_heap_node {
    uint64_t deadline_ns;
    uint32_t place; /* 1 + index in the heap's array; 0 = not in a heap */
} fn_heap_node;

typedef struct fn_heap {
    fn_heap_node **nodes;
    uint32_t capacity;
    uint32_t count;
} fn_heap;

/* nodes: borrowed for the heap's life, `capacity` pointers. */
void fn_heap_init(fn_heap *heap, fn_heap_node **nodes, uint32_t capacity);

static inline void fn_heap_node_init(fn_heap_node *node)
{
    node->deadline_ns = FN_NEVER;
    node->place = 0;
}

/* Inserts, moves or (FN_NEVER) removes node. False, and nothing changes, when the heap is full. */
bool fn_heap_set(fn_heap *heap, fn_heap_node *node, uint64_t deadline_ns);

/* Takes node out; its deadline is FN_NEVER then. Nothing else happens when it is in no heap. */
void fn_heap_remove(fn_heap *heap, fn_heap_node *node);

static inline bool fn_heap_contains(const fn_heap_node *node)
{
    return node->place != 0;
}

/* The node with the earliest deadline; NULL when the heap is empty. */
static inline fn_heap_node *fn_heap_min(const fn_heap *heap)
{
    return heap->count > 0 ? heap->nodes[0] : NULL;
}

/* The earliest deadline; FN_NEVER when the heap is empty. */
static inline uint64_t fn_heap_deadline_ns(const fn_heap *heap)
{
    return heap->count > 0 ? heap->nodes[0]->deadline_ns : FN_NEVER;
}

#endif
