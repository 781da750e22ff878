#include "core/conn_parts.h"

/* How much traffic makes a connection worth it, and how much silence ends it. */
enum { PACKETS_BEFORE = 16 };
#define BUSY_NS  (50 * FN_NS_PER_MS)
#define QUIET_NS FN_NS_PER_S

static fn_keystream *make(fn_conn *conn)
{
    fn_keystream *keystream = fn_store_alloc_as(&conn->store, sizeof *keystream, FN_POOL_LUXURY);
    if (keystream != NULL)
        fn_keystream_init(keystream);
    return keystream;
}

static bool is_worth_it(const fn_conn *conn, uint64_t now_ns)
{
    return conn->state == FN_CONN_CONNECTED && conn->counters.received_packets >= PACKETS_BEFORE &&
           fn_sub_saturating(now_ns, conn->idle.received_ns) < BUSY_NS;
}

bool fn_conn_prepare(fn_conn *conn, uint64_t now_ns)
{
    fn_send_keys *send = &conn->send_keys;
    fn_receive_keys *receive = &conn->receive_keys;
    if (!is_worth_it(conn, now_ns))
        return false;
    if (send->ahead == NULL)
        send->ahead = make(conn);
    if (receive->ahead == NULL)
        receive->ahead = make(conn);
    if (send->ahead != NULL && fn_keystream_prepare(send->ahead, &send->key, conn->sent.next))
        return true;
    return receive->ahead != NULL &&
           fn_keystream_prepare(receive->ahead, &receive->current, conn->acks.next_expected);
}

static void give_back(fn_conn *conn, fn_keystream **keystream)
{
    if (*keystream == NULL)
        return;
    fn_keystream_wipe(*keystream);
    fn_store_free(&conn->store, *keystream);
    *keystream = NULL;
}

void fn_ahead_free(fn_conn *conn)
{
    give_back(conn, &conn->send_keys.ahead);
    give_back(conn, &conn->receive_keys.ahead);
}

uint64_t fn_ahead_deadline(const fn_conn *conn)
{
    if (conn->send_keys.ahead == NULL && conn->receive_keys.ahead == NULL)
        return FN_NEVER;
    return conn->idle.received_ns + QUIET_NS;
}

void fn_ahead_tick(fn_conn *conn, uint64_t now_ns)
{
    if (now_ns >= fn_ahead_deadline(conn))
        fn_ahead_free(conn);
}
