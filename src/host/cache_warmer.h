/*
 * rehearsal.h: a private session of an endpoint with itself, played through while nothing happens.
 *
 * At 60 packets a second the caches have forgotten, each time, the code that seals, sends, opens
 * and sorts a packet, and the kernel's code below it. A message there and back every 100 us, over
 * two sockets of our own (platform/platform.h) and between two connections of our own, keeps all of
 * it at hand. Only while the endpoint spins; nothing of it leaves the machine.
 */
#ifndef FN_HOST_CACHE_WARMER_H
#define FN_HOST_CACHE_WARMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "core/conn.h"
#include "core/event.h"
#include "crypto/failure.h"
#include "fastnet.h"
#include "platform/platform.h"

typedef struct fn_host fn_host;

enum { FN_CACHE_WARMER_DATAGRAM_BYTES = 1472 };

typedef struct fn_cache_warmer {
    bool open;
    const fn_platform *platform;
    fn_pool pool;
    fn_events events;
    fn_conn *conns[2]; /* client, server; in memory of the endpoint's blocks */
    uint8_t paths[2];  /* on which each of them receives */
    uint8_t sealed[FN_CACHE_WARMER_DATAGRAM_BYTES];
    uint8_t received[FN_CACHE_WARMER_DATAGRAM_BYTES];
} fn_cache_warmer;

/* Opens the sockets and builds the session, in memory of the endpoint's blocks. ERR_ADDRESS,
 * ERR_SYSTEM, ERR_MEMORY. */
int fn_cache_warmer_open(fn_host *host, fn_cache_warmer *warmer, fn_failure *failure);
void fn_cache_warmer_close(fn_cache_warmer *warmer);

/* One message there and one back: about ten microseconds. */
void fn_cache_warmer_play(fn_cache_warmer *warmer, uint64_t now_ns);

#endif
