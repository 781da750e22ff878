#include "core/idle.h"

#define KEEPALIVES_PER_TIMEOUT 3

static uint64_t or_never(uint64_t duration_ns)
{
    return duration_ns == 0 ? FN_NEVER : duration_ns;
}

void fn_idle_init(fn_idle *idle, uint64_t timeout_ns, uint64_t keepalive_ns, uint64_t now_ns)
{
    *idle = (fn_idle){
        .timeout_ns = or_never(timeout_ns),
        .keepalive_ns = or_never(keepalive_ns),
        .received_ns = now_ns,
        .spoke_ns = FN_NEVER,
        .sent_ns = now_ns,
    };
    if (idle->keepalive_ns != FN_NEVER)
        idle->keepalive_ns =
            fn_min_u64(idle->keepalive_ns, idle->timeout_ns / KEEPALIVES_PER_TIMEOUT);
}

void fn_idle_on_received(fn_idle *idle, uint64_t now_ns)
{
    idle->received_ns = now_ns;
    idle->spoke_ns = FN_NEVER;
}

void fn_idle_on_sent(fn_idle *idle, uint64_t now_ns)
{
    idle->sent_ns = now_ns;
    if (idle->spoke_ns == FN_NEVER)
        idle->spoke_ns = now_ns;
}

bool fn_idle_recall(fn_idle *idle, uint64_t since_ns, uint64_t now_ns)
{
    if (idle->recalled_ns > 0 && idle->received_ns <= idle->recalled_ns)
        return false;
    uint64_t grace_ns = fn_min_u64(FN_IDLE_RECALL_NS, idle->timeout_ns);
    idle->received_ns = fn_min_u64(idle->received_ns, since_ns);
    uint64_t from_ns = idle->spoke_ns <= since_ns ? idle->spoke_ns : idle->received_ns;
    /* It counts as spoken already: the question that leaves now brings no more time than this. */
    idle->spoke_ns = fn_max_u64(from_ns, fn_sub_saturating(now_ns + grace_ns, idle->timeout_ns));
    idle->recalled_ns = now_ns;
    return true;
}

uint64_t fn_idle_timeout_at(const fn_idle *idle)
{
    uint64_t from_ns = idle->spoke_ns == FN_NEVER ? idle->received_ns : idle->spoke_ns;
    return fn_add_saturating(from_ns, idle->timeout_ns);
}

static uint64_t keepalive_at(const fn_idle *idle)
{
    return fn_add_saturating(fn_max_u64(idle->received_ns, idle->sent_ns), idle->keepalive_ns);
}

uint64_t fn_idle_deadline(const fn_idle *idle)
{
    return fn_min_u64(fn_idle_timeout_at(idle), keepalive_at(idle));
}

fn_idle_due fn_idle_check(const fn_idle *idle, uint64_t now_ns)
{
    if (now_ns >= fn_idle_timeout_at(idle))
        return FN_IDLE_TIMEOUT;
    return now_ns >= keepalive_at(idle) ? FN_IDLE_KEEPALIVE : FN_IDLE_NOTHING;
}
