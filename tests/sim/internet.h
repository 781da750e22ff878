/*
 * internet.h: a virtual internet: nodes with an address each, UDP through bad links, TCP through
 * pipes, on one virtual clock. A node is the world of one endpoint (platform/platform.h), so what
 * runs on it is the product: sockets, handshakes, fallback, roaming, delivery.
 *
 *   node 0       the server, on an address that never changes
 *   the others   clients, each with a link of its own to the server and back, behind a NAT that
 *                may give them another address at any time
 *
 * Everything follows from the seed. TLS's own messages differ by a byte from run to run, so nothing
 * that is drawn or timed depends on their exact length.
 */
#ifndef FN_SIM_INTERNET_H
#define FN_SIM_INTERNET_H

#include "base/heap.h"
#include "base/list.h"
#include "base/rng.h"
#include "crypto/random.h"
#include "link/link.h"
#include "platform/platform.h"

enum {
    FN_INTERNET_CLIENTS_MAX = 8,
    FN_INTERNET_SERVER = 0, /* its node */
    FN_INTERNET_WATCHES_MAX = 64,
};

#define FN_CONTAINER(pointer, type, member) \
    ((type *)(void *)((uint8_t *)(pointer)-offsetof(type, member)))

typedef struct fn_internet fn_internet;

/* Something that happens at a time. The first member of what it happens to. */
typedef struct fn_net_timer {
    fn_heap_node node;
    void (*fire)(fn_internet *internet, struct fn_net_timer *timer);
} fn_net_timer;

/* A datagram on its way, or in a node's inbox. */
typedef struct fn_net_datagram {
    fn_net_timer timer;
    fn_list_node listed;
    fn_address from;
    fn_address to;
    uint32_t bytes;
    uint8_t data[];
} fn_net_datagram;

/* What a socket is waited for. */
typedef struct fn_net_watch {
    uint64_t token;
    uint32_t interest;
    bool on;
} fn_net_watch;

typedef struct fn_net_node {
    fn_internet *internet;
    uint32_t index;
    fn_link up;         /* client: to the server */
    fn_link down;       /* client: from it */
    fn_address outside; /* client: as the NAT shows its UDP socket */
    uint64_t clock_offset_ns;
    fn_random entropy;
    uint32_t network; /* client: counts the networks that it has been on */

    bool udp_open;
    bool udp_connected;
    uint32_t udp_network; /* on which the socket was connected */
    fn_address udp_local;
    fn_address udp_peer;
    fn_net_watch udp_watch;
    fn_udp_counters udp_counters;
    fn_list inbox; /* of fn_net_datagram */

    bool listening;
    fn_net_watch listener_watch;
    fn_list waiting; /* of fn_net_tcp: to be accepted */

    bool tcp_blocked; /* client: nothing passes, nobody answers */
    bool tcp_refused; /* client: new connections are */
    uint64_t tcp_blocked_ns;
    uint64_t tcp_opened; /* connections that this client has opened */
} fn_net_node;

/* What the internet tells the owner of its nodes. */
typedef struct fn_internet_listener {
    void *user;
    /* Something came for that node, or it may write again. soon: the endpoint looks at its TCP
     * sockets from time to time only. */
    void (*notify)(void *user, fn_net_node *node, bool soon);
    /* A datagram leaves that node and arrives at at_ns (FN_NEVER: it is lost on its way). */
    void (*on_wire)(void *user, fn_net_node *node, const fn_net_datagram *seen, uint64_t at_ns);
    /* The endpoint of that node takes a datagram. */
    void (*on_taken)(void *user, fn_net_node *node, const fn_net_datagram *taken);
} fn_internet_listener;

struct fn_internet {
    fn_heap heap;
    fn_heap_node **heap_nodes;
    fn_rng rng;
    uint64_t now_ns;
    fn_net_node nodes[1 + FN_INTERNET_CLIENTS_MAX];
    uint32_t node_count;
    fn_list connections; /* of fn_net_tcp */
    intptr_t next_handle;
    uint32_t next_address;
    uint32_t tcp_loss_permille;
    uint64_t lost_to_nobody; /* datagrams to addresses that nobody has any more */
    fn_internet_listener listener;
};

void fn_internet_init(fn_internet *internet, uint64_t seed, const fn_internet_listener *listener);
void fn_internet_free(fn_internet *internet);

/* The server first, then clients. */
fn_net_node *fn_internet_add(fn_internet *internet, const fn_link_config *up,
                             const fn_link_config *down);

/* The world of that node's endpoint. */
fn_platform fn_internet_platform(fn_net_node *node);

void fn_internet_set_timer(fn_internet *internet, fn_net_timer *timer, uint64_t at_ns);

/* Lets what comes next happen, if it comes until then. False: nothing does, and it is then. */
bool fn_internet_step(fn_internet *internet, uint64_t until_ns);

/* Where the server's TLS and UDP ports are. */
fn_address fn_internet_server_address(uint16_t port);

/* --- datagrams --- */

fn_net_datagram *fn_net_datagram_make(const fn_address *from, const fn_address *to,
                                      const uint8_t *data, size_t bytes);
/* It arrives then; takes it over. */
void fn_internet_launch(fn_internet *internet, fn_net_datagram *datagram, uint64_t at_ns);

/* --- what happens to a client --- */

/* The NAT shows another address; the client does not know. */
void fn_internet_rebind(fn_net_node *client);

/* It is on another network now: connections and connected sockets never reach anybody again. */
void fn_internet_move(fn_net_node *client);

/* No TCP segment passes, and nobody answers; or all of that ends: what was sent meanwhile arrives
 * when TCP has tried again. */
void fn_internet_block_tcp(fn_net_node *client, bool blocked);

/* The present connections never bring anything again, that way: 0 = to the server. */
void fn_internet_stall_tcp(fn_net_node *client, uint32_t way);

/* The present connections are reset, in the middle of what is on its way. */
void fn_internet_reset_tcp(fn_net_node *client);

/* A process ends: its sockets are closed, and the other sides of its connections hear a reset. */
void fn_internet_end_process(fn_net_node *node);

#endif
