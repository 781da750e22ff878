/* What an operator and a game's screens ask for: looking, bans, draining, caps, reload. */
#include <string.h>

#include "api/endpoint.h"
#include "api/refusal.h"
#include "base/text.h"
#include "host/carrier/bad_links.h"
#include "host/session.h"

/* --- reports of a size that the caller knows --- */

/* Copies as much of ours as the caller's struct has, and keeps its struct_size. */
static FastNetResult copy_sized(const FastNetEndpoint *endpoint, void *out, const void *ours,
                                size_t our_bytes)
{
    uint32_t out_bytes;
    memcpy(&out_bytes, out, sizeof out_bytes);
    if (out_bytes < 2 * sizeof(uint32_t) || out_bytes > FN_CONFIG_STRUCT_BYTES_MAX) {
        return fn_refuse_limit(endpoint, FASTNET_ERR_ARGUMENT,
                               "set struct_size to the size of the struct before the call; it is",
                               out_bytes, "the size here", our_bytes);
    }
    memset(out, 0, out_bytes);
    memcpy(out, ours, fn_min_size(out_bytes, our_bytes));
    memcpy(out, &out_bytes, sizeof out_bytes);
    return FASTNET_OK;
}

static void fill_peer_stats(const fn_stats *from, FastNetPeerStats *to)
{
#define SAME(field)    to->field = from->field;
#define COUNTED(field) to->field = from->counters.field;
    SAME(rtt_ns)
    SAME(rtt_ns_min)
    SAME(rtt_ns_latest)
    SAME(rtt_variance_ns)
    SAME(remote_clock_offset_ns)
    SAME(queued_bytes)
    SAME(congestion_window_bytes)
    SAME(bytes_in_flight)
    SAME(loss_permille)
    SAME(receive_loss_permille)
    SAME(send_bytes_per_s)
    SAME(receive_bytes_per_s)
    SAME(datagram_message_bytes_max)
    SAME(mtu_bytes)
    COUNTED(sent_packets)
    COUNTED(sent_bytes)
    COUNTED(received_packets)
    COUNTED(received_bytes)
    COUNTED(lost_packets)
    COUNTED(retransmitted_bytes)
    COUNTED(sent_messages)
    COUNTED(received_messages)
    COUNTED(dropped_messages)
    COUNTED(rejected_packets)
    COUNTED(key_updates)
#undef SAME
#undef COUNTED
}

FastNetResult fastnet_peer_stats(const FastNetEndpoint *endpoint, FastNetPeerId peer_id,
                                 FastNetPeerStats *stats)
{
    FastNetPeerStats ours = {0};
    fn_stats numbers = {0};
    if (endpoint == NULL || stats == NULL)
        return fn_refuse(endpoint, FASTNET_ERR_ARGUMENT, "stats is NULL");
    const fn_peer *peer = fn_find_peer(endpoint, peer_id);
    if (peer == NULL)
        return fn_refuse_peer(endpoint);
    if (peer->conn != NULL) {
        fn_conn_get_stats(peer->conn, fn_platform_clock_ns(&endpoint->host.platform), &numbers);
        ours.path = fn_peer_path_kind(peer, fn_conn_path(peer->conn));
    }
    fill_peer_stats(&numbers, &ours);
    return copy_sized(endpoint, stats, &ours, sizeof ours);
}

FastNetTransport fastnet_peer_transport_mode(const FastNetEndpoint *endpoint, FastNetPeerId peer_id)
{
    const fn_peer *peer = fn_find_peer(endpoint, peer_id);
    if (peer == NULL || !peer->connected)
        return FASTNET_TRANSPORT_NONE;
    switch (fn_peer_path_kind(peer, fn_conn_path(peer->conn))) {
    case FASTNET_PATH_NONE:
        return FASTNET_TRANSPORT_NONE;
    case FASTNET_PATH_TCP:
        return FASTNET_TRANSPORT_TCP;
    default:
        return FASTNET_TRANSPORT_UDP;
    }
}

static uint32_t count_handshakes(const FastNetEndpoint *endpoint)
{
    uint32_t count = endpoint->host.incoming.admission.half_open_count;
    for (const fn_peer *peer = fn_peer_after(&endpoint->host, 0); peer != NULL;
         peer = fn_peer_after(&endpoint->host, peer->id))
        count += peer->is_client && peer->state < FN_PEER_DECIDING ? 1 : 0;
    return count;
}

FastNetResult fastnet_endpoint_stats(const FastNetEndpoint *endpoint, FastNetEndpointStats *stats)
{
    if (endpoint == NULL || stats == NULL)
        return fn_refuse(endpoint, FASTNET_ERR_ARGUMENT, "stats is NULL");
    if (fn_is_copy(endpoint))
        return fn_refuse_copy(endpoint);
    const fn_admission *admission = &endpoint->host.incoming.admission;
    const fn_udp_counters udp = fn_datagrams_counters(&endpoint->host);
    FastNetEndpointStats ours = {
        .peers = endpoint->host.peers.connected_count,
        .handshakes = count_handshakes(endpoint),
        .connect_requests = admission->request_count,
        .memory_bytes_used = fn_pool_used_bytes(&endpoint->host.pool),
        .handshakes_completed = endpoint->host.counters.handshakes_completed,
        .handshakes_failed = endpoint->host.counters.handshakes_failed,
        .handshakes_resumed = endpoint->host.counters.handshakes_resumed,
        .handshakes_limited = admission->limited_count,
        .handshakes_evicted = admission->evicted_count,
        .sent_datagrams = udp.sent,
        .received_datagrams = udp.received,
        .unknown_datagrams = endpoint->host.datagrams.unknown,
        .rejected_datagrams = endpoint->host.datagrams.rejected,
        .send_calls = udp.send_calls,
        .receive_calls = udp.receive_calls,
        .segmented_sends = udp.segmented_sends,
        .segmented_datagrams = udp.segmented,
        .coalesced_receives = udp.coalesced_receives,
        .coalesced_datagrams = udp.coalesced,
        .fallbacks = udp.fallbacks,
        .blocking_waits = endpoint->host.blocking_waits,
        .spins = endpoint->host.spin.attempts,
        .spins_answered = endpoint->host.spin.answered,
        .packets_prepared = endpoint->host.idle_work.prepared,
        .warming_datagrams = endpoint->host.idle_work.beats,
        .handed_over = endpoint->shard.handed_over,
        .hand_overs_refused = endpoint->shard.refused,
        .forwarded_datagrams = endpoint->shard.forwarded,
    };
    return copy_sized(endpoint, stats, &ours, sizeof ours);
}

FastNetResult fastnet_peer_info(const FastNetEndpoint *endpoint, FastNetPeerId peer_id,
                                FastNetPeerInfo *info)
{
    FastNetPeerInfo ours = {0};
    if (endpoint == NULL || info == NULL)
        return fn_refuse(endpoint, FASTNET_ERR_ARGUMENT, "info is NULL");
    const fn_peer *peer = fn_find_peer(endpoint, peer_id);
    if (peer == NULL)
        return fn_refuse_peer(endpoint);
    ours.application_build = peer->application_build;
    ours.message_bytes_max = peer->message_bytes_max;
    fn_diagnostics_copy(ours.certificate_subject, sizeof ours.certificate_subject,
                        peer->certificate_subject);
    return copy_sized(endpoint, info, &ours, sizeof ours);
}

/* --- looking --- */

uint32_t fastnet_peer_count(const FastNetEndpoint *endpoint)
{
    return endpoint != NULL && !fn_is_copy(endpoint) ? endpoint->host.peers.connected_count : 0;
}

FastNetPeerId fastnet_peer_next(const FastNetEndpoint *endpoint, FastNetPeerId previous)
{
    if (endpoint == NULL || fn_is_copy(endpoint))
        return 0;
    const fn_peer *peer = fn_peer_after(&endpoint->host, previous);
    while (peer != NULL && !peer->connected)
        peer = fn_peer_after(&endpoint->host, peer->id);
    return peer != NULL ? peer->id : 0;
}

FastNetResult fastnet_peer_address(const FastNetEndpoint *endpoint, FastNetPeerId peer_id,
                                   FastNetAddress *out)
{
    char text[FN_ADDRESS_TEXT_BYTES];
    if (endpoint == NULL || out == NULL)
        return fn_refuse(endpoint, FASTNET_ERR_ARGUMENT, "out is NULL");
    const fn_peer *peer = fn_find_peer(endpoint, peer_id);
    if (peer == NULL)
        return fn_refuse_peer(endpoint);
    fn_address_format(fn_peer_address(peer), text);
    fn_diagnostics_copy(out->text, sizeof out->text, text);
    return FASTNET_OK;
}

FastNetResult fastnet_peer_set_user(FastNetEndpoint *endpoint, FastNetPeerId peer_id, void *user)
{
    fn_peer *peer = fn_find_peer(endpoint, peer_id);
    if (peer == NULL)
        return fn_refuse_peer(endpoint);
    peer->user = user;
    return FASTNET_OK;
}

FastNetResult fastnet_peer_set_rate_max(FastNetEndpoint *endpoint, FastNetPeerId peer_id,
                                        uint64_t bytes_per_s)
{
    fn_peer *peer = fn_find_peer(endpoint, peer_id);
    if (peer == NULL || peer->conn == NULL)
        return fn_refuse_peer(endpoint);
    fn_conn_set_rate_max(peer->conn, bytes_per_s);
    fn_peer_touch(&endpoint->host, peer);
    return FASTNET_OK;
}

uint16_t fastnet_udp_port(const FastNetEndpoint *endpoint)
{
    return endpoint != NULL ? endpoint->host.datagrams.local_port : 0;
}

uint16_t fastnet_tls_port(const FastNetEndpoint *endpoint)
{
    return endpoint != NULL ? endpoint->host.incoming.door.port : 0;
}

const char *fastnet_last_error_text(const FastNetEndpoint *endpoint)
{
    if (endpoint == NULL)
        return "the endpoint is NULL";
    return endpoint->host.diagnostics.sentence != NULL ? endpoint->host.diagnostics.sentence : "";
}

/* --- operating --- */

FastNetResult fastnet_certificate_reload(FastNetEndpoint *endpoint, const char *certificate_path,
                                         const char *private_key_path)
{
    fn_failure failure = {0};
    if (endpoint == NULL || certificate_path == NULL || private_key_path == NULL)
        return fn_refuse(endpoint, FASTNET_ERR_ARGUMENT,
                         "certificate_path or private_key_path is NULL");
    if (fn_is_copy(endpoint))
        return fn_refuse_copy(endpoint);
    if (!endpoint->host.incoming.door.open)
        return fn_refuse(endpoint, FASTNET_ERR_STATE,
                         "this endpoint does not listen: it has no certificate to replace");
    fn_tls_context *context =
        fn_trust_identity(&endpoint->trust, certificate_path, private_key_path,
                          &endpoint->host.diagnostics.log, &failure);
    if (context == NULL) {
        return (FastNetResult)fn_diagnostics_error(&endpoint->host.diagnostics, FN_LOG_ERROR,
                                                   FASTNET_ERR_CERTIFICATE, failure.text);
    }
    fn_shard_share_identity(endpoint, context);
    fn_tls_context_release(endpoint->host.links.config.server_tls);
    endpoint->host.links.config.server_tls = context;
    return FASTNET_OK;
}

static bool read_host(FastNetEndpoint *endpoint, const char *text, fn_address *address)
{
    if (endpoint == NULL || text == NULL) {
        fn_refuse(endpoint, FASTNET_ERR_ARGUMENT, "the address is NULL");
        return false;
    }
    if (fn_platform_host_parse(&endpoint->host.platform, text, address))
        return true;
    char line[FN_DIAGNOSTICS_BYTES];
    fn_text sentence = fn_text_make(line, sizeof line);
    fn_text_add(&sentence, "not a numeric address: ");
    fn_text_add_quoted(&sentence, text, strlen(text));
    fn_diagnostics_error(&endpoint->host.diagnostics, FN_LOG_WARNING, FASTNET_ERR_ARGUMENT, line);
    return false;
}

FastNetResult fastnet_ban_add(FastNetEndpoint *endpoint, const char *address)
{
    fn_address host;
    if (fn_is_copy(endpoint))
        return fn_refuse_copy(endpoint);
    if (!read_host(endpoint, address, &host))
        return FASTNET_ERR_ARGUMENT;
    int code = fn_admission_ban(&endpoint->host.incoming.admission, &host);
    return code == FASTNET_OK
               ? FASTNET_OK
               : fn_refuse(endpoint, code, "the list of banned addresses is full (1024 entries)");
}

FastNetResult fastnet_ban_remove(FastNetEndpoint *endpoint, const char *address)
{
    fn_address host;
    if (fn_is_copy(endpoint))
        return fn_refuse_copy(endpoint);
    if (!read_host(endpoint, address, &host))
        return FASTNET_ERR_ARGUMENT;
    fn_admission_unban(&endpoint->host.incoming.admission, &host);
    return FASTNET_OK;
}

FastNetResult fastnet_set_draining(FastNetEndpoint *endpoint, bool draining)
{
    if (endpoint == NULL)
        return FASTNET_ERR_ARGUMENT;
    if (fn_is_copy(endpoint))
        return fn_refuse_copy(endpoint);
    endpoint->host.incoming.admission.draining = draining;
    return FASTNET_OK;
}

static bool settings_in_range(const fn_bad_link_settings *settings)
{
    return settings->loss_permille <= FN_BAD_LINK_PERMILLE_MAX &&
           settings->duplicate_permille <= FN_BAD_LINK_PERMILLE_MAX &&
           settings->delay_ms <= FN_BAD_LINK_DELAY_MS_MAX &&
           settings->jitter_ms <= FN_BAD_LINK_DELAY_MS_MAX;
}

FastNetResult fastnet_simulate_bad_link(FastNetEndpoint *endpoint, uint32_t loss_permille,
                                        uint32_t duplicate_permille, uint32_t delay_ms,
                                        uint32_t jitter_ms, uint64_t seed)
{
    const fn_bad_link_settings settings = {loss_permille, duplicate_permille, delay_ms, jitter_ms,
                                           seed};
    if (endpoint == NULL || !settings_in_range(&settings))
        return fn_refuse(
            endpoint, FASTNET_ERR_ARGUMENT,
            "loss and duplicates are at most 1000 permille, delay and jitter 10000 ms");
    if (fn_is_copy(endpoint))
        return fn_refuse_copy(endpoint);
    if (!fn_bad_links_set(&endpoint->host, &settings))
        return fn_refuse(endpoint, FASTNET_ERR_MEMORY, "no memory for a bad link");
    return FASTNET_OK;
}
