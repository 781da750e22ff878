#include "core/conn_parts.h"

static fn_event make_event(const fn_conn *conn, fn_event_type type, uint64_t now_ns)
{
    return (fn_event){.type = (uint8_t)type, .owner = conn->config.owner, .time_ns = now_ns};
}

static bool is_open(const fn_conn *conn)
{
    return conn->state != FN_CONN_VALIDATING;
}

bool fn_report_direct(const fn_conn *conn)
{
    return is_open(conn) && !conn->muted && !conn->connected_pending &&
           fn_list_empty(&conn->ready) && fn_events_room(conn->shared.events) > 0;
}

/* Mode 3 promises the latest only: the message that the owner has not taken yet gives way to the one
 * that is whole now. There is at most one, so a stalled owner does not pile them up. */
static void supersede(fn_conn *conn, fn_receive_queue *queue)
{
    if (queue->mode != FASTNET_MODE_UNRELIABLE_SEQUENCED)
        return;
    fn_event *event = fn_events_at_turn(conn->shared.events, queue->turn);
    if (queue->ready != NULL) {
        fn_list_remove(&queue->ready->link);
        fn_store_free(&conn->store, queue->ready);
        queue->ready = NULL;
        conn->counters.dropped_messages++;
    } else if (event != NULL && event->type == FN_EVENT_MESSAGE &&
               event->owner == conn->config.owner && event->channel == queue->channel) {
        if (event->held != NULL)
            fn_store_free(&conn->store, event->held);
        event->type = FN_EVENT_VOID;
        conn->counters.dropped_messages++;
    }
}

void fn_report_message(fn_conn *conn, uint64_t now_ns, fn_receive_queue *queue,
                       const fn_message_frame *frame, uint32_t charge)
{
    fn_event event = make_event(conn, FN_EVENT_MESSAGE, now_ns);
    event.data = frame->payload;
    event.bytes = frame->bytes;
    event.channel = frame->channel;
    event.charge = charge;
    conn->counters.received_messages++;
    supersede(conn, queue);
    queue->turn = fn_events_next_turn(conn->shared.events);
    fn_events_push(conn->shared.events, &event);
}

void fn_report_inbound(fn_conn *conn, uint64_t now_ns, fn_receive_queue *queue, fn_inbound *message)
{
    conn->counters.received_messages++;
    if (conn->muted) {
        fn_flow_release(&conn->flow, message->charge);
        fn_store_free(&conn->store, message);
        return;
    }
    supersede(conn, queue);
    if (queue->mode == FASTNET_MODE_UNRELIABLE_SEQUENCED)
        queue->ready = message;
    fn_list_push_back(&conn->ready, &message->link);
    fn_report_pump(conn, now_ns);
}

static bool push_message(fn_conn *conn, uint64_t now_ns)
{
    fn_list_node *node = fn_list_front(&conn->ready);
    if (node == NULL)
        return false;
    fn_inbound *message = FN_CONTAINER_OF(node, fn_inbound, link);
    fn_event event = make_event(conn, FN_EVENT_MESSAGE, now_ns);
    event.data = fn_inbound_payload(message);
    event.held = message;
    event.bytes = message->bytes;
    event.charge = message->charge;
    event.channel = message->channel;
    uint32_t turn = fn_events_next_turn(conn->shared.events);
    if (!fn_events_push(conn->shared.events, &event))
        return false;
    fn_list_remove(node);
    fn_receive_queue *queue = &fn_channels_find(&conn->channels, message->channel)->receive;
    queue->ready = NULL;
    queue->turn = turn;
    return true;
}

static bool push_notice(fn_conn *conn, uint64_t now_ns)
{
    fn_list_node *node = fn_list_front(&conn->notices);
    if (node == NULL)
        return false;
    fn_outbound *message = FN_CONTAINER_OF(node, fn_outbound, link);
    fn_event event =
        make_event(conn, message->delivered ? FN_EVENT_DELIVERED : FN_EVENT_LOST, now_ns);
    event.tag = message->tag;
    event.channel = message->channel;
    if (!conn->muted && !fn_events_push(conn->shared.events, &event))
        return false;
    fn_list_remove(node);
    fn_store_free(&conn->store, message);
    return true;
}

void fn_report_drop_notices(fn_conn *conn)
{
    fn_list_node *node;
    while ((node = fn_list_pop_front(&conn->notices)) != NULL)
        fn_store_free(&conn->store, FN_CONTAINER_OF(node, fn_outbound, link));
}

/* One event that is no message; *pending says whether it still waits. */
static bool push_flag(fn_conn *conn, bool *pending, const fn_event *event)
{
    if (*pending && (conn->muted || fn_events_push(conn->shared.events, event)))
        *pending = false;
    return !*pending;
}

static bool push_states(fn_conn *conn, uint64_t now_ns)
{
    fn_event connected = make_event(conn, FN_EVENT_CONNECTED, now_ns);
    connected.path = conn->active;
    fn_event changed = make_event(conn, FN_EVENT_PATH_CHANGED, now_ns);
    changed.path = conn->active;
    return push_flag(conn, &conn->connected_pending, &connected) &&
           push_flag(conn, &conn->path_pending, &changed);
}

static void push_closed(fn_conn *conn, uint64_t now_ns)
{
    fn_event closed = make_event(conn, FN_EVENT_CLOSED, now_ns);
    closed.data = (const uint8_t *)conn->closing.text;
    closed.bytes = conn->closing.text_bytes;
    closed.result = conn->closing.result;
    closed.code = conn->closing.app_code;
    if (push_flag(conn, &conn->closing.pending, &closed))
        conn->muted = true; /* nothing comes after it */
}

static bool has_something(const fn_conn *conn)
{
    return conn->connected_pending || conn->path_pending || conn->closing.pending ||
           !fn_list_empty(&conn->ready) || !fn_list_empty(&conn->notices);
}

void fn_report_pump(fn_conn *conn, uint64_t now_ns)
{
    if (!has_something(conn) || !is_open(conn) || !push_states(conn, now_ns))
        return;
    while (push_message(conn, now_ns)) {
    }
    while (push_notice(conn, now_ns)) {
    }
    if (conn->closing.pending && fn_list_empty(&conn->ready) && fn_list_empty(&conn->notices))
        push_closed(conn, now_ns);
}

bool fn_report_waiting(const fn_conn *conn)
{
    return has_something(conn) && is_open(conn) && fn_events_room(conn->shared.events) > 0;
}
