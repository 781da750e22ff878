#include "host/stall.h"

#include "host/host.h"

#define LATE_NS FN_NS_PER_S

void fn_stall_notice(fn_host *host, uint64_t now_ns)
{
    uint64_t due_ns = fn_max_u64(host->poll_ns, fn_heap_deadline_ns(&host->timers));
    if (fn_sub_saturating(now_ns, due_ns) > LATE_NS && host->stall.since_ns == 0)
        host->stall.since_ns = host->poll_ns;
}

/* Nothing is left that came during the stall. */
static bool is_over(const fn_host *host, bool emptied)
{
    return emptied && !host->look_full && fn_list_empty(&host->paused_streams);
}

void fn_stall_recall(fn_host *host, bool emptied, uint64_t now_ns)
{
    fn_stall *stall = &host->stall;
    bool over = is_over(host, emptied);
    if (stall->since_ns == 0 || (stall->asked && !over))
        return;
    for (fn_peer *peer = fn_peer_after(host, 0); peer != NULL;
         peer = fn_peer_after(host, peer->id)) {
        if (peer->state != FN_PEER_SESSION)
            continue;
        fn_conn_recall(peer->conn, stall->since_ns, now_ns);
        fn_peer_touch(host, peer);
    }
    stall->asked = !over;
    if (over)
        stall->since_ns = 0;
}
