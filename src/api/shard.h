/*
 * shard.h: endpoints that share their ports, one thread each (fastnet/shards.h). They meet in one
 * place only: each has an inbox, which any of them may put something into, under its lock.
 *
 *   links       TLS connections whose ATTACH named a session of that shard
 *   datagrams   that came to another shard: the system cuts what it had joined only after it chose
 *               the socket, so one with another receiver id may lie behind a first one
 *   identity    the certificate that was loaded anew on another shard
 *
 * Everything else belongs to one thread. An inbox holds a stated number of each; what finds it full
 * is closed, or lost as on any network.
 *
 * A link keeps its memory, its TLS object and its descriptor, so the allocator must serve all
 * threads; only its place in the tables is given up on one side and taken on the other.
 */
#ifndef FN_API_SHARD_H
#define FN_API_SHARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "crypto/failure.h"
#include "fastnet.h"
#include "fastnet/shards.h"
#include "host/blocks.h"
#include "host/connect/link.h"
#include "io/lock.h"
#include "platform/port_use.h"
#include "platform/udp.h"

enum {
    FN_SHARD_LINKS_MAX = 64,     /* in one inbox */
    FN_SHARD_DATAGRAMS_MAX = 64, /* likewise */
    FN_SHARD_LINKS_PER_TURN = 16 /* taken out: each costs an HMAC and a TLS export */
};

typedef struct fn_shard_inbox {
    fn_lock lock;        /* over all but `waiting` */
    atomic_bool waiting; /* there may be something in here; written under the lock */
    fn_list links;       /* by fn_link.work */
    uint32_t link_count;
    fn_tls_context *identity;
    fn_datagram datagrams[FN_SHARD_DATAGRAMS_MAX]; /* a ring */
    uint32_t datagram_first;
    uint32_t datagram_count;
} fn_shard_inbox;

struct FastNetShards {
    fn_blocks blocks;
    fn_shard_inbox *inboxes;
    FastNetEndpoint **endpoints; /* those that exist already, then NULL */
    uint32_t count;
    uint32_t bits; /* of a receiver id name the shard */
};

/* An endpoint's own part. All zero = it is no shard. */
typedef struct fn_shard {
    struct FastNetShards *group;
    uint32_t index;
    uint32_t bits;
    uint64_t handed_over;
    uint64_t refused; /* the other inbox was full */
    uint64_t forwarded;
} fn_shard;

/* Before the host is opened: tells it of its siblings, and gives it the ports that the first shard
 * has chosen. */
void fn_shard_join(FastNetEndpoint *endpoint);

/* The certificate that the first shard has read already, with a reference; NULL: read it. */
fn_tls_context *fn_shard_identity(const FastNetEndpoint *endpoint);

/* All other shards show that certificate too, from their next poll on. */
void fn_shard_share_identity(FastNetEndpoint *endpoint, fn_tls_context *identity);

#endif
