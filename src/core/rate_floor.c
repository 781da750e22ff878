#include "core/rate_floor.h"

void fn_rate_floor_init(fn_rate_floor *floor, uint64_t rate_bytes_per_s, uint64_t now_ns)
{
    uint64_t rate = fn_min_u64(rate_bytes_per_s, FN_BUCKET_RATE_BYTES_PER_S_MAX);
    uint64_t accrued = rate * (FN_RATE_FLOOR_BURST_NS / FN_NS_PER_MS) / FN_MS_PER_S;
    uint64_t cap = rate == 0 ? 0 : fn_max_u64(accrued, FN_RATE_FLOOR_BURST_BYTES_MIN);
    fn_bucket_init(&floor->bucket, rate, cap, now_ns);
}

bool fn_rate_floor_take(fn_rate_floor *floor, uint64_t bytes, uint64_t now_ns)
{
    if (!fn_rate_floor_allows(floor, bytes, now_ns))
        return false;
    fn_bucket_take(&floor->bucket, bytes, now_ns);
    return true;
}

bool fn_rate_floor_allows(const fn_rate_floor *floor, uint64_t bytes, uint64_t now_ns)
{
    return fn_bucket_allows(&floor->bucket, bytes, now_ns);
}

uint64_t fn_rate_floor_available(const fn_rate_floor *floor, uint64_t now_ns)
{
    return fn_bucket_available(&floor->bucket, now_ns);
}

uint64_t fn_rate_floor_deadline(const fn_rate_floor *floor, uint64_t bytes, uint64_t now_ns)
{
    return fn_bucket_deadline(&floor->bucket, bytes, now_ns);
}
