#include "api/poll.h"

#include <string.h>

#include "api/endpoint.h"
#include "api/outgoing.h"
#include "api/rejoin.h"
#include "api/session.h"
#include "api/stall.h"
#include "api/stream.h"

/* Asking the system which sockets are ready costs as much as reading an empty socket:
 * a loop that spins asks it this often. */
#define LOOK_INTERVAL_NS       (50 * FN_NS_PER_US)
#define LOOK_INTERVAL_QUIET_NS (500 * FN_NS_PER_US)
/* After a pause this long the socket may hold what would have kept a peer alive. */
#define STALL_NS (100 * FN_NS_PER_MS)

enum {
    READY_MAX = 64,
    TIMERS_DEFERRED_MAX = 8,
    ANSWERS_FIRST_MAX = 4,
    SOCKETS_ALWAYS = 2, /* UDP and the listener; any other belongs to a handshake */
};

/* --- readiness --- */

static void dispatch(FastNetEndpoint *endpoint, const fn_poll_event *event)
{
    fn_link *link;
    uint64_t now_ns = endpoint->now_ns;
    switch (fn_token_kind_of(event->token)) {
    case FN_TOKEN_UDP:
        if ((event->ready & FN_POLL_WRITE) != 0)
            fn_datagrams_unblock(endpoint);
        break;
    case FN_TOKEN_LISTENER:
        fn_incoming_accept(endpoint, now_ns);
        break;
    case FN_TOKEN_LINK:
        link = fn_link_by_token(endpoint, event->token);
        if (link != NULL)
            fn_link_ready(endpoint, link, event->ready, now_ns);
        break;
    case FN_TOKEN_ATTEMPT:
        fn_outgoing_ready(endpoint, event->token, now_ns);
        break;
    case FN_TOKEN_REJOIN:
        fn_rejoin_ready(endpoint, event->token, now_ns);
        break;
    }
}

/* Sockets first, then the wake flag: a wake that comes later stays pending there. */
static void look(FastNetEndpoint *endpoint, uint64_t timeout_ns)
{
    fn_poll_event events[READY_MAX];
    if (timeout_ns > 0 && fn_datagrams_watch(endpoint, NULL) != FASTNET_OK)
        timeout_ns = 0; /* nobody would tell of datagrams */
    size_t count = fn_platform_wait(&endpoint->platform, timeout_ns, events, READY_MAX);
    endpoint->look_ns = fn_endpoint_clock(endpoint);
    endpoint->look_full = count == READY_MAX;
    for (size_t i = 0; i < count; i++)
        dispatch(endpoint, &events[i]);
}

/* --- one turn --- */

static bool may_run_timers(FastNetEndpoint *endpoint, bool emptied)
{
    bool stalled = endpoint->timers_deferred > 0 || endpoint->now_ns - endpoint->poll_ns > STALL_NS;
    bool defer = !emptied && stalled && endpoint->timers_deferred < TIMERS_DEFERRED_MAX;
    endpoint->timers_deferred = defer ? endpoint->timers_deferred + 1 : 0;
    return !defer;
}

/* Only what handshakes wait for, and room to send, is in a hurry. */
static bool must_look(const FastNetEndpoint *endpoint)
{
    uint32_t sockets =
        fn_platform_wait_count(&endpoint->platform) + (endpoint->datagrams.watched ? 0 : 1);
    bool hurry = sockets > SOCKETS_ALWAYS || endpoint->datagrams.blocked;
    return endpoint->now_ns - endpoint->look_ns >=
           (hurry ? LOOK_INTERVAL_NS : LOOK_INTERVAL_QUIET_NS);
}

/* Who looks at the socket all the time waits for just this message: it comes
 * first, and all else with its answer, or in the next poll, but not much later.
 * What was sent already waits no longer. */
static bool answer_comes_first(FastNetEndpoint *endpoint)
{
    bool first = endpoint->datagrams.single && !endpoint->unsent &&
                 endpoint->answers_first < ANSWERS_FIRST_MAX;
    endpoint->answers_first = first ? endpoint->answers_first + 1 : 0;
    return first;
}

/* False: handshake work is left that only the next poll may do. */
static bool turn(FastNetEndpoint *endpoint)
{
    uint64_t now_ns = fn_endpoint_clock(endpoint);
    fn_stall_notice(endpoint, now_ns);
    bool emptied = fn_datagrams_receive(endpoint, now_ns);
    if (answer_comes_first(endpoint))
        return true;
    if (!fn_list_empty(&endpoint->paused_streams))
        fn_streams_resume(endpoint, now_ns);
    if (must_look(endpoint))
        look(endpoint, 0);
    if (!fn_list_empty(&endpoint->peers.resolving))
        fn_outgoing_resolved(endpoint, endpoint->now_ns);
    if (fn_shard_waiting(endpoint))
        fn_shard_receive(endpoint, endpoint->now_ns);
    bool all_done = fn_links_work(endpoint);
    if (may_run_timers(endpoint, emptied)) {
        fn_stall_recall(endpoint, emptied, endpoint->now_ns);
        fn_timers_run(endpoint, endpoint->now_ns);
    }
    fn_incoming_reopen(endpoint, endpoint->now_ns);
    fn_sessions_flush(endpoint, endpoint->now_ns);
    if (!endpoint->datagrams.found && !fn_delivery_pending(endpoint))
        fn_spare_work(endpoint, endpoint->now_ns);
    endpoint->poll_ns = endpoint->now_ns;
    return all_done;
}

void fn_pump(FastNetEndpoint *endpoint)
{
    fn_links_begin_poll(endpoint);
    turn(endpoint);
}

uint64_t fn_pump_deadline_ns(const FastNetEndpoint *endpoint)
{
    const fn_datagrams *datagrams = &endpoint->datagrams;
    bool dirty = !fn_list_empty(&endpoint->peers.dirty) && !datagrams->blocked;
    bool unhandled = datagrams->inbound_next < datagrams->inbound_filled;
    if (fn_delivery_pending(endpoint) || dirty || unhandled || fn_links_have_work(endpoint) ||
        !fn_list_empty(&endpoint->peers.retired) || !fn_list_empty(&endpoint->paused_streams) ||
        fn_shard_waiting(endpoint))
        return 0;
    uint64_t deadline_ns = fn_heap_deadline_ns(&endpoint->timers);
    if (datagrams->bad_link != NULL && !datagrams->blocked)
        deadline_ns = fn_min_u64(deadline_ns, fn_bad_link_deadline_ns(datagrams->bad_link));
    if (datagrams->bad_link_in != NULL)
        deadline_ns = fn_min_u64(deadline_ns, fn_bad_link_deadline_ns(datagrams->bad_link_in));
    return deadline_ns;
}

void fn_pump_release(FastNetEndpoint *endpoint)
{
    fn_delivery_release(endpoint);
    fn_peers_sweep(endpoint);
}

/* --- waiting --- */

static bool take_wake(FastNetEndpoint *endpoint)
{
    return atomic_load_explicit(&endpoint->woken, memory_order_relaxed) &&
           atomic_exchange_explicit(&endpoint->woken, false, memory_order_acquire);
}

/* Looks again, or blocks until there is something to look for. */
static void wait_until(FastNetEndpoint *endpoint, uint64_t until_ns)
{
    if (atomic_load_explicit(&endpoint->woken, memory_order_relaxed) ||
        fn_spin_goes_on(&endpoint->spin, endpoint->now_ns))
        return;
    uint64_t timeout_ns = fn_sub_saturating(until_ns, endpoint->now_ns);
    endpoint->blocking_waits += timeout_ns > 0 ? 1 : 0;
    look(endpoint, timeout_ns);
}

void fn_pump_turn(FastNetEndpoint *endpoint, uint64_t end_ns)
{
    uint64_t until_ns = fn_min_u64(fn_pump_deadline_ns(endpoint), end_ns);
    look(endpoint, fn_sub_saturating(until_ns, endpoint->now_ns));
    fn_pump(endpoint);
    fn_peers_sweep(endpoint);
}

void fn_pump_wait(FastNetEndpoint *endpoint, uint64_t timeout_ns)
{
    uint64_t end_ns = fn_add_saturating(fn_endpoint_clock(endpoint), timeout_ns);
    fn_links_begin_poll(endpoint);
    bool all_done = turn(endpoint);
    while (all_done && !fn_delivery_pending(endpoint) && endpoint->now_ns < end_ns) {
        wait_until(endpoint, fn_min_u64(fn_pump_deadline_ns(endpoint), end_ns));
        if (take_wake(endpoint)) {
            look(endpoint, 0);
            return;
        }
        all_done = turn(endpoint);
        fn_peers_sweep(endpoint);
    }
}

/* --- the public functions --- */

int32_t fastnet_poll(FastNetEndpoint *endpoint, FastNetEvent *events, uint32_t capacity,
                     uint32_t timeout_us)
{
    if (endpoint == NULL || (events == NULL && capacity > 0))
        return fn_refuse(endpoint, FASTNET_ERR_ARGUMENT, "events is NULL but capacity is not 0");
    if (fn_is_copy(endpoint))
        return fn_refuse_copy(endpoint);
    fn_pump_release(endpoint);
    if (timeout_us == 0) {
        fn_pump(endpoint);
        if (take_wake(endpoint))
            look(endpoint, 0);
    } else {
        fn_pump_wait(endpoint, timeout_us * FN_NS_PER_US);
    }
    return (int32_t)fn_delivery_take(endpoint, events, capacity);
}

bool fn_poll_one(FastNetEndpoint *endpoint, FastNetEvent *event)
{
    if (event == NULL)
        return false;
    if (fastnet_poll(endpoint, event, 1, 0) > 0)
        return true;
    memset(event, 0, sizeof *event);
    return false;
}

FastNetResult fastnet_flush(FastNetEndpoint *endpoint)
{
    if (endpoint == NULL)
        return FASTNET_ERR_ARGUMENT;
    if (fn_is_copy(endpoint))
        return fn_refuse_copy(endpoint);
    fn_sessions_flush(endpoint, fn_endpoint_clock(endpoint));
    return FASTNET_OK;
}

int fastnet_endpoint_fd(FastNetEndpoint *endpoint)
{
    if (endpoint == NULL)
        return -1;
    endpoint->fd_given = true;
    fn_datagrams_watch(endpoint, NULL);
    int fd = (int)fn_poller_fd(&endpoint->system.poller);
    if (fd < 0)
        fn_refuse(endpoint, FASTNET_ERR_UNSUPPORTED, "this build has no descriptor to wait for");
    return fd;
}

uint64_t fastnet_next_deadline(const FastNetEndpoint *endpoint)
{
    if (endpoint == NULL)
        return UINT64_MAX;
    uint64_t deadline_ns = fn_pump_deadline_ns(endpoint);
    if (deadline_ns == FN_NEVER)
        return UINT64_MAX;
    /* Rounded up: a caller who waits that long finds the timer due. */
    return (fn_sub_saturating(deadline_ns, fastnet_now_ns()) + FN_NS_PER_US - 1) / FN_NS_PER_US;
}

void fastnet_wake(FastNetEndpoint *endpoint)
{
    if (endpoint == NULL)
        return;
    atomic_store_explicit(&endpoint->woken, true, memory_order_release);
    fn_platform_wake(&endpoint->platform);
}
