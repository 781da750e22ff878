#include "base/seq.h"
#include "core/conn_parts.h"

enum {
    PACKET_THRESHOLD = 3, /* RFC 9002 §6.1.1 */
    ROOM_PACKETS = 32,    /* made at once */
    SPAN_PACKETS = 256    /* below the largest acknowledged: what is older is lost on any path */
};

/* What one ACK frame brought. */
typedef struct ack_outcome {
    uint64_t largest; /* newly acknowledged; FN_SEQ_NONE */
    uint64_t sent_ns; /* of that packet */
    uint8_t path;     /* likewise */
    bool any_eliciting;
} ack_outcome;

/* --- what happens to the frames of a packet --- */

static void message_note(fn_conn *conn, const fn_sent_note *note, bool acked)
{
    fn_channel *channel = fn_channels_find(&conn->channels, note->channel);
    fn_send_outcome outcome = fn_conn_outcome(conn);
    if (acked)
        fn_send_queue_on_acked(&channel->send, &conn->store, note->value, note->first_unit,
                               note->units, &outcome);
    else
        fn_send_queue_on_lost(&channel->send, &conn->store, note->value, note->first_unit,
                              note->units, &outcome);
}

static void note_acked(fn_conn *conn, const fn_sent_note *note)
{
    switch (note->type) {
    case FN_FRAME_MESSAGE:
        message_note(conn, note, true);
        return;
    case FN_FRAME_ACK:
        fn_ack_forget_below(&conn->acks, note->value + 1);
        return;
    case FN_FRAME_CLOSE:
        fn_closing_on_acked(conn);
        return;
    default:
        return;
    }
}

static void note_lost(fn_conn *conn, const fn_sent_note *note)
{
    switch (note->type) {
    case FN_FRAME_MESSAGE:
        message_note(conn, note, false);
        return;
    case FN_FRAME_WINDOW:
        fn_flow_on_window_lost(&conn->flow, note->value);
        return;
    case FN_FRAME_BLOCKED:
        fn_flow_on_blocked_lost(&conn->flow, note->value);
        return;
    case FN_FRAME_PATH_TOO_SMALL:
        fn_useless_path_say(conn, (uint8_t)note->value);
        return;
    default:
        return;
    }
}

/* --- what tells of the path --- */

/* The system may have sent both in one piece. */
static bool left_together(const fn_sent_packet *first, const fn_sent_packet *next)
{
    return first != NULL && next != NULL && first->path == next->path &&
           first->time_ns == next->time_ns && first->bytes >= next->bytes && !first->alone &&
           !next->alone && first->state != FN_SENT_SKIPPED && next->state != FN_SENT_SKIPPED;
}

static void burst_acked(fn_conn *conn, uint64_t number, const fn_sent_packet *packet)
{
    if (left_together(fn_sent_at(&conn->sent, number - 1), packet) ||
        left_together(packet, fn_sent_at(&conn->sent, number + 1)))
        fn_black_hole_on_burst_acked(&conn->paths[packet->path].hole);
}

static void burst_lost(fn_conn *conn, uint64_t number, const fn_sent_packet *packet)
{
    fn_black_hole *hole = &conn->paths[packet->path].hole;
    const fn_sent_packet *before = fn_sent_at(&conn->sent, number - 1);
    const fn_sent_packet *after = fn_sent_at(&conn->sent, number + 1);
    bool with_before = left_together(before, packet);
    bool with_after = left_together(packet, after);
    if ((with_before && before->state == FN_SENT_DONE) ||
        (with_after && after->state == FN_SENT_DONE))
        fn_black_hole_on_burst_acked(hole);
    else if (with_before || with_after)
        fn_black_hole_on_burst_lost(hole);
}

/* A client may have been told by the other side, which is not disproved by what it sends itself. */
static void size_acked(const fn_conn *conn, fn_path *path)
{
    fn_path_stop_asking(path);
    path->useless &= conn->config.is_client;
}

/* Candidates are being asked anyway, and so is a server that is not connected yet. */
static void size_lost(fn_conn *conn, uint64_t number, const fn_sent_packet *packet, uint64_t now_ns)
{
    fn_path *path = &conn->paths[packet->path];
    uint64_t largest_acked = path->largest_acked == FN_SEQ_NONE ? 0 : path->largest_acked;
    if (path->stream || path->state != FN_PATH_VALIDATED || !conn->met)
        return;
    if (fn_black_hole_on_lost(&path->hole, number, packet->bytes, largest_acked))
        fn_path_ask(path, now_ns);
    if (!packet->alone)
        burst_lost(conn, number, packet);
}

/* --- acknowledged --- */

static void packet_acked(fn_conn *conn, uint64_t number, fn_sent_packet *packet, uint64_t now_ns)
{
    fn_path *path = &conn->paths[packet->path];
    if (path->largest_acked == FN_SEQ_NONE || number > path->largest_acked)
        path->largest_acked = number;
    if (packet->counted)
        fn_congestion_on_acked(&path->congestion, packet->bytes, packet->time_ns,
                               path->rtt.smoothed_ns, now_ns);
    fn_mtu_on_acked(&path->mtu, number, packet->bytes, now_ns);
    if (fn_black_hole_on_acked(&path->hole, number, packet->bytes))
        size_acked(conn, path);
    if (path->hole.burst_lost > 0 && !packet->alone)
        burst_acked(conn, number, packet);
    fn_send_keys_on_acked(&conn->send_keys, number);
    for (uint32_t i = 0; i < packet->note_count; i++)
        note_acked(conn, fn_sent_note_at(packet, i));
    fn_sent_finish(&conn->sent, packet, FN_SENT_DONE, &conn->store);
}

static void range_acked(fn_conn *conn, fn_ack_range range, uint64_t now_ns, ack_outcome *outcome)
{
    uint64_t first = range.first > conn->sent.base ? range.first : conn->sent.base;
    conn->loss.walked += fn_sub_saturating(range.last + 1, first);
    for (uint64_t number = first; number <= range.last; number++) {
        fn_sent_packet *packet = fn_sent_at(&conn->sent, number);
        if (packet != NULL && packet->state == FN_SENT_LOST) {
            conn->counters.spurious_losses++;
            packet->state = FN_SENT_DONE;
        }
        if (packet == NULL || packet->state != FN_SENT_OUT)
            continue;
        if (outcome->largest == FN_SEQ_NONE || number > outcome->largest) {
            outcome->largest = number;
            outcome->sent_ns = packet->time_ns;
            outcome->path = packet->path;
        }
        outcome->any_eliciting |= packet->eliciting;
        packet_acked(conn, number, packet, now_ns);
    }
}

/* RFC 9000 §21.4: an acknowledgement of a number that never left was given without receipt. */
static bool covers_unsent(fn_conn *conn, const fn_ack_frame *ack)
{
    if (ack->ranges[0].last >= conn->sent.next)
        return true;
    for (uint32_t i = 0; i < ack->range_count; i++) {
        uint64_t first = fn_max_u64(ack->ranges[i].first, conn->sent.base);
        conn->loss.walked += fn_sub_saturating(ack->ranges[i].last + 1, first);
        for (uint64_t number = first; number <= ack->ranges[i].last; number++) {
            const fn_sent_packet *packet = fn_sent_at(&conn->sent, number);
            if (packet != NULL && packet->state == FN_SENT_SKIPPED)
                return true;
        }
    }
    return false;
}

static void sample_rtt(fn_conn *conn, const fn_ack_frame *ack, const ack_outcome *outcome,
                       uint64_t now_ns)
{
    /* The delay field speaks of the frame's largest number; RFC 9002 §5.1. */
    if (!outcome->any_eliciting || outcome->largest != ack->ranges[0].last)
        return;
    uint64_t delay_ns = fn_mul_saturating(ack->delay_us, FN_NS_PER_US);
    fn_rtt_sample(&conn->paths[outcome->path].rtt, fn_sub_saturating(now_ns, outcome->sent_ns),
                  delay_ns);
    if (conn->loss.first_rtt_ns == FN_NEVER)
        conn->loss.first_rtt_ns = now_ns;
}

/* --- lost --- */

static void packet_gone(fn_conn *conn, uint64_t number, fn_sent_packet *packet, bool congestion,
                        uint64_t now_ns)
{
    fn_path *path = &conn->paths[packet->path];
    bool probe = fn_mtu_is_probe(&path->mtu, number);
    uint64_t counted_bytes = packet->counted ? packet->bytes : 0;
    if (congestion && !probe) {
        fn_congestion_on_lost(&path->congestion, counted_bytes, packet->time_ns, now_ns);
        size_lost(conn, number, packet, now_ns);
        conn->counters.lost_packets++;
    } else {
        fn_congestion_on_removed(&path->congestion, counted_bytes);
    }
    if (congestion || probe)
        fn_mtu_on_lost(&path->mtu, number, packet->bytes, now_ns);
    for (uint32_t i = 0; i < packet->note_count; i++)
        note_lost(conn, fn_sent_note_at(packet, i));
    fn_sent_finish(&conn->sent, packet, FN_SENT_LOST, &conn->store);
}

/* Lost by number, lost by time, or when it will be (RFC 9002 §6.1). TCP loses nothing, so what a
 * stream left behind was not taken in by the other side, or its acknowledgement was forgotten: it
 * must go again all the same. What is newest on a stream is TCP's business until that dies. */
static uint64_t lost_at(const fn_conn *conn, uint64_t number, const fn_sent_packet *packet)
{
    const fn_path *path = &conn->paths[packet->path];
    bool in_use = packet->path == conn->active || conn->active == FN_CONN_PATH_UNKNOWN;
    /* Whoever acknowledges only what is newest shall not make the walk of every ACK longer. */
    if (conn->loss.largest_acked - number > SPAN_PACKETS)
        return 0;
    if (!in_use) {
        /* A path that was left may never bring an acknowledgement again: later packets on the one
         * in use were acknowledged, that has to do. */
        const fn_rtt *active = &conn->paths[conn->active].rtt;
        return packet->time_ns +
               fn_max_u64(fn_rtt_loss_delay_ns(&path->rtt), fn_rtt_loss_delay_ns(active));
    }
    if (path->largest_acked == FN_SEQ_NONE || number > path->largest_acked)
        return FN_NEVER;
    if (path->largest_acked - number >= PACKET_THRESHOLD)
        return 0;
    return packet->time_ns + fn_rtt_loss_delay_ns(&path->rtt);
}

/* Nothing acknowledged among packets lost over so long a time: RFC 9002 §7.6. */
static void check_persistent(fn_conn *conn, uint8_t path_id, uint64_t first_ns, uint64_t last_ns,
                             uint64_t now_ns)
{
    fn_path *path = &conn->paths[path_id];
    if (first_ns < conn->loss.first_rtt_ns ||
        last_ns - first_ns <= fn_rtt_persistent_ns(&path->rtt))
        return;
    fn_congestion_on_persistent_congestion(&path->congestion, now_ns);
    fn_rtt_forget_min(&path->rtt);
}

static void detect(fn_conn *conn, uint64_t now_ns)
{
    conn->loss.loss_at_ns = FN_NEVER;
    if (conn->loss.largest_acked == FN_SEQ_NONE)
        return;
    uint64_t run_first_ns = FN_NEVER;
    conn->loss.walked += fn_sub_saturating(conn->loss.largest_acked, conn->sent.base);
    for (uint64_t number = conn->sent.base; number < conn->loss.largest_acked; number++) {
        fn_sent_packet *packet = fn_sent_at(&conn->sent, number);
        if (packet == NULL || packet->state == FN_SENT_DONE)
            run_first_ns = FN_NEVER;
        if (packet == NULL || packet->state != FN_SENT_OUT || !packet->eliciting)
            continue;
        uint64_t at_ns = lost_at(conn, number, packet);
        if (at_ns > now_ns) {
            conn->loss.loss_at_ns = fn_min_u64(conn->loss.loss_at_ns, at_ns);
            continue;
        }
        bool congested = packet->path == conn->active && !conn->paths[packet->path].stream;
        if (run_first_ns == FN_NEVER && congested)
            run_first_ns = packet->time_ns;
        if (congested)
            check_persistent(conn, packet->path, run_first_ns, packet->time_ns, now_ns);
        packet_gone(conn, number, packet, congested, now_ns);
    }
}

static void refresh(fn_conn *conn, uint64_t now_ns)
{
    if (conn->loss.largest_acked != FN_SEQ_NONE)
        fn_sent_trim(&conn->sent, conn->loss.largest_acked, &conn->store);
    for (uint32_t i = 0; i < conn->paths_used; i++)
        if (conn->paths[i].state == FN_PATH_VALIDATED)
            fn_path_refresh(&conn->paths[i], now_ns);
}

bool fn_loss_on_ack(fn_conn *conn, const fn_ack_frame *ack, uint64_t now_ns)
{
    if (covers_unsent(conn, ack))
        return false;
    ack_outcome outcome = {.largest = FN_SEQ_NONE};
    for (uint32_t i = 0; i < ack->range_count; i++)
        range_acked(conn, ack->ranges[i], now_ns, &outcome);
    if (outcome.largest == FN_SEQ_NONE)
        return true;
    if (conn->loss.largest_acked == FN_SEQ_NONE || outcome.largest > conn->loss.largest_acked)
        conn->loss.largest_acked = outcome.largest;
    sample_rtt(conn, ack, &outcome, now_ns);
    if (outcome.any_eliciting) {
        fn_owed_on_acked(conn);
        conn->loss.backoff = 0;
        conn->loss.probes_due = 0;
        conn->loss.unanswered_ns = FN_NEVER;
    }
    detect(conn, now_ns);
    refresh(conn, now_ns);
    return true;
}

/* --- time --- */

/* Unreliable traffic arms nothing, except when a full window waits for its acknowledgement. */
static bool is_armed(const fn_conn *conn)
{
    if (conn->active == FN_CONN_PATH_UNKNOWN || conn->paths[conn->active].stream)
        return false;
    return conn->sent.out_arming > 0 || (conn->window_full && conn->sent.out_eliciting > 0);
}

uint64_t fn_loss_deadline(const fn_conn *conn)
{
    if (conn->loss.loss_at_ns != FN_NEVER)
        return conn->loss.loss_at_ns;
    if (!is_armed(conn) || conn->loss.probes_due > 0)
        return FN_NEVER;
    const fn_rtt *rtt = &conn->paths[conn->active].rtt;
    uint64_t from_ns = conn->sent.out_arming > 0 ? conn->loss.armed_ns : conn->idle.sent_ns;
    return from_ns + fn_rtt_probe_timeout_ns(rtt, conn->loss.backoff);
}

/* The frames of the oldest packets that are out go again in the probes; the packets stay out. */
static void requeue_oldest(fn_conn *conn)
{
    uint32_t packets = 0;
    for (uint64_t number = conn->sent.base; number < conn->sent.next && packets < FN_CONN_PROBES;
         number++) {
        fn_sent_packet *packet = fn_sent_at(&conn->sent, number);
        if (packet->state != FN_SENT_OUT || !packet->arms)
            continue;
        for (uint32_t i = 0; i < packet->note_count; i++) {
            const fn_sent_note *note = fn_sent_note_at(packet, i);
            fn_channel *channel = note->type == FN_FRAME_MESSAGE
                                      ? fn_channels_find(&conn->channels, note->channel)
                                      : NULL;
            if (channel == NULL || channel->send.reliable)
                note_lost(conn, note);
        }
        packets++;
    }
}

void fn_loss_tick(fn_conn *conn, uint64_t now_ns)
{
    if (now_ns < fn_loss_deadline(conn))
        return;
    if (conn->loss.loss_at_ns != FN_NEVER) {
        detect(conn, now_ns);
        refresh(conn, now_ns);
        return;
    }
    conn->loss.backoff++;
    conn->loss.probes_due = FN_CONN_PROBES + (conn->loss.backoff > 1 ? 1 : 0);
    conn->counters.probes++;
    conn->ping_due = true;
    requeue_oldest(conn);
}

void fn_loss_abandon(fn_conn *conn, uint64_t number, uint64_t now_ns)
{
    fn_sent_packet *packet = fn_sent_at(&conn->sent, number);
    if (packet != NULL && packet->state == FN_SENT_OUT)
        packet_gone(conn, number, packet, false, now_ns);
}

void fn_loss_abandon_refused(fn_conn *conn, uint8_t path, size_t bytes, uint64_t now_ns)
{
    for (uint64_t number = conn->sent.next; number > conn->sent.base; number--) {
        const fn_sent_packet *packet = fn_sent_at(&conn->sent, number - 1);
        if (packet->state != FN_SENT_OUT || packet->path != path || packet->bytes != bytes)
            continue;
        fn_loss_abandon(conn, number - 1, now_ns);
        return;
    }
}

/* From the newest on down: a client may open and leave paths packet by packet, and what was sent on
 * those is young. */
static uint64_t oldest_on(fn_conn *conn, uint8_t path)
{
    uint64_t number = conn->sent.next;
    for (uint32_t left = conn->sent.out_on[path]; left > 0 && number > conn->sent.base;) {
        const fn_sent_packet *packet = fn_sent_at(&conn->sent, --number);
        left -= packet->state == FN_SENT_OUT && packet->path == path;
    }
    conn->loss.walked += 2 * (conn->sent.next - number);
    return number;
}

void fn_loss_abandon_path(fn_conn *conn, uint8_t path, uint64_t now_ns)
{
    for (uint64_t number = oldest_on(conn, path); number < conn->sent.next; number++) {
        const fn_sent_packet *packet = fn_sent_at(&conn->sent, number);
        if (packet->state == FN_SENT_OUT && packet->path == path)
            fn_loss_abandon(conn, number, now_ns);
    }
}

/* In a long silence nothing is acknowledged, and unreliable traffic arms no probe: without this
 * the ledger would fill, and nothing could leave any more, not even the probes that end it. */
bool fn_loss_make_room(fn_conn *conn, uint64_t now_ns)
{
    uint64_t timeout_ns = fn_conn_probe_timeout_ns(conn);
    uint64_t base = conn->sent.base;
    for (uint32_t i = 0; i < ROOM_PACKETS && conn->sent.base < conn->sent.next; i++) {
        fn_sent_packet *packet = fn_sent_at(&conn->sent, conn->sent.base);
        bool out = packet->state == FN_SENT_OUT && packet->eliciting;
        if (out && now_ns < packet->time_ns + timeout_ns)
            break;
        if (out)
            packet_gone(conn, conn->sent.base, packet, packet->path == conn->active, now_ns);
        fn_sent_drop_front(&conn->sent, &conn->store);
    }
    return conn->sent.base > base;
}
