#include "api/stall.h"

#include "api/endpoint.h"

#define LATE_NS FN_NS_PER_S

void fn_stall_notice(FastNetEndpoint *endpoint, uint64_t now_ns)
{
    uint64_t due_ns = fn_max_u64(endpoint->poll_ns, fn_heap_deadline_ns(&endpoint->timers));
    if (fn_sub_saturating(now_ns, due_ns) > LATE_NS && endpoint->stall.since_ns == 0)
        endpoint->stall.since_ns = endpoint->poll_ns;
}

/* Nothing is left that came during the stall. */
static bool is_over(const FastNetEndpoint *endpoint, bool emptied)
{
    return emptied && !endpoint->look_full && fn_list_empty(&endpoint->paused_streams);
}

void fn_stall_recall(FastNetEndpoint *endpoint, bool emptied, uint64_t now_ns)
{
    fn_stall *stall = &endpoint->stall;
    bool over = is_over(endpoint, emptied);
    if (stall->since_ns == 0 || (stall->asked && !over))
        return;
    for (fn_peer *peer = fn_peer_after(endpoint, 0); peer != NULL;
         peer = fn_peer_after(endpoint, peer->id)) {
        if (peer->state != FN_PEER_SESSION)
            continue;
        fn_conn_recall(peer->conn, stall->since_ns, now_ns);
        fn_peer_touch(endpoint, peer);
    }
    stall->asked = !over;
    if (over)
        stall->since_ns = 0;
}
