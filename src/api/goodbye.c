#include "api/goodbye.h"

#include "api/endpoint.h"
#include "api/poll.h"
#include "api/session.h"

/* Three probe timeouts, the longest that CLOSE is repeated. */
#define CONFIRM_NS_MAX (3 * FN_NS_PER_S)

void fn_goodbye_now(FastNetEndpoint *endpoint)
{
    uint64_t now_ns = fn_endpoint_clock(endpoint);
    bool speaks = !fn_is_copy(endpoint);
    for (fn_peer *peer = fn_peer_after(endpoint, 0); speaks && peer != NULL;
         peer = fn_peer_after(endpoint, peer->id)) {
        if (peer->state == FN_PEER_SESSION)
            fn_session_close(endpoint, peer, now_ns, 0, NULL, 0);
    }
    if (speaks)
        fn_sessions_flush(endpoint, now_ns);
    for (fn_peer *peer = fn_peer_after(endpoint, 0); peer != NULL;
         peer = fn_peer_after(endpoint, peer->id))
        fn_peer_retire(endpoint, peer, now_ns);
    fn_peers_sweep(endpoint);
}

static void drop_events(FastNetEndpoint *endpoint)
{
    FastNetEvent event;
    fn_pump_release(endpoint);
    while (fn_delivery_take(endpoint, &event, 1) > 0)
        fn_pump_release(endpoint);
}

static void disconnect_all(FastNetEndpoint *endpoint, uint32_t code, const char *text)
{
    for (fn_peer *peer = fn_peer_after(endpoint, 0); peer != NULL;
         peer = fn_peer_after(endpoint, peer->id))
        fastnet_disconnect(endpoint, peer->id, code, text);
}

void fn_goodbye_wait(FastNetEndpoint *endpoint, uint32_t code, const char *text)
{
    if (fn_is_copy(endpoint))
        return;
    uint64_t linger_ns = endpoint->config.given.linger_ms * FN_NS_PER_MS;
    uint64_t end_ns = fn_endpoint_clock(endpoint) + linger_ns + CONFIRM_NS_MAX;
    fn_pump_release(endpoint);
    disconnect_all(endpoint, code, text);
    fn_pump(endpoint);
    for (;;) {
        drop_events(endpoint);
        if (fn_peer_after(endpoint, 0) == NULL || endpoint->now_ns >= end_ns)
            return;
        fn_pump_turn(endpoint, end_ns);
    }
}
