#include "world_internal.h"

#include "base/result.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A message that the application has not let go of. */
typedef struct held_message {
    fn_timer timer;
    fn_list_node link;
    fn_end *end;
    fn_datagram *datagram; /* that it lies in; NULL = in a block of the pool */
    fn_event event;
} held_message;

static fn_datagram *find_buffer(const fn_host *host, const fn_event *event)
{
    fn_list_node *node = fn_list_front(&host->batch);
    for (; node != NULL; node = fn_list_next(&host->batch, node)) {
        fn_datagram *datagram = FN_CONTAINER(node, fn_datagram, link);
        if (event->data >= datagram->data && event->data < datagram->data + datagram->bytes)
            return datagram;
    }
    return NULL;
}

static void let_go(held_message *held)
{
    fn_list_remove(&held->link);
    fn_conn_release(held->end->conn, &held->event);
    if (held->datagram != NULL)
        fn_datagram_release(held->datagram);
    free(held);
}

static void release_later(fn_world *world, fn_timer *timer)
{
    held_message *held = FN_CONTAINER(timer, held_message, timer);
    fn_end *end = held->end;
    let_go(held);
    if (world->config.tick_ns == 0)
        fn_world_pump(world, end);
}

static void hold(fn_world *world, fn_end *end, const fn_event *event)
{
    held_message *held = fn_world_calloc(sizeof *held);
    held->end = end;
    held->event = *event;
    held->timer.fire = release_later;
    fn_heap_node_init(&held->timer.node);
    if (event->held == NULL)
        held->datagram = find_buffer(end->host, event);
    if (held->datagram != NULL)
        held->datagram->references++;
    fn_list_push_back(&end->held, &held->link);
    uint64_t wait_ns = fn_rng_below(&world->rng, world->config.hold_ns_max + 1);
    fn_world_set_timer(world, &held->timer, world->now_ns + wait_ns);
}

void fn_world_release_held(fn_world *world, fn_end *end)
{
    fn_list_node *node;
    while ((node = fn_list_front(&end->held)) != NULL) {
        held_message *held = FN_CONTAINER(node, held_message, link);
        fn_world_set_timer(world, &held->timer, FN_NEVER);
        let_go(held);
    }
}

/* --- events --- */

static void on_message(fn_world *world, fn_end *end, const fn_event *event)
{
    if (event->channel >= FN_WORLD_CHANNELS) {
        fn_world_fail(world, "a message came on a channel that does not exist");
        return;
    }
    fn_stream *stream = &end->peer->streams[event->channel];
    const char *complaint = fn_stream_receive(stream, world->now_ns, event->data, event->bytes);
    if (complaint != NULL)
        fn_world_fail(world, complaint);
    if (fn_rng_chance(&world->rng, world->config.hold_permille))
        hold(world, end, event);
    else
        fn_conn_release(end->conn, event);
}

static void on_told(fn_world *world, fn_end *end, const fn_event *event)
{
    fn_stream *stream = &end->streams[event->channel % FN_WORLD_CHANNELS];
    bool delivered = event->type == FN_EVENT_DELIVERED;
    const char *complaint = fn_stream_tell(stream, event->tag, delivered);
    end->ending |= !delivered && fn_stream_is_reliable(stream);
    if (complaint != NULL)
        fn_world_fail(world, complaint);
}

static void on_closed(fn_world *world, fn_end *end, const fn_event *event)
{
    end->closed = true;
    for (uint32_t i = 0; i < FN_WORLD_CHANNELS; i++)
        if (!fn_stream_all_told(&end->streams[i]))
            fn_world_fail(world, "a tag was forgotten when the session ended");
    end->closed_code = event->code;
    end->closed_result = event->result;
    snprintf(end->closed_text, sizeof end->closed_text, "%.*s", (int)event->bytes,
             event->data != NULL ? (const char *)event->data : "");
    if (end->closing)
        fn_world_fail(world, "CLOSED was reported to the side that closed");
    if (!end->may_close) {
        fprintf(stderr, "%s %u: CLOSED, %s, code %u: %s\n", end->is_client ? "client" : "server",
                end->index / 2, fastnet_result_name(event->result), event->code, end->closed_text);
        fn_world_fail(world, "the session ended by itself");
    }
}

static void on_path_changed(fn_world *world, fn_end *end)
{
    end->path_changes++;
    uint8_t path = fn_conn_path(end->conn);
    if (path < FN_CONN_PATHS_MAX && end->path_address[path] == FN_WORLD_ATTACKER_ADDRESS)
        fn_world_fail(world, "the session moved to the attacker's address");
}

static void on_connected(fn_world *world, fn_end *end)
{
    if (end->connected)
        fn_world_fail(world, "CONNECTED was reported twice");
    end->connected = true;
    end->connected_ns = world->now_ns - end->began_ns;
    fn_world_load_start(world, end);
}

static void on_event(fn_world *world, const fn_event *event)
{
    fn_end *end = &world->ends[event->owner % FN_ARRAY_COUNT(world->ends)];
    fn_world_trace(world,
                   (uint64_t)event->type << 40 | (uint64_t)event->channel << 32 | event->bytes);
    if (end->closed)
        fn_world_fail(world, "an event came after CLOSED");
    if (!end->connected && event->type != FN_EVENT_CONNECTED && event->type != FN_EVENT_CLOSED)
        fn_world_fail(world, "an event came before CONNECTED");
    if (end->ending && event->type != FN_EVENT_LOST && event->type != FN_EVENT_CLOSED)
        fn_world_fail(world, "a reliable message was said to be lost, and the session went on");
    switch (event->type) {
    case FN_EVENT_CONNECTED:
        on_connected(world, end);
        break;
    case FN_EVENT_MESSAGE:
        on_message(world, end, event);
        break;
    case FN_EVENT_DELIVERED:
    case FN_EVENT_LOST:
        on_told(world, end, event);
        break;
    case FN_EVENT_PATH_CHANGED:
        on_path_changed(world, end);
        break;
    case FN_EVENT_CLOSED:
        on_closed(world, end, event);
        break;
    default:
        fn_world_fail(world, "an event of an unknown type came");
    }
}

void fn_world_play(fn_world *world, fn_host *host)
{
    fn_event event;
    while (world->failure == NULL && fn_events_pop(&host->events, &event))
        on_event(world, &event);
    fn_list_node *node;
    while ((node = fn_list_pop_front(&host->batch)) != NULL)
        fn_datagram_release(FN_CONTAINER(node, fn_datagram, link));
}

/* --- sending --- */

static const fn_load *load_of(const fn_world *world, const fn_end *end)
{
    return &world->config.load[end->is_client ? 0 : 1];
}

bool fn_world_send(fn_world *world, fn_end *end, uint8_t channel, uint32_t bytes, bool tagged)
{
    fn_stream *stream = &end->streams[channel];
    uint8_t *data = fn_world_calloc(bytes + 1);
    fn_stream_content(stream, stream->count, data, bytes);
    fn_send_options options = {.tagged = tagged, .tag = stream->count};
    int result = fn_conn_send(end->conn, channel, data, bytes, &options);
    free(data);
    fn_world_trace(world, (uint64_t)channel << 40 | bytes);
    if (result == FASTNET_OK) {
        fn_stream_sent(stream, world->now_ns, bytes, tagged);
        return true;
    }
    end->backpressure++;
    if (result != FASTNET_ERR_BACKPRESSURE) {
        fprintf(stderr, "send on channel %u, %u bytes: %s\n", channel, bytes,
                fastnet_result_name(result));
        fn_world_fail(world, "send refused a valid message");
    }
    return false;
}

static void send_bulk(fn_world *world, fn_end *end, const fn_load *load)
{
    while (end->bulk_sent < load->bulk_bytes && world->failure == NULL &&
           fn_world_send(world, end, load->bulk_channel, load->bulk_message_bytes, false))
        end->bulk_sent += load->bulk_message_bytes;
}

static void send_some(fn_world *world, fn_end *end, const fn_load *load)
{
    if (fn_load_weight_sum(load) == 0)
        return;
    uint64_t count = load->regular ? 1 : fn_rng_between(&world->rng, 1, 4);
    for (uint64_t i = 0; i < count && world->failure == NULL; i++) {
        uint8_t channel = fn_load_draw_channel(load, &world->rng);
        bool tagged = fn_rng_chance(&world->rng, load->tagged_permille);
        fn_world_send(world, end, channel, fn_load_draw_bytes(load, &world->rng), tagged);
    }
}

static void on_load_timer(fn_world *world, fn_timer *timer)
{
    fn_end *end = FN_CONTAINER(timer, fn_end, load_timer);
    const fn_load *load = load_of(world, end);
    if (world->quiet || end->closing || end->closed)
        return;
    send_some(world, end, load);
    send_bulk(world, end, load);
    uint64_t wait_ns = load->interval_ns;
    if (!load->regular)
        wait_ns = fn_rng_between(&world->rng, 1, 2 * load->interval_ns);
    fn_world_set_timer(world, &end->load_timer, world->now_ns + wait_ns);
    if (world->config.tick_ns == 0)
        fn_world_pump(world, end);
}

void fn_world_load_start(fn_world *world, fn_end *end)
{
    end->load_timer.fire = on_load_timer;
    if (load_of(world, end)->interval_ns != 0 && !world->quiet)
        fn_world_set_timer(world, &end->load_timer, world->now_ns);
}

void fn_world_close(fn_world *world, fn_end *end, uint32_t code, const char *text,
                    uint64_t linger_ns)
{
    end->closing = true;
    fn_conn_close(end->conn, fn_world_host_now(world, end), code, text, linger_ns);
    fn_world_pump(world, end);
}
