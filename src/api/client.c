/* The short form for clients: an endpoint with one peer. */
#include "api/connect_error.h"
#include "api/endpoint.h"
#include "api/peer_calls.h"
#include "api/poll.h"
#include "api/refusal.h"
#include "host/life.h"
#include "host/shutdown.h"
#include "host/turn.h"

#define WAIT_NS FN_NS_PER_S /* each turn; the connect has its own deadline */

/* The first event stays queued: CONNECTED is the application's first. */
static const fn_event *wait_for_event(FastNetEndpoint *endpoint)
{
    const fn_event *event;
    while ((event = fn_events_front(&endpoint->host.events)) == NULL) {
        fn_pump_wait(&endpoint->host, WAIT_NS);
        fn_peers_sweep(&endpoint->host);
    }
    return event;
}

/* Takes over the endpoint. */
static FastNetClient give_up(FastNetEndpoint *endpoint, int code, const char *text)
{
    fn_connect_error_set(code, text);
    fastnet_endpoint_destroy(endpoint);
    return NULL;
}

static FastNetClient wait_until_connected(FastNetEndpoint *endpoint)
{
    FastNetEvent event;
    if (wait_for_event(endpoint)->type == FN_EVENT_CONNECTED)
        return endpoint;
    fn_delivery_take(&endpoint->host, &event, 1);
    return give_up(endpoint, event.error_code, (const char *)event.data);
}

FastNetClient fastnet_client_connect(const char *host, uint16_t tls_port)
{
    FastNetConfig config;
    FastNetEndpoint *endpoint;
    fastnet_config_init(&config);
    config.peers_max = 1;
    if (fastnet_endpoint_create(&config, &endpoint) != FASTNET_OK)
        return NULL;
    FastNetResult result = fastnet_connect(endpoint, host, tls_port, NULL, &endpoint->client_peer);
    if (result == FASTNET_ERR_ARGUMENT && host == NULL)
        return give_up(endpoint, result, "host is NULL");
    if (result != FASTNET_OK)
        return give_up(endpoint, result, fastnet_last_error_text(endpoint));
    return wait_until_connected(endpoint);
}

/* The one outgoing peer that still has its place: any endpoint can have got it by
 * fastnet_connect(). NULL: there is none, or more than one. */
static const fn_peer *only_outgoing(const FastNetEndpoint *endpoint, uint32_t *count)
{
    const fn_peer *only = NULL;
    *count = 0;
    for (const fn_peer *peer = fn_peer_after(&endpoint->host, 0); peer != NULL;
         peer = fn_peer_after(&endpoint->host, peer->id)) {
        if (!peer->is_client || !peer->placed || peer->muted)
            continue;
        only = peer;
        ++*count;
    }
    return *count == 1 ? only : NULL;
}

/* The peer that the short form means; 0 and a sentence when that is not clear. The last answer is
 * good as long as nobody connected or left. */
static FastNetPeerId find_peer(FastNetEndpoint *endpoint)
{
    uint32_t count;
    if (fn_is_copy(endpoint)) {
        fn_refuse_copy(endpoint);
        return 0;
    }
    fn_peer *known = fn_peer_find(&endpoint->host, endpoint->client_peer);
    if (known != NULL && known->placed && endpoint->host.peers.outgoing_count == 1)
        return known->id;
    const fn_peer *only = only_outgoing(endpoint, &count);
    endpoint->client_peer = only != NULL ? only->id : 0;
    if (only == NULL) {
        fn_refuse(endpoint, FASTNET_ERR_STATE,
                  count == 0 ? "this endpoint has no outgoing session, or it has ended: connect"
                             : "this endpoint has several outgoing sessions: name the peer, with "
                               "fastnet_send()");
    }
    return endpoint->client_peer;
}

int32_t fastnet_client_send(FastNetClient client, uint8_t channel, const uint8_t *data,
                            uint32_t data_len)
{
    if (client == NULL)
        return FASTNET_ERR_ARGUMENT;
    FastNetPeerId peer = find_peer(client);
    return peer != 0 ? fn_send_at_once(client, peer, channel, data, data_len) : FASTNET_ERR_STATE;
}

bool fastnet_client_poll(FastNetClient client, FastNetEvent *event)
{
    return fn_poll_one(client, event);
}

FastNetTransport fastnet_client_transport_mode(FastNetClient client)
{
    return client != NULL ? fastnet_peer_transport_mode(client, find_peer(client))
                          : FASTNET_TRANSPORT_NONE;
}

void fastnet_client_disconnect(FastNetClient client)
{
    if (client == NULL)
        return;
    fn_shutdown_wait(&client->host, 0, NULL);
    fastnet_endpoint_destroy(client);
}
