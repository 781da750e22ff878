#include "core/conn_parts.h"

enum {
    SILENT_PROBES = 3,     /* unanswered probe timeouts that make UDP silent */
    REPROBE_CHALLENGES = 4 /* in one attempt to get back to UDP */
};
/* A server that stalls for a moment must not have all its clients attach at once. */
#define SILENCE_NS_MIN FN_NS_PER_S
/* Nor may a server that acknowledges late keep its client on a way that is gone: a little longer
 * than the longest round trip that is believed. */
#define SILENCE_NS_MAX (FN_RTT_SAMPLE_NS_MAX + 2 * FN_NS_PER_S)
/* TCP itself needs seconds to mend a loss. */
#define STREAM_SILENCE_NS_MIN (3 * FN_NS_PER_S)
#define REPROBE_NS_FIRST      FN_NS_PER_S
#define REPROBE_NS_MAX        (4 * FN_NS_PER_S)

static const fn_path *find_stream(const fn_conn *conn)
{
    for (uint32_t i = 0; i < conn->paths_used; i++)
        if (conn->paths[i].state != FN_PATH_UNUSED && conn->paths[i].stream)
            return &conn->paths[i];
    return NULL;
}

static bool on_stream(const fn_conn *conn)
{
    return conn->active != FN_CONN_PATH_UNKNOWN && conn->paths[conn->active].stream;
}

/* How long the path in use may leave what was sent on it unanswered. What comes from the other side
 * is no answer: a path may lead one way only. Nor is it counted in probes: whoever sends all the
 * time puts his probe timeout off all the time. */
static uint64_t patience_ns(const fn_conn *conn)
{
    uint64_t least_ns = on_stream(conn) ? STREAM_SILENCE_NS_MIN : SILENCE_NS_MIN;
    uint64_t probes_ns = fn_min_u64(SILENT_PROBES * fn_conn_probe_timeout_ns(conn), SILENCE_NS_MAX);
    return fn_max_u64(least_ns, probes_ns);
}

static uint64_t silent_at_ns(const fn_conn *conn)
{
    if (conn->active == FN_CONN_PATH_UNKNOWN)
        return 0;
    return fn_add_saturating(conn->loss.unanswered_ns, patience_ns(conn));
}

/* Half of that time after something was said, the path itself is asked: until then it may have been
 * another one that was spoken to, or a message that nobody sends again. */
static uint64_t ask_at_ns(const fn_conn *conn)
{
    if (conn->active == FN_CONN_PATH_UNKNOWN || conn->asked_ns == conn->loss.unanswered_ns)
        return FN_NEVER;
    return fn_add_saturating(conn->loss.unanswered_ns, patience_ns(conn) / 2);
}

/* A client's UDP path does not carry what it must. */
static bool is_useless(const fn_conn *conn)
{
    uint8_t id = conn->state == FN_CONN_VALIDATING ? conn->datagram_path : conn->active;
    return id != FN_CONN_PATH_UNKNOWN && fn_path_is_useless(&conn->paths[id]);
}

/* When a client cannot go on over UDP. */
static uint64_t wants_at_ns(const fn_conn *conn)
{
    if (!conn->config.is_client || conn->state >= FN_CONN_CLOSING || on_stream(conn) ||
        conn->config.stream_after_ns == FN_NEVER)
        return FN_NEVER;
    if (is_useless(conn))
        return 0;
    return conn->state == FN_CONN_VALIDATING ? conn->config.stream_after_ns : silent_at_ns(conn);
}

bool fn_conn_wants_stream(const fn_conn *conn, uint64_t now_ns)
{
    return find_stream(conn) == NULL && now_ns >= wants_at_ns(conn);
}

bool fn_conn_is_unheard(const fn_conn *conn, uint64_t now_ns)
{
    return conn->config.is_client && conn->state != FN_CONN_VALIDATING &&
           conn->state < FN_CONN_CLOSING && !on_stream(conn) && now_ns >= silent_at_ns(conn);
}

static bool is_client_on_stream(const fn_conn *conn)
{
    return conn->config.is_client && conn->state < FN_CONN_CLOSING && on_stream(conn);
}

bool fn_conn_stream_is_silent(const fn_conn *conn, uint64_t now_ns)
{
    return is_client_on_stream(conn) && now_ns >= silent_at_ns(conn);
}

/* A client that could do something about it. */
static bool watches(const fn_conn *conn)
{
    return is_client_on_stream(conn) ||
           (conn->state != FN_CONN_VALIDATING && wants_at_ns(conn) != FN_NEVER);
}

static uint64_t verdict_at_ns(const fn_conn *conn)
{
    return conn->active == FN_CONN_PATH_UNKNOWN ? FN_NEVER
                                                : conn->paths[conn->active].hole.verdict_at_ns;
}

uint64_t fn_stream_path_deadline(const fn_conn *conn)
{
    uint64_t verdict_ns = verdict_at_ns(conn);
    uint64_t at_ns = is_client_on_stream(conn) ? silent_at_ns(conn) : wants_at_ns(conn);
    at_ns = at_ns > conn->quiet_ns ? at_ns : FN_NEVER;
    at_ns = fn_min_u64(at_ns, verdict_ns);
    return watches(conn) ? fn_min_u64(at_ns, ask_at_ns(conn)) : at_ns;
}

static void ask_path(fn_conn *conn, uint64_t now_ns)
{
    if (!watches(conn) || now_ns < ask_at_ns(conn))
        return;
    conn->ping_due = true;
    conn->asked_ns = conn->loss.unanswered_ns;
}

/* --- the client goes on asking UDP --- */

static void ask_udp(fn_conn *conn, uint64_t at_ns)
{
    fn_path *path = &conn->paths[conn->datagram_path];
    if (path->state == FN_PATH_UNUSED || path->stream) {
        fn_conn_reopen_path(conn, conn->datagram_path, at_ns);
    } else {
        fn_path_doubt(path, at_ns);
        path->received_bytes = FN_CONN_FIRST_CREDIT_BYTES;
    }
    path->persistent = false;
}

/* --- coming and going --- */

static void move_to(fn_conn *conn, uint8_t path, uint64_t now_ns)
{
    uint8_t old = conn->active;
    fn_conn_on_validated(conn, path, now_ns);
    if (old != FN_CONN_PATH_UNKNOWN && old != path)
        fn_loss_abandon_path(conn, old, now_ns);
    if (!conn->config.is_client)
        return;
    conn->reprobe_ns = REPROBE_NS_FIRST;
    ask_udp(conn, now_ns + REPROBE_NS_FIRST);
}

void fn_stream_path_tick(fn_conn *conn, uint64_t now_ns)
{
    if (now_ns >= verdict_at_ns(conn) &&
        fn_black_hole_is_due(&conn->paths[conn->active].hole, now_ns) && !conn->config.is_client)
        fn_useless_path_found(conn, conn->active);
    const fn_path *stream = find_stream(conn);
    if (stream != NULL && now_ns >= wants_at_ns(conn))
        move_to(conn, (uint8_t)(stream - conn->paths), now_ns);
    ask_path(conn, now_ns);
    if (!is_client_on_stream(conn))
        return;
    const fn_path *path = &conn->paths[conn->datagram_path];
    if (path->state == FN_PATH_CANDIDATE && path->challenges_sent < REPROBE_CHALLENGES)
        return;
    /* One more has left when transmit came before the tick. */
    if (path->state == FN_PATH_CANDIDATE && path->challenges_sent == REPROBE_CHALLENGES &&
        now_ns < path->challenge_at_ns)
        return;
    ask_udp(conn, now_ns + conn->reprobe_ns);
    conn->reprobe_ns = fn_min_u64(2 * conn->reprobe_ns, REPROBE_NS_MAX);
}

int fn_conn_stream_add(fn_conn *conn, uint64_t now_ns)
{
    if (conn->state >= FN_CONN_CLOSING)
        return -1;
    int id = fn_conn_open_path(conn, 0, now_ns);
    if (id < 0)
        return -1;
    fn_path *path = &conn->paths[id];
    fn_path_open_stream(path, conn->congestion, now_ns);
    bool first = conn->state == FN_CONN_VALIDATING;
    if (first || (conn->config.is_client ? now_ns >= silent_at_ns(conn) || is_useless(conn)
                                         : conn->active == FN_CONN_PATH_UNKNOWN))
        move_to(conn, (uint8_t)id, now_ns);
    return id;
}

void fn_conn_stream_writable(fn_conn *conn, uint8_t path, bool writable)
{
    if (path < FN_CONN_PATHS_MAX && conn->paths[path].stream)
        conn->paths[path].writable = writable;
}

/* The newest validated UDP path, if any. */
static uint8_t udp_path(const fn_conn *conn)
{
    uint8_t best = FN_CONN_PATH_UNKNOWN;
    for (uint32_t i = 0; i < conn->paths_used; i++) {
        const fn_path *path = &conn->paths[i];
        if (path->state != FN_PATH_VALIDATED || path->stream)
            continue;
        if (best == FN_CONN_PATH_UNKNOWN || path->began_ns > conn->paths[best].began_ns)
            best = (uint8_t)i;
    }
    return best;
}

void fn_conn_stream_lost(fn_conn *conn, uint64_t now_ns, uint8_t path)
{
    if (path >= FN_CONN_PATHS_MAX || !conn->paths[path].stream ||
        conn->paths[path].state == FN_PATH_UNUSED)
        return;
    conn->paths[path].state = FN_PATH_UNUSED;
    fn_loss_abandon_path(conn, path, now_ns);
    if (conn->active != path)
        return;
    conn->active = udp_path(conn);
    conn->path_pending = conn->active != FN_CONN_PATH_UNKNOWN;
    if (conn->config.is_client && conn->state < FN_CONN_CLOSING)
        ask_udp(conn, now_ns);
}

bool fn_stream_path_follows(fn_conn *conn, uint8_t path, uint64_t now_ns)
{
    if (path == FN_CONN_PATH_UNKNOWN || !conn->paths[path].stream)
        return false;
    if (path != conn->active)
        move_to(conn, path, now_ns);
    return true;
}
