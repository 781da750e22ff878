/*
 * spare.h: what is done while there is nothing to do.
 *
 * A loop that spins looks, finds nothing, and looks again. In between it makes the next packets of
 * the busiest peers cheaper (core/conn.h, fn_conn_prepare) and keeps the path of a packet warm.
 * One small piece of work per look, so that what arrives meanwhile does not wait.
 */
#ifndef FN_API_SPARE_H
#define FN_API_SPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "api/peer.h"
#include "api/rehearsal.h"
#include "crypto/failure.h"
#include "fastnet.h"

/* So many peers at most have packets prepared: that bounds time and memory. */
enum { FN_SPARE_PEERS = 8 };

typedef struct fn_spare_row {
    FastNetPeerId peer;
    uint64_t heard_ns;
    bool hot; /* its last two datagrams came close together */
} fn_spare_row;

typedef struct fn_spare {
    fn_spare_row rows[FN_SPARE_PEERS]; /* by the low bits of the peer's slot */
    uint32_t next;                     /* the row whose turn it is */
    bool all_prepared;                 /* until a datagram comes or goes */
    fn_rehearsal *rehearsal;           /* NULL = not asked for */
    uint64_t warm_interval_ns;
    uint64_t warmed_ns; /* by a beat, or by datagrams of the session */
    uint64_t beats;
    uint64_t prepared;
} fn_spare;

/* Builds what keeps the path warm when the config asks for it.
 * What fn_rehearsal_open fails with. */
int fn_spare_init(FastNetEndpoint *endpoint, fn_failure *failure);
void fn_spare_close(FastNetEndpoint *endpoint);

/* An authentic datagram of this peer came. */
void fn_spare_heard(fn_spare *spare, const fn_peer *peer, uint64_t now_ns);

/* Datagrams left. */
void fn_spare_sent(fn_spare *spare, uint64_t now_ns);

/* One piece of work. */
void fn_spare_work(FastNetEndpoint *endpoint, uint64_t now_ns);

#endif
