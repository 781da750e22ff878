#include "base/seq.h"
#include "core/conn_parts.h"

/* One datagram that was opened. */
typedef struct packet_in {
    uint64_t now_ns;
    uint64_t number;
    fn_ack_class class; /* how urgently it wants to be acknowledged */
    uint8_t path;       /* FN_CONN_PATH_UNKNOWN: from an address that opens no candidate */
    bool newest;        /* the highest number so far */
    bool withhold;      /* not all of it was taken in: must not be acknowledged */
    bool has_ack;       /* one ACK frame was read */
    uint32_t bytes;     /* of the datagram */
} packet_in;

static void raise_class(packet_in *packet, fn_ack_class class)
{
    if (class > packet->class)
        packet->class = class;
}

/* --- messages --- */

static void on_outcome(fn_conn *conn, packet_in *packet, const fn_message_frame *frame,
                       fn_channel *channel, fn_receive_outcome outcome, fn_inbound *whole)
{
    switch (outcome) {
    case FN_RECEIVE_DIRECT: {
        uint64_t cost = channel->send.reliable ? fn_flow_cost(frame->bytes) : 0;
        fn_report_message(conn, packet->now_ns, &channel->receive, frame, (uint32_t)cost);
        whole = fn_receive_queue_next_ready(&channel->receive, &conn->store);
        break;
    }
    case FN_RECEIVE_MEMORY:
        packet->withhold = true;
        return;
    case FN_RECEIVE_LOST:
        packet->withhold = true; /* nobody shall believe that it was delivered */
        conn->counters.dropped_messages++;
        return;
    case FN_RECEIVE_DROPPED:
        conn->counters.dropped_messages++;
        return;
    case FN_RECEIVE_BAD_FLOW:
        fn_closing_violation(conn, packet->now_ns, FN_CLOSE_FLOW);
        return;
    case FN_RECEIVE_BAD_MESSAGE:
        fn_closing_violation(conn, packet->now_ns, FN_CLOSE_MESSAGE);
        return;
    case FN_RECEIVE_BAD_LIMIT:
        fn_closing_violation(conn, packet->now_ns, FN_CLOSE_LIMIT);
        return;
    case FN_RECEIVE_NOTHING:
    case FN_RECEIVE_WHOLE:
        break;
    }
    while (whole != NULL) {
        fn_report_inbound(conn, packet->now_ns, &channel->receive, whole);
        whole = fn_receive_queue_next_ready(&channel->receive, &conn->store);
    }
}

static void on_message(fn_conn *conn, packet_in *packet, const fn_message_frame *frame)
{
    /* The library's own numbers have no user yet. The application is not one: it would get what no
     * peer's application has sent. */
    bool ours = frame->channel >= FASTNET_CHANNELS_MAX;
    fn_channel *channel = ours ? NULL : fn_channels_find(&conn->channels, frame->channel);
    if (channel == NULL) {
        fn_closing_violation(conn, packet->now_ns, FN_CLOSE_CHANNEL);
        return;
    }
    if (frame->total_bytes > conn->config.limits.message_bytes_max) {
        fn_closing_violation(conn, packet->now_ns, FN_CLOSE_MESSAGE);
        return;
    }
    raise_class(packet, channel->send.reliable ? FN_ACK_USUAL : FN_ACK_LAZY);
    fn_receive_context context = {.store = &conn->store,
                                  .flow = &conn->flow,
                                  .now_ns = packet->now_ns,
                                  .unfinished = &conn->owed.unfinished,
                                  .message_window = conn->config.limits.receive_message_window,
                                  .direct = fn_report_direct(conn)};
    fn_inbound *whole;
    fn_receive_outcome outcome = fn_receive_queue_frame(&channel->receive, &context, frame, &whole);
    fn_channels_received(&conn->channels, channel);
    if (!fn_list_empty(&channel->receive.partials))
        fn_pool_offer(conn->store.pool, &conn->store.account);
    on_outcome(conn, packet, frame, channel, outcome, whole);
}

/* --- other frames --- */

/* Until it is connected the other side says nothing but what belongs to paths. */
static void on_met(fn_conn *conn)
{
    fn_path *path = fn_conn_active_path(conn);
    conn->met = true;
    if (path != NULL)
        fn_path_stop_asking(path);
}

/* Each costs a walk over the ledger: a datagram has room for one. */
static void on_ack(fn_conn *conn, packet_in *packet, const fn_ack_frame *ack)
{
    if (packet->has_ack)
        fn_closing_violation(conn, packet->now_ns, FN_CLOSE_FRAME);
    else if (!fn_loss_on_ack(conn, ack, packet->now_ns))
        fn_closing_violation(conn, packet->now_ns, FN_CLOSE_ACKNOWLEDGEMENT);
    packet->has_ack = true;
}

static void on_response(fn_conn *conn, packet_in *packet, uint64_t data)
{
    if (packet->path == FN_CONN_PATH_UNKNOWN)
        return;
    fn_path *path = &conn->paths[packet->path];
    uint32_t bytes_max =
        fn_min_u32(conn->config.datagram_bytes_max, conn->config.limits.send_datagram_bytes_max);
    if (path->state != FN_PATH_UNUSED && fn_path_answered(path, data, bytes_max, packet->now_ns))
        fn_conn_on_validated(conn, packet->path, packet->now_ns);
    /* A server has to be asked until it is connected, too: what it may send until then depends on
     * how much it gets. */
    if (conn->config.is_client && !conn->met && path->state == FN_PATH_VALIDATED)
        fn_path_ask_later(path, packet->now_ns);
}

static void on_challenge(fn_conn *conn, packet_in *packet, uint64_t data)
{
    raise_class(packet, FN_ACK_USUAL);
    if (packet->path == FN_CONN_PATH_UNKNOWN)
        return;
    conn->paths[packet->path].response = data;
    conn->paths[packet->path].owes = true;
}

static void on_frame(fn_conn *conn, packet_in *packet, const fn_frame *frame)
{
    if (!conn->met && (frame->type == FN_FRAME_PING || frame->type == FN_FRAME_MESSAGE))
        on_met(conn);
    switch (frame->type) {
    case FN_FRAME_PADDING:
        return;
    case FN_FRAME_PING:
        raise_class(packet, FN_ACK_URGENT);
        fn_remote_clock_sample(&conn->remote_clock, frame->as.time_ns, packet->now_ns,
                               conn->active != FN_CONN_PATH_UNKNOWN
                                   ? fn_rtt_min_ns(&conn->paths[conn->active].rtt)
                                   : 0);
        return;
    case FN_FRAME_ACK:
        on_ack(conn, packet, &frame->as.ack);
        return;
    case FN_FRAME_PATH_CHALLENGE:
        on_challenge(conn, packet, frame->as.data);
        return;
    case FN_FRAME_PATH_RESPONSE:
        on_response(conn, packet, frame->as.data);
        return;
    case FN_FRAME_WINDOW:
        raise_class(packet, FN_ACK_USUAL);
        fn_flow_on_window(&conn->flow, frame->as.credit);
        return;
    case FN_FRAME_BLOCKED:
        raise_class(packet, FN_ACK_USUAL);
        fn_flow_on_blocked(&conn->flow, frame->as.credit);
        return;
    case FN_FRAME_PATH_TOO_SMALL:
        raise_class(packet, FN_ACK_USUAL);
        fn_useless_path_told(conn, packet->path);
        return;
    case FN_FRAME_CLOSE:
        fn_closing_on_frame(conn, packet->now_ns, &frame->as.close);
        return;
    case FN_FRAME_MESSAGE:
        on_message(conn, packet, &frame->as.message);
        return;
    }
}

/* Once the session is ending, only how it ends still matters. */
static bool is_heard(const fn_conn *conn, fn_frame_type type)
{
    if (conn->state < FN_CONN_CLOSING)
        return true;
    return type == FN_FRAME_ACK || type == FN_FRAME_CLOSE;
}

static void on_frames(fn_conn *conn, packet_in *packet, const uint8_t *frames, size_t bytes)
{
    fn_reader reader = fn_reader_make(frames, bytes);
    if (bytes == 0)
        fn_closing_violation(conn, packet->now_ns, FN_CLOSE_FRAME);
    while (fn_reader_left(&reader) > 0) {
        fn_frame frame;
        if (!fn_frame_read(&reader, &frame)) {
            fn_closing_violation(conn, packet->now_ns, FN_CLOSE_FRAME);
            return;
        }
        if (is_heard(conn, frame.type))
            on_frame(conn, packet, &frame);
        else if (frame.type == FN_FRAME_MESSAGE)
            packet->withhold = true;
    }
}

/* --- paths --- */

static bool has_more_than_probes(const uint8_t *frames, size_t bytes)
{
    fn_reader reader = fn_reader_make(frames, bytes);
    fn_frame frame;
    while (fn_reader_left(&reader) > 0 && fn_frame_read(&reader, &frame))
        if (!fn_frame_is_probing(frame.type))
            return true;
    return false;
}

/* The server follows its client to a new address, but only the newest packet leads there: an old
 * one that somebody delayed or copied does not (RFC 9000 §9.3). */
static bool may_move(const fn_conn *conn, const packet_in *packet, const uint8_t *frames,
                     size_t bytes)
{
    return !conn->config.is_client && packet->newest && conn->state < FN_CONN_CLOSING &&
           has_more_than_probes(frames, bytes);
}

static bool opens_candidate(fn_conn *conn, packet_in *packet, const uint8_t *frames, size_t bytes)
{
    if (!may_move(conn, packet, frames, bytes))
        return false;
    int id = fn_conn_open_path(conn, 0, packet->now_ns);
    if (id < 0)
        return false;
    packet->path = (uint8_t)id;
    if (conn->active != FN_CONN_PATH_UNKNOWN)
        fn_path_ask(fn_conn_active_path(conn), packet->now_ns);
    return true;
}

/* A client that comes back to an address which it had before: that has to prove itself anew. */
static void check_return(fn_conn *conn, const packet_in *packet, const uint8_t *frames,
                         size_t bytes)
{
    if (packet->path == FN_CONN_PATH_UNKNOWN || packet->path == conn->active ||
        conn->paths[packet->path].state != FN_PATH_VALIDATED ||
        !may_move(conn, packet, frames, bytes))
        return;
    if (fn_stream_path_follows(conn, packet->path, packet->now_ns))
        return;
    fn_path_doubt(&conn->paths[packet->path], packet->now_ns);
    fn_path_ask(fn_conn_active_path(conn), packet->now_ns);
}

/* --- the datagram --- */

static bool open_datagram(fn_conn *conn, packet_in *packet, const fn_header *header,
                          uint8_t *datagram, size_t bytes)
{
    fn_keys_opened opened =
        fn_receive_keys_open(&conn->receive_keys, header->phase, packet->number, datagram,
                             header->bytes, datagram + header->bytes, bytes - header->bytes);
    if (opened == FN_KEYS_FAILED) {
        conn->counters.rejected_packets++;
        if (conn->receive_keys.failed_opens >= FN_KEYS_FAILED_OPENS_MAX)
            fn_closing_violation(conn, packet->now_ns, FN_CLOSE_AEAD_LIMIT);
        return false;
    }
    fn_replay_accept(&conn->replay, packet->number);
    if (opened == FN_KEYS_OPENED_NEXT &&
        !fn_receive_keys_advance(&conn->receive_keys, packet->number, packet->now_ns,
                                 fn_conn_settle_ns(conn)))
        fn_closing_violation(conn, packet->now_ns, FN_CLOSE_KEY_UPDATE);
    return true;
}

static void on_opened(fn_conn *conn, packet_in *packet, const uint8_t *frames, size_t bytes)
{
    fn_conn_mark_if_due(conn, packet->now_ns);
    conn->counters.received_packets++;
    conn->counters.received_bytes += packet->bytes;
    fn_idle_on_received(&conn->idle, packet->now_ns);
    if (packet->path != FN_CONN_PATH_UNKNOWN)
        conn->paths[packet->path].received_bytes += packet->bytes;
    on_frames(conn, packet, frames, bytes);
    if (!packet->withhold)
        fn_ack_received(&conn->acks, packet->number, packet->now_ns, packet->class);
    fn_report_pump(conn, packet->now_ns);
}

fn_conn_received fn_conn_receive(fn_conn *conn, uint64_t now_ns, uint8_t *path, uint8_t *datagram,
                                 size_t bytes)
{
    fn_header header;
    /* A candidate that was given up is a stranger again. */
    bool stranger = *path >= FN_CONN_PATHS_MAX || conn->paths[*path].state == FN_PATH_UNUSED;
    if (conn->state == FN_CONN_DEAD || (stranger && conn->config.is_client) ||
        bytes > conn->config.limits.receive_datagram_bytes_max ||
        !fn_header_decode(datagram, bytes, &header))
        return FN_CONN_DROPPED;
    packet_in packet = {.now_ns = now_ns,
                        .path = stranger ? FN_CONN_PATH_UNKNOWN : *path,
                        .bytes = (uint32_t)bytes};
    packet.number = fn_seq_expand(conn->acks.next_expected, header.truncated, header.number_bytes);
    packet.newest = !conn->replay.any || packet.number > conn->replay.largest;
    packet.class = FN_ACK_SILENT;
    if (!fn_replay_check(&conn->replay, packet.number)) {
        conn->counters.rejected_packets++;
        return FN_CONN_DROPPED;
    }
    if (!open_datagram(conn, &packet, &header, datagram, bytes))
        return FN_CONN_DROPPED;
    const uint8_t *frames = datagram + header.bytes;
    size_t frames_bytes = bytes - header.bytes - FN_WIRE_TAG_BYTES;
    bool opened_path = stranger && opens_candidate(conn, &packet, frames, frames_bytes);
    check_return(conn, &packet, frames, frames_bytes);
    *path = packet.path;
    on_opened(conn, &packet, frames, frames_bytes);
    return opened_path ? FN_CONN_NEW_PATH : FN_CONN_ACCEPTED;
}
