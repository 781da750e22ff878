/*
 * spare.h: what is done while there is nothing to do.
 *
 * A loop that spins looks, finds nothing, and looks again. In between it makes the next packets of
 * the busiest peers cheaper (core/conn.h, fn_conn_prepare) and keeps the path of a packet warm.
 * One small piece of work per look, so that what arrives meanwhile does not wait.
 */
#ifndef FN_HOST_IDLE_WORK_H
#define FN_HOST_IDLE_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/failure.h"
#include "fastnet.h"
#include "host/cache_warmer.h"
#include "host/peer.h"

typedef struct fn_host fn_host;

/* So many peers at most have packets prepared: that bounds time and memory. */
enum { FN_IDLE_WORK_PEERS = 8 };

typedef struct fn_idle_work_row {
    FastNetPeerId peer;
    uint64_t heard_ns;
    bool hot; /* its last two datagrams came close together */
} fn_idle_work_row;

typedef struct fn_idle_work {
    fn_idle_work_row rows[FN_IDLE_WORK_PEERS]; /* by the low bits of the peer's slot */
    uint32_t next;                             /* the row whose turn it is */
    bool all_prepared;                         /* until a datagram comes or goes */
    fn_cache_warmer *warmer;                   /* NULL = not asked for */
    uint64_t warm_interval_ns;
    uint64_t warmed_ns; /* by a beat, or by datagrams of the session */
    uint64_t beats;
    uint64_t prepared;
} fn_idle_work;

/* Builds what keeps the path warm when the config asks for it.
 * What fn_cache_warmer_open fails with. */
int fn_idle_work_init(fn_host *host, fn_failure *failure);
void fn_idle_work_close(fn_host *host);

/* An authentic datagram of this peer came. */
void fn_idle_work_heard(fn_idle_work *spare, const fn_peer *peer, uint64_t now_ns);

/* Datagrams left. */
void fn_idle_work_sent(fn_idle_work *spare, uint64_t now_ns);

/* One piece of work. */
void fn_idle_work_work(fn_host *host, uint64_t now_ns);

#endif
