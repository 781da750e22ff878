#include "pipe.h"

#include "base/bytes.h"
#include "base/units.h"
#include "internet_parts.h"

#include <stdlib.h>
#include <string.h>

#define FAST_RETRANSMIT_NS (50 * FN_NS_PER_MS)
#define TIMEOUT_NS         (200 * FN_NS_PER_MS)

enum { SPLIT_PERMILLE = 100, WHOLE_PERMILLE = 1000 };

/* What is written at once, or one of its two parts. */
typedef struct segment {
    fn_net_timer timer;
    fn_list_node link;
    fn_pipe_way *way;
    size_t bytes;
    size_t read_bytes;
    uint32_t weight_bytes;
    bool end;
    uint8_t data[];
} segment;

static uint32_t sender_of(const fn_pipe_way *way)
{
    return way == &way->pipe->ways[0] ? 0 : 1;
}

static uint64_t rtt_ns(const fn_pipe *pipe)
{
    return pipe->links[0]->config.delay_ns + pipe->links[1]->config.delay_ns;
}

/* --- life --- */

static void on_way_timer(fn_internet *internet, fn_net_timer *timer);

void fn_pipe_open(fn_pipe *pipe, fn_link *to_server, fn_link *to_client)
{
    memset(pipe, 0, sizeof *pipe);
    pipe->links[0] = to_server;
    pipe->links[1] = to_client;
    for (uint32_t side = 0; side < FN_PIPE_SIDES; side++) {
        fn_pipe_way *way = &pipe->ways[side];
        way->pipe = pipe;
        way->timer.fire = on_way_timer;
        fn_heap_node_init(&way->timer.node);
        fn_list_init(&way->waiting);
        fn_list_init(&way->flying);
        fn_list_init(&way->held);
        fn_list_init(&way->arrived);
    }
}

static void clear(fn_internet *internet, fn_list *list)
{
    fn_list_node *node;
    while ((node = fn_list_pop_front(list)) != NULL) {
        segment *gone = FN_CONTAINER(node, segment, link);
        fn_heap_remove(&internet->heap, &gone->timer.node);
        free(gone);
    }
}

void fn_pipe_free(fn_internet *internet, fn_pipe *pipe)
{
    for (uint32_t side = 0; side < FN_PIPE_SIDES; side++) {
        fn_pipe_way *way = &pipe->ways[side];
        fn_heap_remove(&internet->heap, &way->timer.node);
        clear(internet, &way->waiting);
        clear(internet, &way->flying);
        clear(internet, &way->held);
        clear(internet, &way->arrived);
    }
}

/* --- on the wire --- */

static void arrive(fn_internet *internet, fn_net_timer *timer)
{
    segment *come = FN_CONTAINER(timer, segment, timer);
    fn_pipe_way *way = come->way;
    fn_list_remove(&come->link);
    bool held = way->stalled || !fn_list_empty(&way->held);
    fn_list_push_back(held ? &way->held : &way->arrived, &come->link);
    if (!held)
        way->pipe->notify(internet, way->pipe, 1 - sender_of(way));
}

/* How much later a segment comes because the network lost it, at most twice. */
static uint64_t mend_ns(fn_internet *internet, const fn_pipe *pipe)
{
    if (!fn_rng_chance(&internet->rng, pipe->loss_permille))
        return 0;
    uint64_t late_ns = rtt_ns(pipe) + FAST_RETRANSMIT_NS;
    if (fn_rng_chance(&internet->rng, pipe->loss_permille))
        late_ns += rtt_ns(pipe) + TIMEOUT_NS;
    return late_ns;
}

static void launch(fn_internet *internet, fn_pipe_way *way, segment *next)
{
    fn_link *link = way->pipe->links[sender_of(way)];
    uint64_t unordered_ns = 0;
    uint64_t at_ns = fn_link_send_stream(link, internet->now_ns, next->weight_bytes, &unordered_ns);
    at_ns += mend_ns(internet, way->pipe);
    way->last_at_ns = fn_max_u64(at_ns, way->last_at_ns + 1);
    fn_list_push_back(&way->flying, &next->link);
    fn_internet_set_timer(internet, &next->timer, way->last_at_ns);
}

static void pump(fn_internet *internet, fn_pipe_way *way)
{
    fn_list_node *node;
    while ((node = fn_list_front(&way->waiting)) != NULL) {
        segment *next = FN_CONTAINER(node, segment, link);
        if (way->flight_bytes > 0 && way->flight_bytes + next->weight_bytes > FN_PIPE_WINDOW_BYTES)
            return;
        uint64_t ready_ns =
            fn_link_stream_ready_ns(way->pipe->links[sender_of(way)], internet->now_ns);
        if (ready_ns > internet->now_ns) {
            fn_internet_set_timer(internet, &way->timer, ready_ns);
            return;
        }
        fn_list_remove(node);
        way->unsent_bytes -= next->weight_bytes;
        way->flight_bytes += next->weight_bytes;
        launch(internet, way, next);
    }
}

static void release(fn_internet *internet, fn_pipe_way *way)
{
    fn_list_node *node;
    way->stalled = false;
    way->resume_ns = 0;
    while ((node = fn_list_pop_front(&way->held)) != NULL)
        fn_list_push_back(&way->arrived, node);
    way->pipe->notify(internet, way->pipe, 1 - sender_of(way));
}

static void on_way_timer(fn_internet *internet, fn_net_timer *timer)
{
    fn_pipe_way *way = FN_CONTAINER(timer, fn_pipe_way, timer);
    pump(internet, way);
    way->pipe->notify(internet, way->pipe, sender_of(way));
    if (way->resume_ns != 0 && internet->now_ns >= way->resume_ns)
        release(internet, way);
    else if (way->resume_ns != 0)
        fn_internet_set_timer(internet, &way->timer, way->resume_ns);
}

/* --- writing --- */

bool fn_pipe_has_room(const fn_pipe *pipe, uint32_t side)
{
    return pipe->ways[side].unsent_bytes < FN_PIPE_UNSENT_BYTES;
}

static void queue(fn_pipe_way *way, const uint8_t *data, size_t bytes, uint32_t weight_bytes,
                  bool end)
{
    segment *new = fn_internet_calloc(sizeof *new + bytes);
    new->timer.fire = arrive;
    fn_heap_node_init(&new->timer.node);
    new->way = way;
    new->bytes = bytes;
    new->weight_bytes = weight_bytes;
    new->end = end;
    if (bytes > 0)
        memcpy(new->data, data, bytes);
    way->unsent_bytes += weight_bytes;
    fn_list_push_back(&way->waiting, &new->link);
}

void fn_pipe_write(fn_internet *internet, fn_pipe *pipe, uint32_t side, const uint8_t *data,
                   size_t bytes, uint32_t weight_bytes)
{
    fn_pipe_way *way = &pipe->ways[side];
    if (pipe->reset || way->ended || bytes == 0)
        return;
    uint64_t permille = WHOLE_PERMILLE;
    if (fn_rng_chance(&internet->rng, SPLIT_PERMILLE))
        permille = fn_rng_below(&internet->rng, WHOLE_PERMILLE);
    size_t first = bytes * permille / WHOLE_PERMILLE;
    uint32_t weight = (uint32_t)(weight_bytes * permille / WHOLE_PERMILLE);
    queue(way, data, first, weight, false);
    if (permille < WHOLE_PERMILLE)
        queue(way, data + first, bytes - first, weight_bytes - weight, false);
    pump(internet, way);
}

void fn_pipe_end(fn_internet *internet, fn_pipe *pipe, uint32_t side)
{
    fn_pipe_way *way = &pipe->ways[side];
    if (pipe->reset || way->ended)
        return;
    way->ended = true;
    queue(way, NULL, 0, 0, true);
    pump(internet, way);
}

/* --- reading --- */

static void acknowledge(fn_internet *internet, fn_pipe_way *way, const segment *used)
{
    way->flight_bytes -= used->weight_bytes;
    uint64_t at_ns = internet->now_ns + way->pipe->links[1 - sender_of(way)]->config.delay_ns;
    if (!fn_list_empty(&way->waiting) && way->resume_ns == 0)
        fn_internet_set_timer(internet, &way->timer, at_ns);
}

size_t fn_pipe_read(fn_internet *internet, fn_pipe *pipe, uint32_t side, uint8_t *out,
                    size_t capacity)
{
    fn_pipe_way *way = &pipe->ways[1 - side];
    size_t count = 0;
    fn_list_node *node;
    while ((node = fn_list_front(&way->arrived)) != NULL) {
        segment *next = FN_CONTAINER(node, segment, link);
        size_t moved = fn_min_size(next->bytes - next->read_bytes, capacity - count);
        if (moved > 0)
            memcpy(out + count, next->data + next->read_bytes, moved);
        next->read_bytes += moved;
        count += moved;
        if (next->read_bytes < next->bytes)
            break;
        way->end_due |= next->end;
        fn_list_remove(node);
        acknowledge(internet, way, next);
        free(next);
    }
    return count;
}

bool fn_pipe_readable(const fn_pipe *pipe, uint32_t side)
{
    return !fn_list_empty(&pipe->ways[1 - side].arrived);
}

bool fn_pipe_ended(const fn_pipe *pipe, uint32_t side)
{
    const fn_pipe_way *way = &pipe->ways[1 - side];
    return fn_list_empty(&way->arrived) && (way->end_due || pipe->reset);
}

/* --- accidents --- */

static void cut(fn_internet *internet, fn_pipe_way *way)
{
    fn_list_node *node = fn_list_front(&way->held);
    if (node == NULL)
        node = fn_list_front(&way->flying);
    if (node != NULL) {
        segment *oldest = FN_CONTAINER(node, segment, link);
        fn_heap_remove(&internet->heap, &oldest->timer.node);
        fn_list_remove(node);
        oldest->bytes /= 2;
        oldest->end = false;
        fn_list_push_back(&way->arrived, node);
    }
    clear(internet, &way->waiting);
    clear(internet, &way->flying);
    clear(internet, &way->held);
    fn_internet_set_timer(internet, &way->timer, internet->now_ns);
}

void fn_pipe_reset(fn_internet *internet, fn_pipe *pipe)
{
    if (pipe->reset)
        return;
    pipe->reset = true;
    for (uint32_t side = 0; side < FN_PIPE_SIDES; side++)
        cut(internet, &pipe->ways[side]);
}

void fn_pipe_stall(fn_pipe *pipe, uint32_t side)
{
    pipe->ways[side].stalled = true;
    pipe->ways[side].resume_ns = 0;
}

void fn_pipe_resume(fn_internet *internet, fn_pipe *pipe, uint32_t side, uint64_t after_ns)
{
    fn_pipe_way *way = &pipe->ways[side];
    if (!way->stalled)
        return;
    way->resume_ns = internet->now_ns + after_ns;
    fn_internet_set_timer(internet, &way->timer, way->resume_ns);
}
