#include "api/door.h"

#include "api/endpoint.h"

/* --- opening --- */

/* It is enough that a poll takes place. */
static void timer_fired(FastNetEndpoint *endpoint, fn_timer *timer, uint64_t now_ns)
{
    (void)endpoint, (void)timer, (void)now_ns;
}

int fn_door_open(FastNetEndpoint *endpoint, fn_port_use port_use, fn_failure *failure)
{
    fn_io_error error;
    fn_address local;
    fn_door *door = &endpoint->incoming.door;
    fn_tcp_listen_options options = {.local = endpoint->config.bind_address, .port_use = port_use};
    options.local.port = endpoint->config.given.tls_port;
    fn_timer_init(&door->timer, timer_fired);
    int code = fn_platform_tcp_listen(&endpoint->platform, &options,
                                      fn_token_make(FN_TOKEN_LISTENER, 0), &local, &error);
    if (code != FASTNET_OK)
        return fn_failure_set(failure, code, "%s", error.text);
    door->open = true;
    door->port = local.port;
    return FASTNET_OK;
}

void fn_door_close(FastNetEndpoint *endpoint)
{
    fn_door *door = &endpoint->incoming.door;
    if (!door->open)
        return;
    if (door->holds)
        fn_platform_tcp_abort(&endpoint->platform, &door->held);
    fn_platform_tcp_unlisten(&endpoint->platform);
    *door = (fn_door){.open = false};
}

/* --- taking --- */

fn_tcp_outcome fn_door_take(FastNetEndpoint *endpoint, uint64_t now_ns, fn_tcp *tcp,
                            fn_address *from, bool *held)
{
    fn_door *door = &endpoint->incoming.door;
    *held = door->holds;
    if (door->holds) {
        door->holds = false;
        *tcp = door->held;
        *from = door->held_from;
        return FN_TCP_OK;
    }
    if (!fn_admission_has_room(&endpoint->incoming.admission, now_ns))
        return FN_TCP_WOULD_BLOCK;
    return fn_platform_tcp_accept(&endpoint->platform, tcp, from);
}

void fn_door_hold(fn_door *door, fn_tcp tcp, const fn_address *from)
{
    door->holds = true;
    door->held = tcp;
    door->held_from = *from;
}

void fn_door_settle(FastNetEndpoint *endpoint, uint64_t now_ns)
{
    fn_door *door = &endpoint->incoming.door;
    const fn_admission *admission = &endpoint->incoming.admission;
    bool shut = door->holds || !fn_admission_has_room(admission, now_ns);
    if (shut != door->shut) {
        fn_platform_tcp_watch_listener(&endpoint->platform, fn_token_make(FN_TOKEN_LISTENER, 0),
                                       shut ? 0 : FN_POLL_READ);
    }
    door->shut = shut;
    uint64_t again_ns = fn_max_u64(fn_admission_room_ns(admission), now_ns);
    fn_timer_set(endpoint, &door->timer, shut ? again_ns : FN_NEVER);
}
