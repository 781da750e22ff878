#include "core/conn_parts.h"

enum {
    RETRY_MS = 10 /* what could not leave (memory) is tried again after that */
};

/* Deadlines that a transmit answers. One that is past although transmit had nothing to send waits
 * for memory or for the window: look again a little later. */
static uint64_t transmit_deadline(const fn_conn *conn)
{
    uint64_t at_ns = conn->pace_at_ns;
    if (conn->active != FN_CONN_PATH_UNKNOWN) {
        at_ns = fn_min_u64(at_ns, fn_ack_deadline(&conn->acks));
        if (conn->state == FN_CONN_CONNECTED)
            at_ns = fn_min_u64(at_ns, fn_mtu_deadline(&conn->paths[conn->active].mtu));
        if (conn->ping_due || conn->loss.probes_due > 0 || conn->flow.announce ||
            conn->owed.ask_due)
            at_ns = 0;
    }
    for (uint32_t i = 0; i < conn->paths_used; i++)
        if (conn->paths[i].state != FN_PATH_UNUSED)
            at_ns = fn_min_u64(at_ns, conn->paths[i].challenge_at_ns);
    if (at_ns > conn->quiet_ns)
        return at_ns;
    return conn->quiet_ns + RETRY_MS * FN_NS_PER_MS;
}

/* Before a path is validated nothing can be said on it: the deadline to connect is what counts
 * then. A keep-alive that is due already waits to be sent. */
static uint64_t idle_deadline(const fn_conn *conn)
{
    if (conn->state == FN_CONN_VALIDATING)
        return FN_NEVER;
    return conn->ping_due ? fn_idle_timeout_at(&conn->idle) : fn_idle_deadline(&conn->idle);
}

uint64_t fn_conn_deadline(const fn_conn *conn)
{
    if (conn->state == FN_CONN_DEAD)
        return FN_NEVER;
    if (fn_report_waiting(conn))
        return 0;
    uint64_t at_ns = fn_closing_deadline(conn);
    if (conn->state >= FN_CONN_CLOSING)
        return at_ns;
    at_ns = fn_min_u64(at_ns, transmit_deadline(conn));
    at_ns = fn_min_u64(at_ns, fn_loss_deadline(conn));
    at_ns = fn_min_u64(at_ns, idle_deadline(conn));
    at_ns = fn_min_u64(at_ns, conn->receive_keys.previous_until_ns);
    at_ns = fn_min_u64(at_ns, fn_channels_deadline(&conn->channels));
    at_ns = fn_min_u64(at_ns, fn_owed_deadline(conn));
    at_ns = fn_min_u64(at_ns, fn_ahead_deadline(conn));
    at_ns = fn_min_u64(at_ns, fn_stream_path_deadline(conn));
    if (conn->state == FN_CONN_VALIDATING)
        at_ns = fn_min_u64(at_ns, conn->config.connect_deadline_ns);
    return at_ns;
}

void fn_conn_recall(fn_conn *conn, uint64_t since_ns, uint64_t now_ns)
{
    bool talks = conn->state == FN_CONN_CONNECTED || conn->state == FN_CONN_LINGERING;
    if (talks && fn_idle_recall(&conn->idle, since_ns, now_ns))
        conn->ping_due = true;
}

static void check_idle(fn_conn *conn, uint64_t now_ns)
{
    if (conn->state == FN_CONN_VALIDATING)
        return;
    switch (fn_idle_check(&conn->idle, now_ns)) {
    case FN_IDLE_TIMEOUT:
        fn_closing_timeout(conn, "nothing heard from the other side for the idle timeout");
        return;
    case FN_IDLE_KEEPALIVE:
        conn->ping_due = true;
        return;
    case FN_IDLE_NOTHING:
        return;
    }
}

/* A client's candidate is its only hope while nothing is heard, and the right one if the server
 * already speaks there. */
static bool may_give_up(const fn_conn *conn, const fn_path *path, uint64_t now_ns)
{
    if (!conn->config.is_client)
        return conn->active != FN_CONN_PATH_UNKNOWN;
    /* Nor is UDP ever given up for a stream. */
    if (conn->active == FN_CONN_PATH_UNKNOWN || conn->paths[conn->active].stream)
        return false;
    return path->received_bytes <= FN_CONN_FIRST_CREDIT_BYTES &&
           now_ns - conn->idle.received_ns <= FN_NS_PER_S;
}

static void check_paths(fn_conn *conn, uint64_t now_ns)
{
    for (uint32_t i = 0; i < conn->paths_used; i++) {
        fn_path *path = &conn->paths[i];
        if (path->state != FN_PATH_UNUSED && may_give_up(conn, path, now_ns) &&
            fn_path_give_up(path, now_ns) && path->state == FN_PATH_UNUSED)
            fn_loss_abandon_path(conn, (uint8_t)i, now_ns);
    }
}

void fn_conn_tick(fn_conn *conn, uint64_t now_ns)
{
    if (conn->state == FN_CONN_VALIDATING && now_ns >= conn->config.connect_deadline_ns)
        fn_closing_timeout(conn, "no answer over UDP: is UDP blocked on the way?");
    if (conn->state < FN_CONN_CLOSING) {
        check_idle(conn, now_ns);
        check_paths(conn, now_ns);
        fn_loss_tick(conn, now_ns);
        fn_receive_keys_tick(&conn->receive_keys, now_ns);
        if (fn_owed_tick(conn, now_ns))
            fn_closing_violation(conn, now_ns, FN_CLOSE_STALLED);
        fn_ahead_tick(conn, now_ns);
        fn_stream_path_tick(conn, now_ns);
        fn_send_outcome outcome = fn_conn_outcome(conn);
        fn_channels_expire(&conn->channels, &conn->store, now_ns, &outcome);
        conn->counters.dropped_messages +=
            fn_channels_expire_partials(&conn->channels, &conn->store, now_ns);
    }
    fn_report_pump(conn, now_ns);
    fn_closing_tick(conn, now_ns);
}
