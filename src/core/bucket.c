#include "core/bucket.h"

static int64_t credit_of(uint64_t bytes)
{
    return (int64_t)(bytes * FN_NS_PER_S);
}

/* What a request of that size needs: never more than the bucket can hold. */
static int64_t needed(const fn_bucket *bucket, uint64_t bytes)
{
    return credit_of(fn_min_u64(bytes, bucket->cap_bytes));
}

static int64_t credit_at(const fn_bucket *bucket, uint64_t now_ns)
{
    uint64_t elapsed_ns = fn_sub_saturating(now_ns, bucket->updated_ns);
    uint64_t missing = (uint64_t)(credit_of(bucket->cap_bytes) - bucket->credit);
    if (bucket->rate_bytes_per_s == 0)
        return bucket->credit;
    if (elapsed_ns > missing / bucket->rate_bytes_per_s)
        return credit_of(bucket->cap_bytes);
    return bucket->credit + (int64_t)(bucket->rate_bytes_per_s * elapsed_ns);
}

static void advance(fn_bucket *bucket, uint64_t now_ns)
{
    bucket->credit = credit_at(bucket, now_ns);
    bucket->updated_ns = fn_max_u64(bucket->updated_ns, now_ns);
}

static void limit(fn_bucket *bucket)
{
    int64_t cap = credit_of(bucket->cap_bytes);
    if (bucket->credit > cap)
        bucket->credit = cap;
    if (bucket->credit < -cap)
        bucket->credit = -cap;
}

static void set_limits(fn_bucket *bucket, uint64_t rate_bytes_per_s, uint64_t cap_bytes)
{
    bucket->rate_bytes_per_s = fn_min_u64(rate_bytes_per_s, FN_BUCKET_RATE_BYTES_PER_S_MAX);
    bucket->cap_bytes = fn_min_u64(cap_bytes, FN_BUCKET_CAP_BYTES_MAX);
}

void fn_bucket_init(fn_bucket *bucket, uint64_t rate_bytes_per_s, uint64_t cap_bytes,
                    uint64_t now_ns)
{
    set_limits(bucket, rate_bytes_per_s, cap_bytes);
    bucket->credit = credit_of(bucket->cap_bytes);
    bucket->updated_ns = now_ns;
}

void fn_bucket_set(fn_bucket *bucket, uint64_t rate_bytes_per_s, uint64_t cap_bytes,
                   uint64_t now_ns)
{
    advance(bucket, now_ns);
    set_limits(bucket, rate_bytes_per_s, cap_bytes);
    limit(bucket);
}

uint64_t fn_bucket_available(const fn_bucket *bucket, uint64_t now_ns)
{
    int64_t credit = credit_at(bucket, now_ns);
    return credit > 0 ? (uint64_t)credit / FN_NS_PER_S : 0;
}

bool fn_bucket_allows(const fn_bucket *bucket, uint64_t bytes, uint64_t now_ns)
{
    return bucket->cap_bytes > 0 && credit_at(bucket, now_ns) >= needed(bucket, bytes);
}

void fn_bucket_take(fn_bucket *bucket, uint64_t bytes, uint64_t now_ns)
{
    advance(bucket, now_ns);
    bucket->credit -= credit_of(fn_min_u64(bytes, FN_BUCKET_CAP_BYTES_MAX));
    limit(bucket);
}

uint64_t fn_bucket_deadline(const fn_bucket *bucket, uint64_t bytes, uint64_t now_ns)
{
    if (fn_bucket_allows(bucket, bytes, now_ns))
        return now_ns;
    if (bucket->cap_bytes == 0 || bucket->rate_bytes_per_s == 0)
        return FN_NEVER;
    uint64_t missing = (uint64_t)(needed(bucket, bytes) - credit_at(bucket, now_ns));
    uint64_t wait_ns = (missing + bucket->rate_bytes_per_s - 1) / bucket->rate_bytes_per_s;
    return fn_add_saturating(fn_max_u64(now_ns, bucket->updated_ns), wait_ns);
}
