#include "internet_parts.h"

#include "base/bytes.h"
#include "base/result.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

enum { CLIENT_PORT = 40000 };

fn_net_datagram *fn_net_datagram_make(const fn_address *from, const fn_address *to,
                                      const uint8_t *data, size_t bytes)
{
    fn_net_datagram *datagram = fn_internet_calloc(sizeof *datagram + bytes);
    fn_heap_node_init(&datagram->timer.node);
    datagram->from = *from;
    datagram->to = *to;
    datagram->bytes = (uint32_t)bytes;
    memcpy(datagram->data, data, bytes);
    return datagram;
}

/* --- the socket --- */

int fn_net_udp_open(fn_net_node *node, const fn_udp_options *options, fn_io_error *error)
{
    (void)error;
    bool server = node->index == FN_INTERNET_SERVER;
    node->udp_open = true;
    node->udp_connected = false;
    node->udp_network = node->network;
    node->udp_counters = (fn_udp_counters){0};
    node->udp_local = fn_internet_server_address(options->local.port);
    if (!server) {
        fn_internet_rebind(node); /* another socket, another mapping in the NAT */
        node->udp_local.port = CLIENT_PORT;
    }
    return FASTNET_OK;
}

void fn_net_udp_close(fn_net_node *node)
{
    fn_list_node *listed;
    while ((listed = fn_list_pop_front(&node->inbox)) != NULL)
        free(FN_CONTAINER(listed, fn_net_datagram, listed));
    node->udp_open = false;
    node->udp_watch.on = false;
}

/* A connected socket keeps the address of the network on which it was connected; one that is not
 * follows the routes. */
static bool reaches_anybody(const fn_net_node *node)
{
    return node->udp_open && (!node->udp_connected || node->udp_network == node->network);
}

/* --- on the wire --- */

static fn_net_node *node_at(fn_internet *internet, const fn_address *address)
{
    fn_net_node *server = &internet->nodes[FN_INTERNET_SERVER];
    if (server->udp_open && fn_address_equal(&server->udp_local, address))
        return server;
    for (uint32_t i = 1; i < internet->node_count; i++) {
        if (fn_address_equal(&internet->nodes[i].outside, address))
            return &internet->nodes[i];
    }
    return NULL;
}

static bool hears(const fn_net_node *node, const fn_address *from)
{
    return reaches_anybody(node) &&
           (!node->udp_connected || fn_address_equal(&node->udp_peer, from));
}

static void arrive(fn_internet *internet, fn_net_timer *timer)
{
    fn_net_datagram *datagram = FN_CONTAINER(timer, fn_net_datagram, timer);
    fn_net_node *node = node_at(internet, &datagram->to);
    if (node == NULL || !hears(node, &datagram->from)) {
        internet->lost_to_nobody++;
        free(datagram);
        return;
    }
    fn_list_push_back(&node->inbox, &datagram->listed);
    fn_internet_notify(node, false);
}

void fn_internet_launch(fn_internet *internet, fn_net_datagram *datagram, uint64_t at_ns)
{
    datagram->timer.fire = arrive;
    fn_internet_set_timer(internet, &datagram->timer, at_ns);
}

/* The server's datagrams pass the link of the client that has the address now. */
static fn_link *link_between(fn_net_node *node, const fn_address *to)
{
    if (node->index != FN_INTERNET_SERVER)
        return &node->up;
    fn_net_node *client = node_at(node->internet, to);
    return client != NULL && client != node ? &client->down : NULL;
}

/* Takes the datagram over. */
static void put_on_link(fn_net_node *node, fn_net_datagram *datagram)
{
    fn_internet *internet = node->internet;
    fn_link *link = link_between(node, &datagram->to);
    fn_link_copy copies[FN_LINK_COPIES_MAX];
    uint32_t count = 0;
    if (link != NULL)
        count = fn_link_send(link, internet->now_ns, datagram->bytes, copies);
    for (uint32_t i = 0; i < count; i++) {
        fn_net_datagram *copy =
            fn_net_datagram_make(&datagram->from, &datagram->to, datagram->data, datagram->bytes);
        if (copies[i].corrupt)
            fn_link_damage(link, copy->data, copy->bytes);
        fn_internet_launch(internet, copy, copies[i].at_ns);
    }
    uint64_t at_ns = count > 0 ? copies[0].at_ns : FN_NEVER;
    internet->listener.on_wire(internet->listener.user, node, datagram, at_ns);
    free(datagram);
}

size_t fn_net_udp_send(fn_net_node *node, fn_datagram *batch, size_t count)
{
    node->udp_counters.send_calls++;
    for (size_t i = 0; i < count; i++) {
        const fn_address *to = node->udp_connected ? &node->udp_peer : &batch[i].address;
        bool server = node->index == FN_INTERNET_SERVER;
        batch[i].outcome = FN_UDP_SENT;
        node->udp_counters.sent++;
        if (reaches_anybody(node))
            put_on_link(node, fn_net_datagram_make(server ? &node->udp_local : &node->outside, to,
                                                   batch[i].data, batch[i].length));
    }
    return count;
}

size_t fn_net_udp_receive(fn_net_node *node, fn_datagram *batch, size_t capacity)
{
    size_t count = 0;
    fn_internet *internet = node->internet;
    fn_list_node *listed;
    node->udp_counters.receive_calls++;
    while (count < capacity && (listed = fn_list_pop_front(&node->inbox)) != NULL) {
        fn_net_datagram *from = FN_CONTAINER(listed, fn_net_datagram, listed);
        fn_datagram *to = &batch[count++];
        to->address = from->from;
        to->length = from->bytes <= to->capacity ? from->bytes : 0;
        to->segment_bytes = to->length;
        memcpy(to->data, from->data, to->length);
        node->udp_counters.received++;
        internet->listener.on_taken(internet->listener.user, node, from);
        free(from);
    }
    return count;
}
