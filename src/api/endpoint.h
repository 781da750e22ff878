/*
 * endpoint.h: the composition: one UDP socket, perhaps one TLS port,
 * and all that serves their peers.
 *
 * It holds no mechanism of its own. The parts find each other through it:
 *
 *   datagrams   UDP in and out          incoming   the TLS port, admission, decisions
 *   links       TLS connections         outgoing   names, addresses, connecting
 *   streams     sealed datagrams on TLS rejoin     a stream for a session that exists
 *   peers       who is who              session    the connection of a peer
 *   delivery    events for the caller   timers     everybody's deadlines
 *   trust       roots and pins          spin       when a wait blocks
 *   spare       what idle time is for   shard      others that share its ports
 *   tickets     of servers known        stall      the application was away
 *   poll        the order in which all of this gets its turn
 */
#ifndef FN_API_ENDPOINT_H
#define FN_API_ENDPOINT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/allocator.h"
#include "api/config.h"
#include "api/datagrams.h"
#include "api/delivery.h"
#include "api/incoming.h"
#include "api/link.h"
#include "api/peer.h"
#include "api/report.h"
#include "api/shard.h"
#include "api/spare.h"
#include "api/spin.h"
#include "api/stall.h"
#include "api/tickets.h"
#include "api/timer.h"
#include "api/trust.h"
#include "base/heap.h"
#include "base/pool.h"
#include "base/units.h"
#include "core/conn.h"
#include "core/event.h"
#include "crypto/random.h"
#include "fastnet.h"
#include "io/system.h"
#include "platform/platform.h"

/* What a ready socket is about: kind in the top 4 bits. */
typedef enum fn_token_kind {
    FN_TOKEN_UDP,
    FN_TOKEN_LISTENER,
    FN_TOKEN_LINK,    /* index and generation */
    FN_TOKEN_ATTEMPT, /* address index and peer id */
    FN_TOKEN_REJOIN   /* peer id */
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

typedef struct fn_endpoint_counters {
    uint64_t handshakes_completed;
    uint64_t handshakes_failed;
    uint64_t handshakes_resumed;
} fn_endpoint_counters;

struct FastNetEndpoint {
    fn_config config;
    fn_blocks blocks; /* all memory that lives as long as the endpoint; allocator for the rest */
    fn_report report;
    fn_random random;
    fn_trust trust;
    fn_tickets tickets;
    fn_platform platform;
    fn_system system; /* what the platform is made of */
    bool wait_open;
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
    fn_spare spare;
    fn_shard shard;
    fn_stall stall;
    fn_endpoint_counters counters;
    FastNetPeerId client_peer; /* of the short form */
    uint64_t now_ns;           /* the last time that the clock was read */
    uint64_t look_ns;          /* when the sockets were last looked at */
    uint64_t poll_ns;          /* when the last whole turn ended */
    uint64_t blocking_waits;
    uint32_t timers_deferred; /* polls in a row */
    uint32_t answers_first;   /* likewise */
    bool look_full;           /* it had more to tell than it was asked for */
    bool unsent;              /* the application has sent since the last flush */
    bool fd_given;            /* others wait in its place: it must always know all sockets */
    atomic_bool woken;        /* by fastnet_wake, not seen yet */
};

/* Reads the clock into now_ns. */
uint64_t fn_endpoint_clock(FastNetEndpoint *endpoint);

/* Like fastnet_endpoint_create; the sentence goes into failure only. place: as which shard; NULL =
 * it is none. */
int fn_endpoint_create(const FastNetConfig *config, const fn_shard *place, FastNetEndpoint **out,
                       fn_failure *failure);

/* Likewise, in another world than the operating system's: the simulator's. */
int fn_endpoint_create_in(const FastNetConfig *config, const fn_platform *world,
                          FastNetEndpoint **out, fn_failure *failure);

/* Like fastnet_endpoint_destroy, of a shard too. */
void fn_endpoint_destroy(FastNetEndpoint *endpoint);

/* The config's allocator. ERR_ARGUMENT: half of it is missing. */
int fn_endpoint_memory(const FastNetConfig *config, fn_memory *memory, fn_failure *failure);

#endif
