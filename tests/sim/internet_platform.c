/* The table that an endpoint sees: one node of the internet. */
#include "internet_parts.h"

#include "base/units.h"

#include <stdlib.h>

/* Certificates of the simulator are good then. */
#define UNIX_TIME_S UINT64_C(1800000000)

static fn_net_node *node_of(void *world)
{
    return world;
}

/* --- time and chance --- */

static uint64_t clock_ns(void *world)
{
    return fn_net_node_clock_ns(node_of(world));
}

static uint64_t unix_time_s(void *world)
{
    return UNIX_TIME_S + node_of(world)->internet->now_ns / FN_NS_PER_S;
}

static int entropy(void *world, void *out, size_t bytes, fn_io_error *error)
{
    (void)error;
    fn_random_fill(&node_of(world)->entropy, out, bytes);
    return FASTNET_OK;
}

/* --- the wait --- */

static bool is_copy(void *world)
{
    (void)world;
    return false;
}

static size_t wait_bytes(void *world, uint32_t sockets_max)
{
    (void)world;
    (void)sockets_max;
    return 0;
}

static int wait_open(void *world, void *memory, uint32_t sockets_max, fn_io_error *error)
{
    (void)world;
    (void)memory;
    (void)sockets_max;
    (void)error;
    return FASTNET_OK;
}

static void wait_close(void *world)
{
    (void)world;
}

static void tell(const fn_net_watch *watch, uint32_t ready, fn_poll_event *events, size_t capacity,
                 size_t *count)
{
    ready &= watch->interest;
    if (watch->on && ready != 0 && *count < capacity)
        events[(*count)++] = (fn_poll_event){watch->token, ready};
}

static size_t wait_for(void *world, uint64_t timeout_ns, fn_poll_event *events, size_t capacity)
{
    (void)timeout_ns; /* the simulator lets time pass, not the endpoint */
    fn_net_node *node = node_of(world);
    fn_list *all = &node->internet->connections;
    size_t count = 0;
    bool mail = !fn_list_empty(&node->inbox);
    tell(&node->udp_watch, FN_POLL_WRITE | (mail ? FN_POLL_READ : 0), events, capacity, &count);
    tell(&node->listener_watch, fn_list_empty(&node->waiting) ? 0 : FN_POLL_READ, events, capacity,
         &count);
    for (fn_list_node *at = fn_list_front(all); at != NULL; at = fn_list_next(all, at)) {
        fn_net_tcp *tcp = FN_CONTAINER(at, fn_net_tcp, listed);
        for (uint32_t side = 0; side < FN_PIPE_SIDES; side++) {
            if (tcp->sides[side].node == node && tcp->sides[side].open)
                tell(&tcp->sides[side].watch, fn_net_tcp_ready(tcp, side), events, capacity,
                     &count);
        }
    }
    return count;
}

static uint32_t wait_count(void *world)
{
    fn_net_node *node = node_of(world);
    fn_list *all = &node->internet->connections;
    uint32_t count = (uint32_t)node->udp_watch.on + (uint32_t)node->listener_watch.on;
    for (fn_list_node *at = fn_list_front(all); at != NULL; at = fn_list_next(all, at)) {
        const fn_net_tcp *tcp = FN_CONTAINER(at, fn_net_tcp, listed);
        for (uint32_t side = 0; side < FN_PIPE_SIDES; side++)
            count += tcp->sides[side].node == node && tcp->sides[side].watch.on;
    }
    return count;
}

static void wake(void *world)
{
    fn_internet_notify(node_of(world), false);
}

/* There is one thread, and it never waits. */
static bool interrupted(void *world)
{
    (void)world;
    return false;
}

/* --- the UDP socket --- */

static int udp_open(void *world, const fn_udp_options *options, fn_io_error *error)
{
    return fn_net_udp_open(node_of(world), options, error);
}

static void udp_close(void *world)
{
    fn_net_udp_close(node_of(world));
}

static int udp_connect(void *world, const fn_address *peer, fn_io_error *error)
{
    (void)error;
    node_of(world)->udp_connected = true;
    node_of(world)->udp_peer = *peer;
    return FASTNET_OK;
}

static int udp_local(void *world, fn_address *local, fn_io_error *error)
{
    (void)error;
    *local = node_of(world)->udp_local;
    return FASTNET_OK;
}

static void udp_settings(void *world, fn_udp_settings *out)
{
    (void)world;
    *out = (fn_udp_settings){.receive_buffer_bytes = 1 << 20, .send_buffer_bytes = 1 << 20};
}

static const fn_udp_counters *udp_counters(void *world)
{
    return &node_of(world)->udp_counters;
}

static size_t udp_receive(void *world, fn_datagram *batch, size_t capacity)
{
    return fn_net_udp_receive(node_of(world), batch, capacity);
}

static bool udp_receive_one(void *world, fn_datagram *datagram)
{
    return fn_net_udp_receive(node_of(world), datagram, 1) == 1;
}

static size_t udp_send(void *world, fn_datagram *batch, size_t count)
{
    return fn_net_udp_send(node_of(world), batch, count);
}

/* Here all leave one by one. */
static void udp_set_plain(void *world, const fn_address *address)
{
    (void)world, (void)address;
}

static int watch(fn_net_watch *which, uint64_t token, uint32_t interest)
{
    *which = (fn_net_watch){.token = token, .interest = interest, .on = true};
    return FASTNET_OK;
}

static int udp_watch(void *world, uint64_t token, uint32_t interest, fn_io_error *error)
{
    (void)error;
    return watch(&node_of(world)->udp_watch, token, interest);
}

static void udp_unwatch(void *world)
{
    node_of(world)->udp_watch.on = false;
}

/* --- byte streams --- */

static int tcp_listen(void *world, const fn_tcp_listen_options *options, uint64_t token,
                      fn_address *local, fn_io_error *error)
{
    (void)error;
    fn_net_node *node = node_of(world);
    *local = fn_internet_server_address(options->local.port);
    node->listening = true;
    return watch(&node->listener_watch, token, FN_POLL_READ);
}

static void tcp_unlisten(void *world)
{
    node_of(world)->listening = false;
    node_of(world)->listener_watch.on = false;
}

static void tcp_watch_listener(void *world, uint64_t token, uint32_t interest)
{
    watch(&node_of(world)->listener_watch, token, interest);
}

static fn_tcp_outcome tcp_accept(void *world, fn_tcp *tcp, fn_address *remote)
{
    return fn_net_tcp_accept(node_of(world), tcp, remote);
}

static int tcp_connect(void *world, fn_tcp *tcp, const fn_address *remote, const fn_address *local,
                       fn_io_error *error)
{
    (void)local;
    (void)error;
    return fn_net_tcp_connect(node_of(world), tcp, remote);
}

static int tcp_connect_result(void *world, fn_tcp *tcp, const fn_address *remote, bool *established,
                              fn_io_error *error)
{
    uint32_t side;
    (void)remote;
    fn_net_tcp *found = fn_net_tcp_find(node_of(world)->internet, tcp, &side);
    *established = found != NULL && found->sides[0].established;
    if (found != NULL && !found->refused)
        return FASTNET_OK;
    if (error != NULL)
        *error = (fn_io_error){FASTNET_ERR_ADDRESS, "the simulated server refused"};
    return FASTNET_ERR_ADDRESS;
}

static int tcp_local(void *world, const fn_tcp *tcp, fn_address *local, fn_io_error *error)
{
    (void)tcp;
    (void)error;
    *local = node_of(world)->udp_local;
    return FASTNET_OK;
}

static fn_tcp_outcome tcp_send(void *world, fn_tcp *tcp, const void *data, size_t bytes,
                               size_t *moved)
{
    return fn_net_tcp_send(node_of(world)->internet, tcp, data, bytes, moved);
}

static fn_tcp_outcome tcp_receive(void *world, fn_tcp *tcp, void *data, size_t capacity,
                                  size_t *moved)
{
    return fn_net_tcp_receive(node_of(world)->internet, tcp, data, capacity, moved);
}

static void tcp_set_nodelay(void *world, fn_tcp *tcp, bool on)
{
    (void)world;
    (void)tcp;
    (void)on;
}

static void tcp_set_unsent_max(void *world, fn_tcp *tcp, uint32_t bytes)
{
    (void)world;
    (void)tcp;
    (void)bytes;
}

static void tcp_close(void *world, fn_tcp *tcp)
{
    fn_net_tcp_close(node_of(world)->internet, tcp, false);
}

static void tcp_abort(void *world, fn_tcp *tcp)
{
    fn_net_tcp_close(node_of(world)->internet, tcp, true);
}

static int tcp_watch(void *world, const fn_tcp *tcp, uint64_t token, uint32_t interest,
                     fn_io_error *error)
{
    uint32_t side;
    (void)error;
    fn_net_tcp *found = fn_net_tcp_find(node_of(world)->internet, tcp, &side);
    return found != NULL ? watch(&found->sides[side].watch, token, interest) : FASTNET_ERR_SYSTEM;
}

static void tcp_unwatch(void *world, const fn_tcp *tcp)
{
    uint32_t side;
    fn_net_tcp *found = fn_net_tcp_find(node_of(world)->internet, tcp, &side);
    if (found != NULL)
        found->sides[side].watch.on = false;
}

/* --- host names: numeric ones only --- */

static bool host_parse(void *world, const char *text, fn_address *out)
{
    (void)world;
    return fn_address_parse_host(text, out);
}

struct fn_resolve {
    fn_resolve_result result;
};

static fn_resolve *resolve_start(void *world, const char *host, uint16_t port, fn_io_error *error)
{
    (void)world;
    fn_resolve *resolve = fn_internet_calloc(sizeof *resolve);
    if (fn_address_parse_host(host, &resolve->result.addresses[0])) {
        resolve->result.addresses[0].port = port;
        resolve->result.count = 1;
        return resolve;
    }
    if (error != NULL)
        *error = (fn_io_error){FASTNET_ERR_ADDRESS, "the simulator has no names"};
    free(resolve);
    return NULL;
}

static bool resolve_finished(void *world, const fn_resolve *resolve)
{
    (void)world;
    (void)resolve;
    return true;
}

static int resolve_get(void *world, fn_resolve *resolve, fn_resolve_result *result,
                       fn_io_error *error)
{
    (void)world;
    (void)error;
    *result = resolve->result;
    return FASTNET_OK;
}

static void resolve_release(void *world, fn_resolve *resolve)
{
    (void)world;
    free(resolve);
}

fn_platform fn_internet_platform(fn_net_node *node)
{
    /* Nobody keeps anything warm here: the warm_ functions are missing. */
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
        .interrupt = wake,
        .interrupted = interrupted,
        .take_interrupt = interrupted,
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
        .tcp_rewatch = tcp_watch,
        .tcp_unwatch = tcp_unwatch,
        .host_parse = host_parse,
        .resolve_start = resolve_start,
        .resolve_finished = resolve_finished,
        .resolve_get = resolve_get,
        .resolve_release = resolve_release,
    };
    return (fn_platform){&ops, node};
}
