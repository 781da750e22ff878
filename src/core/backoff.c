#include "core/backoff.h"

uint64_t fn_backoff_next_ns(fn_backoff *backoff, fn_random *random)
{
    uint64_t doubled_ns = fn_max_u64(2 * backoff->pause_ns, FN_BACKOFF_NS_FIRST);
    backoff->pause_ns = fn_min_u64(doubled_ns, FN_BACKOFF_NS_MAX);
    backoff->count++;
    return backoff->pause_ns / 2 + fn_random_u64(random) % backoff->pause_ns;
}
