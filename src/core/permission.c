#include "core/conn_parts.h"

static bool rate_allows(const fn_conn *conn, size_t bytes, uint64_t now_ns)
{
    return !conn->rate_capped || fn_bucket_allows(&conn->rate_max, bytes, now_ns);
}

fn_permission fn_permission_now(fn_conn *conn, fn_path *path, size_t bytes, uint64_t now_ns)
{
    if (!rate_allows(conn, bytes, now_ns)) {
        conn->pace_at_ns = fn_bucket_deadline(&conn->rate_max, bytes, now_ns);
        return FN_MAY_SEND_NOTHING;
    }
    if (conn->loss.probes_due > 0 || path->stream)
        return FN_MAY_SEND_ALL;
    conn->window_full = fn_congestion_room(&path->congestion) == 0;
    if (!conn->window_full && fn_pacer_can_send(&path->pacer, bytes, now_ns))
        return FN_MAY_SEND_ALL;
    if (!conn->window_full)
        conn->pace_at_ns = fn_pacer_deadline(&path->pacer, bytes, now_ns);
    if (fn_rate_floor_allows(&conn->rate_floor, bytes, now_ns))
        return FN_MAY_SEND_REAL_TIME;
    uint64_t floor_at_ns = fn_rate_floor_deadline(&conn->rate_floor, bytes, now_ns);
    conn->pace_at_ns = fn_min_u64(conn->pace_at_ns, floor_at_ns);
    return FN_MAY_SEND_NOTHING;
}
