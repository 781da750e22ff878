#include "host/session.h"

#include <assert.h>
#include <string.h>

#include "host/carrier/stream.h"
#include "host/connect/fallback.h"
#include "host/connect/link.h"
#include "host/host.h"

enum {
    TURN_DATAGRAMS = 64, /* of one peer before the next one has its turn */
    TURN_PEERS = 32,
    SERVER_KEEPALIVES = 3, /* of a client's may be missing */
};

static uint64_t ms_or_never(uint32_t ms)
{
    return ms == 0 ? FN_NEVER : ms * FN_NS_PER_MS;
}

/* Only a client looks for another way than UDP. */
static uint64_t stream_after_ns(const FastNetConfig *given, const fn_peer *peer)
{
    bool knows_udp = (peer->path_known & 1u) != 0;
    if (!peer->is_client || given->transport == FASTNET_TRANSPORT_UDP)
        return FN_NEVER;
    return given->transport == FASTNET_TRANSPORT_TCP || !knows_udp
               ? 0
               : given->udp_timeout_ms * FN_NS_PER_MS;
}

/* A client's ping is enough for both, and it is the client that has to find out: a server asks only
 * where no client does. */
static uint64_t keepalive_ns(const FastNetConfig *given, const fn_peer *peer)
{
    uint64_t each_ns = ms_or_never(given->keepalive_ms);
    return peer->is_client || each_ns == FN_NEVER ? each_ns : SERVER_KEEPALIVES * each_ns;
}

static fn_conn_config conn_config(const fn_host *host, const fn_peer *peer,
                                  const fn_handshake_result *result, const fn_secrets *secrets)
{
    const FastNetConfig *given = &host->config.given;
    const uint8_t *up = secrets->client_to_server;
    const uint8_t *down = secrets->server_to_client;
    return (fn_conn_config){
        .is_client = peer->is_client,
        .owner = peer->id,
        .remote_receiver_id = result->receiver_id,
        .send_secret = peer->is_client ? up : down,
        .receive_secret = peer->is_client ? down : up,
        .limits = result->agreed,
        .send_queue_bytes_max = given->send_queue_bytes_max,
        .datagram_bytes_max =
            fn_min_u32(given->mtu_bytes_max, result->agreed.send_datagram_bytes_max),
        .rate_floor_bytes_per_s = given->rate_floor_bytes_per_s,
        .keepalive_ns = keepalive_ns(given, peer),
        .key_update_packets = given->key_update_packets,
        .key_update_ns = given->key_update_interval_ms * FN_NS_PER_MS,
        .stream_after_ns = stream_after_ns(given, peer),
        .connect_deadline_ns = result->connect_deadline_ns,
        .memory_cap_bytes = fn_config_connection_cap_bytes(&host->config),
    };
}

/* Its size depends on nothing that the other side says. */
int fn_session_reserve(fn_host *host, fn_peer *peer)
{
    const fn_conn_config config = {.limits.receive_replay_window_packets =
                                       host->config.limits.replay_window_packets};
    size_t bytes = fn_conn_bytes(&config, &host->shared);
    if (peer->conn_memory != NULL)
        return FASTNET_OK;
    if (!fn_pool_has_seat(&host->pool))
        return FASTNET_ERR_MEMORY;
    peer->conn_memory = fn_memory_alloc(&host->blocks.memory, bytes, FN_ALLOCATOR_ALIGNMENT);
    peer->conn_bytes = bytes;
    return peer->conn_memory != NULL ? FASTNET_OK : FASTNET_ERR_MEMORY;
}

static int create_conn(fn_host *host, fn_peer *peer, const fn_conn_config *config, uint64_t now_ns)
{
    int code = fn_session_reserve(host, peer);
    if (code != FASTNET_OK)
        return code;
    assert(peer->conn_bytes == fn_conn_bytes(config, &host->shared));
    peer->conn = fn_conn_create(peer->conn_memory, config, &host->shared, now_ns);
    return peer->conn != NULL ? FASTNET_OK : FASTNET_ERR_MEMORY;
}

int fn_session_start(fn_host *host, fn_peer *peer, const fn_address *first_path, uint64_t now_ns)
{
    fn_secrets secrets;
    fn_handshake *handshake = &peer->link->handshake;
    if (!fn_handshake_take_secrets(handshake, &secrets))
        return FASTNET_ERR_STATE;
    const fn_handshake_result *result = fn_handshake_get_result(handshake);
    host->counters.handshakes_resumed += result->resumed;
    if (first_path != NULL)
        fn_peer_set_path(peer, 0, first_path);
    fn_conn_config config = conn_config(host, peer, result, &secrets);
    int code = create_conn(host, peer, &config, now_ns);
    memcpy(peer->attach_key, secrets.attach_key, sizeof peer->attach_key);
    peer->remote_receiver_id = result->receiver_id;
    fn_secrets_wipe(&secrets);
    if (code != FASTNET_OK)
        return code;
    peer->message_bytes_max = result->agreed.message_bytes_max;
    peer->application_build = result->application_build;
    fn_diagnostics_copy(peer->certificate_subject, sizeof peer->certificate_subject,
                        result->certificate_subject);
    fn_peer_enter(host, peer, FN_PEER_SESSION);
    fn_peer_touch(host, peer);
    return FASTNET_OK;
}

void fn_session_free(fn_host *host, fn_peer *peer)
{
    if (peer->conn != NULL) {
        fn_conn_withdraw(peer->conn);
        fn_conn_destroy(peer->conn);
    }
    if (peer->conn_memory != NULL)
        fn_memory_free(&host->blocks.memory, peer->conn_memory, peer->conn_bytes);
    peer->conn = NULL;
    peer->conn_memory = NULL;
}

/* With the datagram that says so, not when the answer leaves: the application may ask as soon as it
 * has the event. */
static void note_connected(fn_host *host, fn_peer *peer)
{
    if (peer->connected || fn_conn_get_state(peer->conn) != FN_CONN_CONNECTED)
        return;
    fn_peer_set_connected(host, peer, true);
    host->counters.handshakes_completed++;
}

fn_conn_received fn_session_receive(fn_host *host, fn_peer *peer, uint64_t now_ns,
                                    const fn_address *from, uint8_t *data, size_t bytes)
{
    uint8_t path = fn_peer_path_of(peer, from);
    fn_conn_received received = fn_conn_receive(peer->conn, now_ns, &path, data, bytes);
    if (received == FN_CONN_DROPPED)
        return received;
    /* An address is remembered only now that its datagram has opened. */
    if (received == FN_CONN_NEW_PATH)
        fn_peer_set_path(peer, path, from);
    note_connected(host, peer);
    fn_peer_touch(host, peer);
    return received;
}

fn_conn_received fn_session_receive_on(fn_host *host, fn_peer *peer, uint64_t now_ns, uint8_t path,
                                       uint8_t *data, size_t bytes)
{
    fn_conn_received received = fn_conn_receive(peer->conn, now_ns, &path, data, bytes);
    if (received == FN_CONN_DROPPED)
        return received;
    note_connected(host, peer);
    fn_peer_touch(host, peer);
    return received;
}

void fn_session_tick(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_conn_tick(peer->conn, now_ns);
    fn_peer_touch(host, peer);
}

void fn_session_close(fn_host *host, fn_peer *peer, uint64_t now_ns, uint32_t code,
                      const char *text, uint64_t linger_ns)
{
    fn_conn_close(peer->conn, now_ns, code, text, linger_ns);
    fn_conn_withdraw(peer->conn);
    fn_peer_touch(host, peer);
}

/* --- what its state asks for --- */

/* TLS has done its work once a UDP path is validated, or will never be. */
static bool has_done_with_tls(const fn_host *host, fn_conn_state state)
{
    if (state == FN_CONN_VALIDATING)
        return false;
    return state > FN_CONN_LINGERING || !host->config.given.keep_tls_warm;
}

static void end_tls(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_fallback_keep_ticket(host, peer, peer->link);
    fn_link_abandon(host, peer->link, now_ns);
}

/* A dead connection stays until the event that says so was used up. */
static void look_at_state(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_conn_state state = fn_conn_get_state(peer->conn);
    note_connected(host, peer);
    if (state > FN_CONN_CONNECTED)
        fn_peer_set_connected(host, peer, false);
    if (state != FN_CONN_VALIDATING) /* it has shown itself, and keeps its seat */
        fn_seats_prove(&host->incoming.seats, &peer->seat);
    if (peer->link != NULL && has_done_with_tls(host, state))
        end_tls(host, peer, now_ns);
    if (state < FN_CONN_CLOSING)
        fn_fallback_look(host, peer, now_ns);
    bool over = state == FN_CONN_DEAD && (peer->muted || peer->released);
    /* Outside a poll the application may still hold payloads: they lie
     * in the connection's memory. */
    if (over && host->delivery.count > 0)
        fn_timer_set(host, &peer->timer, now_ns);
    else if (over)
        fn_list_push_back(&host->peers.over, &peer->quiet);
    else
        fn_timer_set(host, &peer->timer, fn_conn_deadline(peer->conn));
}

/* --- sending --- */

static bool transmit_turn(fn_host *host, fn_peer *peer, uint64_t now_ns, bool *more)
{
    for (int i = 0; i < TURN_DATAGRAMS && (*more = fn_conn_has_more(peer->conn, now_ns)); i++) {
        uint8_t path = FN_CONN_PATH_UNKNOWN;
        fn_send_slot *slot = fn_datagrams_slot(host);
        if (slot == NULL)
            return false;
        size_t bytes =
            fn_conn_transmit(peer->conn, now_ns, slot->data, host->datagrams.datagram_bytes, &path);
        if (bytes == 0) {
            *more = false;
            return true;
        }
        host->datagrams.awaits |= fn_conn_awaits_answer(peer->conn);
        if (peer->stream != NULL && path == peer->stream->path)
            fn_stream_send(host, peer, slot->data, bytes, now_ns);
        else if (host->config.given.transport == FASTNET_TRANSPORT_TCP)
            continue;
        else if (path < FN_CONN_PATHS_MAX && (peer->path_known >> path & 1u) != 0)
            fn_datagrams_commit(host, slot, peer, path, bytes);
    }
    return true;
}

bool fn_session_flush(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    bool more = true;
    if (!transmit_turn(host, peer, now_ns, &more))
        return false;
    fn_list_remove(&peer->dirty);
    if (more)
        fn_peer_touch(host, peer);
    else if (!fn_list_linked(&peer->quiet))
        fn_list_push_back(&host->peers.quiet, &peer->quiet);
    return true;
}

/* What is not on the way out comes after it: the other side waits for the datagrams only. */
static void look_at_quiet(fn_host *host, uint64_t now_ns)
{
    fn_list_node *node;
    while ((node = fn_list_pop_front(&host->peers.quiet)) != NULL) {
        fn_peer *peer = FN_CONTAINER_OF(node, fn_peer, quiet);
        if (peer->conn != NULL)
            look_at_state(host, peer, now_ns);
    }
}

void fn_session_send_now(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_session_flush(host, peer, now_ns);
    fn_datagrams_send(host, now_ns);
    look_at_quiet(host, now_ns);
}

/* A thousand sessions do not fit into the cache: while one is worked on, the parts of the next one
 * come, and the row of the one after it. */
static void prefetch_next(const fn_host *host, const fn_list_node *node)
{
    const fn_list_node *next = fn_list_next(&host->peers.dirty, node);
    if (next == NULL)
        return;
    const fn_peer *peer = FN_CONTAINER_OF(next, const fn_peer, dirty);
    if (peer->conn != NULL)
        fn_conn_prefetch_sending(peer->conn);
    next = fn_list_next(&host->peers.dirty, next);
    if (next != NULL) {
        peer = FN_CONTAINER_OF(next, const fn_peer, dirty);
        __builtin_prefetch(&peer->dirty);
        __builtin_prefetch(&peer->conn);
    }
}

/* So many at a time that what belongs to them is still near. */
static bool flush_some(fn_host *host, uint64_t now_ns)
{
    fn_list_node *node = fn_list_front(&host->peers.dirty);
    bool room = true;
    for (int i = 0; room && node != NULL && i < TURN_PEERS; i++) {
        fn_peer *peer = FN_CONTAINER_OF(node, fn_peer, dirty);
        prefetch_next(host, node);
        if (peer->conn == NULL)
            fn_list_remove(&peer->dirty);
        else
            room = fn_session_flush(host, peer, now_ns);
        node = fn_list_front(&host->peers.dirty);
    }
    fn_datagrams_send(host, now_ns);
    look_at_quiet(host, now_ns);
    return room && !fn_list_empty(&host->peers.dirty);
}

void fn_sessions_flush(fn_host *host, uint64_t now_ns)
{
    host->unsent = false;
    while (flush_some(host, now_ns)) {
    }
}
