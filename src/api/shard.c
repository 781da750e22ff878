#include "api/shard.h"

#include <string.h>

#include "api/endpoint.h"
#include "base/bytes.h"

static fn_shard_inbox *inbox_of(const FastNetEndpoint *endpoint, uint32_t index)
{
    return &endpoint->shard.group->inboxes[index];
}

/* --- creating --- */

/* One context for all: a ticket of any shard then resumes on every one. */
fn_tls_context *fn_shard_identity(const FastNetEndpoint *endpoint)
{
    if (endpoint->shard.group == NULL || endpoint->shard.index == 0)
        return NULL;
    return fn_tls_context_retain(endpoint->shard.group->endpoints[0]->host.links.config.server_tls);
}

/* --- whose --- */

static uint32_t shard_of(const FastNetEndpoint *endpoint, uint32_t receiver_id)
{
    uint32_t bits = endpoint->shard.bits;
    return bits > 0 ? receiver_id >> (32 - bits) : 0;
}

static bool is_elsewhere(void *user, uint32_t receiver_id)
{
    const FastNetEndpoint *endpoint = user;
    uint32_t index = shard_of(endpoint, receiver_id);
    return index != endpoint->shard.index && index < endpoint->shard.group->count;
}

/* --- putting in --- */

/* Under the lock: its owner looks there from now on, and wakes when it sleeps. */
static void announce(FastNetEndpoint *endpoint, uint32_t index)
{
    if (!atomic_exchange_explicit(&inbox_of(endpoint, index)->waiting, true, memory_order_release))
        fn_platform_wake(&endpoint->shard.group->endpoints[index]->host.platform);
}

static void hand_over(void *user, fn_link *link)
{
    FastNetEndpoint *endpoint = user;
    uint32_t index = shard_of(endpoint, fn_handshake_attach_id(&link->handshake));
    fn_shard_inbox *inbox = inbox_of(endpoint, index);
    fn_link_leave(&endpoint->host, link);
    fn_handshake_move(&link->handshake,
                      &endpoint->shard.group->endpoints[index]->host.links.config);
    fn_lock_take(&inbox->lock);
    bool room = inbox->link_count < FN_SHARD_LINKS_MAX;
    if (room) {
        fn_list_push_back(&inbox->links, &link->work);
        inbox->link_count++;
        announce(endpoint, index);
    }
    fn_lock_give(&inbox->lock);
    if (room) {
        endpoint->shard.handed_over++;
    } else {
        endpoint->shard.refused++;
        fn_link_free(&endpoint->host, link);
    }
}

static bool forward(void *user, const fn_address *from, const uint8_t *data, size_t bytes)
{
    FastNetEndpoint *endpoint = user;
    uint32_t receiver_id = fn_load_be32(data + 1);
    if (!is_elsewhere(endpoint, receiver_id))
        return false;
    uint32_t index = shard_of(endpoint, receiver_id);
    fn_shard_inbox *inbox = inbox_of(endpoint, index);
    fn_lock_take(&inbox->lock);
    uint32_t at = (inbox->datagram_first + inbox->datagram_count) % FN_SHARD_DATAGRAMS_MAX;
    fn_datagram *entry = &inbox->datagrams[at];
    bool room = inbox->datagram_count < FN_SHARD_DATAGRAMS_MAX && bytes <= entry->capacity;
    if (room) {
        entry->address = *from;
        entry->length = (uint32_t)bytes;
        memcpy(entry->data, data, bytes);
        inbox->datagram_count++;
        announce(endpoint, index);
    }
    fn_lock_give(&inbox->lock);
    endpoint->shard.forwarded += room;
    return true;
}

static void put_identity(FastNetEndpoint *endpoint, uint32_t index, fn_tls_context *identity)
{
    fn_shard_inbox *inbox = inbox_of(endpoint, index);
    fn_lock_take(&inbox->lock);
    fn_tls_context *before = inbox->identity;
    inbox->identity = fn_tls_context_retain(identity);
    announce(endpoint, index);
    fn_lock_give(&inbox->lock);
    fn_tls_context_release(before);
}

void fn_shard_share_identity(FastNetEndpoint *endpoint, fn_tls_context *identity)
{
    uint32_t count = endpoint->shard.group != NULL ? endpoint->shard.group->count : 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i != endpoint->shard.index)
            put_identity(endpoint, i, identity);
    }
}

/* --- taking out --- */

static bool waiting(void *user)
{
    const FastNetEndpoint *endpoint = user;
    return atomic_load_explicit(&inbox_of(endpoint, endpoint->shard.index)->waiting,
                                memory_order_relaxed);
}

static void take_identity(FastNetEndpoint *endpoint, fn_shard_inbox *inbox)
{
    fn_lock_take(&inbox->lock);
    fn_tls_context *identity = inbox->identity;
    inbox->identity = NULL;
    fn_lock_give(&inbox->lock);
    if (identity == NULL)
        return;
    fn_tls_context_release(endpoint->host.links.config.server_tls);
    endpoint->host.links.config.server_tls = identity;
}

static bool take_link(FastNetEndpoint *endpoint, fn_shard_inbox *inbox, uint64_t now_ns)
{
    fn_lock_take(&inbox->lock);
    fn_list_node *node = fn_list_pop_front(&inbox->links);
    inbox->link_count -= node != NULL ? 1 : 0;
    fn_lock_give(&inbox->lock);
    if (node == NULL)
        return false;
    fn_link_join(&endpoint->host, FN_CONTAINER_OF(node, fn_link, work), now_ns);
    return true;
}

/* False: there is none, or none can be taken until the application has taken its events. */
static bool take_datagram(FastNetEndpoint *endpoint, fn_shard_inbox *inbox, uint64_t now_ns)
{
    fn_datagram *to = fn_datagrams_spare(&endpoint->host);
    if (to == NULL)
        return false;
    fn_lock_take(&inbox->lock);
    bool there = inbox->datagram_count > 0;
    if (there) {
        const fn_datagram *from = &inbox->datagrams[inbox->datagram_first];
        to->address = from->address;
        to->length = from->length;
        memcpy(to->data, from->data, from->length);
        inbox->datagram_first = (inbox->datagram_first + 1) % FN_SHARD_DATAGRAMS_MAX;
        inbox->datagram_count--;
    }
    fn_lock_give(&inbox->lock);
    if (there)
        fn_datagrams_take(&endpoint->host, to, now_ns);
    return there;
}

static void settle(fn_shard_inbox *inbox)
{
    fn_lock_take(&inbox->lock);
    bool empty = inbox->link_count == 0 && inbox->datagram_count == 0 && inbox->identity == NULL;
    if (empty)
        atomic_store_explicit(&inbox->waiting, false, memory_order_relaxed);
    fn_lock_give(&inbox->lock);
}

static void receive(void *user, uint64_t now_ns)
{
    FastNetEndpoint *endpoint = user;
    fn_shard_inbox *inbox = inbox_of(endpoint, endpoint->shard.index);
    take_identity(endpoint, inbox);
    for (int i = 0; i < FN_SHARD_LINKS_PER_TURN && take_link(endpoint, inbox, now_ns); i++)
        continue;
    for (int i = 0; i < FN_SHARD_DATAGRAMS_MAX && take_datagram(endpoint, inbox, now_ns); i++)
        continue;
    settle(inbox);
}

/* --- creating --- */

static fn_port_use port_use(const fn_shard *shard)
{
    if (shard->group->count == 1)
        return FN_PORT_ALONE;
    return shard->index == 0 ? FN_PORT_FIRST : FN_PORT_JOIN;
}

void fn_shard_join(FastNetEndpoint *endpoint)
{
    static const fn_siblings_ops ops = {is_elsewhere, hand_over, forward, waiting, receive};
    const fn_shard *shard = &endpoint->shard;
    if (shard->group == NULL)
        return;
    endpoint->host.siblings = (fn_siblings){.ops = &ops,
                                            .user = endpoint,
                                            .index = shard->index,
                                            .bits = shard->bits,
                                            .port_use = port_use(shard)};
    if (shard->index == 0)
        return;
    const FastNetEndpoint *first = shard->group->endpoints[0];
    endpoint->host.config.given.udp_port = first->host.datagrams.local_port;
    endpoint->host.config.given.tls_port = first->host.incoming.door.port;
}
