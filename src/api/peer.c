#include "api/peer.h"

#include <string.h>

#include "api/endpoint.h"
#include "api/link.h"
#include "api/outgoing.h"
#include "api/rejoin.h"
#include "api/session.h"
#include "api/stream.h"
#include "base/bytes.h"

/* Longer than stragglers of a session are waited for (FN_CONN_SETTLE_NS_MAX). */
#define RECEIVER_ID_QUARANTINE_NS (4 * FN_NS_PER_S)

int fn_peers_init(FastNetEndpoint *endpoint)
{
    fn_peers *peers = &endpoint->peers;
    uint32_t row_count = fn_config_peer_rows(&endpoint->config);
    uint8_t seed[FN_MAP_SEED_BYTES];
    void *slots = fn_blocks_take(&endpoint->blocks, fn_slots_memory_bytes(row_count), true);
    void *ids = fn_blocks_take(&endpoint->blocks, fn_ids_memory_bytes(row_count), true);
    peers->rows = fn_blocks_take(&endpoint->blocks, row_count * sizeof(fn_peer), true);
    if (slots == NULL || ids == NULL || peers->rows == NULL)
        return FASTNET_ERR_MEMORY;
    fn_random_fill(&endpoint->random, seed, sizeof seed);
    fn_slots_init(&peers->slots, slots, row_count);
    fn_ids_init(&peers->ids, ids, row_count, endpoint->shard.index, endpoint->shard.bits, seed);
    fn_list_init(&peers->dirty);
    fn_list_init(&peers->quiet);
    fn_list_init(&peers->resolving);
    fn_list_init(&peers->parting);
    fn_list_init(&peers->retired);
    return FASTNET_OK;
}

static void timer_fired(FastNetEndpoint *endpoint, fn_timer *timer, uint64_t now_ns)
{
    fn_peer *peer = FN_CONTAINER_OF(timer, fn_peer, timer);
    if (peer->state == FN_PEER_SESSION)
        fn_session_tick(endpoint, peer, now_ns);
    else if (peer->state == FN_PEER_FAILED)
        fn_peer_tell_failure(endpoint, peer, now_ns);
    else if (peer->outgoing != NULL)
        fn_outgoing_tick(endpoint, peer, now_ns);
}

static void free_row(FastNetEndpoint *endpoint, fn_peer *peer)
{
    fn_list_remove(&peer->listed);
    fn_peer_free_token(endpoint, peer);
    fn_slots_release(&endpoint->peers.slots, peer->id);
    peer->state = FN_PEER_FREE;
}

/* Sessions, and their memory, stay as many as there are places. */
static void shorten_goodbye(FastNetEndpoint *endpoint, uint32_t rows_max, uint64_t now_ns)
{
    fn_peers *peers = &endpoint->peers;
    fn_list_node *node = fn_list_front(&peers->parting);
    if (node == NULL || fn_slots_live_count(&peers->slots) <= rows_max)
        return;
    fn_peer *peer = FN_CONTAINER_OF(node, fn_peer, listed);
    fn_peer_retire(endpoint, peer, now_ns);
    free_row(endpoint, peer);
}

fn_peer *fn_peer_take(FastNetEndpoint *endpoint, fn_peer_state state, bool is_client)
{
    fn_peers *peers = &endpoint->peers;
    uint32_t slot;
    uint32_t peers_max = endpoint->config.given.peers_max;
    if (peers->placed_count >= peers_max)
        return NULL;
    shorten_goodbye(endpoint, peers_max - 1, endpoint->now_ns);
    FastNetPeerId id = fn_slots_take(&peers->slots);
    if (id == 0 || !fn_slots_find(&peers->slots, id, &slot))
        return NULL;
    fn_peer *peer = &peers->rows[slot];
    memset(peer, 0, sizeof *peer);
    fn_timer_init(&peer->timer, timer_fired);
    peer->id = id;
    peer->state = state;
    peer->is_client = is_client;
    peer->placed = true;
    peers->placed_count++;
    peers->outgoing_count += is_client ? 1 : 0;
    return peer;
}

fn_peer *fn_peer_find_any(const FastNetEndpoint *endpoint, FastNetPeerId id)
{
    uint32_t slot;
    if (!fn_slots_find(&endpoint->peers.slots, id, &slot))
        return NULL;
    fn_peer *peer = &endpoint->peers.rows[slot];
    return peer->state != FN_PEER_RETIRED ? peer : NULL;
}

fn_peer *fn_peer_find(const FastNetEndpoint *endpoint, FastNetPeerId id)
{
    fn_peer *peer = fn_peer_find_any(endpoint, id);
    return peer != NULL && !peer->muted && !peer->released ? peer : NULL;
}

fn_peer *fn_peer_after(const FastNetEndpoint *endpoint, FastNetPeerId previous)
{
    fn_peer *peer = NULL;
    FastNetPeerId id = fn_slots_next(&endpoint->peers.slots, previous);
    while (id != 0 && (peer = fn_peer_find_any(endpoint, id)) == NULL)
        id = fn_slots_next(&endpoint->peers.slots, id);
    return id != 0 ? peer : NULL;
}

fn_peer *fn_peer_by_receiver_id(const FastNetEndpoint *endpoint, uint32_t receiver_id)
{
    uint32_t slot;
    if (!fn_ids_find(&endpoint->peers.ids, receiver_id, &slot))
        return NULL;
    fn_peer *peer = &endpoint->peers.rows[slot];
    return peer->state == FN_PEER_SESSION ? peer : NULL;
}

bool fn_peer_draw_receiver_id(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_peers *peers = &endpoint->peers;
    uint32_t slot = (uint32_t)(peer - peers->rows);
    fn_ids_expire(&peers->ids, now_ns);
    return fn_ids_draw(&peers->ids, &endpoint->random, slot, &peer->receiver_id);
}

/* Where TLS came through a proxy on this host, its address is none to answer others from. */
static bool leaves_from_source(const fn_peer *peer, const fn_address *to)
{
    const fn_address *source = &peer->source;
    return !fn_address_is_any(source) && fn_address_is_v4(source) == fn_address_is_v4(to) &&
           fn_address_is_loopback(source) == fn_address_is_loopback(to);
}

void fn_peer_set_path(fn_peer *peer, uint8_t path, const fn_address *address)
{
    if (path >= FN_CONN_PATHS_MAX)
        return;
    uint8_t before = fn_peer_path_of(peer, address);
    if (before != FN_CONN_PATH_UNKNOWN)
        peer->path_known &= ~(1u << before);
    peer->paths[path] = *address;
    peer->path_known |= 1u << path;
    peer->path_streams &= ~(1u << path);
    peer->path_sourced &= ~(1u << path);
    peer->path_sourced |= (uint32_t)leaves_from_source(peer, address) << path;
}

void fn_peer_set_stream_path(fn_peer *peer, uint8_t path)
{
    peer->path_known &= ~(1u << path);
    peer->path_streams |= 1u << path;
}

FastNetPath fn_peer_path_kind(const fn_peer *peer, uint8_t path)
{
    if (path >= FN_CONN_PATHS_MAX)
        return FASTNET_PATH_NONE;
    return (peer->path_streams >> path & 1u) != 0 ? FASTNET_PATH_TCP : FASTNET_PATH_UDP;
}

uint8_t fn_peer_path_of(const fn_peer *peer, const fn_address *address)
{
    for (unsigned path = 0; path < FN_CONN_PATHS_MAX; path++) {
        if ((peer->path_known >> path & 1u) != 0 && fn_address_equal(&peer->paths[path], address))
            return (uint8_t)path;
    }
    return FN_CONN_PATH_UNKNOWN;
}

const fn_address *fn_peer_address(const fn_peer *peer)
{
    uint8_t path = peer->conn != NULL ? fn_conn_path(peer->conn) : FN_CONN_PATH_UNKNOWN;
    bool known = path < FN_CONN_PATHS_MAX && (peer->path_known >> path & 1u) != 0;
    return known ? &peer->paths[path] : &peer->remote;
}

void fn_peer_touch(FastNetEndpoint *endpoint, fn_peer *peer)
{
    if (!fn_list_linked(&peer->dirty))
        fn_list_push_back(&endpoint->peers.dirty, &peer->dirty);
}

void fn_peer_set_connected(FastNetEndpoint *endpoint, fn_peer *peer, bool connected)
{
    if (peer->connected == connected)
        return;
    peer->connected = connected;
    endpoint->peers.connected_count += connected ? 1 : UINT32_MAX;
}

void fn_peer_free_token(FastNetEndpoint *endpoint, fn_peer *peer)
{
    if (peer->token != NULL)
        fn_bytes_wipe(peer->token, peer->token_bytes);
    fn_memory_free(&endpoint->blocks.memory, peer->token, peer->token_bytes);
    peer->token = NULL;
    peer->token_bytes = 0;
}

void fn_peer_retire(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_peers *peers = &endpoint->peers;
    if (peer->state == FN_PEER_RETIRED)
        return;
    fn_peer_set_connected(endpoint, peer, false);
    fn_peer_give_place_up(endpoint, peer);
    fn_timer_set(endpoint, &peer->timer, FN_NEVER);
    fn_list_remove(&peer->dirty);
    fn_list_remove(&peer->listed);
    fn_outgoing_free(endpoint, peer);
    fn_rejoin_free(endpoint, peer);
    fn_stream_drop(endpoint, peer, now_ns);
    fn_list_remove(&peer->dirty);
    fn_list_remove(&peer->quiet);
    if (peer->link != NULL)
        fn_link_abandon(endpoint, peer->link, now_ns);
    fn_session_free(endpoint, peer);
    fn_bytes_wipe(peer->attach_key, sizeof peer->attach_key);
    if (peer->receiver_id != 0)
        fn_ids_retire(&peers->ids, peer->receiver_id, now_ns + RECEIVER_ID_QUARANTINE_NS);
    peer->state = FN_PEER_RETIRED;
    fn_list_push_back(&peers->retired, &peer->listed);
}

void fn_peers_sweep(FastNetEndpoint *endpoint)
{
    fn_list_node *node;
    while ((node = fn_list_pop_front(&endpoint->peers.retired)) != NULL)
        free_row(endpoint, FN_CONTAINER_OF(node, fn_peer, listed));
}

void fn_peer_give_place_up(FastNetEndpoint *endpoint, fn_peer *peer)
{
    if (!peer->placed)
        return;
    peer->placed = false;
    endpoint->peers.placed_count--;
    endpoint->peers.outgoing_count -= peer->is_client ? 1 : 0;
    fn_seats_leave(&endpoint->incoming.seats, &peer->seat);
}

void fn_peer_part(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_peer_give_place_up(endpoint, peer);
    fn_list_push_back(&endpoint->peers.parting, &peer->listed);
    shorten_goodbye(endpoint, endpoint->config.given.peers_max, now_ns);
}

void fn_peer_discard(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_peer_retire(endpoint, peer, now_ns);
    free_row(endpoint, peer);
}
