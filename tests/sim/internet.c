#include "internet_parts.h"

#include "base/bytes.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_NS (1000 * FN_NS_PER_S)

enum {
    TIMERS_MAX = 1 << 16,
    CLIENT_ADDRESS_FIRST = 16, /* from here up, a new one for each change */
};

void *fn_internet_calloc(size_t bytes)
{
    void *memory = calloc(1, bytes);
    if (memory == NULL)
        abort();
    return memory;
}

void fn_internet_set_timer(fn_internet *internet, fn_net_timer *timer, uint64_t at_ns)
{
    if (!fn_heap_set(&internet->heap, &timer->node, at_ns)) {
        fprintf(stderr, "the simulator has too many timers\n");
        abort();
    }
}

void fn_internet_notify(fn_net_node *node, bool soon)
{
    node->internet->listener.notify(node->internet->listener.user, node, soon);
}

/* --- addresses --- */

static fn_address numbered(uint32_t number, uint16_t port)
{
    uint8_t ip[4] = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
    return fn_address_from_ipv4(ip, port);
}

fn_address fn_internet_server_address(uint16_t port)
{
    return numbered(1, port);
}

void fn_internet_rebind(fn_net_node *client)
{
    uint16_t port = (uint16_t)(20000 + fn_rng_below(&client->internet->rng, 20000));
    client->outside = numbered(client->internet->next_address++, port);
}

/* --- building --- */

void fn_internet_init(fn_internet *internet, uint64_t seed, const fn_internet_listener *listener)
{
    memset(internet, 0, sizeof *internet);
    internet->listener = *listener;
    internet->now_ns = START_NS;
    internet->next_address = CLIENT_ADDRESS_FIRST;
    internet->heap_nodes = fn_internet_calloc(TIMERS_MAX * sizeof(fn_heap_node *));
    fn_heap_init(&internet->heap, internet->heap_nodes, TIMERS_MAX);
    fn_rng_init(&internet->rng, seed);
    fn_list_init(&internet->connections);
}

fn_net_node *fn_internet_add(fn_internet *internet, const fn_link_config *up,
                             const fn_link_config *down)
{
    uint8_t seed[FN_RANDOM_SEED_BYTES];
    fn_net_node *node = &internet->nodes[internet->node_count];
    node->internet = internet;
    node->index = internet->node_count++;
    fn_list_init(&node->inbox);
    fn_list_init(&node->waiting);
    fn_rng_bytes(&internet->rng, seed, sizeof seed);
    fn_random_start(&node->entropy, seed);
    node->clock_offset_ns = fn_rng_below(&internet->rng, 1000 * FN_NS_PER_S);
    if (node->index == FN_INTERNET_SERVER)
        return node;
    fn_link_init(&node->up, up, fn_rng_u64(&internet->rng));
    fn_link_init(&node->down, down, fn_rng_u64(&internet->rng));
    fn_internet_rebind(node);
    return node;
}

/* Only datagrams are left in the heap: everything else was taken out by its owner. */
void fn_internet_free(fn_internet *internet)
{
    fn_heap_node *node;
    for (uint32_t i = 0; i < internet->node_count; i++)
        fn_net_udp_close(&internet->nodes[i]);
    fn_net_tcp_free_all(internet);
    while ((node = fn_heap_min(&internet->heap)) != NULL) {
        fn_heap_remove(&internet->heap, node);
        free(FN_CONTAINER(node, fn_net_datagram, timer.node));
    }
    free(internet->heap_nodes);
}

/* --- time --- */

bool fn_internet_step(fn_internet *internet, uint64_t until_ns)
{
    fn_heap_node *node = fn_heap_min(&internet->heap);
    if (node == NULL || node->deadline_ns > until_ns) {
        internet->now_ns = fn_max_u64(internet->now_ns, until_ns);
        return false;
    }
    fn_net_timer *timer = FN_CONTAINER(node, fn_net_timer, node);
    internet->now_ns = fn_max_u64(internet->now_ns, node->deadline_ns);
    fn_heap_remove(&internet->heap, node);
    timer->fire(internet, timer);
    return true;
}

/* --- what happens to a client --- */

void fn_internet_move(fn_net_node *client)
{
    client->network++;
    fn_internet_rebind(client);
    fn_internet_stall_tcp(client, 0);
    fn_internet_stall_tcp(client, 1);
}
