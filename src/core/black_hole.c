#include "core/black_hole.h"

#include "core/mtu.h"

void fn_black_hole_init(fn_black_hole *hole)
{
    *hole = (fn_black_hole){.verdict_at_ns = FN_NEVER, .plain = hole->plain};
}

bool fn_black_hole_end(fn_black_hole *hole)
{
    bool suspected = hole->state != FN_BLACK_HOLE_NONE;
    hole->lost = 0;
    hole->challenges = 0;
    hole->state = FN_BLACK_HOLE_NONE;
    hole->verdict_at_ns = FN_NEVER;
    return suspected;
}

/* Packets are declared lost only after later ones were acknowledged: had the path carried one of
 * these that was as large, this loss would tell nothing. */
static bool tells(const fn_black_hole *hole, uint64_t number, uint32_t bytes)
{
    return bytes > FN_BLACK_HOLE_SMALL_BYTES &&
           (number > hole->acked_number || bytes > hole->acked_bytes);
}

bool fn_black_hole_on_lost(fn_black_hole *hole, uint64_t number, uint32_t bytes,
                           uint64_t largest_acked)
{
    bytes = fn_min_u32(bytes, FN_MTU_BASE_BYTES);
    if (!tells(hole, number, bytes))
        return false;
    if (hole->lost == 0 || number < hole->first_lost)
        hole->first_lost = number;
    hole->lost_bytes = (uint16_t)(hole->lost == 0 ? bytes : fn_min_u32(bytes, hole->lost_bytes));
    if (hole->lost < UINT8_MAX)
        hole->lost++;
    if (hole->lost < FN_BLACK_HOLE_LOST || largest_acked <= hole->first_lost ||
        hole->state != FN_BLACK_HOLE_NONE)
        return false;
    hole->state = FN_BLACK_HOLE_SUSPECTED;
    return true;
}

bool fn_black_hole_challenged(fn_black_hole *hole, uint64_t next_ns)
{
    if (hole->state != FN_BLACK_HOLE_SUSPECTED || ++hole->challenges < FN_BLACK_HOLE_CHALLENGES)
        return false;
    hole->verdict_at_ns = next_ns;
    return true;
}

bool fn_black_hole_is_due(fn_black_hole *hole, uint64_t now_ns)
{
    if (now_ns < hole->verdict_at_ns)
        return false;
    hole->verdict_at_ns = FN_NEVER;
    hole->state = FN_BLACK_HOLE_CERTAIN;
    return true;
}

void fn_black_hole_on_burst_lost(fn_black_hole *hole)
{
    if (hole->burst_lost < FN_BLACK_HOLE_BURST_LOST)
        hole->burst_lost++;
    hole->plain |= hole->burst_lost == FN_BLACK_HOLE_BURST_LOST;
}
