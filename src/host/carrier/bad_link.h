/*
 * bad_link.h: one way of a bad network inside the endpoint, for development: what passes it is
 * lost, repeated or held back at random. The same seed and the same sends give the same fate.
 * Memory is bounded: what does not fit is lost, as in a router.
 */
#ifndef FN_HOST_CARRIER_BAD_LINK_H
#define FN_HOST_CARRIER_BAD_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/heap.h"
#include "base/memory.h"
#include "base/rng.h"

enum {
    FN_BAD_LINK_DATAGRAMS_MAX = 4096, /* held back at once */
    FN_BAD_LINK_PERMILLE_MAX = 1000,
    FN_BAD_LINK_DELAY_MS_MAX = 10000,
};

typedef struct fn_bad_link_settings {
    uint32_t loss_permille;
    uint32_t duplicate_permille;
    uint32_t delay_ms;
    uint32_t jitter_ms;
    uint64_t seed;
} fn_bad_link_settings;

typedef struct fn_bad_link_item {
    fn_heap_node timer;
    struct fn_bad_link_item *next_free;
    fn_address to;
    const fn_address *source;
    uint32_t bytes;
    uint8_t *data;
} fn_bad_link_item;

typedef struct fn_bad_link {
    fn_bad_link_settings settings;
    fn_rng rng;
    fn_heap due;
    fn_heap_node **heap_nodes;
    fn_bad_link_item *items;
    fn_bad_link_item *free_items;
    uint8_t *bytes;
    uint32_t datagram_bytes_max;
} fn_bad_link;

/* All values in their range. NULL: no memory. */
fn_bad_link *fn_bad_link_create(const fn_memory *memory, const fn_bad_link_settings *settings,
                                uint32_t datagram_bytes_max);

/* What is held back is lost. NULL is fine. */
void fn_bad_link_destroy(const fn_memory *memory, fn_bad_link *link);

/* Takes one datagram (copied) of at most datagram_bytes_max, none, or two. `source`: as in
 * fn_datagram, kept as it is. */
void fn_bad_link_put(fn_bad_link *link, uint64_t now_ns, const fn_address *to,
                     const fn_address *source, const uint8_t *data, uint32_t bytes);

/* When the next one may leave; FN_NEVER when there is none. */
uint64_t fn_bad_link_deadline_ns(const fn_bad_link *link);

/* False: no room for it now, it stays. */
typedef bool (*fn_bad_link_taker)(void *context, const fn_bad_link_item *item);

/* Gives what is due to the taker, in order, until that has no room. NULL is fine. */
void fn_bad_link_give(fn_bad_link *link, uint64_t now_ns, fn_bad_link_taker taker, void *context);

/* One datagram whose time has come, good until the next call; NULL when there is none. */
const fn_bad_link_item *fn_bad_link_take(fn_bad_link *link, uint64_t now_ns);

#endif
