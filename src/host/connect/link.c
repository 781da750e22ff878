#include "host/connect/link.h"

#include <assert.h>
#include <string.h>

#include "host/connect/fallback.h"
#include "host/host.h"

#define KEY_LEFT_NS_MIN (FN_WORK_BUDGET_NS / 4 * 3)

enum {
    ENDING_MARGIN = 64, /* links that only have their last bytes to send */
    GENERATION_BITS = 32,
    INPUT_BYTES = FN_HANDSHAKE_ROOM_BYTES_MAX,
    STREAM_READS_MAX = 8 /* of one stream before the next socket has its turn */
};

/* --- table --- */

uint32_t fn_links_capacity(const fn_host *host)
{
    const FastNetConfig *given = &host->config.given;
    return (given->listen ? given->handshakes_max : 0) + 2 * given->peers_max + ENDING_MARGIN;
}

int fn_links_init(fn_host *host)
{
    fn_links *links = &host->links;
    uint32_t capacity = fn_links_capacity(host);
    links->rows = fn_blocks_take(&host->blocks, capacity * sizeof *links->rows, true);
    links->free = fn_blocks_take(&host->blocks, capacity * sizeof *links->free, true);
    if (links->rows == NULL || links->free == NULL)
        return FASTNET_ERR_MEMORY;
    links->capacity = capacity;
    for (uint32_t i = capacity; i-- > 0;)
        links->free[links->free_count++] = i;
    fn_list_init(&links->work);
    fn_list_init(&links->ending);
    return FASTNET_OK;
}

void fn_links_free(fn_host *host)
{
    for (uint32_t i = 0; i < host->links.capacity; i++) {
        if (host->links.rows[i] != NULL)
            fn_link_destroy(host, host->links.rows[i]);
    }
}

static uint64_t token_of(const fn_link *link)
{
    return fn_token_make(FN_TOKEN_LINK,
                         (uint64_t)link->index << GENERATION_BITS | link->generation);
}

fn_link *fn_link_by_token(const fn_host *host, uint64_t token)
{
    uint64_t payload = fn_token_payload(token);
    uint64_t index = payload >> GENERATION_BITS;
    fn_link *link = index < host->links.capacity ? host->links.rows[index] : NULL;
    return link != NULL && link->generation == (uint32_t)payload ? link : NULL;
}

static void timer_fired(fn_host *host, fn_timer *timer, uint64_t now_ns)
{
    fn_link *link = FN_CONTAINER_OF(timer, fn_link, timer);
    fn_handshake_step(&link->handshake, now_ns, NULL);
    fn_link_settle(host, link, now_ns);
}

/* Last words give way to newcomers. */
static void make_room(fn_host *host)
{
    fn_list_node *oldest = fn_list_front(&host->links.ending);
    if (host->links.free_count == 0 && oldest != NULL)
        fn_link_destroy(host, FN_CONTAINER_OF(oldest, fn_link, ending));
}

static void enter(fn_links *links, fn_link *link)
{
    link->index = links->free[--links->free_count];
    link->generation = ++links->next_generation;
    links->rows[link->index] = link;
}

fn_link *fn_link_create(fn_host *host, fn_tcp tcp, const fn_address *remote,
                        const fn_link_owner *owner)
{
    fn_links *links = &host->links;
    make_room(host);
    fn_link *link =
        links->free_count > 0 ? fn_allocator_zeroed(&host->blocks.memory, sizeof *link) : NULL;
    if (link == NULL) {
        fn_platform_tcp_abort(&host->platform, &tcp);
        return NULL;
    }
    link->tcp = tcp;
    link->remote = *remote;
    link->owner = owner;
    enter(links, link);
    fn_timer_init(&link->timer, timer_fired);
    return link;
}

void fn_link_leave(fn_host *host, fn_link *link)
{
    fn_links *links = &host->links;
    fn_list_remove(&link->work);
    fn_list_remove(&link->ending);
    fn_timer_set(host, &link->timer, FN_NEVER);
    if (link->is_incoming)
        fn_admission_end(&host->incoming.admission, &link->admission);
    fn_platform_tcp_unwatch(&host->platform, &link->tcp);
    links->rows[link->index] = NULL;
    links->free[links->free_count++] = link->index;
}

void fn_link_free(fn_host *host, fn_link *link)
{
    fn_handshake_destroy(&link->handshake);
    fn_platform_tcp_close(&host->platform, &link->tcp);
    fn_memory_free(&host->blocks.memory, link, sizeof *link);
}

void fn_link_destroy(fn_host *host, fn_link *link)
{
    fn_link_leave(host, link);
    fn_link_free(host, link);
}

/* --- bytes --- */

bool fn_link_has_output(const fn_link *link)
{
    return link->output_bytes > 0 || fn_handshake_wants_transmit(&link->handshake);
}

static bool is_paused(const fn_host *host, const fn_link *link)
{
    return link->owner->is_paused != NULL && link->owner->is_paused(host, link);
}

void fn_link_watch(fn_host *host, fn_link *link)
{
    bool readable =
        !link->receive_ended && fn_handshake_room(&link->handshake) > 0 && !is_paused(host, link);
    bool writable = fn_link_has_output(link);
    uint32_t interest = (readable ? FN_POLL_READ : 0) | (writable ? FN_POLL_WRITE : 0);
    if (interest == link->interest)
        return;
    link->interest = interest;
    fn_platform_tcp_rewatch(&host->platform, &link->tcp, token_of(link), interest, NULL);
}

static void receive_ended(fn_link *link)
{
    link->receive_ended = true;
    fn_handshake_receive_end(&link->handshake);
}

static void receive(fn_host *host, fn_link *link, uint64_t now_ns)
{
    uint8_t input[INPUT_BYTES];
    size_t room;
    while (!link->receive_ended && (room = fn_handshake_room(&link->handshake)) > 0) {
        size_t moved = 0;
        fn_tcp_outcome outcome = fn_platform_tcp_receive(&host->platform, &link->tcp, input,
                                                         fn_min_size(room, sizeof input), &moved);
        if (moved > 0)
            fn_handshake_receive(&link->handshake, now_ns, input, moved);
        if (outcome == FN_TCP_WOULD_BLOCK)
            return;
        if (outcome != FN_TCP_OK)
            receive_ended(link);
    }
}

void fn_link_transmit(fn_host *host, fn_link *link)
{
    for (;;) {
        if (link->output_bytes == 0) {
            link->output_bytes = (uint32_t)fn_handshake_transmit(&link->handshake, link->output,
                                                                 sizeof link->output);
        }
        if (link->output_bytes == 0)
            return;
        size_t moved = 0;
        fn_tcp_outcome outcome = fn_platform_tcp_send(&host->platform, &link->tcp, link->output,
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

static void want_step(fn_host *host, fn_link *link)
{
    if (fn_handshake_wants_step(&link->handshake) && !fn_list_linked(&link->work))
        fn_list_push_back(&host->links.work, &link->work);
}

/* A state is told once. The owner may close the handshake or take it away, never free the link. */
static void tell_owner(fn_host *host, fn_link *link, uint64_t now_ns)
{
    fn_handshake_state state;
    while ((state = fn_handshake_get_state(&link->handshake)) != link->told) {
        link->told = state;
        link->owner->advanced(host, link, now_ns);
    }
}

void fn_link_settle(fn_host *host, fn_link *link, uint64_t now_ns)
{
    if (link->owner->progressed != NULL)
        link->owner->progressed(host, link, now_ns);
    tell_owner(host, link, now_ns);
    if (link->moves) {
        host->siblings.ops->hand_over(host->siblings.user, link);
        return;
    }
    if (fn_handshake_get_state(&link->handshake) == FN_HANDSHAKE_STREAM &&
        link->owner->work != NULL) {
        link->owner->work(host, link, now_ns);
        tell_owner(host, link, now_ns);
    }
    fn_link_transmit(host, link);
    want_step(host, link);
    /* What TCP does not take by the deadline is not waited for. */
    bool flushed = link->output_bytes == 0 || now_ns >= fn_handshake_deadline_ns(&link->handshake);
    if (flushed && !fn_list_linked(&link->work) &&
        fn_handshake_finished(&link->handshake, now_ns)) {
        fn_link_destroy(host, link);
        return;
    }
    bool ending = fn_handshake_get_state(&link->handshake) >= FN_HANDSHAKE_CLOSED;
    if (ending && !fn_list_linked(&link->ending))
        fn_list_push_back(&host->links.ending, &link->ending);
    fn_timer_set(host, &link->timer, fn_handshake_deadline_ns(&link->handshake));
    fn_link_watch(host, link);
}

void fn_link_start(fn_host *host, fn_link *link)
{
    link->interest = FN_POLL_READ;
    fn_platform_tcp_watch(&host->platform, &link->tcp, token_of(link), link->interest, NULL);
    fn_timer_set(host, &link->timer, fn_handshake_deadline_ns(&link->handshake));
    want_step(host, link);
}

void fn_link_join(fn_host *host, fn_link *link, uint64_t now_ns)
{
    make_room(host);
    if (host->links.free_count == 0) {
        fn_link_free(host, link);
        return;
    }
    enter(&host->links, link);
    link->moves = false;
    link->told = FN_HANDSHAKE_HELLO; /* ATTACHING was told elsewhere */
    fn_link_start(host, link);
    fn_link_settle(host, link, now_ns);
}

void fn_link_ready(fn_host *host, fn_link *link, uint32_t ready, uint64_t now_ns)
{
    uint64_t token = token_of(link);
    for (int i = 0; i < STREAM_READS_MAX; i++) {
        if ((ready & FN_POLL_READ) != 0 && !is_paused(host, link))
            receive(host, link, now_ns);
        bool more = fn_handshake_room(&link->handshake) == 0;
        fn_link_settle(host, link, now_ns);
        if (!more || fn_link_by_token(host, token) != link || !link->is_stream)
            return;
    }
}

void fn_link_detach(fn_host *host, fn_link *link)
{
    fn_peer *peer = fn_peer_find_any(host, link->peer);
    if (peer != NULL && peer->link == link)
        peer->link = NULL;
    if (peer != NULL && peer->fallback != NULL && peer->fallback->link == link)
        peer->fallback->link = NULL;
    link->peer = 0;
}

void fn_link_abandon(fn_host *host, fn_link *link, uint64_t now_ns)
{
    fn_link_detach(host, link);
    fn_handshake_close(&link->handshake, now_ns);
    fn_link_settle(host, link, now_ns);
}

void fn_link_close_later(fn_host *host, fn_link *link, uint64_t now_ns)
{
    fn_link_detach(host, link);
    fn_handshake_close(&link->handshake, now_ns);
    if (!fn_list_linked(&link->work))
        fn_list_push_back(&host->links.work, &link->work);
}

/* --- work --- */

bool fn_links_have_work(const fn_host *host)
{
    return !fn_list_empty(&host->links.work);
}

void fn_links_begin_poll(fn_host *host)
{
    host->links.spent_ns = 0;
    host->links.key_used = false;
}

static void step(fn_host *host, fn_link *link, fn_work_budget *budget, uint64_t now_ns)
{
    bool key_operation = false;
    fn_list_remove(&link->work);
    fn_handshake_step(&link->handshake, now_ns, &key_operation);
    fn_work_budget_charge(budget, key_operation);
    /* What waited in the socket while the handshake had no room. */
    receive(host, link, now_ns);
    fn_link_settle(host, link, now_ns);
}

/* A signature takes milliseconds with a large key: it is begun early in a poll, or in the next. */
static bool may_step(const fn_host *host, const fn_link *link, const fn_work_budget *budget)
{
    bool wants_key = fn_handshake_wants_private_key(&link->handshake);
    uint64_t left_ns = fn_sub_saturating(budget->end_ns, host->now_ns);
    return fn_work_budget_may_step(budget, host->now_ns, wants_key) &&
           (!wants_key || left_ns >= KEY_LEFT_NS_MIN);
}

/* Everybody gets one turn: new work of this round goes behind the last one. */
static void work_round(fn_host *host, fn_work_budget *budget)
{
    fn_list *work = &host->links.work;
    fn_list_node *last = fn_list_back(work);
    fn_list_node *node = fn_list_front(work);
    while (node != NULL && host->now_ns < budget->end_ns) {
        fn_link *link = FN_CONTAINER_OF(node, fn_link, work);
        fn_list_node *next = node != last ? fn_list_next(work, node) : NULL;
        if (may_step(host, link, budget)) {
            step(host, link, budget, host->now_ns);
            fn_host_clock(host);
        }
        node = next;
    }
}

bool fn_links_work(fn_host *host)
{
    fn_links *links = &host->links;
    if (fn_list_empty(&links->work))
        return true;
    uint64_t start_ns = fn_host_clock(host);
    fn_work_budget budget = {
        .end_ns = start_ns + fn_sub_saturating(FN_WORK_BUDGET_NS, links->spent_ns),
        .key_used = links->key_used,
    };
    work_round(host, &budget);
    links->spent_ns += host->now_ns - start_ns;
    links->key_used = budget.key_used;
    return fn_list_empty(&links->work) ||
           (!links->key_used && links->spent_ns + KEY_LEFT_NS_MIN <= FN_WORK_BUDGET_NS);
}
