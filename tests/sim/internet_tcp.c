#include "internet_parts.h"

#include "base/bytes.h"
#include "base/units.h"

#include <stdlib.h>

#define SYN_AGAIN_NS FN_NS_PER_S /* RFC 6298; then twice as long each time */

enum {
    SYN_TRIES_MAX = 6,
    FIRST_HANDLE = 10,
};

/* --- the table --- */

fn_net_tcp *fn_net_tcp_find(fn_internet *internet, const fn_tcp *tcp, uint32_t *side)
{
    fn_list_node *node = fn_list_front(&internet->connections);
    for (; node != NULL; node = fn_list_next(&internet->connections, node)) {
        fn_net_tcp *found = FN_CONTAINER(node, fn_net_tcp, listed);
        if ((tcp->handle & ~(intptr_t)1) != found->handle)
            continue;
        *side = (uint32_t)(tcp->handle & 1);
        return found;
    }
    return NULL;
}

static void free_connection(fn_internet *internet, fn_net_tcp *tcp)
{
    fn_list_remove(&tcp->listed);
    fn_list_remove(&tcp->waiting);
    fn_heap_remove(&internet->heap, &tcp->timer.node);
    fn_pipe_free(internet, &tcp->pipe);
    free(tcp);
}

void fn_net_tcp_free_all(fn_internet *internet)
{
    fn_list_node *node;
    while ((node = fn_list_front(&internet->connections)) != NULL)
        free_connection(internet, FN_CONTAINER(node, fn_net_tcp, listed));
}

/* --- readiness --- */

/* A failed connect is ready for both: use it and see. */
uint32_t fn_net_tcp_ready(fn_net_tcp *tcp, uint32_t side)
{
    const fn_net_tcp_side *end = &tcp->sides[side];
    if (tcp->refused && side == 0)
        return FN_POLL_READ | FN_POLL_WRITE;
    if (!end->established)
        return 0;
    bool readable = fn_pipe_readable(&tcp->pipe, side) || fn_pipe_ended(&tcp->pipe, side);
    bool writable = tcp->pipe.reset || fn_pipe_has_room(&tcp->pipe, side);
    return (readable ? FN_POLL_READ : 0) | (writable ? FN_POLL_WRITE : 0);
}

static void on_pipe(fn_internet *internet, fn_pipe *pipe, uint32_t side)
{
    (void)internet;
    fn_net_tcp *tcp = FN_CONTAINER(pipe, fn_net_tcp, pipe);
    if (tcp->sides[side].open)
        fn_internet_notify(tcp->sides[side].node, true);
}

/* --- connecting --- */

static void establish(fn_net_tcp *tcp, fn_net_node *client, fn_net_node *server)
{
    tcp->sides[0].established = true;
    tcp->sides[1].established = true;
    tcp->sides[1].open = true;
    client->tcp_opened++;
    fn_list_push_back(&server->waiting, &tcp->waiting);
    fn_internet_notify(client, true);
    fn_internet_notify(server, true);
}

static void on_syn(fn_internet *internet, fn_net_timer *timer)
{
    fn_net_tcp *tcp = FN_CONTAINER(timer, fn_net_tcp, timer);
    fn_net_node *client = tcp->sides[0].node;
    fn_net_node *server = tcp->sides[1].node;
    bool silent = client->tcp_blocked || tcp->network != client->network;
    if (silent && ++tcp->tries < SYN_TRIES_MAX) {
        fn_internet_set_timer(internet, timer,
                              internet->now_ns + (SYN_AGAIN_NS << (tcp->tries - 1)));
    } else if (silent || client->tcp_refused || !server->listening) {
        tcp->refused = true;
        fn_internet_notify(client, true);
    } else {
        establish(tcp, client, server);
    }
}

int fn_net_tcp_connect(fn_net_node *node, fn_tcp *out, const fn_address *remote)
{
    (void)remote; /* there is one server */
    fn_internet *internet = node->internet;
    fn_net_tcp *tcp = fn_internet_calloc(sizeof *tcp);
    if (internet->next_handle == 0)
        internet->next_handle = FIRST_HANDLE;
    tcp->handle = internet->next_handle;
    internet->next_handle += 2;
    tcp->network = node->network;
    fn_pipe_open(&tcp->pipe, &node->up, &node->down);
    tcp->pipe.loss_permille = internet->tcp_loss_permille;
    tcp->pipe.notify = on_pipe;
    tcp->sides[0].node = node;
    tcp->sides[0].open = true;
    tcp->sides[1].node = &internet->nodes[FN_INTERNET_SERVER];
    tcp->timer.fire = on_syn;
    fn_heap_node_init(&tcp->timer.node);
    fn_list_push_back(&internet->connections, &tcp->listed);
    uint64_t rtt_ns = node->up.config.delay_ns + node->down.config.delay_ns;
    fn_internet_set_timer(internet, &tcp->timer, internet->now_ns + rtt_ns);
    out->handle = tcp->handle;
    return FASTNET_OK;
}

fn_tcp_outcome fn_net_tcp_accept(fn_net_node *node, fn_tcp *out, fn_address *remote)
{
    fn_list_node *first = fn_list_pop_front(&node->waiting);
    if (first == NULL)
        return FN_TCP_WOULD_BLOCK;
    fn_net_tcp *tcp = FN_CONTAINER(first, fn_net_tcp, waiting);
    out->handle = tcp->handle + 1;
    *remote = tcp->sides[0].node->outside;
    return FN_TCP_OK;
}

/* --- bytes --- */

/* What a write weighs on the link: a class of its length, for TLS's own messages differ by a byte
 * from run to run. No message of a handshake lies near a border. */
static uint32_t weight_of(size_t bytes)
{
    return bytes < 330 ? 200 : bytes < 660 ? 500 : bytes < 1100 ? 900 : (uint32_t)1500;
}

fn_tcp_outcome fn_net_tcp_send(fn_internet *internet, fn_tcp *handle, const void *data,
                               size_t bytes, size_t *moved)
{
    uint32_t side;
    fn_net_tcp *tcp = fn_net_tcp_find(internet, handle, &side);
    *moved = 0;
    if (tcp == NULL || tcp->pipe.reset)
        return FN_TCP_RESET;
    if (!fn_pipe_has_room(&tcp->pipe, side))
        return FN_TCP_WOULD_BLOCK;
    fn_pipe_write(internet, &tcp->pipe, side, data, bytes, weight_of(bytes));
    *moved = bytes;
    return FN_TCP_OK;
}

fn_tcp_outcome fn_net_tcp_receive(fn_internet *internet, fn_tcp *handle, void *data,
                                  size_t capacity, size_t *moved)
{
    uint32_t side;
    fn_net_tcp *tcp = fn_net_tcp_find(internet, handle, &side);
    *moved = 0;
    if (tcp == NULL)
        return FN_TCP_RESET;
    *moved = fn_pipe_read(internet, &tcp->pipe, side, data, capacity);
    if (*moved > 0)
        return FN_TCP_OK;
    if (!fn_pipe_ended(&tcp->pipe, side))
        return FN_TCP_WOULD_BLOCK;
    return tcp->pipe.reset ? FN_TCP_RESET : FN_TCP_CLOSED;
}

void fn_net_tcp_close(fn_internet *internet, fn_tcp *handle, bool reset)
{
    uint32_t side;
    fn_net_tcp *tcp = fn_net_tcp_find(internet, handle, &side);
    if (tcp == NULL)
        return;
    tcp->sides[side].open = false;
    tcp->sides[side].watch.on = false;
    if (!tcp->sides[1 - side].open) {
        free_connection(internet, tcp);
        return;
    }
    if (reset)
        fn_pipe_reset(internet, &tcp->pipe);
    else
        fn_pipe_end(internet, &tcp->pipe, side);
}

/* --- what happens to a client's connections --- */

static bool is_of(const fn_net_tcp *tcp, const fn_net_node *node)
{
    return tcp->sides[0].node == node || tcp->sides[1].node == node;
}

static fn_net_tcp *next_of(fn_net_node *node, fn_net_tcp *after)
{
    fn_list *all = &node->internet->connections;
    fn_list_node *at = after == NULL ? fn_list_front(all) : fn_list_next(all, &after->listed);
    for (; at != NULL; at = fn_list_next(all, at)) {
        fn_net_tcp *tcp = FN_CONTAINER(at, fn_net_tcp, listed);
        if (is_of(tcp, node))
            return tcp;
    }
    return NULL;
}

void fn_internet_block_tcp(fn_net_node *client, bool blocked)
{
    fn_internet *internet = client->internet;
    uint64_t lasted_ns = internet->now_ns - client->tcp_blocked_ns;
    if (client->tcp_blocked == blocked)
        return;
    client->tcp_blocked_ns = internet->now_ns;
    client->tcp_blocked = blocked;
    for (fn_net_tcp *tcp = NULL; (tcp = next_of(client, tcp)) != NULL;) {
        for (uint32_t way = 0; way < FN_PIPE_SIDES; way++) {
            if (blocked)
                fn_pipe_stall(&tcp->pipe, way);
            else if ((tcp->stalled_for_good >> way & 1u) == 0)
                fn_pipe_resume(internet, &tcp->pipe, way,
                               fn_rng_below(&internet->rng, lasted_ns + 1));
        }
    }
}

void fn_internet_stall_tcp(fn_net_node *client, uint32_t way)
{
    for (fn_net_tcp *tcp = NULL; (tcp = next_of(client, tcp)) != NULL;) {
        fn_pipe_stall(&tcp->pipe, way);
        tcp->stalled_for_good |= 1u << way;
    }
}

void fn_internet_reset_tcp(fn_net_node *client)
{
    for (fn_net_tcp *tcp = NULL; (tcp = next_of(client, tcp)) != NULL;)
        fn_pipe_reset(client->internet, &tcp->pipe);
}

void fn_internet_end_process(fn_net_node *node)
{
    fn_internet *internet = node->internet;
    fn_list_node *next;
    fn_net_udp_close(node);
    node->listening = false;
    node->listener_watch.on = false;
    for (fn_list_node *at = fn_list_front(&internet->connections); at != NULL; at = next) {
        fn_net_tcp *tcp = FN_CONTAINER(at, fn_net_tcp, listed);
        next = fn_list_next(&internet->connections, at);
        uint32_t side = tcp->sides[0].node == node ? 0 : 1;
        fn_list_remove(&tcp->waiting);
        if (is_of(tcp, node) && tcp->sides[side].open) {
            fn_tcp handle = {.handle = tcp->handle + (intptr_t)side};
            fn_net_tcp_close(internet, &handle, true);
        }
    }
}
