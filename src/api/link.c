#include "api/link.h"

#include <assert.h>
#include <string.h>

#include "api/endpoint.h"
#include "api/incoming.h"
#include "api/outgoing.h"
#include "api/rejoin.h"
#include "api/stream.h"

#define KEY_LEFT_NS_MIN (FN_WORK_BUDGET_NS / 4 * 3)

enum {
    ENDING_MARGIN = 64, /* links that only have their last bytes to send */
    GENERATION_BITS = 32,
    INPUT_BYTES = FN_HANDSHAKE_ROOM_BYTES_MAX,
    STREAM_READS_MAX = 8 /* of one stream before the next socket has its turn */
};

/* --- table --- */

uint32_t fn_links_capacity(const FastNetEndpoint *endpoint)
{
    const FastNetConfig *given = &endpoint->config.given;
    return (given->listen ? given->handshakes_max : 0) + 2 * given->peers_max + ENDING_MARGIN;
}

int fn_links_init(FastNetEndpoint *endpoint)
{
    fn_links *links = &endpoint->links;
    uint32_t capacity = fn_links_capacity(endpoint);
    links->rows = fn_blocks_take(&endpoint->blocks, capacity * sizeof *links->rows, true);
    links->free = fn_blocks_take(&endpoint->blocks, capacity * sizeof *links->free, true);
    if (links->rows == NULL || links->free == NULL)
        return FASTNET_ERR_MEMORY;
    links->capacity = capacity;
    for (uint32_t i = capacity; i-- > 0;)
        links->free[links->free_count++] = i;
    fn_list_init(&links->work);
    fn_list_init(&links->ending);
    return FASTNET_OK;
}

void fn_links_free(FastNetEndpoint *endpoint)
{
    for (uint32_t i = 0; i < endpoint->links.capacity; i++) {
        if (endpoint->links.rows[i] != NULL)
            fn_link_destroy(endpoint, endpoint->links.rows[i]);
    }
}

static uint64_t token_of(const fn_link *link)
{
    return fn_token_make(FN_TOKEN_LINK,
                         (uint64_t)link->index << GENERATION_BITS | link->generation);
}

fn_link *fn_link_by_token(const FastNetEndpoint *endpoint, uint64_t token)
{
    uint64_t payload = fn_token_payload(token);
    uint64_t index = payload >> GENERATION_BITS;
    fn_link *link = index < endpoint->links.capacity ? endpoint->links.rows[index] : NULL;
    return link != NULL && link->generation == (uint32_t)payload ? link : NULL;
}

static void timer_fired(FastNetEndpoint *endpoint, fn_timer *timer, uint64_t now_ns)
{
    fn_link *link = FN_CONTAINER_OF(timer, fn_link, timer);
    fn_handshake_step(&link->handshake, now_ns, NULL);
    fn_link_settle(endpoint, link, now_ns);
}

/* Last words give way to newcomers. */
static void make_room(FastNetEndpoint *endpoint)
{
    fn_list_node *oldest = fn_list_front(&endpoint->links.ending);
    if (endpoint->links.free_count == 0 && oldest != NULL)
        fn_link_destroy(endpoint, FN_CONTAINER_OF(oldest, fn_link, ending));
}

static void enter(fn_links *links, fn_link *link)
{
    link->index = links->free[--links->free_count];
    link->generation = ++links->next_generation;
    links->rows[link->index] = link;
}

fn_link *fn_link_create(FastNetEndpoint *endpoint, fn_tcp tcp, const fn_address *remote,
                        bool is_incoming)
{
    fn_links *links = &endpoint->links;
    make_room(endpoint);
    fn_link *link =
        links->free_count > 0 ? fn_allocator_zeroed(&endpoint->blocks.memory, sizeof *link) : NULL;
    if (link == NULL) {
        fn_platform_tcp_abort(&endpoint->platform, &tcp);
        return NULL;
    }
    link->tcp = tcp;
    link->remote = *remote;
    link->is_incoming = is_incoming;
    enter(links, link);
    fn_timer_init(&link->timer, timer_fired);
    return link;
}

void fn_link_leave(FastNetEndpoint *endpoint, fn_link *link)
{
    fn_links *links = &endpoint->links;
    fn_list_remove(&link->work);
    fn_list_remove(&link->ending);
    fn_timer_set(endpoint, &link->timer, FN_NEVER);
    if (link->is_incoming)
        fn_admission_end(&endpoint->incoming.admission, &link->admission);
    fn_platform_tcp_unwatch(&endpoint->platform, &link->tcp);
    links->rows[link->index] = NULL;
    links->free[links->free_count++] = link->index;
}

void fn_link_free(FastNetEndpoint *endpoint, fn_link *link)
{
    fn_handshake_destroy(&link->handshake);
    fn_platform_tcp_close(&endpoint->platform, &link->tcp);
    fn_memory_free(&endpoint->blocks.memory, link, sizeof *link);
}

void fn_link_destroy(FastNetEndpoint *endpoint, fn_link *link)
{
    fn_link_leave(endpoint, link);
    fn_link_free(endpoint, link);
}

/* --- bytes --- */

bool fn_link_has_output(const fn_link *link)
{
    return link->output_bytes > 0 || fn_handshake_wants_transmit(&link->handshake);
}

void fn_link_watch(FastNetEndpoint *endpoint, fn_link *link)
{
    bool readable = !link->receive_ended && fn_handshake_room(&link->handshake) > 0 &&
                    !fn_stream_is_paused(endpoint, link);
    bool writable = fn_link_has_output(link);
    uint32_t interest = (readable ? FN_POLL_READ : 0) | (writable ? FN_POLL_WRITE : 0);
    if (interest == link->interest)
        return;
    link->interest = interest;
    fn_platform_tcp_rewatch(&endpoint->platform, &link->tcp, token_of(link), interest, NULL);
}

static void receive_ended(fn_link *link)
{
    link->receive_ended = true;
    fn_handshake_receive_end(&link->handshake);
}

static void receive(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    uint8_t input[INPUT_BYTES];
    size_t room;
    while (!link->receive_ended && (room = fn_handshake_room(&link->handshake)) > 0) {
        size_t moved = 0;
        fn_tcp_outcome outcome = fn_platform_tcp_receive(&endpoint->platform, &link->tcp, input,
                                                         fn_min_size(room, sizeof input), &moved);
        if (moved > 0)
            fn_handshake_receive(&link->handshake, now_ns, input, moved);
        if (outcome == FN_TCP_WOULD_BLOCK)
            return;
        if (outcome != FN_TCP_OK)
            receive_ended(link);
    }
}

void fn_link_transmit(FastNetEndpoint *endpoint, fn_link *link)
{
    for (;;) {
        if (link->output_bytes == 0) {
            link->output_bytes = (uint32_t)fn_handshake_transmit(&link->handshake, link->output,
                                                                 sizeof link->output);
        }
        if (link->output_bytes == 0)
            return;
        size_t moved = 0;
        fn_tcp_outcome outcome = fn_platform_tcp_send(&endpoint->platform, &link->tcp, link->output,
                                                      link->output_bytes, &moved);
        link->output_bytes -= (uint32_t)moved;
        memmove(link->output, link->output + moved, link->output_bytes);
        if (outcome == FN_TCP_WOULD_BLOCK)
            return;
        if (outcome != FN_TCP_OK) {
            link->output_bytes = 0;
            if (!link->receive_ended)
                receive_ended(link);
            return;
        }
    }
}

/* --- life --- */

static void want_step(FastNetEndpoint *endpoint, fn_link *link)
{
    if (fn_handshake_wants_step(&link->handshake) && !fn_list_linked(&link->work))
        fn_list_push_back(&endpoint->links.work, &link->work);
}

/* A state is told once. The owner may close the handshake or take it away, never free the link. */
static void tell_owner(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    fn_handshake_state state;
    while ((state = fn_handshake_get_state(&link->handshake)) != link->told) {
        link->told = state;
        if (link->is_stream)
            fn_stream_advanced(endpoint, link, now_ns);
        else if (link->is_incoming)
            fn_incoming_advanced(endpoint, link, now_ns);
        else
            fn_outgoing_advanced(endpoint, link, now_ns);
    }
}

void fn_link_settle(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    if (link->is_incoming)
        fn_incoming_progressed(endpoint, link, now_ns);
    tell_owner(endpoint, link, now_ns);
    if (link->moves) {
        fn_shard_hand_over(endpoint, link);
        return;
    }
    if (fn_handshake_get_state(&link->handshake) == FN_HANDSHAKE_STREAM) {
        fn_stream_work(endpoint, link, now_ns);
        tell_owner(endpoint, link, now_ns);
    }
    fn_link_transmit(endpoint, link);
    want_step(endpoint, link);
    /* What TCP does not take by the deadline is not waited for. */
    bool flushed = link->output_bytes == 0 || now_ns >= fn_handshake_deadline_ns(&link->handshake);
    if (flushed && !fn_list_linked(&link->work) &&
        fn_handshake_finished(&link->handshake, now_ns)) {
        fn_link_destroy(endpoint, link);
        return;
    }
    bool ending = fn_handshake_get_state(&link->handshake) >= FN_HANDSHAKE_CLOSED;
    if (ending && !fn_list_linked(&link->ending))
        fn_list_push_back(&endpoint->links.ending, &link->ending);
    fn_timer_set(endpoint, &link->timer, fn_handshake_deadline_ns(&link->handshake));
    fn_link_watch(endpoint, link);
}

void fn_link_start(FastNetEndpoint *endpoint, fn_link *link)
{
    link->interest = FN_POLL_READ;
    fn_platform_tcp_watch(&endpoint->platform, &link->tcp, token_of(link), link->interest, NULL);
    fn_timer_set(endpoint, &link->timer, fn_handshake_deadline_ns(&link->handshake));
    want_step(endpoint, link);
}

void fn_link_join(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    make_room(endpoint);
    if (endpoint->links.free_count == 0) {
        fn_link_free(endpoint, link);
        return;
    }
    enter(&endpoint->links, link);
    link->moves = false;
    link->told = FN_HANDSHAKE_HELLO; /* ATTACHING was told elsewhere */
    fn_link_start(endpoint, link);
    fn_link_settle(endpoint, link, now_ns);
}

void fn_link_ready(FastNetEndpoint *endpoint, fn_link *link, uint32_t ready, uint64_t now_ns)
{
    uint64_t token = token_of(link);
    for (int i = 0; i < STREAM_READS_MAX; i++) {
        if ((ready & FN_POLL_READ) != 0 && !fn_stream_is_paused(endpoint, link))
            receive(endpoint, link, now_ns);
        bool more = fn_handshake_room(&link->handshake) == 0;
        fn_link_settle(endpoint, link, now_ns);
        if (!more || fn_link_by_token(endpoint, token) != link || !link->is_stream)
            return;
    }
}

void fn_link_detach(FastNetEndpoint *endpoint, fn_link *link)
{
    fn_peer *peer = fn_peer_find_any(endpoint, link->peer);
    if (peer != NULL && peer->link == link)
        peer->link = NULL;
    if (peer != NULL && peer->rejoin != NULL && peer->rejoin->link == link)
        peer->rejoin->link = NULL;
    link->peer = 0;
}

void fn_link_abandon(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    fn_link_detach(endpoint, link);
    fn_handshake_close(&link->handshake, now_ns);
    fn_link_settle(endpoint, link, now_ns);
}

void fn_link_close_later(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    fn_link_detach(endpoint, link);
    fn_handshake_close(&link->handshake, now_ns);
    if (!fn_list_linked(&link->work))
        fn_list_push_back(&endpoint->links.work, &link->work);
}

/* --- work --- */

bool fn_links_have_work(const FastNetEndpoint *endpoint)
{
    return !fn_list_empty(&endpoint->links.work);
}

void fn_links_begin_poll(FastNetEndpoint *endpoint)
{
    endpoint->links.spent_ns = 0;
    endpoint->links.key_used = false;
}

static void step(FastNetEndpoint *endpoint, fn_link *link, fn_work_budget *budget, uint64_t now_ns)
{
    bool key_operation = false;
    fn_list_remove(&link->work);
    fn_handshake_step(&link->handshake, now_ns, &key_operation);
    fn_work_budget_charge(budget, key_operation);
    /* What waited in the socket while the handshake had no room. */
    receive(endpoint, link, now_ns);
    fn_link_settle(endpoint, link, now_ns);
}

/* A signature takes milliseconds with a large key: it is begun early in a poll, or in the next. */
static bool may_step(const FastNetEndpoint *endpoint, const fn_link *link,
                     const fn_work_budget *budget)
{
    bool wants_key = fn_handshake_wants_private_key(&link->handshake);
    uint64_t left_ns = fn_sub_saturating(budget->end_ns, endpoint->now_ns);
    return fn_work_budget_may_step(budget, endpoint->now_ns, wants_key) &&
           (!wants_key || left_ns >= KEY_LEFT_NS_MIN);
}

/* Everybody gets one turn: new work of this round goes behind the last one. */
static void work_round(FastNetEndpoint *endpoint, fn_work_budget *budget)
{
    fn_list *work = &endpoint->links.work;
    fn_list_node *last = fn_list_back(work);
    fn_list_node *node = fn_list_front(work);
    while (node != NULL && endpoint->now_ns < budget->end_ns) {
        fn_link *link = FN_CONTAINER_OF(node, fn_link, work);
        fn_list_node *next = node != last ? fn_list_next(work, node) : NULL;
        if (may_step(endpoint, link, budget)) {
            step(endpoint, link, budget, endpoint->now_ns);
            fn_endpoint_clock(endpoint);
        }
        node = next;
    }
}

bool fn_links_work(FastNetEndpoint *endpoint)
{
    fn_links *links = &endpoint->links;
    if (fn_list_empty(&links->work))
        return true;
    uint64_t start_ns = fn_endpoint_clock(endpoint);
    fn_work_budget budget = {
        .end_ns = start_ns + fn_sub_saturating(FN_WORK_BUDGET_NS, links->spent_ns),
        .key_used = links->key_used,
    };
    work_round(endpoint, &budget);
    links->spent_ns += endpoint->now_ns - start_ns;
    links->key_used = budget.key_used;
    return fn_list_empty(&links->work) ||
           (!links->key_used && links->spent_ns + KEY_LEFT_NS_MIN <= FN_WORK_BUDGET_NS);
}
