#include "base/heap.h"

#include <assert.h>

/* Four children: half the depth of a binary heap, and siblings share a cache line. */
#define CHILDREN 4u

void fn_heap_init(fn_heap *heap, fn_heap_node **nodes, uint32_t capacity)
{
    *heap = (fn_heap){.nodes = nodes, .capacity = capacity};
}

static void place(fn_heap *heap, uint32_t index, fn_heap_node *node)
{
    heap->nodes[index] = node;
    node->place = index + 1;
}

static uint32_t rise(fn_heap *heap, uint32_t index, fn_heap_node *node)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / CHILDREN;
        if (heap->nodes[parent]->deadline_ns <= node->deadline_ns)
            break;
        place(heap, index, heap->nodes[parent]);
        index = parent;
    }
    place(heap, index, node);
    return index;
}

static uint32_t earliest_child(const fn_heap *heap, uint32_t index)
{
    uint32_t first = index * CHILDREN + 1;
    uint32_t end = fn_min_u32(first + CHILDREN, heap->count);
    uint32_t earliest = first;
    for (uint32_t child = first + 1; child < end; child++) {
        if (heap->nodes[child]->deadline_ns < heap->nodes[earliest]->deadline_ns)
            earliest = child;
    }
    return earliest;
}

static void sink(fn_heap *heap, uint32_t index, fn_heap_node *node)
{
    while (index * CHILDREN + 1 < heap->count) {
        uint32_t child = earliest_child(heap, index);
        if (heap->nodes[child]->deadline_ns >= node->deadline_ns)
            break;
        place(heap, index, heap->nodes[child]);
        index = child;
    }
    place(heap, index, node);
}

static void settle(fn_heap *heap, uint32_t index, fn_heap_node *node)
{
    if (rise(heap, index, node) == index)
        sink(heap, index, node);
}

bool fn_heap_set(fn_heap *heap, fn_heap_node *node, uint64_t deadline_ns)
{
    if (deadline_ns == FN_NEVER) {
        fn_heap_remove(heap, node);
        return true;
    }
    if (!fn_heap_contains(node)) {
        if (heap->count == heap->capacity)
            return false;
        node->deadline_ns = deadline_ns;
        rise(heap, heap->count++, node);
        return true;
    }
    assert(heap->nodes[node->place - 1] == node);
    node->deadline_ns = deadline_ns;
    settle(heap, node->place - 1, node);
    return true;
}

void fn_heap_remove(fn_heap *heap, fn_heap_node *node)
{
    if (fn_heap_contains(node)) {
        uint32_t index = node->place - 1;
        assert(heap->nodes[index] == node);
        fn_heap_node *last = heap->nodes[--heap->count];
        if (last != node)
            settle(heap, index, last);
    }
    fn_heap_node_init(node);
}
