#include "host/connect/door.h"

#include "host/host.h"

/* --- opening --- */

/* It is enough that a poll takes place. */
static void timer_fired(fn_host *host, fn_timer *timer, uint64_t now_ns)
{
    (void)host, (void)timer, (void)now_ns;
}

int fn_door_open(fn_host *host, fn_port_use port_use, fn_failure *failure)
{
    fn_io_error error;
    fn_address local;
    fn_door *door = &host->incoming.door;
    fn_tcp_listen_options options = {.local = host->config.bind_address, .port_use = port_use};
    options.local.port = host->config.given.tls_port;
    fn_timer_init(&door->timer, timer_fired);
    int code = fn_platform_tcp_listen(&host->platform, &options,
                                      fn_token_make(FN_TOKEN_LISTENER, 0), &local, &error);
    if (code != FASTNET_OK)
        return fn_failure_set(failure, code, "%s", error.text);
    door->open = true;
    door->port = local.port;
    return FASTNET_OK;
}

void fn_door_close(fn_host *host)
{
    fn_door *door = &host->incoming.door;
    if (!door->open)
        return;
    if (door->holds)
        fn_platform_tcp_abort(&host->platform, &door->held);
    fn_platform_tcp_unlisten(&host->platform);
    *door = (fn_door){.open = false};
}

/* --- taking --- */

fn_tcp_outcome fn_door_take(fn_host *host, uint64_t now_ns, fn_tcp *tcp, fn_address *from,
                            bool *held)
{
    fn_door *door = &host->incoming.door;
    *held = door->holds;
    if (door->holds) {
        door->holds = false;
        *tcp = door->held;
        *from = door->held_from;
        return FN_TCP_OK;
    }
    if (!fn_admission_has_room(&host->incoming.admission, now_ns))
        return FN_TCP_WOULD_BLOCK;
    return fn_platform_tcp_accept(&host->platform, tcp, from);
}

void fn_door_hold(fn_door *door, fn_tcp tcp, const fn_address *from)
{
    door->holds = true;
    door->held = tcp;
    door->held_from = *from;
}

void fn_door_settle(fn_host *host, uint64_t now_ns)
{
    fn_door *door = &host->incoming.door;
    const fn_admission *admission = &host->incoming.admission;
    bool shut = door->holds || !fn_admission_has_room(admission, now_ns);
    if (shut != door->shut) {
        fn_platform_tcp_watch_listener(&host->platform, fn_token_make(FN_TOKEN_LISTENER, 0),
                                       shut ? 0 : FN_POLL_READ);
    }
    door->shut = shut;
    uint64_t again_ns = fn_max_u64(fn_admission_room_ns(admission), now_ns);
    fn_timer_set(host, &door->timer, shut ? again_ns : FN_NEVER);
}
