#include "host/shutdown.h"

#include "host/host.h"
#include "host/life.h"
#include "host/session.h"
#include "host/turn.h"

/* Three probe timeouts, the longest that CLOSE is repeated. */
#define CONFIRM_NS_MAX (3 * FN_NS_PER_S)

/* What is not a session has nobody to say goodbye to. */
static void give_up(fn_host *host, fn_peer *peer, uint32_t code, const char *text, uint64_t now_ns)
{
    if (peer->state == FN_PEER_DECIDING)
        fn_incoming_refuse(host, peer, code, text, now_ns);
    else if (peer->outgoing != NULL)
        fn_peer_discard(host, peer, now_ns); /* no event has told of it */
    else if (!peer->ended)
        fn_peer_retire(host, peer, now_ns);
}

void fn_peer_disconnect(fn_host *host, fn_peer *peer, uint32_t code, const char *text,
                        uint64_t linger_ns)
{
    uint64_t now_ns = fn_host_clock(host);
    fn_peer_mute(host, peer);
    if (peer->state == FN_PEER_SESSION)
        fn_session_close(host, peer, now_ns, code, text, linger_ns);
    else
        give_up(host, peer, code, text, now_ns);
}

void fn_shutdown_now(fn_host *host)
{
    uint64_t now_ns = fn_host_clock(host);
    bool speaks = !fn_platform_is_copy(&host->platform);
    for (fn_peer *peer = fn_peer_after(host, 0); speaks && peer != NULL;
         peer = fn_peer_after(host, peer->id)) {
        if (peer->state == FN_PEER_SESSION)
            fn_session_close(host, peer, now_ns, 0, NULL, 0);
    }
    if (speaks)
        fn_sessions_flush(host, now_ns);
    for (fn_peer *peer = fn_peer_after(host, 0); peer != NULL; peer = fn_peer_after(host, peer->id))
        fn_peer_retire(host, peer, now_ns);
    fn_peers_sweep(host);
}

static void drop_events(fn_host *host)
{
    FastNetEvent event;
    fn_pump_release(host);
    while (fn_delivery_take(host, &event, 1) > 0)
        fn_pump_release(host);
}

static void disconnect_all(fn_host *host, uint32_t code, const char *text, uint64_t linger_ns)
{
    for (fn_peer *peer = fn_peer_after(host, 0); peer != NULL; peer = fn_peer_after(host, peer->id))
        fn_peer_disconnect(host, peer, code, text, linger_ns);
}

void fn_shutdown_wait(fn_host *host, uint32_t code, const char *text)
{
    if (fn_platform_is_copy(&host->platform))
        return;
    uint64_t linger_ns = host->config.given.linger_ms * FN_NS_PER_MS;
    uint64_t end_ns = fn_host_clock(host) + linger_ns + CONFIRM_NS_MAX;
    fn_pump_release(host);
    disconnect_all(host, code, text, linger_ns);
    fn_pump(host);
    for (;;) {
        drop_events(host);
        if (fn_peer_after(host, 0) == NULL || host->now_ns >= end_ns)
            return;
        fn_pump_turn(host, end_ns);
    }
}
