#include "host/life.h"

#include <string.h>

#include "base/bytes.h"
#include "host/carrier/stream.h"
#include "host/connect/fallback.h"
#include "host/connect/link.h"
#include "host/connect/outgoing.h"
#include "host/host.h"
#include "host/session.h"

/* Longer than stragglers of a session are waited for (FN_CONN_SETTLE_NS_MAX). */
#define RECEIVER_ID_QUARANTINE_NS (4 * FN_NS_PER_S)

/* While the ring is full of what others bring. */
#define TELL_AGAIN_NS (10 * FN_NS_PER_MS)

static void shorten_goodbye(fn_host *host, uint32_t rows_max, uint64_t now_ns);

/* --- the end --- */

static void free_row(fn_host *host, fn_peer *peer)
{
    fn_list_remove(&peer->listed);
    fn_peer_free_token(host, peer);
    fn_slots_release(&host->peers.slots, peer->id);
    fn_peer_enter(host, peer, FN_PEER_FREE);
}

void fn_peer_retire(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_peers *peers = &host->peers;
    if (peer->state == FN_PEER_RETIRED)
        return;
    fn_timer_set(host, &peer->timer, FN_NEVER);
    fn_list_remove(&peer->dirty);
    fn_list_remove(&peer->listed);
    fn_outgoing_free(host, peer);
    fn_fallback_free(host, peer);
    fn_stream_drop(host, peer, now_ns);
    fn_list_remove(&peer->dirty);
    fn_list_remove(&peer->quiet);
    if (peer->link != NULL)
        fn_link_abandon(host, peer->link, now_ns);
    fn_session_free(host, peer);
    fn_bytes_wipe(peer->attach_key, sizeof peer->attach_key);
    if (peer->receiver_id != 0)
        fn_ids_retire(&peers->ids, peer->receiver_id, now_ns + RECEIVER_ID_QUARANTINE_NS);
    fn_peer_enter(host, peer, FN_PEER_RETIRED);
    fn_list_push_back(&peers->retired, &peer->listed);
}

void fn_peers_sweep(fn_host *host)
{
    fn_list_node *node;
    while ((node = fn_list_pop_front(&host->peers.retired)) != NULL)
        free_row(host, FN_CONTAINER_OF(node, fn_peer, listed));
}

void fn_peer_part(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_peer_give_place_up(host, peer);
    fn_list_push_back(&host->peers.parting, &peer->listed);
    shorten_goodbye(host, host->config.given.peers_max, now_ns);
}

void fn_peer_discard(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_peer_retire(host, peer, now_ns);
    free_row(host, peer);
}

/* --- failures --- */

static void void_own_events(fn_host *host, FastNetPeerId id)
{
    fn_ring *ring = &host->events.ring;
    for (uint32_t i = 0; i < fn_ring_count(ring); i++) {
        fn_event *event = fn_ring_at(ring, i);
        if (event->owner == id && event->type >= FN_EVENT_REQUEST)
            event->type = FN_EVENT_VOID;
    }
}

void fn_peer_mute(fn_host *host, fn_peer *peer)
{
    void_own_events(host, peer->id);
    peer->muted = true;
    fn_peer_set_connected(host, peer, false);
}

static void tell_failure(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_event event = {.type = FN_EVENT_FAILED, .owner = peer->id, .time_ns = now_ns};
    if (!fn_events_push(&host->events, &event))
        fn_timer_set(host, &peer->timer, now_ns + TELL_AGAIN_NS);
}

void fn_peer_fail(fn_host *host, fn_peer *peer, int code, uint32_t app_code, const char *text,
                  uint64_t now_ns)
{
    fn_timer_set(host, &peer->timer, FN_NEVER);
    fn_outgoing_free(host, peer);
    fn_session_free(host, peer);
    fn_peer_enter(host, peer, FN_PEER_FAILED);
    peer->error_code = code;
    peer->app_code = app_code;
    fn_diagnostics_copy(peer->text, sizeof peer->text, text);
    if (peer->is_client)
        fn_diagnostics_error(&host->diagnostics, FN_LOG_WARNING, code, text);
    void_own_events(host, peer->id);
    if (!peer->muted && (peer->is_client || peer->mentioned))
        tell_failure(host, peer, now_ns);
    else
        fn_peer_retire(host, peer, now_ns);
}

/* --- the beginning --- */

static void timer_fired(fn_host *host, fn_timer *timer, uint64_t now_ns)
{
    fn_peer *peer = FN_CONTAINER_OF(timer, fn_peer, timer);
    if (peer->state == FN_PEER_SESSION)
        fn_session_tick(host, peer, now_ns);
    else if (peer->state == FN_PEER_FAILED)
        tell_failure(host, peer, now_ns);
    else if (peer->outgoing != NULL)
        fn_outgoing_tick(host, peer, now_ns);
}

/* Sessions, and their memory, stay as many as there are places. */
static void shorten_goodbye(fn_host *host, uint32_t rows_max, uint64_t now_ns)
{
    fn_peers *peers = &host->peers;
    fn_list_node *node = fn_list_front(&peers->parting);
    if (node == NULL || fn_slots_live_count(&peers->slots) <= rows_max)
        return;
    fn_peer *peer = FN_CONTAINER_OF(node, fn_peer, listed);
    fn_peer_retire(host, peer, now_ns);
    free_row(host, peer);
}

fn_peer *fn_peer_take(fn_host *host, fn_peer_state state, bool is_client)
{
    fn_peers *peers = &host->peers;
    uint32_t slot;
    uint32_t peers_max = host->config.given.peers_max;
    if (peers->placed_count >= peers_max)
        return NULL;
    shorten_goodbye(host, peers_max - 1, host->now_ns);
    FastNetPeerId id = fn_slots_take(&peers->slots);
    if (id == 0 || !fn_slots_find(&peers->slots, id, &slot))
        return NULL;
    fn_peer *peer = &peers->rows[slot];
    memset(peer, 0, sizeof *peer);
    fn_timer_init(&peer->timer, timer_fired);
    peer->id = id;
    peer->is_client = is_client;
    fn_peer_enter(host, peer, state);
    return peer;
}

void fn_lives_end(fn_host *host, uint64_t now_ns)
{
    fn_list_node *node;
    while ((node = fn_list_pop_front(&host->peers.over)) != NULL)
        fn_peer_retire(host, FN_CONTAINER_OF(node, fn_peer, quiet), now_ns);
}
