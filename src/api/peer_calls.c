/* Connecting, deciding, sending, ending: the public functions about one peer or all of them. */
#include "api/peer_calls.h"

#include "api/endpoint.h"
#include "api/refusal.h"
#include "host/connect/outgoing.h"
#include "host/session.h"
#include "host/shutdown.h"

/* --- connecting --- */

static FastNetResult connect_to(FastNetEndpoint *endpoint, const char *host, uint16_t tls_port,
                                const FastNetConnectOptions *options, bool insecure,
                                FastNetPeerId *out_peer)
{
    fn_failure failure = {0};
    FastNetConnectOptions complete;
    if (out_peer != NULL)
        *out_peer = 0;
    if (endpoint == NULL || host == NULL || out_peer == NULL)
        return fn_refuse(endpoint, FASTNET_ERR_ARGUMENT,
                         host == NULL ? "host is NULL" : "out_peer is NULL");
    if (fn_is_copy(endpoint))
        return fn_refuse_copy(endpoint);
    int code = fn_config_read_options(options, &complete, &failure);
    if (code != FASTNET_OK)
        return (FastNetResult)fn_diagnostics_error(&endpoint->host.diagnostics, FN_LOG_WARNING,
                                                   code, failure.text);
    fn_tls_context *tls = fn_trust_choose(&endpoint->trust, &complete, insecure, &failure);
    if (tls == NULL)
        return (FastNetResult)fn_diagnostics_error(&endpoint->host.diagnostics, FN_LOG_WARNING,
                                                   failure.code, failure.text);
    const fn_dial dial = {.name = host, .port = tls_port, .options = &complete, .tls = tls};
    code = fn_outgoing_start(&endpoint->host, &dial, fn_host_clock(&endpoint->host), out_peer);
    fn_tls_context_release(tls);
    return (FastNetResult)code;
}

FastNetResult fastnet_connect(FastNetEndpoint *endpoint, const char *host, uint16_t tls_port,
                              const FastNetConnectOptions *options, FastNetPeerId *out_peer)
{
    return connect_to(endpoint, host, tls_port, options, false, out_peer);
}

FastNetResult fastnet_connect_insecure_without_verification(FastNetEndpoint *endpoint,
                                                            const char *host, uint16_t tls_port,
                                                            const FastNetConnectOptions *options,
                                                            FastNetPeerId *out_peer)
{
    if (endpoint != NULL && host != NULL) {
        fn_log_detail(&endpoint->host.diagnostics.log, FN_LOG_WARNING,
                      "connecting WITHOUT VERIFICATION, anybody on the way can read and change all",
                      host);
    }
    return connect_to(endpoint, host, tls_port, options, true, out_peer);
}

/* --- deciding --- */

static const char gone[] =
    "the client went away before it was answered, or there is no memory for it";
static const char not_asked[] =
    "nothing is to be decided: that peer's CONNECT_REQUEST was answered, "
    "or it never had one";

/* A peer whose CONNECT_REQUEST waits for an answer. */
static FastNetResult find_asking(FastNetEndpoint *endpoint, FastNetPeerId id, fn_peer **peer)
{
    *peer = fn_find_peer(endpoint, id);
    if (*peer == NULL)
        return fn_refuse_peer(endpoint);
    return (*peer)->state == FN_PEER_DECIDING ? FASTNET_OK
                                              : fn_refuse(endpoint, FASTNET_ERR_STATE, not_asked);
}

FastNetResult fastnet_accept(FastNetEndpoint *endpoint, FastNetPeerId peer_id)
{
    fn_peer *peer;
    FastNetResult asking = find_asking(endpoint, peer_id, &peer);
    if (asking != FASTNET_OK)
        return asking;
    uint64_t now_ns = fn_host_clock(&endpoint->host);
    fn_link *link = peer->link;
    int code = fn_incoming_decide(&endpoint->host, peer, now_ns);
    fn_link_settle(&endpoint->host, link, now_ns);
    return code == FASTNET_OK ? FASTNET_OK : fn_refuse(endpoint, FASTNET_ERR_PEER, gone);
}

FastNetResult fastnet_reject(FastNetEndpoint *endpoint, FastNetPeerId peer_id, uint32_t code,
                             const char *text)
{
    fn_peer *peer;
    FastNetResult asking = find_asking(endpoint, peer_id, &peer);
    if (asking != FASTNET_OK)
        return asking;
    uint64_t now_ns = fn_host_clock(&endpoint->host);
    int result = fn_incoming_refuse(&endpoint->host, peer, code, text, now_ns);
    return result == FASTNET_OK ? FASTNET_OK : fn_refuse(endpoint, FASTNET_ERR_PEER, gone);
}

/* --- ending --- */

static FastNetResult disconnect(FastNetEndpoint *endpoint, FastNetPeerId peer_id, uint32_t code,
                                const char *text, uint64_t linger_ns)
{
    fn_peer *peer = fn_find_peer(endpoint, peer_id);
    if (peer == NULL)
        return fn_refuse_peer(endpoint);
    fn_peer_disconnect(&endpoint->host, peer, code, text, linger_ns);
    return FASTNET_OK;
}

FastNetResult fastnet_disconnect(FastNetEndpoint *endpoint, FastNetPeerId peer, uint32_t code,
                                 const char *text)
{
    uint64_t linger_ns =
        endpoint != NULL ? endpoint->host.config.given.linger_ms * FN_NS_PER_MS : 0;
    return disconnect(endpoint, peer, code, text, linger_ns);
}

FastNetResult fastnet_disconnect_now(FastNetEndpoint *endpoint, FastNetPeerId peer, uint32_t code,
                                     const char *text)
{
    return disconnect(endpoint, peer, code, text, 0);
}

/* --- sending --- */

/* The numbers above the application's channels are the library's own. */
static int check_message(const FastNetEndpoint *endpoint, uint8_t channel, const void *data,
                         uint32_t data_len)
{
    uint32_t channels = endpoint->host.config.channel_count;
    if (data == NULL && data_len > 0)
        return fn_refuse(endpoint, FASTNET_ERR_ARGUMENT, "data is NULL but data_len is not 0");
    if (channel >= channels)
        return fn_refuse_limit(endpoint, FASTNET_ERR_ARGUMENT, "there is no channel", channel,
                               "channel_count", channels);
    return FASTNET_OK;
}

static int refuse_send(const FastNetEndpoint *endpoint, const fn_peer *peer, int code,
                       uint32_t data_len)
{
    bool early = peer->conn == NULL || fn_conn_get_state(peer->conn) == FN_CONN_VALIDATING;
    switch (code) {
    case FASTNET_ERR_TOO_LARGE:
        return fn_refuse_limit(endpoint, code, "the message has bytes:", data_len,
                               "message_bytes_max, the smaller one of both sides,",
                               peer->message_bytes_max);
    case FASTNET_ERR_STATE:
        return fn_refuse(endpoint, code,
                         early ? "not connected yet: wait for CONNECTED"
                               : "the session is ending: it takes no messages any more");
    default:
        return fn_refuse(endpoint, code, NULL);
    }
}

static int send_to(FastNetEndpoint *endpoint, fn_peer *peer, uint8_t channel, const void *data,
                   uint32_t data_len, const fn_send_options *options)
{
    int code = check_message(endpoint, channel, data, data_len);
    if (code != FASTNET_OK)
        return code;
    code = peer->conn != NULL ? fn_conn_send(peer->conn, channel, data, data_len, options)
                              : FASTNET_ERR_STATE;
    if (code != FASTNET_OK)
        return refuse_send(endpoint, peer, code, data_len);
    fn_peer_touch(&endpoint->host, peer);
    endpoint->host.unsent = true;
    return FASTNET_OK;
}

FastNetResult fastnet_send(FastNetEndpoint *endpoint, FastNetPeerId peer_id, uint8_t channel,
                           const void *data, uint32_t data_len)
{
    fn_peer *peer = fn_find_peer(endpoint, peer_id);
    if (peer == NULL)
        return fn_refuse_peer(endpoint);
    return (FastNetResult)send_to(endpoint, peer, channel, data, data_len, NULL);
}

int32_t fn_send_at_once(FastNetEndpoint *endpoint, FastNetPeerId peer_id, uint8_t channel,
                        const void *data, uint32_t data_len)
{
    fn_peer *peer = fn_find_peer(endpoint, peer_id);
    if (peer == NULL)
        return fn_refuse_peer(endpoint);
    uint64_t now_ns = fn_host_clock(&endpoint->host);
    int code = send_to(endpoint, peer, channel, data, data_len, NULL);
    if (code == FASTNET_OK)
        fn_session_send_now(&endpoint->host, peer, now_ns);
    return code;
}

FastNetResult fastnet_send_tagged(FastNetEndpoint *endpoint, FastNetPeerId peer_id, uint8_t channel,
                                  const void *data, uint32_t data_len, uint64_t tag,
                                  uint32_t time_to_live_ms)
{
    const fn_send_options options = {
        .tagged = true, .tag = tag, .time_to_live_ns = time_to_live_ms * FN_NS_PER_MS};
    fn_peer *peer = fn_find_peer(endpoint, peer_id);
    if (peer == NULL)
        return fn_refuse_peer(endpoint);
    return (FastNetResult)send_to(endpoint, peer, channel, data, data_len, &options);
}

/* A wrong argument is wrong for every peer, and also when there is none. */
static int check_broadcast(const FastNetEndpoint *endpoint, uint8_t channel, const void *data,
                           uint32_t data_len)
{
    if (endpoint == NULL)
        return FASTNET_ERR_ARGUMENT;
    if (fn_is_copy(endpoint))
        return fn_refuse_copy(endpoint);
    uint32_t bytes_max = endpoint->host.config.given.message_bytes_max;
    int code = check_message(endpoint, channel, data, data_len);
    if (code != FASTNET_OK || data_len <= bytes_max)
        return code;
    return fn_refuse_limit(endpoint, FASTNET_ERR_TOO_LARGE, "the message has bytes:", data_len,
                           "message_bytes_max", bytes_max);
}

int32_t fastnet_broadcast(FastNetEndpoint *endpoint, FastNetPeerId except, uint8_t channel,
                          const void *data, uint32_t data_len)
{
    int32_t count = 0;
    int code = check_broadcast(endpoint, channel, data, data_len);
    if (code != FASTNET_OK)
        return code;
    fn_peer *next = fn_peer_after(&endpoint->host, 0);
    for (fn_peer *peer = next; peer != NULL; peer = next) {
        next = fn_peer_after(&endpoint->host, peer->id);
        if (next != NULL && next->conn != NULL)
            fn_conn_prefetch_sending(next->conn);
        if (peer->connected && peer->id != except &&
            send_to(endpoint, peer, channel, data, data_len, NULL) == FASTNET_OK)
            count++;
    }
    return count;
}
