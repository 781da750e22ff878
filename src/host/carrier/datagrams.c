#include "host/carrier/datagrams.h"

#include <string.h>

#include "base/bytes.h"
#include "host/carrier/bad_links.h"
#include "host/carrier/unsent.h"
#include "host/host.h"

/* A slow application must not keep the socket unread for longer than this. */
#define READ_INTERVAL_NS  (5 * FN_NS_PER_MS)
#define RECEIVE_BUDGET_NS (2 * FN_NS_PER_MS)
/* A socket that was empty so short a time ago holds one datagram, or none. */
#define SINGLE_NS (20 * FN_NS_PER_US)

enum {
    DATAGRAMS_PER_POLL = 1024,
    SINGLES_MAX = 8,    /* in a row, before a batch is asked for */
    HOT_DATAGRAMS = 64, /* received one by one without waiting for any of them */
    BURST_MIN = 3,      /* so many at once: batches are worth it */
    HEADER_BYTES = 5,   /* first byte and receiver id */
    TOP_BITS_MASK = 0xf0,
    TOP_BITS_SESSION = 0xc0,
};

/* --- the socket --- */

static uint32_t interest(const fn_datagrams *datagrams)
{
    return datagrams->blocked ? FN_POLL_READ | FN_POLL_WRITE : FN_POLL_READ;
}

int fn_datagrams_watch(fn_host *host, fn_io_error *error)
{
    fn_datagrams *datagrams = &host->datagrams;
    datagrams->hot = 0;
    if (!datagrams->open || datagrams->watched)
        return FASTNET_OK;
    int code = fn_platform_udp_watch(&host->platform, fn_token_make(FN_TOKEN_UDP, 0),
                                     interest(datagrams), error);
    datagrams->watched = code == FASTNET_OK;
    return code;
}

/* A wait that knows the socket is told of each datagram, which costs its sender time. While the
 * socket is read all the time nobody needs to be told. */
static void unwatch_if_hot(fn_host *host)
{
    fn_datagrams *datagrams = &host->datagrams;
    if (!datagrams->watched || datagrams->blocked || host->fd_given ||
        ++datagrams->hot < HOT_DATAGRAMS)
        return;
    fn_platform_udp_unwatch(&host->platform);
    datagrams->watched = false;
}

/* The address to bind: a socket of IPv4's own is cheaper for the
 * kernel than one of both families. */
static fn_address local_for(const fn_host *host, const fn_address *remote)
{
    static const uint8_t any[4];
    fn_address local = host->config.bind_address;
    if (remote != NULL && fn_address_is_v4(remote) && fn_address_is_any(&local))
        local = fn_address_from_ipv4(any, 0);
    local.port = host->config.given.udp_port;
    return local;
}

/* remote: the only one that it will talk to; NULL = anybody. */
static int open_socket(fn_host *host, const fn_address *remote, fn_io_error *error)
{
    fn_address local;
    fn_datagrams *datagrams = &host->datagrams;
    fn_udp_options options = {
        .local = local_for(host, remote),
        .port_use = host->siblings.port_use,
        .settings = host->config.socket,
    };
    int code = fn_platform_udp_open(&host->platform, &options, error);
    if (code != FASTNET_OK)
        return code;
    datagrams->open = true;
    code = fn_platform_udp_local(&host->platform, &local, error);
    if (code != FASTNET_OK)
        return code;
    datagrams->local_port = local.port;
    return fn_datagrams_watch(host, error);
}

static void close_socket(fn_host *host)
{
    fn_datagrams *datagrams = &host->datagrams;
    if (!datagrams->open)
        return;
    if (datagrams->watched)
        fn_platform_udp_unwatch(&host->platform);
    datagrams->watched = false;
    datagrams->before = fn_datagrams_counters(host);
    fn_platform_udp_close(&host->platform);
    datagrams->open = false;
    datagrams->connected = false;
    datagrams->blocked = false;
    datagrams->outbound_count = 0;
}

static bool take_inbound(fn_host *host, bool coalesces)
{
    fn_datagrams *datagrams = &host->datagrams;
    uint32_t bytes = coalesces ? FN_UDP_COALESCED_BYTES : datagrams->datagram_bytes;
    uint32_t count = coalesces ? FN_DATAGRAMS_BUFFERS_COALESCED : FN_DATAGRAMS_BUFFERS;
    uint8_t *block = fn_blocks_take(&host->blocks, (size_t)count * bytes, false);
    for (uint32_t i = 0; block != NULL && i < count; i++) {
        datagrams->inbound[i].data = block + (size_t)i * bytes;
        datagrams->inbound[i].capacity = bytes;
    }
    datagrams->inbound_count = count;
    return block != NULL;
}

static bool take_outbound(fn_host *host)
{
    fn_datagrams *datagrams = &host->datagrams;
    size_t bytes = datagrams->datagram_bytes;
    uint8_t *block = fn_blocks_take(&host->blocks, FN_DATAGRAMS_SEND_BATCH * bytes, false);
    for (uint32_t i = 0; block != NULL && i < FN_DATAGRAMS_SEND_BATCH; i++)
        datagrams->outbound[i].data = block + i * bytes;
    return block != NULL;
}

int fn_datagrams_open(fn_host *host, fn_failure *failure)
{
    fn_io_error error;
    fn_udp_settings granted;
    fn_datagrams *datagrams = &host->datagrams;
    datagrams->datagram_bytes = (uint32_t)fn_align_up(host->config.limits.datagram_bytes_max, 64);
    int code = open_socket(host, NULL, &error);
    if (code != FASTNET_OK)
        return fn_failure_set(failure, code, "%s", error.text);
    fn_platform_udp_settings(&host->platform, &granted);
    if (!take_inbound(host, granted.coalesce) || !take_outbound(host))
        return fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for datagrams");
    return FASTNET_OK;
}

void fn_datagrams_close(fn_host *host)
{
    close_socket(host);
    fn_bad_links_end(host);
}

/* A connected socket keeps the local address it got, even when it is connected anew: another server
 * may lie behind another interface, and the same one too when the network has changed since. */
static int connect_anew(fn_host *host, const fn_address *remote, fn_io_error *error)
{
    close_socket(host);
    int code = open_socket(host, remote, error);
    if (code == FASTNET_OK)
        code = fn_platform_udp_connect(&host->platform, remote, error);
    if (code == FASTNET_OK) {
        host->datagrams.remote = *remote;
        host->datagrams.connected = true;
    }
    return code;
}

int fn_datagrams_prepare(fn_host *host, const fn_address *remote)
{
    fn_io_error error;
    const FastNetConfig *given = &host->config.given;
    if (given->listen || given->peers_max > 1)
        return FASTNET_OK;
    int code = connect_anew(host, remote, &error);
    if (code == FASTNET_OK)
        return code;
    bool tcp_will_do = host->datagrams.open && given->transport != FASTNET_TRANSPORT_UDP;
    fn_diagnostics_error(&host->diagnostics, tcp_will_do ? FN_LOG_INFO : FN_LOG_ERROR, code,
                         error.text);
    return tcp_will_do ? FASTNET_OK : code;
}

void fn_datagrams_renew(fn_host *host)
{
    fn_io_error error;
    fn_datagrams *datagrams = &host->datagrams;
    fn_address remote = datagrams->remote;
    if (!datagrams->connected)
        return;
    int code = connect_anew(host, &remote, &error);
    if (code == FASTNET_OK)
        return;
    fn_diagnostics_error(&host->diagnostics, FN_LOG_WARNING, code, error.text);
    /* No descriptor right now: the next attempt finds what to connect to. No route: the socket goes
     * on unconnected, and follows the routes by itself. */
    datagrams->remote = remote;
    datagrams->connected = !datagrams->open;
}

/* --- receiving --- */

/* Datagrams come in runs of one peer: that one is known without asking the table. */
static fn_peer *find_peer(fn_host *host, uint32_t receiver_id)
{
    fn_peer *latest = host->datagrams.latest;
    if (latest != NULL && latest->receiver_id == receiver_id && latest->state == FN_PEER_SESSION)
        return latest;
    fn_peer *peer = fn_peer_by_receiver_id(host, receiver_id);
    if (peer != NULL)
        host->datagrams.latest = peer;
    return peer;
}

/* Only sealed session datagrams are for us; the rest of the first
 * byte is the session's to judge. */
static void handle(fn_host *host, const fn_address *from, uint8_t *data, size_t bytes,
                   uint64_t now_ns)
{
    fn_peer *peer = NULL;
    uint32_t events = fn_ring_count(&host->events.ring);
    bool sealed = bytes > HEADER_BYTES && (data[0] & TOP_BITS_MASK) == TOP_BITS_SESSION;
    if (sealed)
        peer = find_peer(host, fn_load_be32(data + 1));
    if (peer == NULL) {
        if (!sealed || !fn_siblings_forward(&host->siblings, from, data, bytes))
            host->datagrams.unknown++;
    } else if (host->datagrams.sink->receive(host, peer, now_ns, from, data, bytes) ==
               FN_CONN_DROPPED) {
        host->datagrams.rejected++;
    } else if (fn_ring_count(&host->events.ring) != events || fn_conn_awaits_answer(peer->conn)) {
        fn_spin_received(&host->spin, now_ns);
        fn_idle_work_heard(&host->idle_work, peer, now_ns);
    }
}

/* One datagram can bring as many messages as fit it, and one in each direction can end. */
static bool has_room(const fn_host *host)
{
    uint32_t capacity = host->events.ring.capacity;
    return fn_events_room(&host->events) > capacity / 2;
}

fn_datagram *fn_datagrams_spare(fn_host *host)
{
    fn_datagrams *datagrams = &host->datagrams;
    bool waiting = datagrams->inbound_next < datagrams->inbound_filled;
    if (waiting || datagrams->inbound_filled == datagrams->inbound_count || !has_room(host))
        return NULL;
    return &datagrams->inbound[datagrams->inbound_filled];
}

/* The spare buffer is free again unless an event points into it. */
static void keep_spare(fn_host *host, uint32_t events_before)
{
    fn_datagrams *datagrams = &host->datagrams;
    if (fn_ring_count(&host->events.ring) != events_before)
        datagrams->inbound_next = ++datagrams->inbound_filled;
}

bool fn_datagrams_handle(fn_host *host, fn_peer *peer, uint8_t path, const uint8_t *data,
                         size_t bytes, uint64_t now_ns)
{
    fn_datagram *spare = fn_datagrams_spare(host);
    if (spare == NULL)
        return false;
    uint32_t events = fn_ring_count(&host->events.ring);
    memcpy(spare->data, data, bytes);
    if (host->datagrams.sink->receive_on(host, peer, now_ns, path, spare->data, bytes) ==
        FN_CONN_DROPPED)
        host->datagrams.rejected++;
    keep_spare(host, events);
    return true;
}

void fn_datagrams_take(fn_host *host, const fn_datagram *spare, uint64_t now_ns)
{
    uint32_t events = fn_ring_count(&host->events.ring);
    fn_address from = spare->address;
    handle(host, &from, spare->data, spare->length, now_ns);
    keep_spare(host, events);
}

static bool handle_held_back(void *context, const fn_bad_link_item *item)
{
    fn_host *host = context;
    fn_datagram *spare = fn_datagrams_spare(host);
    if (spare == NULL)
        return false;
    spare->address = item->to;
    spare->length = item->bytes;
    memcpy(spare->data, item->data, item->bytes);
    fn_datagrams_take(host, spare, host->now_ns);
    return true;
}

/* The system may hand over several datagrams of one sender in one buffer. */
static bool handle_entry(fn_host *host, fn_datagram *entry, uint64_t now_ns)
{
    uint32_t *at = &host->datagrams.inbound_offset;
    uint32_t segment = entry->segment_bytes > 0 ? entry->segment_bytes : entry->length;
    for (; *at < entry->length; *at += segment) {
        if (!has_room(host))
            return false;
        uint32_t bytes = fn_min_u32(segment, entry->length - *at);
        if (!fn_bad_links_hold(host, &entry->address, entry->data + *at, bytes, now_ns))
            handle(host, &entry->address, entry->data + *at, bytes, now_ns);
    }
    *at = 0;
    return true;
}

static bool handle_filled(fn_host *host, uint64_t now_ns)
{
    fn_datagrams *datagrams = &host->datagrams;
    while (datagrams->inbound_next < datagrams->inbound_filled) {
        if (!handle_entry(host, &datagrams->inbound[datagrams->inbound_next], now_ns))
            return false;
        datagrams->inbound_next++;
    }
    return true;
}

/* Returns how many were received; buffers that no event points into are used again at once. */
static size_t receive_some(fn_host *host, size_t wanted, uint64_t now_ns, bool *handled)
{
    fn_datagrams *datagrams = &host->datagrams;
    if (!datagrams->open)
        return 0;
    uint32_t first = datagrams->inbound_filled;
    uint32_t events = fn_ring_count(&host->events.ring);
    size_t count =
        wanted == 1 ? fn_platform_udp_receive_one(&host->platform, &datagrams->inbound[first])
                    : fn_platform_udp_receive(&host->platform, &datagrams->inbound[first], wanted);
    if (count == 0)
        return 0;
    datagrams->found = true;
    datagrams->inbound_filled = first + (uint32_t)count;
    *handled = handle_filled(host, now_ns);
    if (*handled && fn_ring_count(&host->events.ring) == events) {
        datagrams->inbound_filled = first;
        datagrams->inbound_next = first;
    }
    return count;
}

/* No event is queued, and what was delivered has been released: nobody looks at the buffers. */
static void start_over(fn_host *host)
{
    fn_datagrams *datagrams = &host->datagrams;
    if (!fn_host_has_events(host) && datagrams->inbound_next == datagrams->inbound_filled) {
        datagrams->inbound_next = 0;
        datagrams->inbound_filled = 0;
    }
}

static bool found_empty(fn_datagrams *datagrams, uint64_t now_ns, size_t burst)
{
    datagrams->emptied_ns = now_ns;
    datagrams->last_burst = (uint32_t)burst;
    return true;
}

static bool read_batches(fn_host *host, uint64_t now_ns)
{
    fn_datagrams *datagrams = &host->datagrams;
    bool handled = true;
    uint64_t start_ns = now_ns;
    for (size_t total = 0; handled && total < DATAGRAMS_PER_POLL;) {
        if (datagrams->inbound_filled + FN_DATAGRAMS_BATCH > datagrams->inbound_count)
            return false;
        size_t count = receive_some(host, FN_DATAGRAMS_BATCH, now_ns, &handled);
        total += count;
        if (count < FN_DATAGRAMS_BATCH)
            return found_empty(datagrams, now_ns, total) && handled;
        now_ns = fn_host_clock(host);
        if (now_ns - start_ns > RECEIVE_BUDGET_NS)
            return false;
    }
    return false;
}

static bool may_hold_one(const fn_datagrams *datagrams, uint64_t now_ns)
{
    return datagrams->last_burst < BURST_MIN && now_ns - datagrams->emptied_ns < SINGLE_NS;
}

/* What the application waits for goes to it at once: to see that nothing else is there would cost
 * as much again. */
static bool read_singles(fn_host *host, uint64_t now_ns)
{
    fn_datagrams *datagrams = &host->datagrams;
    bool handled = true;
    for (uint32_t i = 0; i < SINGLES_MAX; i++) {
        if (datagrams->inbound_filled == datagrams->inbound_count)
            return false;
        if (receive_some(host, 1, now_ns, &handled) == 0)
            return found_empty(datagrams, now_ns, i);
        datagrams->single = handled && fn_host_has_events(host);
        unwatch_if_hot(host);
        if (!handled || datagrams->single)
            return false;
    }
    return read_batches(host, now_ns);
}

bool fn_datagrams_receive(fn_host *host, uint64_t now_ns)
{
    fn_datagrams *datagrams = &host->datagrams;
    if (!handle_filled(host, now_ns))
        return false;
    start_over(host);
    fn_bad_link_give(datagrams->bad_link_in, now_ns, handle_held_back, host);
    if (fn_host_has_events(host) && now_ns - datagrams->read_ns < READ_INTERVAL_NS)
        return false;
    datagrams->read_ns = now_ns;
    datagrams->found = false;
    datagrams->single = false;
    return may_hold_one(datagrams, now_ns) ? read_singles(host, now_ns)
                                           : read_batches(host, now_ns);
}

/* --- sending --- */

static void set_write_interest(fn_host *host, bool on)
{
    fn_datagrams *datagrams = &host->datagrams;
    datagrams->blocked = on;
    fn_datagrams_watch(host, NULL);
    fn_platform_udp_watch(&host->platform, fn_token_make(FN_TOKEN_UDP, 0), interest(datagrams),
                          NULL);
}

void fn_datagrams_unblock(fn_host *host)
{
    if (host->datagrams.blocked)
        set_write_interest(host, false);
}

static void unsent(fn_host *host, const fn_send_slot *slot, fn_datagram *datagram)
{
    fn_peer *peer = fn_peer_find_any(host, slot->peer);
    if (peer != NULL && peer->conn != NULL &&
        fn_unsent_handle(&host->platform, peer, slot->path, datagram))
        fn_peer_touch(host, peer);
}

static void send_batch(fn_host *host)
{
    fn_datagrams *datagrams = &host->datagrams;
    uint32_t count = datagrams->outbound_count;
    uint32_t done = 0;
    if (!datagrams->open)
        datagrams->outbound_count = 0; /* counts as lost */
    if (datagrams->outbound_count == 0 || datagrams->blocked)
        return;
    if (fn_platform_udp_send(&host->platform, datagrams->batch, count) > 0 && datagrams->awaits) {
        fn_spin_sent(&host->spin, host->now_ns);
        fn_idle_work_sent(&host->idle_work, host->now_ns);
    }
    datagrams->awaits = false;
    for (; done < count && datagrams->batch[done].outcome != FN_UDP_WOULD_BLOCK; done++) {
        if (datagrams->batch[done].outcome != FN_UDP_SENT)
            unsent(host, &datagrams->outbound[done], &datagrams->batch[done]);
    }
    fn_unsent_keep(datagrams, done);
    if (done < count)
        set_write_interest(host, true);
}

fn_send_slot *fn_datagrams_slot(fn_host *host)
{
    fn_datagrams *datagrams = &host->datagrams;
    if (datagrams->blocked)
        return NULL;
    if (datagrams->outbound_count == FN_DATAGRAMS_SEND_BATCH)
        send_batch(host);
    return datagrams->outbound_count < FN_DATAGRAMS_SEND_BATCH
               ? &datagrams->outbound[datagrams->outbound_count]
               : NULL;
}

static void commit(fn_datagrams *datagrams, const fn_send_slot *slot, const fn_address *to,
                   const fn_address *source, size_t bytes)
{
    fn_datagram *entry = &datagrams->batch[datagrams->outbound_count++];
    *entry = (fn_datagram){.address = *to, .source = source, .data = slot->data};
    entry->length = (uint32_t)bytes;
    entry->alone = slot->alone;
}

void fn_datagrams_commit(fn_host *host, fn_send_slot *slot, const fn_peer *peer, uint8_t path,
                         size_t bytes)
{
    fn_datagrams *datagrams = &host->datagrams;
    const fn_address *to = &peer->paths[path];
    const fn_address *source = (peer->path_sourced >> path & 1u) != 0 ? &peer->source : NULL;
    slot->peer = peer->id;
    slot->path = path;
    slot->alone = fn_unsent_leaves_alone(host, peer, path);
    if (datagrams->bad_link != NULL)
        fn_bad_link_put(datagrams->bad_link, host->now_ns, to, source, slot->data, (uint32_t)bytes);
    else
        commit(datagrams, slot, to, source, bytes);
}

static bool send_held_back(void *context, const fn_bad_link_item *item)
{
    fn_host *host = context;
    fn_send_slot *slot = fn_datagrams_slot(host);
    if (slot == NULL)
        return false;
    slot->peer = 0;
    slot->alone = false;
    memcpy(slot->data, item->data, item->bytes);
    commit(&host->datagrams, slot, &item->to, item->source, item->bytes);
    return true;
}

void fn_datagrams_send(fn_host *host, uint64_t now_ns)
{
    fn_bad_link_give(host->datagrams.bad_link, now_ns, send_held_back, host);
    send_batch(host);
}
