#include "host/connect/fallback.h"

#include <string.h>

#include "base/bytes.h"
#include "host/carrier/stream.h"
#include "host/host.h"

#define PAUSE_NS_FIRST (500 * FN_NS_PER_MS)
#define PAUSE_NS_MAX   FN_NS_PER_S /* with the next two: heard within 3 s of a server's return */
/* Where there is no TCP: long enough for the server to challenge a new port, however far it is. */
#define RENEW_PAUSE_NS (4 * FN_NS_PER_S)
#define TCP_TIMEOUT_NS (2 * FN_NS_PER_S)
#define LISTENS_NS     (100 * FN_NS_PER_MS)
#define CLOSE_AFTER_NS (2 * FN_NS_PER_S)

/* --- life --- */

static void timer_fired(fn_host *host, fn_timer *timer, uint64_t now_ns);

int fn_fallback_start(fn_host *host, fn_peer *peer, fn_tls_context *tls, const char *server_name)
{
    fn_fallback *fallback = fn_allocator_zeroed(&host->blocks.memory, sizeof *fallback);
    if (fallback == NULL)
        return FASTNET_ERR_MEMORY;
    fn_timer_init(&fallback->timer, timer_fired);
    fallback->peer = peer->id;
    fallback->tls = fn_tls_context_retain(tls);
    fallback->pause_ns = PAUSE_NS_FIRST;
    fn_diagnostics_copy(fallback->server_name, sizeof fallback->server_name, server_name);
    peer->fallback = fallback;
    return FASTNET_OK;
}

static void free_ticket(fn_host *host, fn_fallback *fallback)
{
    if (fallback->ticket == NULL)
        return;
    fn_bytes_wipe(fallback->ticket, fallback->ticket_bytes);
    fn_memory_free(&host->blocks.memory, fallback->ticket, fallback->ticket_bytes);
    fallback->ticket = NULL;
    fallback->ticket_bytes = 0;
}

static void stop_connecting(fn_host *host, fn_fallback *fallback, bool close)
{
    if (!fallback->connecting)
        return;
    fallback->connecting = false;
    fn_platform_tcp_unwatch(&host->platform, &fallback->tcp);
    if (close)
        fn_platform_tcp_abort(&host->platform, &fallback->tcp);
}

void fn_fallback_free(fn_host *host, fn_peer *peer)
{
    fn_fallback *fallback = peer->fallback;
    if (fallback == NULL)
        return;
    fn_link *link = fallback->link;
    if (link != NULL)
        fn_link_abandon(host, link, host->now_ns);
    peer->fallback = NULL;
    fn_timer_set(host, &fallback->timer, FN_NEVER);
    stop_connecting(host, fallback, true);
    fn_tls_context_release(fallback->tls);
    if (fallback->ticket != NULL)
        fn_tickets_put(&host->tickets, &peer->remote, fallback->server_name, fallback->ticket,
                       fallback->ticket_bytes);
    free_ticket(host, fallback);
    fn_memory_free(&host->blocks.memory, fallback, sizeof *fallback);
}

void fn_fallback_keep_ticket(fn_host *host, fn_peer *peer, fn_link *link)
{
    uint8_t blob[FN_TLS_SESSION_BYTES_MAX];
    size_t bytes = 0;
    fn_fallback *fallback = peer->fallback;
    if (fallback == NULL ||
        fn_handshake_session(&link->handshake, blob, sizeof blob, &bytes) != FASTNET_OK)
        return;
    free_ticket(host, fallback);
    fallback->ticket = fn_memory_alloc(&host->blocks.memory, bytes, FN_ALLOCATOR_ALIGNMENT);
    if (fallback->ticket != NULL) {
        memcpy(fallback->ticket, blob, bytes);
        fallback->ticket_bytes = bytes;
    }
    fn_bytes_wipe(blob, bytes);
}

static void advanced(fn_host *host, fn_link *link, uint64_t now_ns);

static const fn_link_owner fallback_owner = {.advanced = advanced};

/* --- an attempt --- */

static void failed(fn_host *host, fn_fallback *fallback, const char *text, uint64_t now_ns)
{
    fn_log_detail(&host->diagnostics.log, FN_LOG_INFO, "UDP is silent, and TLS gives no way round",
                  text);
    fallback->next_ns = now_ns + fallback->pause_ns;
    fallback->pause_ns = fn_min_u64(2 * fallback->pause_ns, PAUSE_NS_MAX);
    fn_timer_set(host, &fallback->timer, fallback->next_ns);
}

static void connect_again(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_io_error error;
    fn_fallback *fallback = peer->fallback;
    int code = fn_platform_tcp_connect(&host->platform, &fallback->tcp, &peer->remote,
                                       &host->config.bind_address, &error);
    if (code == FASTNET_OK) {
        fallback->connecting = true;
        code = fn_platform_tcp_watch(&host->platform, &fallback->tcp,
                                     fn_token_make(FN_TOKEN_FALLBACK, peer->id), FN_POLL_WRITE,
                                     &error);
    }
    if (code == FASTNET_OK) {
        fn_timer_set(host, &fallback->timer, now_ns + TCP_TIMEOUT_NS);
        return;
    }
    stop_connecting(host, fallback, true);
    failed(host, fallback, error.text, now_ns);
}

/* The TLS connection of the connect is open still: saves two round trips. */
static bool attach_first(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_link *link = peer->link;
    uint64_t deadline_ns = now_ns + host->config.given.handshake_timeout_ms * FN_NS_PER_MS;
    if (link == NULL)
        return false;
    fn_fallback_keep_ticket(host, peer, link);
    if (fn_handshake_attach(&link->handshake, deadline_ns, peer->remote_receiver_id,
                            peer->attach_key) != FASTNET_OK)
        return false;
    peer->link = NULL;
    peer->fallback->link = link;
    link->owner = &fallback_owner;
    link->is_stream = true;
    fn_link_settle(host, link, now_ns);
    return true;
}

static int shake_hands(fn_host *host, fn_peer *peer, fn_link *link, uint64_t now_ns,
                       fn_failure *failure)
{
    fn_fallback *fallback = peer->fallback;
    const fn_handshake_target target = {
        .tls = fallback->tls,
        .server_name = fallback->server_name,
        .unix_time_s = (int64_t)fn_platform_unix_time_s(&host->platform),
        .deadline_ns = now_ns + host->config.given.handshake_timeout_ms * FN_NS_PER_MS,
        .receiver_id = peer->receiver_id,
        .session = fallback->ticket,
        .session_bytes = fallback->ticket_bytes,
        .attach_key = peer->attach_key,
        .attach_id = peer->remote_receiver_id,
    };
    int code = fn_handshake_init_client(&link->handshake, &host->links.config, &target, failure);
    free_ticket(host, fallback); /* an observer could link two uses */
    return code;
}

static void connected(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_fallback *fallback = peer->fallback;
    fn_failure failure = {.text = "no memory for the handshake"};
    stop_connecting(host, fallback, false);
    fn_timer_set(host, &fallback->timer, FN_NEVER);
    fn_platform_tcp_set_nodelay(&host->platform, &fallback->tcp, true);
    fn_link *link = fn_link_create(host, fallback->tcp, &peer->remote, &fallback_owner);
    if (link != NULL && shake_hands(host, peer, link, now_ns, &failure) == FASTNET_OK) {
        link->peer = peer->id;
        link->is_stream = true;
        fallback->link = link;
        fn_link_start(host, link);
        return;
    }
    if (link != NULL)
        fn_link_destroy(host, link);
    failed(host, fallback, failure.text, now_ns);
}

void fn_fallback_ready(fn_host *host, uint64_t token, uint64_t now_ns)
{
    fn_io_error error;
    bool established = false;
    fn_peer *peer = fn_peer_find_any(host, (FastNetPeerId)fn_token_payload(token));
    if (peer == NULL || peer->fallback == NULL || !peer->fallback->connecting)
        return;
    int code = fn_platform_tcp_connect_result(&host->platform, &peer->fallback->tcp, &peer->remote,
                                              &established, &error);
    if (code == FASTNET_OK && established) {
        connected(host, peer, now_ns);
    } else if (code != FASTNET_OK) {
        stop_connecting(host, peer->fallback, true);
        failed(host, peer->fallback, error.text, now_ns);
    }
}

/* --- its outcome --- */

static void advanced(fn_host *host, fn_link *link, uint64_t now_ns)
{
    fn_peer *peer = fn_peer_find_any(host, link->peer);
    if (peer == NULL)
        return;
    fn_fallback *fallback = peer->fallback;
    fn_handshake_state state = fn_handshake_get_state(&link->handshake);
    if (fallback == NULL || fallback->link != link || state < FN_HANDSHAKE_STREAM)
        return;
    const fn_failure *failure = fn_handshake_failure(&link->handshake);
    fallback->link = NULL;
    if (state == FN_HANDSHAKE_STREAM) {
        fn_fallback_keep_ticket(host, peer, link);
        fallback->pause_ns = PAUSE_NS_FIRST;
        fallback->close_ns = 0;
        if (fn_stream_attach(host, peer, link, now_ns))
            return;
        fn_handshake_close(&link->handshake, now_ns);
    } else if (failure->code == FASTNET_ERR_GONE) {
        fn_conn_gone(peer->conn);
        fn_peer_touch(host, peer);
    }
    fn_link_detach(host, link);
    failed(host, fallback, failure->text, now_ns);
}

/* --- when --- */

static void look_at_stream(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_fallback *fallback = peer->fallback;
    if (fn_conn_path(peer->conn) == peer->stream->path || host->config.given.keep_tls_warm) {
        fallback->close_ns = 0;
    } else if (fallback->close_ns == 0) {
        fallback->close_ns = now_ns + CLOSE_AFTER_NS;
        fn_timer_set(host, &fallback->timer, fallback->close_ns);
    } else if (now_ns >= fallback->close_ns) {
        fallback->close_ns = 0;
        fn_stream_drop(host, peer, now_ns);
    }
}

/* An application that does not take its events hears nothing either: that is not UDP's fault. */
static bool listens(const fn_host *host, uint64_t now_ns)
{
    return now_ns < host->datagrams.emptied_ns + LISTENS_NS;
}

void fn_fallback_look(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_fallback *fallback = peer->fallback;
    if (fallback == NULL)
        return;
    if (peer->stream != NULL && listens(host, now_ns) &&
        fn_conn_stream_is_silent(peer->conn, now_ns))
        fn_stream_drop(host, peer, now_ns);
    if (peer->stream != NULL) {
        look_at_stream(host, peer, now_ns);
        return;
    }
    bool busy = fallback->connecting || fallback->link != NULL;
    bool wants = fn_conn_wants_stream(peer->conn, now_ns);
    if (busy || now_ns < fallback->next_ns || !listens(host, now_ns) ||
        (!wants && !fn_conn_is_unheard(peer->conn, now_ns)))
        return;
    if (fn_conn_is_unheard(peer->conn, now_ns))
        fn_datagrams_renew(host);
    if (!wants)
        fallback->next_ns = now_ns + RENEW_PAUSE_NS;
    else if (!attach_first(host, peer, now_ns))
        connect_again(host, peer, now_ns);
}

static void timer_fired(fn_host *host, fn_timer *timer, uint64_t now_ns)
{
    fn_fallback *fallback = FN_CONTAINER_OF(timer, fn_fallback, timer);
    fn_peer *peer = fn_peer_find_any(host, fallback->peer);
    if (peer == NULL || peer->conn == NULL)
        return;
    if (fallback->connecting) {
        stop_connecting(host, fallback, true);
        failed(host, fallback, "TCP does not answer", now_ns);
    }
    fn_fallback_look(host, peer, now_ns);
}
