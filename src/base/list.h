/*
 * An intrusive doubly linked list: the node lives inside the listed struct, so
 * linking and unlinking allocate nothing and take constant time.
 * FN_CONTAINER_OF gets from a node to its struct.
 *
 * The list holds pointers to itself: do not move or copy an initialised list. A node of all zero
 * is in no list. To remove while walking, take the next node before unlinking the present one.
 */
#ifndef FN_BASE_LIST_H
#define FN_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#define FN_CONTAINER_OF(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

typedef struct fn_list_node {
    struct fn_list_node *next; /* NULL = in no list */
    struct fn_list_node *previous;
} fn_list_node;

typedef struct fn_list {
    fn_list_node ends; /* next = front, previous = back; itself when empty */
} fn_list;

static inline void fn_list_init(fn_list *list)
{
    list->ends.next = &list->ends;
    list->ends.previous = &list->ends;
}

static inline bool fn_list_empty(const fn_list *list)
{
    return list->ends.next == &list->ends;
}

static inline bool fn_list_linked(const fn_list_node *node)
{
    return node->next != NULL;
}

/* Links node in front of `before`. node is in no list. */
static inline void fn_list_insert_before(fn_list_node *before, fn_list_node *node)
{
    node->next = before;
    node->previous = before->previous;
    before->previous->next = node;
    before->previous = node;
}

static inline void fn_list_push_front(fn_list *list, fn_list_node *node)
{
    fn_list_insert_before(list->ends.next, node);
}

static inline void fn_list_push_back(fn_list *list, fn_list_node *node)
{
    fn_list_insert_before(&list->ends, node);
}

/* Unlinks node from the list that it is in; nothing happens when it is in none. */
static inline void fn_list_remove(fn_list_node *node)
{
    if (!fn_list_linked(node))
        return;
    node->previous->next = node->next;
    node->next->previous = node->previous;
    node->next = NULL;
    node->previous = NULL;
}

/* NULL when the list is empty. */
static inline fn_list_node *fn_list_front(const fn_list *list)
{
    return fn_list_empty(list) ? NULL : list->ends.next;
}

/* NULL when the list is empty. */
static inline fn_list_node *fn_list_back(const fn_list *list)
{
    return fn_list_empty(list) ? NULL : list->ends.previous;
}

/* The node after this one; NULL at the back. */
static inline fn_list_node *fn_list_next(const fn_list *list, const fn_list_node *node)
{
    return node->next == &list->ends ? NULL : node->next;
}

/* The node before this one; NULL at the front. */
static inline fn_list_node *fn_list_previous(const fn_list *list, const fn_list_node *node)
{
    return node->previous == &list->ends ? NULL : node->previous;
}

/* Unlinks and returns the front node; NULL when the list is empty. */
static inline fn_list_node *fn_list_pop_front(fn_list *list)
{
    fn_list_node *node = fn_list_front(list);
    if (node != NULL)
        fn_list_remove(node);
    return node;
}

#endif
