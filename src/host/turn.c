#include "host/turn.h"

#include "host/carrier/stream.h"
#include "host/connect/fallback.h"
#include "host/connect/outgoing.h"
#include "host/host.h"
#include "host/life.h"
#include "host/session.h"
#include "host/stall.h"

/* Asking the system which sockets are ready costs as much as reading an empty socket:
 * a loop that spins asks it this often. */
#define LOOK_INTERVAL_NS       (50 * FN_NS_PER_US)
#define LOOK_INTERVAL_QUIET_NS (500 * FN_NS_PER_US)
/* After a pause this long the socket may hold what would have kept a peer alive. */
#define STALL_NS (100 * FN_NS_PER_MS)
/* Others have had the cache meanwhile. */
#define COLD_NS FN_NS_PER_MS

enum {
    READY_MAX = 64,
    TIMERS_DEFERRED_MAX = 8,
    ANSWERS_FIRST_MAX = 4,
    SOCKETS_ALWAYS = 2, /* UDP and the listener; any other belongs to a handshake */
};

/* --- readiness --- */

static void dispatch(fn_host *host, const fn_poll_event *event)
{
    fn_link *link;
    uint64_t now_ns = host->now_ns;
    switch (fn_token_kind_of(event->token)) {
    case FN_TOKEN_UDP:
        if ((event->ready & FN_POLL_WRITE) != 0)
            fn_datagrams_unblock(host);
        break;
    case FN_TOKEN_LISTENER:
        fn_incoming_accept(host, now_ns);
        break;
    case FN_TOKEN_LINK:
        link = fn_link_by_token(host, event->token);
        if (link != NULL)
            fn_link_ready(host, link, event->ready, now_ns);
        break;
    case FN_TOKEN_ATTEMPT:
        fn_outgoing_ready(host, event->token, now_ns);
        break;
    case FN_TOKEN_FALLBACK:
        fn_fallback_ready(host, event->token, now_ns);
        break;
    }
}

/* Sockets first, then the wake flag: a wake that comes later stays pending there. */
static void look(fn_host *host, uint64_t timeout_ns)
{
    fn_poll_event events[READY_MAX];
    if (timeout_ns > 0 && fn_datagrams_watch(host, NULL) != FASTNET_OK)
        timeout_ns = 0; /* nobody would tell of datagrams */
    size_t count = fn_platform_wait(&host->platform, timeout_ns, events, READY_MAX);
    host->look_ns = fn_host_clock(host);
    host->look_full = count == READY_MAX;
    for (size_t i = 0; i < count; i++)
        dispatch(host, &events[i]);
}

/* --- one turn --- */

static bool may_run_timers(fn_host *host, bool emptied)
{
    bool stalled = host->timers_deferred > 0 || host->now_ns - host->poll_ns > STALL_NS;
    bool defer = !emptied && stalled && host->timers_deferred < TIMERS_DEFERRED_MAX;
    host->timers_deferred = defer ? host->timers_deferred + 1 : 0;
    return !defer;
}

/* Only what handshakes wait for, and room to send, is in a hurry. */
static bool must_look(const fn_host *host)
{
    uint32_t sockets = fn_platform_wait_count(&host->platform) + (host->datagrams.watched ? 0 : 1);
    bool hurry = sockets > SOCKETS_ALWAYS || host->datagrams.blocked;
    return host->now_ns - host->look_ns >= (hurry ? LOOK_INTERVAL_NS : LOOK_INTERVAL_QUIET_NS);
}

/* Who looks at the socket all the time waits for just this message: it comes
 * first, and all else with its answer, or in the next poll, but not much later.
 * What was sent already waits no longer. */
static bool answer_comes_first(fn_host *host)
{
    bool first = host->datagrams.single && !host->unsent && host->answers_first < ANSWERS_FIRST_MAX;
    host->answers_first = first ? host->answers_first + 1 : 0;
    return first;
}

/* The last peer that sent something, if it is the only one, will be the next. One of a thousand
 * endpoints of a process is out of the cache by its turn: its parts come during the system call. */
static void prefetch_only_peer(const fn_host *host, uint64_t now_ns)
{
    const fn_peer *latest = host->datagrams.latest;
    if (now_ns - host->poll_ns < COLD_NS || host->peers.placed_count != 1)
        return;
    if (latest == NULL || latest->conn == NULL)
        return;
    fn_conn_prefetch_receiving(latest->conn);
    fn_conn_prefetch_sending(latest->conn);
}

/* False: handshake work is left that only the next poll may do. */
static bool turn(fn_host *host)
{
    uint64_t now_ns = fn_host_clock(host);
    fn_stall_notice(host, now_ns);
    prefetch_only_peer(host, now_ns);
    bool emptied = fn_datagrams_receive(host, now_ns);
    if (answer_comes_first(host))
        return true;
    if (!fn_list_empty(&host->paused_streams))
        fn_streams_resume(host, now_ns);
    if (must_look(host))
        look(host, 0);
    if (!fn_list_empty(&host->peers.resolving))
        fn_outgoing_resolved(host, host->now_ns);
    if (fn_siblings_wait(&host->siblings))
        host->siblings.ops->receive(host->siblings.user, host->now_ns);
    bool all_done = fn_links_work(host);
    if (may_run_timers(host, emptied)) {
        fn_stall_recall(host, emptied, host->now_ns);
        fn_timers_run(host, host->now_ns);
    }
    fn_incoming_reopen(host, host->now_ns);
    fn_sessions_flush(host, host->now_ns);
    if (!fn_list_empty(&host->peers.over))
        fn_lives_end(host, host->now_ns);
    if (!host->datagrams.found && !fn_host_has_events(host))
        fn_idle_work_work(host, host->now_ns);
    host->poll_ns = host->now_ns;
    return all_done;
}

void fn_pump(fn_host *host)
{
    fn_links_begin_poll(host);
    turn(host);
}

uint64_t fn_pump_deadline_ns(const fn_host *host)
{
    const fn_datagrams *datagrams = &host->datagrams;
    bool dirty = !fn_list_empty(&host->peers.dirty) && !datagrams->blocked;
    bool unhandled = datagrams->inbound_next < datagrams->inbound_filled;
    if (fn_host_has_events(host) || dirty || unhandled || fn_links_have_work(host) ||
        !fn_list_empty(&host->peers.retired) || !fn_list_empty(&host->peers.over) ||
        !fn_list_empty(&host->paused_streams) || fn_siblings_wait(&host->siblings))
        return 0;
    uint64_t deadline_ns = fn_heap_deadline_ns(&host->timers);
    if (datagrams->bad_link != NULL && !datagrams->blocked)
        deadline_ns = fn_min_u64(deadline_ns, fn_bad_link_deadline_ns(datagrams->bad_link));
    if (datagrams->bad_link_in != NULL)
        deadline_ns = fn_min_u64(deadline_ns, fn_bad_link_deadline_ns(datagrams->bad_link_in));
    return deadline_ns;
}

void fn_pump_release(fn_host *host)
{
    fn_delivery_release(host);
    fn_peers_sweep(host);
}

/* --- waiting --- */

/* Looks again, or blocks until there is something to look for. */
static void wait_until(fn_host *host, uint64_t until_ns)
{
    if (fn_platform_interrupted(&host->platform) || fn_spin_goes_on(&host->spin, host->now_ns))
        return;
    uint64_t timeout_ns = fn_sub_saturating(until_ns, host->now_ns);
    host->blocking_waits += timeout_ns > 0 ? 1 : 0;
    look(host, timeout_ns);
}

void fn_pump_turn(fn_host *host, uint64_t end_ns)
{
    uint64_t until_ns = fn_min_u64(fn_pump_deadline_ns(host), end_ns);
    look(host, fn_sub_saturating(until_ns, host->now_ns));
    fn_pump(host);
    fn_peers_sweep(host);
}

void fn_pump_wait(fn_host *host, uint64_t timeout_ns)
{
    uint64_t end_ns = fn_add_saturating(fn_host_clock(host), timeout_ns);
    fn_links_begin_poll(host);
    bool all_done = turn(host);
    while (all_done && !fn_host_has_events(host) && host->now_ns < end_ns) {
        wait_until(host, fn_min_u64(fn_pump_deadline_ns(host), end_ns));
        if (fn_platform_take_interrupt(&host->platform)) {
            look(host, 0);
            return;
        }
        all_done = turn(host);
        fn_peers_sweep(host);
    }
}

void fn_pump_now(fn_host *host)
{
    fn_pump(host);
    if (fn_platform_take_interrupt(&host->platform))
        look(host, 0);
}
