#include "host/delivery.h"

#include <string.h>

#include "base/bits.h"
#include "host/host.h"
#include "host/life.h"

enum {
    DELIVERED_MAX = 4096, /* in one poll */
    RING_EVENTS_MIN = 8192,
    RING_EVENTS_PER_PEER = 4,
};

int fn_delivery_init(fn_host *host)
{
    uint32_t wanted = RING_EVENTS_MIN + host->config.given.peers_max * RING_EVENTS_PER_PEER;
    uint32_t ring_events = (uint32_t)fn_bits_power_of_two_up(wanted);
    fn_delivery *delivery = &host->delivery;
    void *ring = fn_blocks_take(&host->blocks, ring_events * sizeof(fn_event), false);
    delivery->delivered = fn_blocks_take(&host->blocks, DELIVERED_MAX * sizeof(fn_event), false);
    if (ring == NULL || delivery->delivered == NULL)
        return FASTNET_ERR_MEMORY;
    delivery->capacity = DELIVERED_MAX;
    fn_events_init(&host->events, ring, ring_events);
    return FASTNET_OK;
}

/* --- giving back --- */

static void give_back(fn_host *host, fn_peer *peer, const fn_event *event)
{
    if (event->type == FN_EVENT_MESSAGE && peer->conn != NULL) {
        fn_conn_release(peer->conn, event);
        fn_peer_touch(host, peer);
    } else if (event->type == FN_EVENT_REQUEST) {
        fn_peer_free_token(host, peer);
    }
}

/* Its last event was used up: nothing is left that anybody may look at. */
static void forget(fn_host *host, fn_peer *peer)
{
    peer->released = true;
    if (peer->state == FN_PEER_FAILED) {
        fn_peer_retire(host, peer, host->now_ns);
        return;
    }
    fn_peer_touch(host, peer); /* a dead session retires when it is flushed */
    fn_peer_part(host, peer, host->now_ns);
}

static void release(fn_host *host, const fn_event *event)
{
    fn_peer *peer = fn_peer_find_any(host, event->owner);
    if (peer == NULL)
        return;
    give_back(host, peer, event);
    if (event->type == FN_EVENT_CLOSED || event->type == FN_EVENT_FAILED)
        forget(host, peer);
}

void fn_delivery_release(fn_host *host)
{
    fn_delivery *delivery = &host->delivery;
    for (uint32_t i = 0; i < delivery->count; i++)
        release(host, &delivery->delivered[i]);
    delivery->count = 0;
    /* An empty ring begins at the front again: less memory is touched. */
    if (fn_ring_count(&host->events.ring) == 0)
        fn_ring_clear(&host->events.ring);
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

static void convert_end(fn_host *host, FastNetEvent *out, fn_peer *peer, const fn_event *event)
{
    if (event->type == FN_EVENT_CLOSED) {
        copy_text(peer, event);
        peer->error_code = event->result;
        peer->app_code = event->code;
    }
    if (peer->text[0] == '\0')
        fn_diagnostics_copy(peer->text, sizeof peer->text, fastnet_result_text(peer->error_code));
    out->type = peer->announced ? FASTNET_EVENT_DISCONNECTED : FASTNET_EVENT_ERROR;
    out->error_code = peer->error_code;
    out->app_code = peer->app_code;
    peer->ended = true;
    fn_peer_give_place_up(host, peer);
    set_text(out, peer);
}

static void convert_payload(FastNetEvent *out, const fn_event *event)
{
    out->data = event->data;
    out->data_len = event->bytes;
    out->channel = event->channel;
}

static void convert(fn_host *host, FastNetEvent *out, fn_peer *peer, const fn_event *event)
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
        convert_end(host, out, peer, event);
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
static bool deliver(fn_host *host, const fn_event *event, FastNetEvent *out)
{
    fn_peer *peer = fn_peer_find_any(host, event->owner);
    if (peer == NULL)
        return false;
    if (is_silent(peer, event)) {
        if (event->type == FN_EVENT_CLOSED)
            host->counters.handshakes_failed += peer->muted ? 0 : 1;
        release(host, event);
        return false;
    }
    memset(out, 0, sizeof *out);
    out->peer_id = peer->id;
    out->time_ns = event->time_ns;
    out->user = peer->user;
    convert(host, out, peer, event);
    return true;
}

uint32_t fn_delivery_take(fn_host *host, FastNetEvent *out, uint32_t capacity)
{
    fn_delivery *delivery = &host->delivery;
    uint32_t room = fn_min_u32(capacity, delivery->capacity - delivery->count);
    uint32_t count = 0;
    fn_event event;
    while (count < room && fn_events_pop(&host->events, &event)) {
        if (!deliver(host, &event, &out[count]))
            continue;
        delivery->delivered[delivery->count++] = event;
        count++;
    }
    return count;
}
