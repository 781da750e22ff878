#include "host/peer.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "host/host.h"

int fn_peers_init(fn_host *host)
{
    fn_peers *peers = &host->peers;
    uint32_t row_count = fn_config_peer_rows(&host->config);
    uint8_t seed[FN_MAP_SEED_BYTES];
    void *slots = fn_blocks_take(&host->blocks, fn_slots_memory_bytes(row_count), true);
    void *ids = fn_blocks_take(&host->blocks, fn_ids_memory_bytes(row_count), true);
    peers->rows = fn_blocks_take(&host->blocks, row_count * sizeof(fn_peer), true);
    if (slots == NULL || ids == NULL || peers->rows == NULL)
        return FASTNET_ERR_MEMORY;
    fn_random_fill(&host->random, seed, sizeof seed);
    fn_slots_init(&peers->slots, slots, row_count);
    fn_ids_init(&peers->ids, ids, row_count, host->siblings.index, host->siblings.bits, seed);
    fn_list_init(&peers->dirty);
    fn_list_init(&peers->quiet);
    fn_list_init(&peers->over);
    fn_list_init(&peers->resolving);
    fn_list_init(&peers->parting);
    fn_list_init(&peers->retired);
    return FASTNET_OK;
}

fn_peer *fn_peer_find_any(const fn_host *host, FastNetPeerId id)
{
    uint32_t slot;
    if (!fn_slots_find(&host->peers.slots, id, &slot))
        return NULL;
    fn_peer *peer = &host->peers.rows[slot];
    return peer->state != FN_PEER_RETIRED ? peer : NULL;
}

fn_peer *fn_peer_find(const fn_host *host, FastNetPeerId id)
{
    fn_peer *peer = fn_peer_find_any(host, id);
    return peer != NULL && !peer->muted && !peer->released ? peer : NULL;
}

fn_peer *fn_peer_after(const fn_host *host, FastNetPeerId previous)
{
    fn_peer *peer = NULL;
    FastNetPeerId id = fn_slots_next(&host->peers.slots, previous);
    while (id != 0 && (peer = fn_peer_find_any(host, id)) == NULL)
        id = fn_slots_next(&host->peers.slots, id);
    return id != 0 ? peer : NULL;
}

fn_peer *fn_peer_by_receiver_id(const fn_host *host, uint32_t receiver_id)
{
    uint32_t slot;
    if (!fn_ids_find(&host->peers.ids, receiver_id, &slot))
        return NULL;
    fn_peer *peer = &host->peers.rows[slot];
    return peer->state == FN_PEER_SESSION ? peer : NULL;
}

bool fn_peer_draw_receiver_id(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_peers *peers = &host->peers;
    uint32_t slot = (uint32_t)(peer - peers->rows);
    fn_ids_expire(&peers->ids, now_ns);
    return fn_ids_draw(&peers->ids, &host->random, slot, &peer->receiver_id);
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

void fn_peer_touch(fn_host *host, fn_peer *peer)
{
    if (!fn_list_linked(&peer->dirty))
        fn_list_push_back(&host->peers.dirty, &peer->dirty);
}

void fn_peer_set_connected(fn_host *host, fn_peer *peer, bool connected)
{
    if (peer->connected == connected)
        return;
    peer->connected = connected;
    host->peers.connected_count += connected ? 1 : UINT32_MAX;
}

void fn_peer_free_token(fn_host *host, fn_peer *peer)
{
    if (peer->token != NULL)
        fn_bytes_wipe(peer->token, peer->token_bytes);
    fn_memory_free(&host->blocks.memory, peer->token, peer->token_bytes);
    peer->token = NULL;
    peer->token_bytes = 0;
}

static void take_place(fn_host *host, fn_peer *peer)
{
    peer->placed = true;
    host->peers.placed_count++;
    host->peers.outgoing_count += peer->is_client ? 1 : 0;
}

void fn_peer_give_place_up(fn_host *host, fn_peer *peer)
{
    if (!peer->placed)
        return;
    peer->placed = false;
    host->peers.placed_count--;
    host->peers.outgoing_count -= peer->is_client ? 1 : 0;
    fn_seats_leave(&host->incoming.seats, &peer->seat);
}

void fn_peer_enter(fn_host *host, fn_peer *peer, fn_peer_state state)
{
    assert(fn_peer_state_may_follow(peer->state, state));
    if (peer->state == FN_PEER_FREE)
        take_place(host, peer);
    if (state >= FN_PEER_FAILED)
        fn_peer_set_connected(host, peer, false);
    if (state == FN_PEER_RETIRED)
        fn_peer_give_place_up(host, peer);
    peer->state = state;
}
