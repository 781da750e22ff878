#include "core/conn_parts.h"

/*
 * A peer that is heard keeps its session, and with it the memory that its messages take here. Two
 * things it owes in return: an acknowledgement now and then, and the rest of each message that it
 * began. Who lets the idle timeout pass without them is closed.
 *
 * An application that reads nothing there is no reason: its side may have no memory left for our
 * messages, and must not acknowledge them. So the question that counts is a lone ping, which anyone
 * can answer. Nor is a pause of our own: whatever the clock says, the peer is asked first.
 */

enum {
    ASK_AFTER = 2,  /* part of the timeout that passes before the first question */
    ASK_EVERY = 80, /* and between two: at 50 % loss each way most answers get lost */
    ASKS_MIN = 3,
    GRACE = 8 /* part of the timeout that a peer has for its answer, whatever was before */
};

static uint64_t timeout_ns(const fn_conn *conn)
{
    uint64_t ms = conn->config.limits.idle_timeout_ms;
    return ms == 0 ? FN_NEVER : ms * FN_NS_PER_MS;
}

void fn_owed_init(fn_conn *conn)
{
    conn->owed = (fn_owed){.overdue_ns = FN_NEVER, .ack_ns = FN_NEVER};
    fn_unfinished_init(&conn->owed.unfinished);
}

void fn_owed_on_sent(fn_conn *conn, uint64_t now_ns)
{
    conn->owed.ack_ns = fn_min_u64(conn->owed.ack_ns, now_ns);
}

void fn_owed_on_acked(fn_conn *conn)
{
    conn->owed.ack_ns = FN_NEVER;
    conn->owed.asks = 0;
    conn->owed.ask_due = false;
}

bool fn_owed_asks(fn_conn *conn, uint64_t now_ns)
{
    if (!conn->owed.ask_due)
        return false;
    conn->owed.ask_due = false;
    conn->owed.last_ask_ns = now_ns;
    if (conn->owed.asks++ == 0)
        conn->owed.first_ask_ns = now_ns;
    return true;
}

/* --- an acknowledgement --- */

/* When the next question is due, or when the last one was in vain. */
static uint64_t ask_at(const fn_conn *conn)
{
    const fn_owed *owed = &conn->owed;
    if (owed->ack_ns == FN_NEVER || timeout_ns(conn) == FN_NEVER || owed->ask_due)
        return FN_NEVER;
    return owed->asks == 0 ? owed->ack_ns + timeout_ns(conn) / ASK_AFTER
                           : owed->last_ask_ns + timeout_ns(conn) / ASK_EVERY;
}

static bool tick_ack(fn_conn *conn, uint64_t now_ns)
{
    fn_owed *owed = &conn->owed;
    if (now_ns < ask_at(conn))
        return false;
    /* Who is not heard either is core/idle's. */
    bool heard = owed->asks >= ASKS_MIN && conn->idle.received_ns >= owed->first_ask_ns;
    if (heard && now_ns >= owed->ack_ns + timeout_ns(conn) &&
        now_ns >= owed->first_ask_ns + timeout_ns(conn) / GRACE)
        return true;
    owed->ask_due = true;
    return false;
}

/* --- the rest of a message --- */

static uint64_t late_at(const fn_conn *conn)
{
    const fn_inbound *first = fn_unfinished_first(&conn->owed.unfinished);
    return first == NULL ? FN_NEVER : fn_add_saturating(first->since_ns, timeout_ns(conn));
}

/* On a line that loses half of what it carries a message can wait for its turn longer than that,
 * while others go on: enough came if it would have done for a fragment of each. */
static bool others_went_on(const fn_unfinished *unfinished)
{
    return unfinished->units - fn_unfinished_first(unfinished)->units_before >= unfinished->count;
}

/* What was lost while we stood still comes again once the other side hears of it. */
static uint64_t rest_at(const fn_conn *conn)
{
    return conn->owed.overdue_ns == FN_NEVER ? late_at(conn)
                                             : conn->owed.overdue_ns + timeout_ns(conn) / GRACE;
}

static bool tick_rest(fn_conn *conn, uint64_t now_ns)
{
    fn_owed *owed = &conn->owed;
    while (now_ns >= late_at(conn) && others_went_on(&owed->unfinished)) {
        fn_unfinished_wait(&owed->unfinished, fn_unfinished_first(&owed->unfinished), now_ns);
        owed->overdue_ns = FN_NEVER;
    }
    if (now_ns < late_at(conn)) {
        owed->overdue_ns = FN_NEVER;
    } else if (owed->overdue_ns == FN_NEVER) {
        owed->overdue_ns = now_ns;
        conn->ping_due = true;
    } else {
        return now_ns >= rest_at(conn);
    }
    return false;
}

bool fn_owed_tick(fn_conn *conn, uint64_t now_ns)
{
    if (conn->state == FN_CONN_VALIDATING)
        return false;
    return tick_ack(conn, now_ns) || tick_rest(conn, now_ns);
}

uint64_t fn_owed_deadline(const fn_conn *conn)
{
    return conn->state == FN_CONN_VALIDATING ? FN_NEVER : fn_min_u64(ask_at(conn), rest_at(conn));
}
