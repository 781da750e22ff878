#include "api/delivery.h"

#include <string.h>

#include "api/endpoint.h"
#include "api/outgoing.h"
#include "api/session.h"
#include "base/bits.h"

enum {
    DELIVERED_MAX = 4096, /* in one poll */
    RING_EVENTS_MIN = 8192,
    RING_EVENTS_PER_PEER = 4,
};

/* While the ring is full of what others bring. */
#define TELL_AGAIN_NS (10 * FN_NS_PER_MS)

int fn_delivery_init(FastNetEndpoint *endpoint)
{
    uint32_t wanted = RING_EVENTS_MIN + endpoint->config.given.peers_max * RING_EVENTS_PER_PEER;
    uint32_t ring_events = (uint32_t)fn_bits_power_of_two_up(wanted);
    fn_delivery *delivery = &endpoint->delivery;
    void *ring = fn_blocks_take(&endpoint->blocks, ring_events * sizeof(fn_event), false);
    delivery->delivered =
        fn_blocks_take(&endpoint->blocks, DELIVERED_MAX * sizeof(fn_event), false);
    if (ring == NULL || delivery->delivered == NULL)
        return FASTNET_ERR_MEMORY;
    delivery->capacity = DELIVERED_MAX;
    fn_events_init(&endpoint->events, ring, ring_events);
    return FASTNET_OK;
}

/* --- giving back --- */

static void give_back(FastNetEndpoint *endpoint, fn_peer *peer, const fn_event *event)
{
    if (event->type == FN_EVENT_MESSAGE && peer->conn != NULL) {
        fn_conn_release(peer->conn, event);
        fn_peer_touch(endpoint, peer);
    } else if (event->type == FN_EVENT_REQUEST) {
        fn_peer_free_token(endpoint, peer);
    }
}

/* Its last event was used up: nothing is left that anybody may look at. */
static void forget(FastNetEndpoint *endpoint, fn_peer *peer)
{
    peer->released = true;
    if (peer->state == FN_PEER_FAILED) {
        fn_peer_retire(endpoint, peer, endpoint->now_ns);
        return;
    }
    fn_peer_touch(endpoint, peer); /* a dead session retires when it is flushed */
    fn_peer_part(endpoint, peer, endpoint->now_ns);
}

static void release(FastNetEndpoint *endpoint, const fn_event *event)
{
    fn_peer *peer = fn_peer_find_any(endpoint, event->owner);
    if (peer == NULL)
        return;
    give_back(endpoint, peer, event);
    if (event->type == FN_EVENT_CLOSED || event->type == FN_EVENT_FAILED)
        forget(endpoint, peer);
}

void fn_delivery_release(FastNetEndpoint *endpoint)
{
    fn_delivery *delivery = &endpoint->delivery;
    for (uint32_t i = 0; i < delivery->count; i++)
        release(endpoint, &delivery->delivered[i]);
    delivery->count = 0;
    /* An empty ring begins at the front again: less memory is touched. */
    if (fn_ring_count(&endpoint->events.ring) == 0)
        fn_ring_clear(&endpoint->events.ring);
}

bool fn_delivery_pending(const FastNetEndpoint *endpoint)
{
    return fn_ring_count(&endpoint->events.ring) > 0;
}

/* --- converting --- */

static void set_text(FastNetEvent *out, const fn_peer *peer)
{
    out->data = (const uint8_t *)peer->text;
    out->data_len = (uint32_t)strlen(peer->text);
}

static void copy_text(fn_peer *peer, const fn_event *event)
{
    /* The other side wrote it, and it ends in logs and consoles. */
    fn_text text = fn_text_make(peer->text, sizeof peer->text);
    fn_text_add_harmless(&text, event->data, event->bytes);
}

static void convert_end(FastNetEndpoint *endpoint, FastNetEvent *out, fn_peer *peer,
                        const fn_event *event)
{
    if (event->type == FN_EVENT_CLOSED) {
        copy_text(peer, event);
        peer->error_code = event->result;
        peer->app_code = event->code;
    }
    if (peer->text[0] == '\0')
        fn_report_copy(peer->text, sizeof peer->text, fastnet_result_text(peer->error_code));
    out->type = peer->announced ? FASTNET_EVENT_DISCONNECTED : FASTNET_EVENT_ERROR;
    out->error_code = peer->error_code;
    out->app_code = peer->app_code;
    peer->ended = true;
    fn_peer_give_place_up(endpoint, peer);
    set_text(out, peer);
}

static void convert_payload(FastNetEvent *out, const fn_event *event)
{
    out->data = event->data;
    out->data_len = event->bytes;
    out->channel = event->channel;
}

static void convert(FastNetEndpoint *endpoint, FastNetEvent *out, fn_peer *peer,
                    const fn_event *event)
{
    switch (event->type) {
    case FN_EVENT_CONNECTED:
        out->type = FASTNET_EVENT_CONNECTED;
        out->path = (uint8_t)fn_peer_path_kind(peer, event->path);
        peer->announced = true;
        peer->mentioned = true;
        break;
    case FN_EVENT_MESSAGE:
        out->type = FASTNET_EVENT_DATA;
        convert_payload(out, event);
        break;
    case FN_EVENT_REQUEST:
        out->type = FASTNET_EVENT_CONNECT_REQUEST;
        convert_payload(out, event);
        peer->mentioned = true;
        break;
    case FN_EVENT_DELIVERED:
    case FN_EVENT_LOST:
        out->type = event->type == FN_EVENT_LOST ? FASTNET_EVENT_LOST : FASTNET_EVENT_DELIVERED;
        out->channel = event->channel;
        out->tag = event->tag;
        break;
    case FN_EVENT_PATH_CHANGED:
        out->type = FASTNET_EVENT_PATH_CHANGED;
        out->path = (uint8_t)fn_peer_path_kind(peer, event->path);
        break;
    default:
        convert_end(endpoint, out, peer, event);
        break;
    }
}

/* A server's client that never got as far as CONNECTED was never mentioned, and is not now. */
static bool is_silent(const fn_peer *peer, const fn_event *event)
{
    bool is_end = event->type == FN_EVENT_CLOSED || event->type == FN_EVENT_FAILED;
    return peer->muted || (is_end && !peer->is_client && !peer->mentioned);
}

/* False: not for the application. */
static bool deliver(FastNetEndpoint *endpoint, const fn_event *event, FastNetEvent *out)
{
    fn_peer *peer = fn_peer_find_any(endpoint, event->owner);
    if (peer == NULL)
        return false;
    if (is_silent(peer, event)) {
        if (event->type == FN_EVENT_CLOSED)
            endpoint->counters.handshakes_failed += peer->muted ? 0 : 1;
        release(endpoint, event);
        return false;
    }
    memset(out, 0, sizeof *out);
    out->peer_id = peer->id;
    out->time_ns = event->time_ns;
    out->user = peer->user;
    convert(endpoint, out, peer, event);
    return true;
}

uint32_t fn_delivery_take(FastNetEndpoint *endpoint, FastNetEvent *out, uint32_t capacity)
{
    fn_delivery *delivery = &endpoint->delivery;
    uint32_t room = fn_min_u32(capacity, delivery->capacity - delivery->count);
    uint32_t count = 0;
    fn_event event;
    while (count < room && fn_events_pop(&endpoint->events, &event)) {
        if (!deliver(endpoint, &event, &out[count]))
            continue;
        delivery->delivered[delivery->count++] = event;
        count++;
    }
    return count;
}

/* --- ends --- */

static void void_own_events(FastNetEndpoint *endpoint, FastNetPeerId id)
{
    fn_ring *ring = &endpoint->events.ring;
    for (uint32_t i = 0; i < fn_ring_count(ring); i++) {
        fn_event *event = fn_ring_at(ring, i);
        if (event->owner == id && event->type >= FN_EVENT_REQUEST)
            event->type = FN_EVENT_VOID;
    }
}

void fn_peer_mute(FastNetEndpoint *endpoint, fn_peer *peer)
{
    void_own_events(endpoint, peer->id);
    peer->muted = true;
    fn_peer_set_connected(endpoint, peer, false);
}

void fn_peer_tell_failure(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_event event = {.type = FN_EVENT_FAILED, .owner = peer->id, .time_ns = now_ns};
    if (!fn_events_push(&endpoint->events, &event))
        fn_timer_set(endpoint, &peer->timer, now_ns + TELL_AGAIN_NS);
}

void fn_peer_fail(FastNetEndpoint *endpoint, fn_peer *peer, int code, uint32_t app_code,
                  const char *text, uint64_t now_ns)
{
    fn_timer_set(endpoint, &peer->timer, FN_NEVER);
    fn_outgoing_free(endpoint, peer);
    fn_session_free(endpoint, peer);
    peer->state = FN_PEER_FAILED;
    peer->error_code = code;
    peer->app_code = app_code;
    fn_report_copy(peer->text, sizeof peer->text, text);
    if (peer->is_client)
        fn_report_error(&endpoint->report, FN_LOG_WARNING, code, text);
    void_own_events(endpoint, peer->id);
    if (!peer->muted && (peer->is_client || peer->mentioned))
        fn_peer_tell_failure(endpoint, peer, now_ns);
    else
        fn_peer_retire(endpoint, peer, now_ns);
}
