#include "base/seq.h"
#include "core/conn_parts.h"

#include <string.h>

enum {
    ACKS_ONLY_MAX = 32,     /* then one asks for an ack, so that old ranges can be forgotten */
    CLOSES = 3,             /* said while nobody acknowledges one */
    SMALL_BYTES = 256,      /* of the probe that has to pass everywhere */
    RECORDS_PER_PACKET = 2, /* itself, and a skipped number after it */
    ACK_BYTES_MAX = 96 /* so that a unit still fits behind it, with a ping and credit, into 1200 */
};
#define CLOCK_PING_NS FN_NS_PER_S

/* One datagram being built. */
typedef struct packet_out {
    fn_conn *conn;
    fn_path *path;
    uint64_t now_ns;
    uint64_t number;
    uint8_t *datagram;
    fn_sent_packet *record;
    fn_writer writer; /* over the frames */
    uint8_t path_id;
    uint8_t header_bytes;
    bool real_time_only; /* no messages in it but those that the rate floor carries */
    bool has_messages;
    bool has_ack;
    bool repeats; /* something in it was sent before */
    bool lone;    /* a question of core/owed.c */
} packet_out;

/* --- begin, note, finish --- */

static bool begin(packet_out *packet, fn_conn *conn, uint8_t path_id, uint64_t now_ns, uint8_t *out,
                  size_t capacity)
{
    if (!fn_sent_reserve(&conn->sent, &conn->store, RECORDS_PER_PACKET) &&
        !(fn_loss_make_room(conn, now_ns) &&
          fn_sent_reserve(&conn->sent, &conn->store, RECORDS_PER_PACKET)))
        return false;
    fn_send_keys *keys = &conn->send_keys;
    if (fn_send_keys_wants_update(keys, conn->config.key_update_packets, conn->config.key_update_ns,
                                  fn_conn_settle_ns(conn), now_ns)) {
        fn_send_keys_update(keys, conn->sent.next, now_ns);
        conn->counters.key_updates++;
    }
    uint64_t number = conn->sent.next;
    uint32_t number_bytes = fn_seq_truncated_bytes(number, conn->loss.largest_acked);
    size_t header_bytes =
        fn_header_encode(out, conn->config.remote_receiver_id, keys->phase, number, number_bytes);
    *packet = (packet_out){.conn = conn,
                           .path = &conn->paths[path_id],
                           .now_ns = now_ns,
                           .number = number,
                           .datagram = out,
                           .record = fn_sent_push(&conn->sent),
                           .path_id = path_id,
                           .header_bytes = (uint8_t)header_bytes,
                           .real_time_only = true};
    size_t frames_bytes = capacity - header_bytes - FN_WIRE_TAG_BYTES;
    packet->writer = fn_writer_make(out + header_bytes, frames_bytes);
    packet->record->path = path_id;
    packet->record->alone = packet->path->hole.plain;
    return true;
}

static void abort_packet(packet_out *packet)
{
    fn_sent_pop_back(&packet->conn->sent, &packet->conn->store);
}

static bool note(packet_out *packet, const fn_sent_note *what)
{
    return fn_sent_note_add(packet->record, &packet->conn->store, what);
}

static void asks_for_ack(packet_out *packet, bool arms)
{
    packet->record->eliciting = true;
    packet->record->arms |= arms;
}

static void account(packet_out *packet, size_t bytes)
{
    fn_conn *conn = packet->conn;
    fn_sent_packet *record = packet->record;
    record->time_ns = packet->now_ns;
    record->bytes = (uint16_t)bytes;
    packet->path->sent_bytes += bytes;
    fn_conn_count_sent(conn, bytes, packet->now_ns);
    conn->acks_only = record->eliciting ? 0 : conn->acks_only + 1;
    fn_sent_left(&conn->sent, record);
    if (!record->eliciting)
        return;
    conn->loss.eliciting_sent++;
    if (record->arms)
        conn->loss.armed_ns = packet->now_ns;
    fn_idle_on_sent(&conn->idle, packet->now_ns);
    fn_owed_on_sent(conn, packet->now_ns);
    conn->loss.unanswered_ns = fn_min_u64(conn->loss.unanswered_ns, packet->now_ns);
    if (record->counted) {
        fn_congestion_on_sent(&packet->path->congestion, bytes, packet->now_ns);
        fn_pacer_sent(&packet->path->pacer, bytes, packet->now_ns);
    }
    if (conn->rate_capped)
        fn_bucket_take(&conn->rate_max, bytes, packet->now_ns);
}

static void skip_number(fn_conn *conn)
{
    fn_sent_skip(&conn->sent);
    conn->skip_in = fn_conn_draw_skip(conn);
}

static size_t finish(packet_out *packet)
{
    fn_conn *conn = packet->conn;
    assert(!packet->writer.failed && fn_writer_bytes(&packet->writer) > 0);
    size_t frames_bytes = fn_writer_bytes(&packet->writer);
    fn_send_keys_seal(&conn->send_keys, packet->number, packet->datagram, packet->header_bytes,
                      packet->datagram + packet->header_bytes, frames_bytes);
    size_t bytes = packet->header_bytes + frames_bytes + FN_WIRE_TAG_BYTES;
    account(packet, bytes);
    conn->alone = packet->record->alone;
    if (conn->skip_in-- == 0)
        skip_number(conn);
    return bytes;
}

/* --- frames --- */

static void write_ack(packet_out *packet)
{
    fn_conn *conn = packet->conn;
    if (!fn_ack_wanted(&conn->acks))
        return;
    size_t bytes_max = fn_min_size(ACK_BYTES_MAX, fn_writer_left(&packet->writer));
    fn_writer writer = fn_writer_make(packet->writer.at, bytes_max);
    uint64_t delay_us = fn_ack_delay_ns(&conn->acks, packet->now_ns) / FN_NS_PER_US;
    packet->has_ack = fn_frame_write_ack(&writer, &conn->acks, delay_us);
    if (!packet->has_ack)
        return;
    fn_write_reserve(&packet->writer, fn_writer_bytes(&writer));
    uint64_t largest = fn_ack_range_at(&conn->acks, 0).last;
    note(packet, &(fn_sent_note){.type = FN_FRAME_ACK, .value = largest});
}

/* The ACK leaves for certain now. */
static void commit_ack(packet_out *packet)
{
    if (!packet->has_ack)
        return;
    fn_conn *conn = packet->conn;
    fn_receive_keys_on_ack_sent(&conn->receive_keys, fn_ack_range_at(&conn->acks, 0).last);
    fn_ack_sent(&conn->acks);
}

static void write_ping(packet_out *packet, bool arms)
{
    fn_conn *conn = packet->conn;
    if (fn_writer_left(&packet->writer) < FN_FRAME_PING_BYTES)
        return;
    fn_frame_write_ping(&packet->writer, packet->now_ns);
    conn->ping_due = false;
    conn->clock_at_ns = packet->now_ns + CLOCK_PING_NS;
    asks_for_ack(packet, arms);
}

static void write_credit(packet_out *packet, fn_frame_type type, uint64_t credit)
{
    fn_frame_write_credit(&packet->writer, type, credit);
    asks_for_ack(packet, true);
}

static void write_flow(packet_out *packet)
{
    fn_flow *flow = &packet->conn->flow;
    if (fn_writer_left(&packet->writer) < 2 * FN_FRAME_CREDIT_BYTES_MAX)
        return;
    uint64_t credit = flow->released + flow->window_bytes;
    if (flow->announce && note(packet, &(fn_sent_note){.type = FN_FRAME_WINDOW, .value = credit}))
        write_credit(packet, FN_FRAME_WINDOW, fn_flow_announce(flow));
    if (!flow->say_blocked)
        return;
    if (!note(packet, &(fn_sent_note){.type = FN_FRAME_BLOCKED, .value = flow->limit}))
        return;
    flow->say_blocked = false;
    write_credit(packet, FN_FRAME_BLOCKED, flow->limit);
}

static void pad(packet_out *packet, size_t datagram_bytes)
{
    size_t at = packet->header_bytes + fn_writer_bytes(&packet->writer) + FN_WIRE_TAG_BYTES;
    if (at >= datagram_bytes)
        return;
    size_t bytes = fn_min_size(datagram_bytes - at, fn_writer_left(&packet->writer));
    if (bytes > 0)
        memset(fn_write_reserve(&packet->writer, bytes), FN_FRAME_PADDING, bytes);
}

/* --- messages --- */

/* The most units of the run that fit beside their own overhead; 0 when none do. */
static uint32_t fit(const fn_send_run *run, const fn_writer *writer, fn_message_frame *frame)
{
    size_t left = fn_writer_left(writer);
    frame->bytes = FN_MESSAGE_BYTES_MAX; /* the longest length field, to be on the safe side */
    size_t overhead = fn_frame_message_overhead(frame, true);
    uint32_t bytes = 0;
    uint32_t units = left >= overhead ? fn_send_run_fit(run, left - overhead, &bytes) : 0;
    if (units > 0 && (bytes > 0 || run->message->bytes == 0)) {
        frame->bytes = bytes;
        return units;
    }
    /* Filling the datagram to its end needs no length. */
    overhead = fn_frame_message_overhead(frame, false);
    units = left >= overhead ? fn_send_run_fit(run, left - overhead, &bytes) : 0;
    frame->bytes = bytes;
    return units > 0 && overhead + bytes == left ? units : 0;
}

static void count_message(packet_out *packet, const fn_send_run *run, uint32_t bytes)
{
    fn_conn *conn = packet->conn;
    if (run->again)
        conn->counters.retransmitted_bytes += bytes;
    else if (run->first_unit == 0)
        conn->counters.sent_messages++;
}

static bool write_run(packet_out *packet, fn_channel *channel, fn_send_run *run)
{
    fn_conn *conn = packet->conn;
    const fn_outbound *message = run->message;
    fn_message_frame frame = {.channel = channel->send.channel,
                              .id = message->id,
                              .fragment = message->units > 1,
                              .first_unit = run->first_unit,
                              .total_bytes = message->bytes,
                              .payload = fn_outbound_payload(message, run->first_unit)};
    run->units = fit(run, &packet->writer, &frame);
    if (run->units == 0)
        return false;
    bool kept = channel->send.reliable || message->tagged;
    fn_sent_note what = {.type = FN_FRAME_MESSAGE,
                         .channel = frame.channel,
                         .value = frame.id,
                         .first_unit = run->first_unit,
                         .units = (uint16_t)run->units};
    if (kept && !note(packet, &what))
        return false;
    if (channel->send.reliable && !run->again && run->first_unit == 0)
        fn_flow_charge(&conn->flow, message->bytes);
    size_t left = fn_writer_left(&packet->writer);
    fn_frame_write_message(&packet->writer, &frame);
    count_message(packet, run, frame.bytes);
    asks_for_ack(packet, kept);
    packet->has_messages = true;
    packet->repeats |= run->again;
    /* What goes before the game's stream takes nothing from the floor that carries it. */
    packet->real_time_only &= channel->real_time && !run->again && !conn->channels.out_of_turn;
    fn_send_queue_take(&channel->send, &conn->store, run);
    fn_channels_sent(&conn->channels, channel, (uint32_t)(left - fn_writer_left(&packet->writer)));
    return true;
}

static void write_messages(packet_out *packet, bool real_time_only)
{
    fn_conn *conn = packet->conn;
    fn_channel_permit permit = {.flow = &conn->flow,
                                .message_window = conn->config.limits.send_message_window,
                                .real_time_only = real_time_only};
    fn_channels_begin(&conn->channels);
    fn_send_run run;
    fn_channel *channel = fn_channels_next(&conn->channels, &permit, &run);
    while (channel != NULL) {
        if (!write_run(packet, channel, &run))
            channel->passed = true;
        channel = fn_channels_next(&conn->channels, &permit, &run);
    }
}

/* --- what may leave --- */

/* What the floor carries is not counted, so that a game's own stream never fills the window. */
static void charge(packet_out *packet)
{
    fn_conn *conn = packet->conn;
    size_t bytes = packet->header_bytes + fn_writer_bytes(&packet->writer) + FN_WIRE_TAG_BYTES;
    bool floor = packet->has_messages && packet->real_time_only && !packet->path->stream &&
                 fn_rate_floor_take(&conn->rate_floor, bytes, packet->now_ns);
    packet->record->counted = packet->record->eliciting && !floor && !packet->path->stream;
}

static bool wants_control(const fn_conn *conn, uint64_t now_ns)
{
    return fn_ack_is_due(&conn->acks, now_ns) || conn->ping_due || conn->flow.announce ||
           conn->flow.say_blocked || conn->loss.probes_due > 0 || conn->owed.ask_due;
}

static bool has_queued(const fn_conn *conn)
{
    const fn_channels *channels = &conn->channels;
    uint32_t i = fn_channels_busy_from(channels, 0);
    for (; i < channels->count; i = fn_channels_busy_from(channels, i + 1))
        if (!fn_send_queue_empty(&channels->items[i].send))
            return true;
    return false;
}

static size_t datagram_capacity(const fn_conn *conn, const fn_path *path, size_t capacity)
{
    size_t bytes = fn_min_size(capacity, conn->config.limits.send_datagram_bytes_max);
    if (path->stream)
        return bytes;
    /* After a probe timeout: the path may have shrunk, core/mtu.h wants to see small ones pass. */
    if (conn->loss.probes_due > FN_CONN_PROBES)
        return fn_min_size(bytes, SMALL_BYTES);
    if (conn->loss.probes_due > 0)
        return fn_min_size(bytes, FN_MTU_BASE_BYTES);
    return fn_min_size(bytes, fn_mtu_current(&path->mtu));
}

static void write_data(packet_out *packet, fn_permission may)
{
    fn_conn *conn = packet->conn;
    if (fn_ack_rides(&conn->acks, packet->now_ns))
        write_ack(packet);
    packet->lone = fn_owed_asks(conn, packet->now_ns);
    if (conn->ping_due || packet->lone)
        write_ping(packet, !packet->lone); /* what goes again must not wait for a question */
    if (packet->lone)
        return;
    write_flow(packet);
    if (may != FN_MAY_SEND_NOTHING)
        write_messages(packet, may == FN_MAY_SEND_REAL_TIME);
    write_flow(packet); /* BLOCKED, when the messages ran into the end of their credit */
    bool something = packet->record->eliciting;
    if (something && packet->now_ns >= conn->clock_at_ns)
        write_ping(packet, true);
    if (!something && packet->has_ack && conn->acks_only >= ACKS_ONLY_MAX)
        write_ping(packet, true);
}

static size_t data_packet(fn_conn *conn, uint64_t now_ns, uint8_t *out, size_t capacity)
{
    fn_path *path = fn_conn_active_path(conn);
    conn->pace_at_ns = FN_NEVER;
    if ((!has_queued(conn) && !wants_control(conn, now_ns)) || (path->stream && !path->writable))
        return 0;
    size_t bytes_max = datagram_capacity(conn, path, capacity);
    fn_permission may = fn_permission_now(conn, path, bytes_max, now_ns);
    if (may == FN_MAY_SEND_NOTHING && !wants_control(conn, now_ns))
        return 0;
    packet_out packet;
    if (!begin(&packet, conn, conn->active, now_ns, out, bytes_max))
        return 0;
    write_data(&packet, may);
    bool ack_only = packet.has_ack && !packet.record->eliciting;
    if (fn_writer_bytes(&packet.writer) == 0 || (ack_only && !fn_ack_is_due(&conn->acks, now_ns))) {
        abort_packet(&packet);
        conn->loss.probes_due = 0;
        return 0;
    }
    commit_ack(&packet);
    charge(&packet);
    conn->counters.acks_only += ack_only;
    /* Where bursts vanish, what is to get through leaves by itself. */
    packet.record->alone |=
        conn->loss.probes_due > 0 || (packet.repeats && path->hole.burst_lost > 0);
    if (conn->loss.probes_due > 0 && packet.record->eliciting && !packet.lone)
        conn->loss.probes_due--;
    return finish(&packet);
}

/* --- other packets --- */

/* Challenges and responses, padded; before the session is connected also acks and a ping. */
static size_t path_packet(fn_conn *conn, uint8_t path_id, uint64_t now_ns, uint8_t *out,
                          size_t capacity)
{
    fn_path *path = &conn->paths[path_id];
    bool challenge = fn_path_challenge_due(path, now_ns);
    size_t bytes_max = fn_min_size(capacity, FN_PATH_FIRST_BYTES);
    uint64_t allowance = fn_path_allowance(path);
    if (conn->config.is_client && challenge) /* bounded by its pauses: a way back never runs dry */
        allowance = fn_max_u64(allowance, FN_PATH_FIRST_BYTES);
    if ((!challenge && !path->owes) || (path->stream && !path->writable))
        return 0;
    if (allowance <
        fn_path_credit_wanted(conn->config.is_client || conn->state == FN_CONN_VALIDATING)) {
        if (challenge) /* goes unsaid, and unanswered; the next one comes at its time */
            fn_path_challenge(path, conn->shared.random, now_ns);
        return 0;
    }
    bytes_max = (size_t)fn_min_u64(bytes_max, allowance);
    packet_out packet;
    if (!begin(&packet, conn, path_id, now_ns, out, bytes_max))
        return 0;
    if (path->owes)
        fn_frame_write_path(&packet.writer, FN_FRAME_PATH_RESPONSE, path->response);
    path->owes = false;
    if (challenge) {
        fn_frame_write_path(&packet.writer, FN_FRAME_PATH_CHALLENGE,
                            fn_path_challenge(path, conn->shared.random, now_ns));
        asks_for_ack(&packet, false);
    }
    if (conn->state == FN_CONN_VALIDATING) {
        write_ack(&packet);
        commit_ack(&packet);
    }
    /* A challenge alone only probes: the server would not follow. */
    if (conn->config.is_client && path->state == FN_PATH_CANDIDATE &&
        fn_writer_left(&packet.writer) >= FN_FRAME_PING_BYTES) {
        fn_frame_write_ping(&packet.writer, now_ns);
        asks_for_ack(&packet, false); /* the challenge has a timer of its own */
    }
    if (!path->stream)
        pad(&packet, bytes_max);
    packet.record->alone = true;
    return finish(&packet);
}

/* By itself, because nothing large would get through. */
static size_t too_small_packet(fn_conn *conn, uint8_t path_id, uint64_t now_ns, uint8_t *out)
{
    fn_path *path = &conn->paths[path_id];
    packet_out packet;
    if (!path->says_small || !begin(&packet, conn, path_id, now_ns, out, SMALL_BYTES))
        return 0;
    path->says_small = false;
    note(&packet, &(fn_sent_note){.type = FN_FRAME_PATH_TOO_SMALL, .value = path_id});
    fn_frame_write_path_too_small(&packet.writer);
    asks_for_ack(&packet, true);
    packet.record->alone = true;
    return finish(&packet);
}

static size_t path_packets(fn_conn *conn, uint64_t now_ns, uint8_t *out, size_t capacity,
                           uint8_t *path_id)
{
    for (uint32_t i = 0; i < conn->paths_used; i++) {
        size_t bytes = too_small_packet(conn, (uint8_t)i, now_ns, out);
        if (bytes == 0)
            bytes = path_packet(conn, (uint8_t)i, now_ns, out, capacity);
        if (bytes > 0) {
            *path_id = (uint8_t)i;
            return bytes;
        }
    }
    return 0;
}

/* A PING padded to the size that is to be tried. */
static size_t mtu_probe(fn_conn *conn, uint64_t now_ns, uint8_t *out, size_t capacity)
{
    fn_path *path = fn_conn_active_path(conn);
    uint32_t size = fn_mtu_probe_due(&path->mtu, now_ns);
    if (size == 0 || size > capacity || size > conn->config.limits.send_datagram_bytes_max ||
        conn->state != FN_CONN_CONNECTED || fn_congestion_room(&path->congestion) < size)
        return 0;
    packet_out packet;
    if (!begin(&packet, conn, conn->active, now_ns, out, size))
        return 0;
    write_ping(&packet, true);
    pad(&packet, size);
    packet.record->arms = false; /* its loss is told by what is sent after it */
    packet.record->counted = true;
    packet.record->alone = true;
    fn_mtu_probe_sent(&path->mtu, packet.number, size);
    return finish(&packet);
}

static size_t closing_packet(fn_conn *conn, uint64_t now_ns, uint8_t *out, size_t capacity)
{
    bool close = conn->state == FN_CONN_CLOSING && now_ns >= conn->closing.again_at_ns;
    if (conn->active == FN_CONN_PATH_UNKNOWN || (!close && !conn->closing.answer) ||
        (fn_conn_active_path(conn)->stream && !fn_conn_active_path(conn)->writable))
        return 0;
    packet_out packet;
    if (close)
        conn->closing.again_at_ns = now_ns + fn_conn_settle_ns(conn) / CLOSES;
    conn->closing.answer = false;
    if (!begin(&packet, conn, conn->active, now_ns, out, fn_min_size(capacity, FN_MTU_BASE_BYTES)))
        return 0;
    write_ack(&packet);
    if (close) {
        const fn_closing *closing = &conn->closing;
        fn_close_frame frame = {.application = closing->application,
                                .code = closing->code,
                                .text = (const uint8_t *)closing->text,
                                .text_bytes = closing->text_bytes};
        note(&packet, &(fn_sent_note){.type = FN_FRAME_CLOSE});
        fn_frame_write_close(&packet.writer, &frame);
    }
    if (fn_writer_bytes(&packet.writer) == 0) {
        abort_packet(&packet);
        return 0;
    }
    commit_ack(&packet);
    return finish(&packet);
}

static bool has_waiting(const fn_conn *conn)
{
    const fn_channels *channels = &conn->channels;
    uint32_t i = fn_channels_busy_from(channels, 0);
    for (; i < channels->count; i = fn_channels_busy_from(channels, i + 1))
        if (fn_send_queue_waiting(&channels->items[i].send))
            return true;
    return false;
}

static bool paths_want_packets(const fn_conn *conn, uint64_t now_ns)
{
    for (uint32_t i = 0; i < conn->paths_used; i++)
        if (conn->paths[i].owes || conn->paths[i].says_small ||
            fn_path_challenge_due(&conn->paths[i], now_ns))
            return true;
    return false;
}

bool fn_conn_has_more(fn_conn *conn, uint64_t now_ns)
{
    if (conn->state != FN_CONN_CONNECTED || conn->active == FN_CONN_PATH_UNKNOWN ||
        has_waiting(conn) || wants_control(conn, now_ns) || paths_want_packets(conn, now_ns) ||
        fn_mtu_probe_due(&fn_conn_active_path(conn)->mtu, now_ns) != 0)
        return true;
    conn->pace_at_ns = FN_NEVER;
    conn->quiet_ns = now_ns;
    return false;
}

size_t fn_conn_transmit(fn_conn *conn, uint64_t now_ns, uint8_t *out, size_t capacity,
                        uint8_t *path)
{
    assert(capacity >= FN_CONN_DATAGRAM_BYTES_MIN);
    *path = conn->active;
    if (conn->state == FN_CONN_DEAD)
        return 0;
    if (conn->state == FN_CONN_CLOSING || conn->state == FN_CONN_DRAINING)
        return closing_packet(conn, now_ns, out, capacity);
    fn_send_outcome outcome = fn_conn_outcome(conn);
    fn_channels_expire(&conn->channels, &conn->store, now_ns, &outcome);
    size_t bytes = path_packets(conn, now_ns, out, capacity, path);
    if (bytes == 0 && conn->active != FN_CONN_PATH_UNKNOWN)
        bytes = data_packet(conn, now_ns, out, capacity);
    if (bytes == 0 && conn->active != FN_CONN_PATH_UNKNOWN)
        bytes = mtu_probe(conn, now_ns, out, capacity);
    if (bytes == 0)
        conn->quiet_ns = now_ns;
    return bytes;
}
