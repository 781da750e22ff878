/*
 * internet_parts.h: what the files of the internet tell each other: internet.c keeps time and
 * nodes, internet_udp.c and internet_tcp.c move bytes, internet_platform.c is the table that an
 * endpoint sees. Nobody else includes it.
 */
#ifndef FN_SIM_INTERNET_PARTS_H
#define FN_SIM_INTERNET_PARTS_H

#include "internet.h"
#include "pipe.h"

/* Both sides of one connection. */
typedef struct fn_net_tcp_side {
    fn_net_node *node;
    fn_net_watch watch;
    bool open;        /* its process has not closed it */
    bool established; /* client: the server has answered */
} fn_net_tcp_side;

typedef struct fn_net_tcp {
    fn_net_timer timer; /* the next SYN */
    fn_list_node listed;
    fn_list_node waiting;
    fn_pipe pipe;
    fn_net_tcp_side sides[FN_PIPE_SIDES];
    intptr_t handle; /* of side 0; that of side 1 is one more */
    uint32_t network;
    uint32_t tries;
    uint32_t stalled_for_good; /* bit per way */
    bool refused;
} fn_net_tcp;

void *fn_internet_calloc(size_t bytes);

/* The clock that the endpoint sees. */
static inline uint64_t fn_net_node_clock_ns(const fn_net_node *node)
{
    return node->internet->now_ns + node->clock_offset_ns;
}

void fn_internet_notify(fn_net_node *node, bool soon);

/* --- UDP --- */

int fn_net_udp_open(fn_net_node *node, const fn_udp_options *options, fn_io_error *error);
void fn_net_udp_close(fn_net_node *node);
size_t fn_net_udp_receive(fn_net_node *node, fn_datagram *batch, size_t capacity);
size_t fn_net_udp_send(fn_net_node *node, fn_datagram *batch, size_t count);

/* --- TCP --- */

/* By a handle; *side is which of the two it means. */
fn_net_tcp *fn_net_tcp_find(fn_internet *internet, const fn_tcp *tcp, uint32_t *side);
int fn_net_tcp_connect(fn_net_node *node, fn_tcp *tcp, const fn_address *remote);
fn_tcp_outcome fn_net_tcp_accept(fn_net_node *node, fn_tcp *tcp, fn_address *remote);
fn_tcp_outcome fn_net_tcp_send(fn_internet *internet, fn_tcp *tcp, const void *data, size_t bytes,
                               size_t *moved);
fn_tcp_outcome fn_net_tcp_receive(fn_internet *internet, fn_tcp *tcp, void *data, size_t capacity,
                                  size_t *moved);
void fn_net_tcp_close(fn_internet *internet, fn_tcp *tcp, bool reset);
uint32_t fn_net_tcp_ready(fn_net_tcp *tcp, uint32_t side);
void fn_net_tcp_free_all(fn_internet *internet);

#endif
