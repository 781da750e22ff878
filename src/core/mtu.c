#include "core/mtu.h"

#define BYTES_LIMIT 65507 /* of UDP over IPv4 */

void fn_mtu_init(fn_mtu *mtu, uint32_t bytes_max, uint64_t now_ns)
{
    uint32_t limit = fn_max_u32(FN_MTU_BASE_BYTES, fn_min_u32(bytes_max, BYTES_LIMIT));
    *mtu = (fn_mtu){
        .bytes_max = (uint16_t)limit,
        .current_bytes = FN_MTU_BASE_BYTES,
        .ceiling_bytes = (uint16_t)limit,
        .probe_at_ns = limit > FN_MTU_BASE_BYTES ? now_ns : FN_NEVER,
    };
}

static bool search_over(const fn_mtu *mtu)
{
    return mtu->ceiling_bytes - mtu->current_bytes < FN_MTU_STEP_BYTES;
}

static uint32_t next_size(const fn_mtu *mtu)
{
    if (mtu->probes_lost > 0)
        return mtu->probe_bytes;
    if (search_over(mtu) || mtu->ceiling_bytes == mtu->bytes_max)
        return mtu->bytes_max;
    return mtu->current_bytes + (mtu->ceiling_bytes - mtu->current_bytes + 1u) / 2;
}

static void schedule(fn_mtu *mtu, uint64_t now_ns)
{
    if (mtu->probes_lost > 0 || !search_over(mtu))
        mtu->probe_at_ns = now_ns;
    else if (mtu->current_bytes < mtu->bytes_max)
        mtu->probe_at_ns = fn_add_saturating(now_ns, FN_MTU_RAISE_NS);
    else
        mtu->probe_at_ns = FN_NEVER;
}

uint32_t fn_mtu_probe_due(const fn_mtu *mtu, uint64_t now_ns)
{
    return now_ns >= fn_mtu_deadline(mtu) ? next_size(mtu) : 0;
}

uint64_t fn_mtu_deadline(const fn_mtu *mtu)
{
    return mtu->probing ? FN_NEVER : mtu->probe_at_ns;
}

void fn_mtu_probe_sent(fn_mtu *mtu, uint64_t packet_number, uint32_t bytes)
{
    assert(!mtu->probing && bytes == next_size(mtu));
    mtu->probing = true;
    mtu->probe_number = packet_number;
    mtu->probe_bytes = (uint16_t)bytes;
    mtu->ceiling_bytes = (uint16_t)fn_max_u32(mtu->ceiling_bytes, bytes);
}

/* Starts anew from the base, below a size that is known to fail. */
static bool fall_back(fn_mtu *mtu, uint32_t failed_bytes, uint64_t now_ns)
{
    bool changed = mtu->current_bytes > FN_MTU_BASE_BYTES;
    mtu->current_bytes = FN_MTU_BASE_BYTES;
    mtu->ceiling_bytes = (uint16_t)fn_max_u32(FN_MTU_BASE_BYTES, failed_bytes - 1);
    mtu->probes_lost = 0;
    mtu->large_lost = 0;
    schedule(mtu, now_ns);
    return changed;
}

static bool check_black_hole(fn_mtu *mtu, uint64_t now_ns)
{
    if (mtu->large_lost < FN_MTU_BLACK_HOLE_COUNT || mtu->small_acked <= mtu->lost_number)
        return false;
    return fall_back(mtu, mtu->current_bytes, now_ns);
}

static bool probe_acked(fn_mtu *mtu, uint64_t now_ns)
{
    mtu->probing = false;
    mtu->probes_lost = 0;
    mtu->large_lost = 0;
    mtu->current_bytes = mtu->probe_bytes;
    mtu->ceiling_bytes = (uint16_t)fn_max_u32(mtu->ceiling_bytes, mtu->probe_bytes);
    schedule(mtu, now_ns);
    return true;
}

static void probe_lost(fn_mtu *mtu, uint64_t now_ns)
{
    bool open = mtu->probe_bytes <= mtu->ceiling_bytes; /* else a refusal was quicker */
    mtu->probing = false;
    mtu->probes_lost = (uint8_t)(open ? mtu->probes_lost + 1 : 0);
    if (mtu->probes_lost == FN_MTU_PROBES_MAX) {
        mtu->probes_lost = 0;
        mtu->ceiling_bytes = (uint16_t)(mtu->probe_bytes - 1);
    }
    schedule(mtu, now_ns);
}

bool fn_mtu_on_acked(fn_mtu *mtu, uint64_t packet_number, uint32_t bytes, uint64_t now_ns)
{
    if (fn_mtu_is_probe(mtu, packet_number))
        return probe_acked(mtu, now_ns);
    if (bytes <= FN_MTU_BASE_BYTES) {
        mtu->small_acked = fn_max_u64(mtu->small_acked, packet_number + 1);
        return check_black_hole(mtu, now_ns);
    }
    mtu->large_acked = fn_max_u64(mtu->large_acked, packet_number + 1);
    if (mtu->large_acked > mtu->lost_number)
        mtu->large_lost = 0;
    return false;
}

bool fn_mtu_on_lost(fn_mtu *mtu, uint64_t packet_number, uint32_t bytes, uint64_t now_ns)
{
    if (fn_mtu_is_probe(mtu, packet_number)) {
        probe_lost(mtu, now_ns);
        return false;
    }
    bool telling = bytes > FN_MTU_BASE_BYTES && mtu->current_bytes > FN_MTU_BASE_BYTES &&
                   packet_number >= mtu->large_acked;
    if (!telling)
        return false;
    if (mtu->large_lost == 0 || packet_number < mtu->lost_number)
        mtu->lost_number = packet_number;
    if (mtu->large_lost < FN_MTU_BLACK_HOLE_COUNT)
        mtu->large_lost++;
    return check_black_hole(mtu, now_ns);
}

bool fn_mtu_on_too_large(fn_mtu *mtu, uint32_t bytes, uint64_t now_ns)
{
    if (bytes > mtu->ceiling_bytes)
        return false;
    if (bytes <= mtu->current_bytes)
        return fall_back(mtu, fn_max_u32(bytes, 1), now_ns);
    mtu->ceiling_bytes = (uint16_t)(bytes - 1);
    if (mtu->probe_bytes >= bytes)
        mtu->probes_lost = 0;
    schedule(mtu, now_ns);
    return false;
}
