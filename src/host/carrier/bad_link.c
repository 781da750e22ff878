#include "host/carrier/bad_link.h"

#include <assert.h>
#include <string.h>

#include "base/list.h"
#include "base/units.h"
#include "host/blocks.h"

static size_t items_bytes(void)
{
    return FN_BAD_LINK_DATAGRAMS_MAX * sizeof(fn_bad_link_item);
}

static size_t nodes_bytes(void)
{
    return FN_BAD_LINK_DATAGRAMS_MAX * sizeof(fn_heap_node *);
}

static size_t data_bytes(uint32_t datagram_bytes_max)
{
    return (size_t)FN_BAD_LINK_DATAGRAMS_MAX * datagram_bytes_max;
}

fn_bad_link *fn_bad_link_create(const fn_memory *memory, const fn_bad_link_settings *settings,
                                uint32_t datagram_bytes_max)
{
    fn_bad_link *link = fn_allocator_zeroed(memory, sizeof *link);
    if (link == NULL)
        return NULL;
    link->settings = *settings;
    link->datagram_bytes_max = datagram_bytes_max;
    link->items = fn_memory_alloc(memory, items_bytes(), FN_ALLOCATOR_ALIGNMENT);
    link->heap_nodes = fn_memory_alloc(memory, nodes_bytes(), FN_ALLOCATOR_ALIGNMENT);
    link->bytes = fn_memory_alloc(memory, data_bytes(datagram_bytes_max), FN_ALLOCATOR_ALIGNMENT);
    if (link->items == NULL || link->heap_nodes == NULL || link->bytes == NULL) {
        fn_bad_link_destroy(memory, link);
        return NULL;
    }
    fn_rng_init(&link->rng, settings->seed);
    fn_heap_init(&link->due, link->heap_nodes, FN_BAD_LINK_DATAGRAMS_MAX);
    for (uint32_t i = FN_BAD_LINK_DATAGRAMS_MAX; i-- > 0;) {
        fn_bad_link_item *item = &link->items[i];
        fn_heap_node_init(&item->timer);
        item->data = link->bytes + (size_t)i * datagram_bytes_max;
        item->next_free = link->free_items;
        link->free_items = item;
    }
    return link;
}

void fn_bad_link_destroy(const fn_memory *memory, fn_bad_link *link)
{
    if (link == NULL)
        return;
    fn_memory_free(memory, link->bytes, data_bytes(link->datagram_bytes_max));
    fn_memory_free(memory, link->heap_nodes, nodes_bytes());
    fn_memory_free(memory, link->items, items_bytes());
    fn_memory_free(memory, link, sizeof *link);
}

static void hold(fn_bad_link *link, uint64_t until_ns, const fn_address *to,
                 const fn_address *source, const uint8_t *data, uint32_t bytes)
{
    fn_bad_link_item *item = link->free_items;
    if (item == NULL)
        return;
    link->free_items = item->next_free;
    item->to = *to;
    item->source = source;
    item->bytes = bytes;
    memcpy(item->data, data, bytes);
    fn_heap_set(&link->due, &item->timer, until_ns);
}

static uint64_t draw_delay_ns(fn_bad_link *link)
{
    uint64_t jitter_ns = link->settings.jitter_ms * FN_NS_PER_MS;
    return link->settings.delay_ms * FN_NS_PER_MS + fn_rng_below(&link->rng, jitter_ns + 1);
}

void fn_bad_link_put(fn_bad_link *link, uint64_t now_ns, const fn_address *to,
                     const fn_address *source, const uint8_t *data, uint32_t bytes)
{
    assert(bytes <= link->datagram_bytes_max);
    if (fn_rng_chance(&link->rng, link->settings.loss_permille))
        return;
    uint32_t copies = fn_rng_chance(&link->rng, link->settings.duplicate_permille) ? 2 : 1;
    while (copies-- > 0)
        hold(link, now_ns + draw_delay_ns(link), to, source, data, bytes);
}

uint64_t fn_bad_link_deadline_ns(const fn_bad_link *link)
{
    return fn_heap_deadline_ns(&link->due);
}

const fn_bad_link_item *fn_bad_link_take(fn_bad_link *link, uint64_t now_ns)
{
    if (fn_heap_deadline_ns(&link->due) > now_ns)
        return NULL;
    fn_bad_link_item *item = FN_CONTAINER_OF(fn_heap_min(&link->due), fn_bad_link_item, timer);
    fn_heap_remove(&link->due, &item->timer);
    item->next_free = link->free_items;
    link->free_items = item;
    return item;
}

void fn_bad_link_give(fn_bad_link *link, uint64_t now_ns, fn_bad_link_taker taker, void *context)
{
    while (link != NULL && fn_heap_deadline_ns(&link->due) <= now_ns) {
        if (!taker(context, FN_CONTAINER_OF(fn_heap_min(&link->due), fn_bad_link_item, timer)))
            return;
        (void)fn_bad_link_take(link, now_ns);
    }
}
