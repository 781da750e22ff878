#include "api/rejoin.h"

#include <string.h>

#include "api/endpoint.h"
#include "api/stream.h"
#include "base/bytes.h"

#define PAUSE_NS_FIRST (500 * FN_NS_PER_MS)
#define PAUSE_NS_MAX   FN_NS_PER_S /* with the next two: heard within 3 s of a server's return */
/* Where there is no TCP: long enough for the server to challenge a new port, however far it is. */
#define RENEW_PAUSE_NS (4 * FN_NS_PER_S)
#define TCP_TIMEOUT_NS (2 * FN_NS_PER_S)
#define LISTENS_NS     (100 * FN_NS_PER_MS)
#define CLOSE_AFTER_NS (2 * FN_NS_PER_S)

/* --- life --- */

static void timer_fired(FastNetEndpoint *endpoint, fn_timer *timer, uint64_t now_ns);

int fn_rejoin_start(FastNetEndpoint *endpoint, fn_peer *peer, fn_tls_context *tls,
                    const char *server_name)
{
    fn_rejoin *rejoin = fn_allocator_zeroed(&endpoint->blocks.memory, sizeof *rejoin);
    if (rejoin == NULL)
        return FASTNET_ERR_MEMORY;
    fn_timer_init(&rejoin->timer, timer_fired);
    rejoin->peer = peer->id;
    rejoin->tls = fn_tls_context_retain(tls);
    rejoin->pause_ns = PAUSE_NS_FIRST;
    fn_report_copy(rejoin->server_name, sizeof rejoin->server_name, server_name);
    peer->rejoin = rejoin;
    return FASTNET_OK;
}

static void free_ticket(FastNetEndpoint *endpoint, fn_rejoin *rejoin)
{
    if (rejoin->ticket == NULL)
        return;
    fn_bytes_wipe(rejoin->ticket, rejoin->ticket_bytes);
    fn_memory_free(&endpoint->blocks.memory, rejoin->ticket, rejoin->ticket_bytes);
    rejoin->ticket = NULL;
    rejoin->ticket_bytes = 0;
}

static void stop_connecting(FastNetEndpoint *endpoint, fn_rejoin *rejoin, bool close)
{
    if (!rejoin->connecting)
        return;
    rejoin->connecting = false;
    fn_platform_tcp_unwatch(&endpoint->platform, &rejoin->tcp);
    if (close)
        fn_platform_tcp_abort(&endpoint->platform, &rejoin->tcp);
}

void fn_rejoin_free(FastNetEndpoint *endpoint, fn_peer *peer)
{
    fn_rejoin *rejoin = peer->rejoin;
    if (rejoin == NULL)
        return;
    fn_link *link = rejoin->link;
    if (link != NULL)
        fn_link_abandon(endpoint, link, endpoint->now_ns);
    peer->rejoin = NULL;
    fn_timer_set(endpoint, &rejoin->timer, FN_NEVER);
    stop_connecting(endpoint, rejoin, true);
    fn_tls_context_release(rejoin->tls);
    if (rejoin->ticket != NULL)
        fn_tickets_put(&endpoint->tickets, &peer->remote, rejoin->server_name, rejoin->ticket,
                       rejoin->ticket_bytes);
    free_ticket(endpoint, rejoin);
    fn_memory_free(&endpoint->blocks.memory, rejoin, sizeof *rejoin);
}

void fn_rejoin_keep_ticket(FastNetEndpoint *endpoint, fn_peer *peer, fn_link *link)
{
    uint8_t blob[FN_TLS_SESSION_BYTES_MAX];
    size_t bytes = 0;
    fn_rejoin *rejoin = peer->rejoin;
    if (rejoin == NULL ||
        fn_handshake_session(&link->handshake, blob, sizeof blob, &bytes) != FASTNET_OK)
        return;
    free_ticket(endpoint, rejoin);
    rejoin->ticket = fn_memory_alloc(&endpoint->blocks.memory, bytes, FN_ALLOCATOR_ALIGNMENT);
    if (rejoin->ticket != NULL) {
        memcpy(rejoin->ticket, blob, bytes);
        rejoin->ticket_bytes = bytes;
    }
    fn_bytes_wipe(blob, bytes);
}

/* --- an attempt --- */

static void failed(FastNetEndpoint *endpoint, fn_rejoin *rejoin, const char *text, uint64_t now_ns)
{
    fn_log_detail(&endpoint->report.log, FN_LOG_INFO, "UDP is silent, and TLS gives no way round",
                  text);
    rejoin->next_ns = now_ns + rejoin->pause_ns;
    rejoin->pause_ns = fn_min_u64(2 * rejoin->pause_ns, PAUSE_NS_MAX);
    fn_timer_set(endpoint, &rejoin->timer, rejoin->next_ns);
}

static void connect_again(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_io_error error;
    fn_rejoin *rejoin = peer->rejoin;
    int code = fn_platform_tcp_connect(&endpoint->platform, &rejoin->tcp, &peer->remote,
                                       &endpoint->config.bind_address, &error);
    if (code == FASTNET_OK) {
        rejoin->connecting = true;
        code =
            fn_platform_tcp_watch(&endpoint->platform, &rejoin->tcp,
                                  fn_token_make(FN_TOKEN_REJOIN, peer->id), FN_POLL_WRITE, &error);
    }
    if (code == FASTNET_OK) {
        fn_timer_set(endpoint, &rejoin->timer, now_ns + TCP_TIMEOUT_NS);
        return;
    }
    stop_connecting(endpoint, rejoin, true);
    failed(endpoint, rejoin, error.text, now_ns);
}

/* The TLS connection of the connect is open still: saves two round trips. */
static bool attach_first(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_link *link = peer->link;
    uint64_t deadline_ns = now_ns + endpoint->config.given.handshake_timeout_ms * FN_NS_PER_MS;
    if (link == NULL)
        return false;
    fn_rejoin_keep_ticket(endpoint, peer, link);
    if (fn_handshake_attach(&link->handshake, deadline_ns, peer->remote_receiver_id,
                            peer->attach_key) != FASTNET_OK)
        return false;
    peer->link = NULL;
    peer->rejoin->link = link;
    link->is_stream = true;
    fn_link_settle(endpoint, link, now_ns);
    return true;
}

static int shake_hands(FastNetEndpoint *endpoint, fn_peer *peer, fn_link *link, uint64_t now_ns,
                       fn_failure *failure)
{
    fn_rejoin *rejoin = peer->rejoin;
    const fn_handshake_target target = {
        .tls = rejoin->tls,
        .server_name = rejoin->server_name,
        .unix_time_s = (int64_t)fn_platform_unix_time_s(&endpoint->platform),
        .deadline_ns = now_ns + endpoint->config.given.handshake_timeout_ms * FN_NS_PER_MS,
        .receiver_id = peer->receiver_id,
        .session = rejoin->ticket,
        .session_bytes = rejoin->ticket_bytes,
        .attach_key = peer->attach_key,
        .attach_id = peer->remote_receiver_id,
    };
    int code =
        fn_handshake_init_client(&link->handshake, &endpoint->links.config, &target, failure);
    free_ticket(endpoint, rejoin); /* an observer could link two uses */
    return code;
}

static void connected(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_rejoin *rejoin = peer->rejoin;
    fn_failure failure = {.text = "no memory for the handshake"};
    stop_connecting(endpoint, rejoin, false);
    fn_timer_set(endpoint, &rejoin->timer, FN_NEVER);
    fn_platform_tcp_set_nodelay(&endpoint->platform, &rejoin->tcp, true);
    fn_link *link = fn_link_create(endpoint, rejoin->tcp, &peer->remote, false);
    if (link != NULL && shake_hands(endpoint, peer, link, now_ns, &failure) == FASTNET_OK) {
        link->peer = peer->id;
        link->is_stream = true;
        rejoin->link = link;
        fn_link_start(endpoint, link);
        return;
    }
    if (link != NULL)
        fn_link_destroy(endpoint, link);
    failed(endpoint, rejoin, failure.text, now_ns);
}

void fn_rejoin_ready(FastNetEndpoint *endpoint, uint64_t token, uint64_t now_ns)
{
    fn_io_error error;
    bool established = false;
    fn_peer *peer = fn_peer_find_any(endpoint, (FastNetPeerId)fn_token_payload(token));
    if (peer == NULL || peer->rejoin == NULL || !peer->rejoin->connecting)
        return;
    int code = fn_platform_tcp_connect_result(&endpoint->platform, &peer->rejoin->tcp,
                                              &peer->remote, &established, &error);
    if (code == FASTNET_OK && established) {
        connected(endpoint, peer, now_ns);
    } else if (code != FASTNET_OK) {
        stop_connecting(endpoint, peer->rejoin, true);
        failed(endpoint, peer->rejoin, error.text, now_ns);
    }
}

/* --- its outcome --- */

void fn_rejoin_advanced(FastNetEndpoint *endpoint, fn_peer *peer, fn_link *link, uint64_t now_ns)
{
    fn_rejoin *rejoin = peer->rejoin;
    fn_handshake_state state = fn_handshake_get_state(&link->handshake);
    if (rejoin == NULL || rejoin->link != link || state < FN_HANDSHAKE_STREAM)
        return;
    const fn_failure *failure = fn_handshake_failure(&link->handshake);
    rejoin->link = NULL;
    if (state == FN_HANDSHAKE_STREAM) {
        fn_rejoin_keep_ticket(endpoint, peer, link);
        rejoin->pause_ns = PAUSE_NS_FIRST;
        rejoin->close_ns = 0;
        if (fn_stream_attach(endpoint, peer, link, now_ns))
            return;
        fn_handshake_close(&link->handshake, now_ns);
    } else if (failure->code == FASTNET_ERR_GONE) {
        fn_conn_gone(peer->conn);
        fn_peer_touch(endpoint, peer);
    }
    fn_link_detach(endpoint, link);
    failed(endpoint, rejoin, failure->text, now_ns);
}

/* --- when --- */

static void look_at_stream(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_rejoin *rejoin = peer->rejoin;
    if (fn_conn_path(peer->conn) == peer->stream->path || endpoint->config.given.keep_tls_warm) {
        rejoin->close_ns = 0;
    } else if (rejoin->close_ns == 0) {
        rejoin->close_ns = now_ns + CLOSE_AFTER_NS;
        fn_timer_set(endpoint, &rejoin->timer, rejoin->close_ns);
    } else if (now_ns >= rejoin->close_ns) {
        rejoin->close_ns = 0;
        fn_stream_drop(endpoint, peer, now_ns);
    }
}

/* An application that does not take its events hears nothing either: that is not UDP's fault. */
static bool listens(const FastNetEndpoint *endpoint, uint64_t now_ns)
{
    return now_ns < endpoint->datagrams.emptied_ns + LISTENS_NS;
}

void fn_rejoin_look(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_rejoin *rejoin = peer->rejoin;
    if (rejoin == NULL)
        return;
    if (peer->stream != NULL && listens(endpoint, now_ns) &&
        fn_conn_stream_is_silent(peer->conn, now_ns))
        fn_stream_drop(endpoint, peer, now_ns);
    if (peer->stream != NULL) {
        look_at_stream(endpoint, peer, now_ns);
        return;
    }
    bool busy = rejoin->connecting || rejoin->link != NULL;
    bool wants = fn_conn_wants_stream(peer->conn, now_ns);
    if (busy || now_ns < rejoin->next_ns || !listens(endpoint, now_ns) ||
        (!wants && !fn_conn_is_unheard(peer->conn, now_ns)))
        return;
    if (fn_conn_is_unheard(peer->conn, now_ns))
        fn_datagrams_renew(endpoint);
    if (!wants)
        rejoin->next_ns = now_ns + RENEW_PAUSE_NS;
    else if (!attach_first(endpoint, peer, now_ns))
        connect_again(endpoint, peer, now_ns);
}

static void timer_fired(FastNetEndpoint *endpoint, fn_timer *timer, uint64_t now_ns)
{
    fn_rejoin *rejoin = FN_CONTAINER_OF(timer, fn_rejoin, timer);
    fn_peer *peer = fn_peer_find_any(endpoint, rejoin->peer);
    if (peer == NULL || peer->conn == NULL)
        return;
    if (rejoin->connecting) {
        stop_connecting(endpoint, rejoin, true);
        failed(endpoint, rejoin, "TCP does not answer", now_ns);
    }
    fn_rejoin_look(endpoint, peer, now_ns);
}
