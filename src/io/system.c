#include "io/system.h"

#include "io/clock.h"
#include "io/entropy.h"
#include "io/host.h"
#include "io/resolve.h"

/* --- time and chance --- */

static uint64_t clock_ns(void *world)
{
    (void)world;
    return fn_clock_monotonic_ns();
}

static uint64_t unix_time_s(void *world)
{
    (void)world;
    return fn_clock_unix_seconds();
}

static int entropy(void *world, void *out, size_t bytes, fn_io_error *error)
{
    (void)world;
    return fn_entropy_fill(out, bytes, error);
}

static bool is_copy(void *world)
{
    return fn_fork_guard_is_child(&((fn_system *)world)->guard);
}

/* --- the wait --- */

static fn_poller *poller_of(void *world)
{
    return &((fn_system *)world)->poller;
}

static size_t wait_bytes(void *world, uint32_t sockets_max)
{
    (void)world;
    return fn_poller_memory_bytes(sockets_max);
}

static int wait_open(void *world, void *memory, uint32_t sockets_max, fn_io_error *error)
{
    return fn_poller_open(poller_of(world), memory, sockets_max, error);
}

static void wait_close(void *world)
{
    fn_poller_close(poller_of(world));
}

static size_t wait_for(void *world, uint64_t timeout_ns, fn_poll_event *events, size_t capacity)
{
    return is_copy(world) ? 0 : fn_poller_wait(poller_of(world), timeout_ns, events, capacity);
}

static uint32_t wait_count(void *world)
{
    return poller_of(world)->count;
}

static void wake(void *world)
{
    if (!is_copy(world))
        fn_poller_wake(poller_of(world));
}

static void interrupt(void *world)
{
    fn_system *system = world;
    atomic_store_explicit(&system->interrupted, true, memory_order_release);
    fn_poller_wake(&system->poller);
}

static bool interrupted(void *world)
{
    return atomic_load_explicit(&((fn_system *)world)->interrupted, memory_order_relaxed);
}

static bool take_interrupt(void *world)
{
    fn_system *system = world;
    return interrupted(world) &&
           atomic_exchange_explicit(&system->interrupted, false, memory_order_acquire);
}

/* --- the UDP socket --- */

static fn_udp *udp_of(void *world)
{
    return &((fn_system *)world)->udp;
}

static int udp_open(void *world, const fn_udp_options *options, fn_io_error *error)
{
    fn_udp before = *udp_of(world);
    int code = fn_udp_open(udp_of(world), options, error);
    for (uint32_t i = 0; code == FASTNET_OK && i < before.plain_count; i++)
        fn_udp_set_plain(udp_of(world), &before.plain[i]);
    return code;
}

static void udp_close(void *world)
{
    fn_udp_close(udp_of(world));
}

static int udp_connect(void *world, const fn_address *peer, fn_io_error *error)
{
    return fn_udp_connect(udp_of(world), peer, error);
}

static int udp_local(void *world, fn_address *local, fn_io_error *error)
{
    return fn_udp_local(udp_of(world), local, error);
}

static void udp_settings(void *world, fn_udp_settings *out)
{
    fn_udp_settings_get(udp_of(world), out);
}

static const fn_udp_counters *udp_counters(void *world)
{
    return &udp_of(world)->counters;
}

static size_t udp_receive(void *world, fn_datagram *batch, size_t capacity)
{
    return is_copy(world) ? 0 : fn_udp_receive(udp_of(world), batch, capacity);
}

static bool udp_receive_one(void *world, fn_datagram *datagram)
{
    return !is_copy(world) && fn_udp_receive_next(udp_of(world), datagram);
}

static size_t udp_send(void *world, fn_datagram *batch, size_t count)
{
    if (!is_copy(world))
        return fn_udp_send(udp_of(world), batch, count);
    for (size_t i = 0; i < count; i++)
        batch[i].outcome = FN_UDP_TRANSIENT;
    return 0;
}

static void udp_set_plain(void *world, const fn_address *address)
{
    fn_udp_set_plain(udp_of(world), address);
}

static int udp_watch(void *world, uint64_t token, uint32_t interest, fn_io_error *error)
{
    fn_system *system = world;
    fn_handle handle = system->udp.handle;
    if (system->udp_watched)
        return fn_poller_modify(&system->poller, handle, token, interest, error);
    int code = fn_poller_add(&system->poller, handle, token, interest, error);
    system->udp_watched = code == FASTNET_OK;
    return code;
}

static void udp_unwatch(void *world)
{
    fn_system *system = world;
    if (system->udp_watched && !is_copy(world))
        fn_poller_remove(&system->poller, system->udp.handle);
    system->udp_watched = false;
}

/* --- byte streams --- */

static int tcp_listen(void *world, const fn_tcp_listen_options *options, uint64_t token,
                      fn_address *local, fn_io_error *error)
{
    fn_system *system = world;
    int code = fn_tcp_listen(&system->listener, options, error);
    if (code != FASTNET_OK)
        return code;
    code = fn_tcp_listener_local(&system->listener, local, error);
    if (code == FASTNET_OK)
        code = fn_poller_add(&system->poller, system->listener.handle, token, FN_POLL_READ, error);
    if (code != FASTNET_OK)
        fn_tcp_listener_close(&system->listener);
    return code;
}

static void tcp_unlisten(void *world)
{
    fn_system *system = world;
    if (!is_copy(world))
        fn_poller_remove(&system->poller, system->listener.handle);
    fn_tcp_listener_close(&system->listener);
}

static void tcp_watch_listener(void *world, uint64_t token, uint32_t interest)
{
    fn_system *system = world;
    fn_poller_modify(&system->poller, system->listener.handle, token, interest, NULL);
}

static fn_tcp_outcome tcp_accept(void *world, fn_tcp *tcp, fn_address *remote)
{
    return fn_tcp_accept(&((fn_system *)world)->listener, tcp, remote);
}

static int tcp_connect(void *world, fn_tcp *tcp, const fn_address *remote, const fn_address *local,
                       fn_io_error *error)
{
    (void)world;
    return fn_tcp_connect(tcp, remote, local, error);
}

static int tcp_connect_result(void *world, fn_tcp *tcp, const fn_address *remote, bool *established,
                              fn_io_error *error)
{
    (void)world;
    return fn_tcp_connect_result(tcp, remote, established, error);
}

static int tcp_local(void *world, const fn_tcp *tcp, fn_address *local, fn_io_error *error)
{
    (void)world;
    return fn_tcp_local(tcp, local, error);
}

static fn_tcp_outcome tcp_send(void *world, fn_tcp *tcp, const void *data, size_t bytes,
                               size_t *moved)
{
    *moved = 0;
    return is_copy(world) ? FN_TCP_RESET : fn_tcp_send(tcp, data, bytes, moved);
}

static fn_tcp_outcome tcp_receive(void *world, fn_tcp *tcp, void *data, size_t capacity,
                                  size_t *moved)
{
    *moved = 0;
    return is_copy(world) ? FN_TCP_RESET : fn_tcp_receive(tcp, data, capacity, moved);
}

static void tcp_set_nodelay(void *world, fn_tcp *tcp, bool on)
{
    (void)world;
    fn_tcp_set_nodelay(tcp, on);
}

static void tcp_set_unsent_max(void *world, fn_tcp *tcp, uint32_t bytes)
{
    (void)world;
    fn_tcp_set_unsent_max(tcp, bytes);
}

static void tcp_close(void *world, fn_tcp *tcp)
{
    (void)world;
    fn_tcp_close(tcp);
}

static void tcp_abort(void *world, fn_tcp *tcp)
{
    if (is_copy(world))
        fn_tcp_close(tcp); /* the parent's connection goes on */
    else
        fn_tcp_abort(tcp);
}

static int tcp_watch(void *world, const fn_tcp *tcp, uint64_t token, uint32_t interest,
                     fn_io_error *error)
{
    return fn_poller_add(poller_of(world), tcp->handle, token, interest, error);
}

static int tcp_rewatch(void *world, const fn_tcp *tcp, uint64_t token, uint32_t interest,
                       fn_io_error *error)
{
    return is_copy(world) ? FASTNET_OK
                          : fn_poller_modify(poller_of(world), tcp->handle, token, interest, error);
}

static void tcp_unwatch(void *world, const fn_tcp *tcp)
{
    if (!is_copy(world))
        fn_poller_remove(poller_of(world), tcp->handle);
}

/* --- host names --- */

static bool host_parse(void *world, const char *text, fn_address *out)
{
    (void)world;
    return fn_host_parse(text, out);
}

static fn_resolve *resolve_start(void *world, const char *host, uint16_t port, fn_io_error *error)
{
    return fn_resolve_start(host, port, wake, world, error);
}

static bool resolve_finished(void *world, const fn_resolve *resolve)
{
    (void)world;
    return fn_resolve_finished(resolve);
}

static int resolve_get(void *world, fn_resolve *resolve, fn_resolve_result *result,
                       fn_io_error *error)
{
    (void)world;
    return fn_resolve_get(resolve, result, error);
}

static void resolve_release(void *world, fn_resolve *resolve)
{
    /* A child has no resolver thread, and that one may have held the lock: the lookup is left. */
    if (!is_copy(world))
        fn_resolve_release(resolve);
}

/* --- two private sockets --- */

static int warm_open(void *world, fn_io_error *error)
{
    return fn_warm_open(&((fn_system *)world)->warm, error);
}

static void warm_close(void *world)
{
    fn_warm_close(&((fn_system *)world)->warm);
}

static bool warm_carry(void *world, uint32_t from, const uint8_t *data, uint32_t bytes,
                       fn_datagram *in)
{
    return fn_warm_carry(&((fn_system *)world)->warm, from, data, bytes, in);
}

fn_platform fn_system_platform(fn_system *system)
{
    static const fn_platform_ops ops = {
        .clock_ns = clock_ns,
        .unix_time_s = unix_time_s,
        .entropy = entropy,
        .is_copy = is_copy,
        .wait_bytes = wait_bytes,
        .wait_open = wait_open,
        .wait_close = wait_close,
        .wait = wait_for,
        .wait_count = wait_count,
        .interrupt = interrupt,
        .interrupted = interrupted,
        .take_interrupt = take_interrupt,
        .wake = wake,
        .udp_open = udp_open,
        .udp_close = udp_close,
        .udp_connect = udp_connect,
        .udp_local = udp_local,
        .udp_settings = udp_settings,
        .udp_counters = udp_counters,
        .udp_receive = udp_receive,
        .udp_receive_one = udp_receive_one,
        .udp_send = udp_send,
        .udp_set_plain = udp_set_plain,
        .udp_watch = udp_watch,
        .udp_unwatch = udp_unwatch,
        .tcp_listen = tcp_listen,
        .tcp_unlisten = tcp_unlisten,
        .tcp_watch_listener = tcp_watch_listener,
        .tcp_accept = tcp_accept,
        .tcp_connect = tcp_connect,
        .tcp_connect_result = tcp_connect_result,
        .tcp_local = tcp_local,
        .tcp_send = tcp_send,
        .tcp_receive = tcp_receive,
        .tcp_set_nodelay = tcp_set_nodelay,
        .tcp_set_unsent_max = tcp_set_unsent_max,
        .tcp_close = tcp_close,
        .tcp_abort = tcp_abort,
        .tcp_watch = tcp_watch,
        .tcp_rewatch = tcp_rewatch,
        .tcp_unwatch = tcp_unwatch,
        .host_parse = host_parse,
        .resolve_start = resolve_start,
        .resolve_finished = resolve_finished,
        .resolve_get = resolve_get,
        .resolve_release = resolve_release,
        .warm_open = warm_open,
        .warm_close = warm_close,
        .warm_carry = warm_carry,
    };
    fn_fork_guard_open(&system->guard);
    return (fn_platform){&ops, system};
}

void fn_system_close(fn_system *system)
{
    fn_fork_guard_close(&system->guard);
}
