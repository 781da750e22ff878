/*
 * host.h: the composition: what an endpoint does, on the terms of a platform. Pure: no sockets, no
 * clock, no threads, no globals; the simulator runs the very same.
 *
 * It holds no mechanism of its own. The parts find each other through it:
 *
 *   carrier/datagrams   UDP in and out          connect/incoming   the TLS port, admission, decisions
 *   carrier/stream      datagrams over TLS      connect/outgoing   names, addresses, connecting
 *   connect/link        TLS connections         connect/fallback   a stream for a session that exists
 *   peer                who is who              session            the connection of a peer
 *   delivery            events for the caller   timer              everybody's deadlines
 *   spin                when a wait blocks      idle_work          what idle time is for
 *   connect/tickets     of servers known        siblings           others that share its ports
 *   turn                the order in which all of this gets its turn
 */
#ifndef FN_HOST_HOST_H
#define FN_HOST_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/pool.h"
#include "base/units.h"
#include "core/conn.h"
#include "core/event.h"
#include "crypto/random.h"
#include "fastnet.h"
#include "host/blocks.h"
#include "host/carrier/datagrams.h"
#include "host/connect/incoming.h"
#include "host/connect/link.h"
#include "host/connect/tickets.h"
#include "host/delivery.h"
#include "host/diagnostics.h"
#include "host/idle_work.h"
#include "host/peer.h"
#include "host/settings.h"
#include "host/siblings.h"
#include "host/spin.h"
#include "host/stall.h"
#include "host/timer.h"
#include "platform/platform.h"

/* What a ready socket is about: kind in the top 4 bits. */
typedef enum fn_token_kind {
    FN_TOKEN_UDP,
    FN_TOKEN_LISTENER,
    FN_TOKEN_LINK,    /* index and generation */
    FN_TOKEN_ATTEMPT, /* address index and peer id */
    FN_TOKEN_FALLBACK /* peer id */
} fn_token_kind;

#define FN_TOKEN_KIND_SHIFT 60

static inline uint64_t fn_token_make(fn_token_kind kind, uint64_t payload)
{
    return (uint64_t)kind << FN_TOKEN_KIND_SHIFT | payload;
}

static inline fn_token_kind fn_token_kind_of(uint64_t token)
{
    return (fn_token_kind)(token >> FN_TOKEN_KIND_SHIFT);
}

static inline uint64_t fn_token_payload(uint64_t token)
{
    return token & ((UINT64_C(1) << FN_TOKEN_KIND_SHIFT) - 1);
}

typedef struct fn_host_counters {
    uint64_t handshakes_completed;
    uint64_t handshakes_failed;
    uint64_t handshakes_resumed;
} fn_host_counters;

typedef struct fn_host {
    fn_config config;
    fn_blocks blocks; /* all memory that lives as long as the endpoint; allocator for the rest */
    fn_diagnostics diagnostics;
    fn_random random;
    fn_tickets tickets;
    fn_platform platform;
    bool wait_open;
    bool open; /* all of it */
    fn_heap timers;
    fn_pool pool;
    fn_events events;
    fn_conn_shared shared;
    fn_peers peers;
    fn_links links;
    fn_incoming incoming;
    fn_datagrams datagrams;
    fn_list paused_streams; /* of fn_stream */
    fn_delivery delivery;
    fn_spin spin;
    fn_idle_work idle_work;
    fn_stall stall;
    fn_host_counters counters;
    uint64_t now_ns;  /* the last time that the clock was read */
    uint64_t look_ns; /* when the sockets were last looked at */
    uint64_t poll_ns; /* when the last whole turn ended */
    uint64_t blocking_waits;
    uint32_t timers_deferred; /* polls in a row */
    uint32_t answers_first;   /* likewise */
    bool look_full;           /* it had more to tell than it was asked for */
    bool unsent;              /* the application has sent since the last flush */
    bool fd_given;            /* others wait in its place: it must always know all sockets */
    fn_siblings siblings;
} fn_host;

/* Reads the clock into now_ns. */
static inline uint64_t fn_host_clock(fn_host *host)
{
    return host->now_ns = fn_platform_clock_ns(&host->platform);
}

/* Events are queued for the application. */
static inline bool fn_host_has_events(const fn_host *host)
{
    return fn_ring_count(&host->events.ring) > 0;
}

/*
 * Opens the parts, in the order in which they need each other. Filled in before: config, blocks,
 * diagnostics.log, platform, siblings and, for one that listens, links.config.server_tls. On
 * failure the sentence is in failure; fn_host_close() is due all the same.
 */
int fn_host_open(fn_host *host, fn_failure *failure);

/* Says goodbye to every peer (one datagram each) when it is open, and frees all but `blocks`. */
void fn_host_close(fn_host *host);

#endif
