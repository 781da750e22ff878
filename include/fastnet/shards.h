/*
 * fastnet/shards.h: one server on several cores.
 *
 * N endpoints listen on the same two ports, and each is polled by a thread of yours. A client
 * belongs to the shard that accepted its TCP connection, for as long as its session lives: the top
 * bits of its receiver id name that shard, and a small program inside the system (classic BPF on
 * the UDP socket) reads them off every datagram and gives it to that shard's socket, wherever the
 * client has moved. Nothing is shared on the way of a datagram. When UDP is blocked and the
 * session's TLS connection arrives at another shard, that one hands the connection over.
 *
 *   FastNetShards *shards;
 *   fastnet_shards_create(&config, 4, &shards);
 *   in thread i:   FastNetEndpoint *endpoint = fastnet_shards_endpoint(shards, i);
 *                  for (;;) fastnet_poll(endpoint, ...);
 *   all joined:    fastnet_shards_destroy(shards);
 *
 * Each shard is an ordinary endpoint and has the whole config for itself: peers_max,
 * memory_bytes_max, handshakes_max, handshakes_per_address_per_s, peers_per_address_max, bans,
 * draining, statistics and peer ids are per shard. Who accepts a client is the system's choice, by
 * a hash of the addresses and ports: give each shard somewhat more peers_max than its share. A
 * broadcast reaches the peers of one shard; what must reach all of them goes through a queue of
 * yours, and fastnet_wake().
 *
 * The callbacks of the config (allocator, log, key_log, resolve) are called by
 * every shard's thread, several at a time, and a block may be freed by another
 * thread than the one that allocated it.
 */
#ifndef FASTNET_SHARDS_H
#define FASTNET_SHARDS_H

#include "fastnet.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FASTNET_SHARDS_MAX 256

/* Endpoints that share their ports. Opaque. */
typedef struct FastNetShards FastNetShards;

/*
 * Creates count endpoints on the config's two ports; a port of 0 is chosen once, for all of them.
 *
 * The certificate is read once. A TLS session that began at one shard resumes at any.
 * fastnet_certificate_reload() on one shard changes it for all: there at once, elsewhere with the
 * next poll.
 * Owner:     *out belongs to the caller until fastnet_shards_destroy(), and the endpoints to it.
 *            The config is borrowed during the call, as by fastnet_endpoint_create().
 * Threads:   any. Blocks: reads the certificate files. Allocates: yes, count times what an
 *            endpoint takes, and 100 KiB for each.
 * Returns:   OK; ERR_ARGUMENT (count is 0 or above FASTNET_SHARDS_MAX, listen is false, or a field
 *            is out of range); ERR_UNSUPPORTED (the system has no SO_ATTACH_REUSEPORT_CBPF, which
 *            came with Linux 4.5, or this is the poll(2) build; a count of 1 works everywhere);
 *            else as fastnet_endpoint_create(). On any error *out is NULL, nothing is left open,
 *            and fastnet_connect_error_text() (same thread) says why.
 * Hostile:   the port is taken as any endpoint takes it: never when another program has it, and
 *            afterwards only processes of the same user that ask for it can join. A client can make
 *            a shard hand over a connection (at most 64 wait at each shard; more are closed) or a
 *            datagram (at most 64 wait; more are lost), and costs it one lock held for a copy.
 */
FASTNET_API FastNetResult fastnet_shards_create(const FastNetConfig *config, uint32_t count,
                                                FastNetShards **out);

/*
 * Says goodbye to every peer (one datagram each, no waiting) and frees the shards and their
 * endpoints. NULL is fine.
 *
 * Threads:   any, when no other thread uses one of the endpoints any more.
 */
FASTNET_API void fastnet_shards_destroy(FastNetShards *shards);

/*
 * One of the endpoints, from 0 to count - 1; NULL beyond.
 *
 * Owner:     the shards. fastnet_endpoint_destroy() does nothing with it: they end together.
 * Threads:   any; the endpoint is used by one thread at a time, as every endpoint.
 */
FASTNET_API FastNetEndpoint *fastnet_shards_endpoint(const FastNetShards *shards, uint32_t index);

/* How many there are; 0 for NULL. Any thread. */
FASTNET_API uint32_t fastnet_shards_count(const FastNetShards *shards);

#ifdef __cplusplus
}
#endif

#endif /* FASTNET_SHARDS_H */
