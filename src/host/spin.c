#include "host/spin.h"

#include "base/units.h"
#include "fastnet.h"

enum { MISSES_MAX = 5 }; /* then one chance of 32 is taken */

void fn_spin_init(fn_spin *spin, uint32_t budget_us)
{
    *spin = (fn_spin){.budget_ns = budget_us * FN_NS_PER_US};
    if (budget_us == FASTNET_SPIN_ALWAYS)
        spin->budget_ns = FN_NEVER;
}

void fn_spin_sent(fn_spin *spin, uint64_t now_ns)
{
    spin->activity_ns = now_ns;
    spin->due = true;
}

void fn_spin_received(fn_spin *spin, uint64_t now_ns)
{
    bool in_time = now_ns - spin->activity_ns < spin->budget_ns;
    if (in_time) {
        spin->misses = 0;
        spin->skips = 0;
    }
    spin->answered += spin->trying ? 1 : 0;
    spin->trying = false;
    spin->activity_ns = now_ns;
    spin->due = true;
}

/* The first look after something happened decides whether to try. */
static bool begin(fn_spin *spin)
{
    if (!spin->due)
        return false;
    spin->due = false;
    if (spin->skips > 0) {
        spin->skips--;
        return false;
    }
    spin->attempts++;
    return spin->trying = true;
}

static bool give_up(fn_spin *spin)
{
    spin->trying = false;
    spin->misses = fn_min_u32(spin->misses + 1, MISSES_MAX);
    spin->skips = (1u << spin->misses) - 1;
    return false;
}

bool fn_spin_goes_on(fn_spin *spin, uint64_t now_ns)
{
    if (spin->budget_ns == 0 || spin->budget_ns == FN_NEVER)
        return spin->budget_ns != 0;
    if (!spin->trying && !begin(spin))
        return false;
    return now_ns - spin->activity_ns < spin->budget_ns || give_up(spin);
}
