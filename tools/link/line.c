#include "link/line.h"

#include <stdlib.h>
#include <string.h>

bool fn_line_start(fn_line *line, const fn_link_config *config, uint64_t seed, uint32_t packets_max,
                   size_t held_bytes_max)
{
    *line = (fn_line){.held_bytes_max = held_bytes_max};
    fn_link_init(&line->link, config, seed);
    fn_heap_node **nodes = calloc(packets_max, sizeof *nodes);
    fn_heap_init(&line->heap, nodes, nodes ? packets_max : 0);
    return nodes != NULL;
}

void fn_line_stop(fn_line *line)
{
    fn_packet *packet;
    while ((packet = fn_line_take(line, FN_NEVER)) != NULL)
        fn_packet_release(packet);
    free(line->heap.nodes);
    line->heap.nodes = NULL;
}

static size_t cost_of(size_t bytes)
{
    return sizeof(fn_packet) + bytes;
}

bool fn_line_has_room(const fn_line *line, size_t bytes)
{
    return line->heap.count < line->heap.capacity &&
           line->held_bytes + cost_of(bytes) <= line->held_bytes_max;
}

static fn_packet *hold(fn_line *line, uint64_t at_ns, const void *data, size_t bytes,
                       uint64_t route)
{
    fn_packet *packet = fn_line_has_room(line, bytes) ? malloc(cost_of(bytes)) : NULL;
    if (!packet)
        return NULL;
    *packet = (fn_packet){.due_ns = at_ns, .route = route, .bytes = bytes};
    fn_heap_node_init(&packet->timer);
    if (bytes > 0)
        memcpy(packet->data, data, bytes);
    fn_heap_set(&line->heap, &packet->timer, at_ns);
    line->held_bytes += cost_of(bytes);
    return packet;
}

void fn_line_put(fn_line *line, uint64_t now_ns, const void *data, size_t bytes, uint64_t route)
{
    fn_link_copy copies[FN_LINK_COPIES_MAX];
    line->entered_bytes += bytes;
    uint32_t count = fn_link_send(&line->link, now_ns, bytes, copies);
    for (uint32_t i = 0; i < count; i++) {
        fn_packet *packet = hold(line, copies[i].at_ns, data, bytes, route);
        line->no_room += packet == NULL;
        if (packet && copies[i].corrupt && bytes > 0)
            fn_link_damage(&line->link, packet->data, bytes);
    }
}

bool fn_line_put_stream(fn_line *line, uint64_t now_ns, const void *data, size_t bytes,
                        uint64_t route, uint64_t *last_at_ns)
{
    if (!fn_line_has_room(line, bytes))
        return false;
    uint64_t at_ns = fn_link_send_stream(&line->link, now_ns, bytes, last_at_ns);
    if (!hold(line, at_ns, data, bytes, route))
        return false;
    line->entered_bytes += bytes;
    return true;
}

fn_packet *fn_line_take(fn_line *line, uint64_t now_ns)
{
    fn_heap_node *node = fn_heap_min(&line->heap);
    if (!node || node->deadline_ns > now_ns)
        return NULL;
    fn_heap_remove(&line->heap, node);
    fn_packet *packet = (fn_packet *)(void *)node; /* its first member */
    line->held_bytes -= cost_of(packet->bytes);
    line->delivered++;
    line->delivered_bytes += packet->bytes;
    return packet;
}

void fn_packet_release(fn_packet *packet)
{
    free(packet);
}
