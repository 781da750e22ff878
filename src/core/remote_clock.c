#include "core/remote_clock.h"

void fn_remote_clock_init(fn_remote_clock *remote)
{
    *remote = (fn_remote_clock){0};
}

static void turn(fn_remote_clock *remote, uint64_t now_ns)
{
    uint64_t age_ns = fn_sub_saturating(now_ns, remote->half_ns);
    if (remote->any_now && age_ns < FN_REMOTE_CLOCK_HALF_NS)
        return;
    remote->any_before = remote->any_now && age_ns < 2 * FN_REMOTE_CLOCK_HALF_NS;
    remote->before_ns = remote->best_ns;
    remote->any_now = false;
    remote->half_ns = now_ns;
}

static int64_t estimate_ns(const fn_remote_clock *remote, uint64_t rtt_min_ns)
{
    int64_t best_ns = remote->best_ns;
    if (remote->any_before && remote->before_ns > best_ns)
        best_ns = remote->before_ns;
    return (int64_t)((uint64_t)best_ns + rtt_min_ns / 2);
}

/* A liar's timestamps can be any: differences wrap, and a great one is taken at once. */
static void approach(fn_remote_clock *remote, int64_t target_ns)
{
    int64_t error_ns = (int64_t)((uint64_t)target_ns - (uint64_t)remote->smooth_ns);
    int64_t jump_ns = (int64_t)FN_REMOTE_CLOCK_JUMP_NS;
    if (remote->samples == 0 || error_ns > jump_ns || error_ns < -jump_ns) {
        remote->smooth_ns = target_ns;
        remote->samples = 1;
        return;
    }
    if (remote->samples < FN_REMOTE_CLOCK_GAIN)
        remote->samples++;
    remote->smooth_ns += error_ns / remote->samples;
}

void fn_remote_clock_sample(fn_remote_clock *remote, uint64_t remote_ns, uint64_t now_ns,
                            uint64_t rtt_min_ns)
{
    turn(remote, now_ns);
    int64_t sample_ns = (int64_t)(remote_ns - now_ns);
    if (!remote->any_now || sample_ns > remote->best_ns)
        remote->best_ns = sample_ns;
    remote->any_now = true;
    if (rtt_min_ns > 0)
        approach(remote, estimate_ns(remote, rtt_min_ns));
}

bool fn_remote_clock_known(const fn_remote_clock *remote)
{
    return remote->any_now;
}

int64_t fn_remote_clock_offset_ns(const fn_remote_clock *remote, uint64_t rtt_min_ns)
{
    if (!remote->any_now)
        return 0;
    return remote->samples > 0 ? remote->smooth_ns : estimate_ns(remote, rtt_min_ns);
}
