/*
 * A token bucket: bytes of credit that accrue at a rate up to a cap. Pacer, rate floor and per-peer
 * rate caps are made of it.
 *
 * Credit may be overdrawn, down to minus the cap: what has to leave leaves, and is paid back from
 * later credit. So the long-term rate holds, whatever the packet sizes. Times must not go
 * backwards; if they do, nothing accrues.
 */
#ifndef FN_CORE_BUCKET_H
#define FN_CORE_BUCKET_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"

#define FN_BUCKET_RATE_BYTES_PER_S_MAX UINT64_C(1000000000000)
#define FN_BUCKET_CAP_BYTES_MAX        (UINT64_C(1) << 30)

typedef struct fn_bucket {
    int64_t credit; /* in billionths of a byte: no fraction of a nanosecond's credit is lost */
    uint64_t rate_bytes_per_s;
    uint64_t cap_bytes;
    uint64_t updated_ns;
} fn_bucket;

static_assert(sizeof(fn_bucket) <= 32, "fn_bucket is part of every path");

/* Starts full. A rate of 0 never accrues. Rate and cap are clamped to the limits above. */
void fn_bucket_init(fn_bucket *bucket, uint64_t rate_bytes_per_s, uint64_t cap_bytes,
                    uint64_t now_ns);

/* Changes rate and cap; credit up to now accrues at the old rate. */
void fn_bucket_set(fn_bucket *bucket, uint64_t rate_bytes_per_s, uint64_t cap_bytes,
                   uint64_t now_ns);

/* Bytes of credit now; 0 when overdrawn. */
uint64_t fn_bucket_available(const fn_bucket *bucket, uint64_t now_ns);

/* True when there is credit for that many bytes, or the bucket is
 * full and could never hold more. */
bool fn_bucket_allows(const fn_bucket *bucket, uint64_t bytes, uint64_t now_ns);

/* Takes the credit, whether or not it is there. */
void fn_bucket_take(fn_bucket *bucket, uint64_t bytes, uint64_t now_ns);

/* The first instant at which fn_bucket_allows() is true (not after
 * now_ns = it is now); FN_NEVER. */
uint64_t fn_bucket_deadline(const fn_bucket *bucket, uint64_t bytes, uint64_t now_ns);

#endif
