/* The applications of a match: they send by their loads, and check what they are told. */
#include "match_parts.h"

#include "base/result.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FastNetEndpoint *endpoint_of(const fn_side *side)
{
    return side->match->hosts[side->node->index].endpoint;
}

/* --- events --- */

/* The server learns a peer's id from its first event; a session that was read along is known
 * already. */
static fn_side *side_of(fn_match *match, const fn_net_node *node, FastNetPeerId id)
{
    for (uint32_t i = 0; i < 2 * match->config.players; i++) {
        fn_side *side = &match->sides[i];
        if (side->node == node && side->id == id)
            return side;
    }
    return NULL;
}

static void on_connected(fn_match *match, fn_side *side)
{
    if (side->connected)
        fn_match_fail(match, "CONNECTED was reported twice");
    side->connected = true;
    side->connected_ns = match->internet.now_ns - side->began_ns;
    if (side->is_client)
        fn_match_set_rate_max(match, side, match->config.rate_max_bytes_per_s);
    fn_match_load_start(match, side);
}

static void on_data(fn_match *match, fn_side *side, const FastNetEvent *event)
{
    if (event->channel >= FN_WORLD_CHANNELS) {
        fn_match_fail(match, "a message came on a channel that does not exist");
        return;
    }
    const char *complaint = fn_stream_receive(&side->peer->streams[event->channel],
                                              match->internet.now_ns, event->data, event->data_len);
    if (complaint != NULL)
        fn_match_fail(match, complaint);
}

static void on_told(fn_match *match, fn_side *side, const FastNetEvent *event)
{
    const char *complaint = fn_stream_tell(&side->streams[event->channel % FN_WORLD_CHANNELS],
                                           event->tag, event->type == FASTNET_EVENT_DELIVERED);
    if (complaint != NULL)
        fn_match_fail(match, complaint);
}

static void on_closed(fn_match *match, fn_side *side, const FastNetEvent *event)
{
    side->closed = true;
    side->closed_code = event->app_code;
    side->closed_result = event->error_code;
    snprintf(side->closed_text, sizeof side->closed_text, "%s", (const char *)event->data);
    if (side->closing)
        fn_match_fail(match, "DISCONNECTED was reported to the side that disconnected");
    if (side->may_close)
        return;
    fprintf(stderr, "%s %u: %s, code %u: %s\n", side->is_client ? "player" : "server",
            side->index / 2, fastnet_result_name(event->error_code), event->app_code,
            side->closed_text);
    fn_match_fail(match, "the session ended by itself");
}

void fn_match_on_event(fn_match *match, fn_net_node *node, const FastNetEvent *event)
{
    fn_side *side = side_of(match, node, event->peer_id);
    fn_match_trace(match,
                   (uint64_t)event->type << 40 | (uint64_t)event->channel << 32 | event->data_len);
    if (side == NULL) {
        fn_match_fail(match, "an event came of a peer that does not exist");
        return;
    }
    if (side->closed)
        fn_match_fail(match, "an event came after DISCONNECTED");
    switch (event->type) {
    case FASTNET_EVENT_CONNECTED:
        on_connected(match, side);
        break;
    case FASTNET_EVENT_DATA:
        on_data(match, side, event);
        break;
    case FASTNET_EVENT_DELIVERED:
    case FASTNET_EVENT_LOST:
        on_told(match, side, event);
        break;
    case FASTNET_EVENT_PATH_CHANGED:
        side->path_changes++;
        break;
    case FASTNET_EVENT_DISCONNECTED:
    case FASTNET_EVENT_ERROR:
        on_closed(match, side, event);
        break;
    default:
        fn_match_fail(match, "an event of an unknown type came");
    }
}

/* --- sending --- */

static const fn_load *load_of(const fn_side *side)
{
    return &side->match->config.load[side->is_client ? 0 : 1];
}

bool fn_match_send(fn_match *match, fn_side *side, uint8_t channel, uint32_t bytes, bool tagged)
{
    fn_stream *stream = &side->streams[channel];
    uint8_t *data = fn_match_calloc(bytes + 1);
    fn_stream_content(stream, stream->count, data, bytes);
    fn_match_enter(match, side->node);
    int result = tagged ? fastnet_send_tagged(endpoint_of(side), side->id, channel, data, bytes,
                                              stream->count, 0)
                        : fastnet_send(endpoint_of(side), side->id, channel, data, bytes);
    fn_match_leave(match);
    free(data);
    fn_match_trace(match, (uint64_t)channel << 40 | bytes);
    if (result == FASTNET_OK) {
        fn_stream_sent(stream, match->internet.now_ns, bytes, tagged);
        return true;
    }
    side->backpressure++;
    if (side->may_close && (result == FASTNET_ERR_STATE || result == FASTNET_ERR_PEER))
        return false; /* it is over, and the application has not taken that event yet */
    if (result != FASTNET_ERR_BACKPRESSURE) {
        fprintf(stderr, "send on channel %u, %u bytes: %s\n", channel, bytes,
                fastnet_result_name(result));
        fn_match_fail(match, "send refused a valid message");
    }
    return false;
}

static void send_bulk(fn_match *match, fn_side *side, const fn_load *load)
{
    while (side->bulk_sent < load->bulk_bytes && match->failure == NULL &&
           fn_match_send(match, side, load->bulk_channel, load->bulk_message_bytes, false))
        side->bulk_sent += load->bulk_message_bytes;
}

static void send_some(fn_match *match, fn_side *side, const fn_load *load)
{
    fn_rng *rng = &match->internet.rng;
    if (fn_load_weight_sum(load) == 0)
        return;
    uint64_t count = load->regular ? 1 : fn_rng_between(rng, 1, 4);
    for (uint64_t i = 0; i < count && match->failure == NULL; i++) {
        uint8_t channel = fn_load_draw_channel(load, rng);
        bool tagged = fn_rng_chance(rng, load->tagged_permille);
        fn_match_send(match, side, channel, fn_load_draw_bytes(load, rng), tagged);
    }
}

static void on_load_timer(fn_internet *internet, fn_net_timer *timer)
{
    fn_side *side = FN_CONTAINER(timer, fn_side, load_timer);
    fn_match *match = side->match;
    const fn_load *load = load_of(side);
    if (match->quiet || side->closing || side->closed)
        return;
    send_some(match, side, load);
    send_bulk(match, side, load);
    uint64_t wait_ns = load->interval_ns;
    if (!load->regular)
        wait_ns = fn_rng_between(&internet->rng, 1, 2 * load->interval_ns);
    fn_internet_set_timer(internet, timer, internet->now_ns + wait_ns);
    fn_match_schedule(match, side->node);
}

void fn_match_load_start(fn_match *match, fn_side *side)
{
    side->load_timer.fire = on_load_timer;
    if (load_of(side)->interval_ns != 0 && !match->quiet)
        fn_internet_set_timer(&match->internet, &side->load_timer, match->internet.now_ns);
}

void fn_match_close(fn_match *match, fn_side *side, uint32_t code, const char *text)
{
    side->closing = true;
    fn_match_enter(match, side->node);
    fastnet_disconnect(endpoint_of(side), side->id, code, text);
    fn_match_leave(match);
    fn_match_schedule(match, side->node);
}

void fn_match_set_rate_max(fn_match *match, fn_side *player, uint64_t bytes_per_s)
{
    fn_match_enter(match, player->node);
    fastnet_peer_set_rate_max(endpoint_of(player), player->id, bytes_per_s);
    fn_match_leave(match);
    fn_match_schedule(match, player->node);
}
