#include "core/conn.h"

#include "base/seq.h"
#include "core/conn_parts.h"

#include <string.h>

static_assert(sizeof(struct fn_conn) + 4096 / 8 + 5 * sizeof(fn_channel) <=
                  FN_CONN_OBJECT_BYTES_MAX,
              "with the default window and channels");

static_assert((int)FN_SENT_PATHS == FN_CONN_PATHS_MAX, "one count for each path");

enum {
    SKIP_PACKETS_MAX = 512, /* between numbers never sent, half of it on average: RFC 9000 §21.4 */
    SKIPPED_ONE_IN = SKIP_PACKETS_MAX / 2,
    RIDING_BYTES = 64, /* frames that go before a message: ACK, PING, WINDOW */
};

uint32_t fn_conn_draw_skip(const fn_conn *conn)
{
    return fn_random_below(conn->shared.random, SKIP_PACKETS_MAX);
}

static size_t replay_offset(void)
{
    return fn_align_up(sizeof(struct fn_conn), 16);
}

static size_t replay_bytes(const fn_conn_config *config)
{
    return fn_replay_words(config->limits.receive_replay_window_packets) * sizeof(uint64_t);
}

size_t fn_conn_bytes(const fn_conn_config *config, const fn_conn_shared *shared)
{
    return replay_offset() + replay_bytes(config) + fn_channels_bytes(shared->channel_count);
}

static void init_parts(fn_conn *conn, uint8_t *memory, uint64_t now_ns)
{
    const fn_conn_config *config = &conn->config;
    fn_send_keys_init(&conn->send_keys, config->send_secret, now_ns);
    fn_receive_keys_init(&conn->receive_keys, config->receive_secret);
    fn_replay_init(&conn->replay, (uint64_t *)(void *)(memory + replay_offset()),
                   config->limits.receive_replay_window_packets);
    fn_ack_init(&conn->acks);
    fn_sent_init(&conn->sent, config->limits.send_packets_max);
    fn_flow_init(&conn->flow, config->limits.send_window_bytes,
                 config->limits.receive_window_bytes);
    fn_channels_init(&conn->channels, memory + replay_offset() + replay_bytes(config),
                     conn->shared.channels, conn->shared.channel_count);
    fn_idle_init(&conn->idle, config->limits.idle_timeout_ms * FN_NS_PER_MS, config->keepalive_ns,
                 now_ns);
    fn_remote_clock_init(&conn->remote_clock);
    fn_recent_init(&conn->recent, now_ns);
    fn_rate_floor_init(&conn->rate_floor, config->rate_floor_bytes_per_s, now_ns);
    fn_list_init(&conn->ready);
    fn_list_init(&conn->notices);
    fn_owed_init(conn);
    conn->loss.largest_acked = FN_SEQ_NONE;
    conn->loss.loss_at_ns = FN_NEVER;
    conn->loss.first_rtt_ns = FN_NEVER;
    conn->loss.unanswered_ns = FN_NEVER;
    conn->pace_at_ns = FN_NEVER;
    conn->active = FN_CONN_PATH_UNKNOWN;
    conn->skip_in = fn_conn_draw_skip(conn);
    conn->config.stream_after_ns = fn_add_saturating(now_ns, config->stream_after_ns);
}

/* Memory is short, and nobody holds more of it: what may be lost goes first. */
static void give_back(fn_pool_account *account)
{
    fn_conn *conn = FN_CONTAINER_OF(account, fn_conn, store.account);
    conn->counters.dropped_messages += fn_channels_drop_partials(&conn->channels, &conn->store);
}

fn_conn *fn_conn_create(void *memory, const fn_conn_config *config, const fn_conn_shared *shared,
                        uint64_t now_ns)
{
    fn_conn *conn = memory;
    memset(conn, 0, sizeof *conn);
    conn->config = *config;
    conn->shared = *shared;
    conn->store.pool = shared->pool;
    conn->congestion =
        fn_congestion_find(config->congestion != NULL ? config->congestion : "cubic");
    if (conn->congestion == NULL)
        return NULL;
    if (!fn_pool_account_open(shared->pool, &conn->store.account, config->memory_cap_bytes,
                              give_back))
        return NULL;
    init_parts(conn, memory, now_ns);
    conn->config.send_secret = NULL;
    conn->config.receive_secret = NULL;
    if (config->is_client) {
        int id = fn_conn_open_path(conn, FN_CONN_FIRST_CREDIT_BYTES, now_ns);
        conn->paths[id].persistent = true;
    }
    return conn;
}

void fn_conn_destroy(fn_conn *conn)
{
    fn_list_node *node;
    while ((node = fn_list_pop_front(&conn->ready)) != NULL)
        fn_store_free(&conn->store, FN_CONTAINER_OF(node, fn_inbound, link));
    fn_report_drop_notices(conn);
    fn_ahead_free(conn);
    fn_channels_free(&conn->channels, &conn->store, &conn->owed.unfinished);
    fn_sent_free(&conn->sent, &conn->store);
    fn_pool_account_close(conn->store.pool, &conn->store.account);
    fn_send_keys_wipe(&conn->send_keys);
    fn_receive_keys_wipe(&conn->receive_keys);
}

void fn_conn_withdraw(fn_conn *conn)
{
    fn_event *event;
    for (uint32_t i = 0; (event = fn_events_at(conn->shared.events, i)) != NULL; i++) {
        if (event->owner != conn->config.owner || event->type == FN_EVENT_VOID)
            continue;
        fn_event taken = *event;
        event->type = FN_EVENT_VOID;
        if (taken.type == FN_EVENT_MESSAGE)
            fn_conn_release(conn, &taken);
    }
    fn_list_node *node;
    while (conn->muted && (node = fn_list_pop_front(&conn->ready)) != NULL) {
        fn_inbound *message = FN_CONTAINER_OF(node, fn_inbound, link);
        fn_flow_release(&conn->flow, message->charge);
        fn_store_free(&conn->store, message);
    }
}

void fn_conn_release(fn_conn *conn, const fn_event *event)
{
    if (event->held != NULL)
        fn_store_free(&conn->store, event->held);
    if (event->charge > 0)
        fn_flow_release(&conn->flow, event->charge);
    if (!conn->muted)
        fn_report_pump(conn, event->time_ns);
}

/* --- sending --- */

/* Each queue has its bound; reliable ones also have one together, that unreliable messages do not
 * feel: a bulk transfer that fills it must not silence the game. */
static bool queue_is_full(const fn_conn *conn, const fn_channel *channel, size_t bytes)
{
    uint64_t cost = fn_flow_cost((uint32_t)bytes);
    if (channel->send.queued_bytes > 0 &&
        channel->send.queued_bytes + cost > channel->queue_bytes_max)
        return true;
    if (!channel->send.reliable)
        return false;
    uint64_t queued = fn_channels_queued_bytes(&conn->channels);
    return queued > 0 && queued + cost > conn->config.send_queue_bytes_max;
}

/* Only the latest matters: what waits on the channel is replaced, but
 * for one that has partly left. */
static void replace_waiting(fn_conn *conn, fn_channel *channel)
{
    fn_send_outcome outcome = fn_conn_outcome(conn);
    while (fn_send_queue_drop_oldest(&channel->send, &conn->store, &outcome)) {
    }
}

static int enqueue_unreliable(fn_conn *conn, fn_channel *channel, const void *data, size_t bytes,
                              const fn_outbound *like)
{
    if (channel->send.latest_only)
        replace_waiting(conn, channel);
    fn_send_outcome outcome = fn_conn_outcome(conn);
    while (queue_is_full(conn, channel, bytes) ||
           !fn_send_queue_add(&channel->send, &conn->store, data, (uint32_t)bytes, like)) {
        if (!fn_send_queue_drop_oldest(&channel->send, &conn->store, &outcome) &&
            !fn_send_queue_drop_partial(&channel->send, &conn->store, &outcome))
            return FASTNET_ERR_BACKPRESSURE;
    }
    fn_channels_touch(&conn->channels, channel);
    return FASTNET_OK;
}

int fn_conn_send(fn_conn *conn, uint8_t channel_number, const void *data, size_t bytes,
                 const fn_send_options *options)
{
    static const fn_send_options none = {.tagged = false};
    options = options != NULL ? options : &none;
    fn_channel *channel = fn_channels_find(&conn->channels, channel_number);
    if (channel == NULL || (data == NULL && bytes > 0))
        return FASTNET_ERR_ARGUMENT;
    if (bytes > conn->config.limits.message_bytes_max)
        return FASTNET_ERR_TOO_LARGE;
    if (conn->state != FN_CONN_CONNECTED)
        return FASTNET_ERR_STATE;
    uint64_t live_ns =
        options->time_to_live_ns > 0 ? options->time_to_live_ns : channel->time_to_live_ns;
    fn_outbound like = {.tagged = options->tagged, .tag = options->tag, .live_ns = live_ns};
    if (!channel->send.reliable)
        return enqueue_unreliable(conn, channel, data, bytes, &like);
    if (queue_is_full(conn, channel, bytes) ||
        !fn_send_queue_add(&channel->send, &conn->store, data, (uint32_t)bytes, &like))
        return FASTNET_ERR_BACKPRESSURE;
    fn_channels_touch(&conn->channels, channel);
    return FASTNET_OK;
}

void fn_conn_set_rate_max(fn_conn *conn, uint64_t bytes_per_s)
{
    conn->rate_capped = bytes_per_s > 0;
    uint64_t burst = fn_max_u64(bytes_per_s / 8, 2 * (uint64_t)FN_CONN_DATAGRAM_BYTES_MIN);
    fn_bucket_init(&conn->rate_max, bytes_per_s, burst, conn->quiet_ns);
}

/* --- paths --- */

uint64_t fn_conn_probe_timeout_ns(const fn_conn *conn)
{
    if (conn->active == FN_CONN_PATH_UNKNOWN)
        return FN_RTT_TIMEOUT_CAP_NS;
    return fn_rtt_probe_timeout_ns(&conn->paths[conn->active].rtt, 0);
}

uint64_t fn_conn_settle_ns(const fn_conn *conn)
{
    return fn_min_u64(3 * fn_conn_probe_timeout_ns(conn), FN_CONN_SETTLE_NS_MAX);
}

static int place_for_path(const fn_conn *conn)
{
    int best = -1;
    for (int i = 0; i < FN_CONN_PATHS_MAX; i++) {
        const fn_path *path = &conn->paths[i];
        if (path->state == FN_PATH_UNUSED)
            return i;
        if (i == conn->active || path->stream ||
            (conn->config.is_client && i == conn->datagram_path))
            continue;
        const fn_path *other = best >= 0 ? &conn->paths[best] : NULL;
        if (other == NULL || path->state < other->state ||
            (path->state == other->state && path->began_ns < other->began_ns))
            best = i;
    }
    return best;
}

int fn_conn_open_path(fn_conn *conn, uint64_t credit_bytes, uint64_t now_ns)
{
    int id = place_for_path(conn);
    if (id < 0)
        return -1;
    fn_loss_abandon_path(conn, (uint8_t)id, now_ns);
    fn_path_open(&conn->paths[id], conn->congestion, credit_bytes, false, now_ns);
    conn->paths_used = (uint8_t)fn_max_u32(conn->paths_used, (uint32_t)id + 1);
    return id;
}

void fn_conn_reopen_path(fn_conn *conn, uint8_t id, uint64_t now_ns)
{
    fn_path_open(&conn->paths[id], conn->congestion, FN_CONN_FIRST_CREDIT_BYTES, false, now_ns);
}

int fn_conn_path_add(fn_conn *conn, uint64_t now_ns)
{
    if (!conn->config.is_client || conn->state >= FN_CONN_CLOSING)
        return -1;
    return fn_conn_open_path(conn, FN_CONN_FIRST_CREDIT_BYTES, now_ns);
}

void fn_conn_on_validated(fn_conn *conn, uint8_t path, uint64_t now_ns)
{
    bool first = conn->state == FN_CONN_VALIDATING;
    conn->active = path;
    if (!conn->paths[path].stream)
        conn->datagram_path = path;
    conn->loss.backoff = 0;
    conn->loss.unanswered_ns = FN_NEVER; /* it is not to blame for what was before */
    conn->clock_at_ns = now_ns;
    /* The session goes on where it was left: ask for what is missing there at once. And a client
     * that is connected speaks until it is heard, so that the server can be connected too. */
    conn->ping_due = true;
    if (!first) {
        conn->path_pending = true;
        return;
    }
    conn->state = FN_CONN_CONNECTED;
    conn->connected_pending = !conn->muted;
    fn_closing_on_validated(conn, now_ns);
}

void fn_conn_path_too_big(fn_conn *conn, uint8_t path, size_t bytes)
{
    if (path >= FN_CONN_PATHS_MAX || conn->paths[path].state == FN_PATH_UNUSED)
        return;
    fn_mtu *mtu = &conn->paths[path].mtu;
    fn_mtu_on_too_large(mtu, (uint32_t)fn_min_size(bytes, UINT16_MAX), conn->quiet_ns);
    /* What is not even smaller the next time would be refused again at once, and so on. */
    if (bytes > fn_mtu_current(mtu))
        fn_loss_abandon_refused(conn, path, bytes, conn->quiet_ns);
    else if (bytes <= FN_MTU_BASE_BYTES)
        fn_useless_path_found(conn, path);
}

uint8_t fn_conn_path(const fn_conn *conn)
{
    return conn->active;
}

/* --- looking --- */

fn_conn_state fn_conn_get_state(const fn_conn *conn)
{
    return (fn_conn_state)conn->state;
}

bool fn_conn_awaits_answer(const fn_conn *conn)
{
    return conn->sent.out_eliciting > 0;
}

bool fn_conn_is_flushed(const fn_conn *conn)
{
    return fn_channels_is_flushed(&conn->channels);
}

/* Beside an acknowledgement as it usually is, a ping, and credit. A single unit is never cut. */
static uint32_t message_bytes_of_one_datagram(const fn_conn *conn, const fn_path *path)
{
    const fn_message_frame frame = {
        .id = FN_VARINT_MAX, .fragment = true, .total_bytes = UINT16_MAX, .bytes = UINT16_MAX};
    uint32_t datagram =
        path->stream ? conn->config.limits.send_datagram_bytes_max : fn_mtu_current(&path->mtu);
    uint32_t overhead = FN_WIRE_OVERHEAD_BYTES_MAX + RIDING_BYTES +
                        (uint32_t)fn_frame_message_overhead(&frame, true);
    uint32_t bytes = fn_max_u32(FN_UNIT_BYTES, datagram - fn_min_u32(datagram, overhead));
    return fn_min_u32(bytes, conn->config.limits.message_bytes_max);
}

static void path_stats(const fn_conn *conn, const fn_path *path, fn_stats *out)
{
    out->rtt_ns = path->rtt.sampled ? path->rtt.smoothed_ns : 0;
    out->rtt_ns_min = fn_rtt_min_ns(&path->rtt);
    out->rtt_ns_latest = path->rtt.latest_ns;
    out->rtt_variance_ns = path->rtt.sampled ? path->rtt.variance_ns : 0;
    out->congestion_window_bytes = fn_congestion_window(&path->congestion);
    out->bytes_in_flight = path->congestion.in_flight_bytes;
    out->mtu_bytes = fn_mtu_current(&path->mtu);
    out->datagram_message_bytes_max = message_bytes_of_one_datagram(conn, path);
    out->remote_clock_offset_ns = fn_remote_clock_offset_ns(&conn->remote_clock, out->rtt_ns_min);
}

static fn_recent_counts count(const fn_conn *conn)
{
    const fn_counters *counters = &conn->counters;
    return (fn_recent_counts){
        .sent_bytes = counters->sent_bytes,
        .received_bytes = counters->received_bytes,
        .sent = conn->loss.eliciting_sent,
        .lost = (uint32_t)(counters->lost_packets - counters->spurious_losses),
        .received = (uint32_t)counters->received_packets,
        .numbers = conn->replay.any ? (uint32_t)conn->replay.largest + 1 : 0,
    };
}

void fn_conn_mark(fn_conn *conn, uint64_t now_ns)
{
    fn_recent_counts counts = count(conn);
    fn_recent_set_mark(&conn->recent, now_ns, &counts);
}

/* A difference of counters that were not read in order may be negative. */
static uint32_t permille(uint32_t part, uint32_t whole)
{
    if (whole == 0 || (int32_t)part <= 0)
        return 0;
    return (uint32_t)fn_min_u64((uint64_t)part * 1000 / whole, 1000);
}

static uint64_t per_second(uint64_t bytes, uint64_t over_ns)
{
    uint64_t over_ms = over_ns / FN_NS_PER_MS;
    return over_ms > 0 ? bytes * 1000 / over_ms : 0;
}

/* Numbers that the other side never used, on purpose, are no losses: one in SKIPPED_ONE_IN. */
static void recent_stats(const fn_conn *conn, uint64_t now_ns, fn_stats *out)
{
    fn_recent_counts counts = count(conn);
    fn_recent_counts recent;
    uint64_t over_ns = fn_recent_since(&conn->recent, now_ns, &counts, &recent);
    uint32_t expected = recent.numbers - (recent.numbers + SKIPPED_ONE_IN - 1) / SKIPPED_ONE_IN;
    out->send_bytes_per_s = per_second(recent.sent_bytes, over_ns);
    out->receive_bytes_per_s = per_second(recent.received_bytes, over_ns);
    out->loss_permille = permille(recent.lost, recent.sent);
    out->receive_loss_permille = permille(expected - recent.received, expected);
}

void fn_conn_get_stats(const fn_conn *conn, uint64_t now_ns, fn_stats *out)
{
    memset(out, 0, sizeof *out);
    out->counters = conn->counters;
    out->path = conn->active;
    out->queued_bytes = fn_channels_queued_bytes(&conn->channels);
    recent_stats(conn, now_ns, out);
    if (conn->active != FN_CONN_PATH_UNKNOWN)
        path_stats(conn, &conn->paths[conn->active], out);
}

/* --- many sessions --- */

static void prefetch(const void *from, const void *end)
{
    enum { LINE_BYTES = 64 };
    for (const char *line = from; line < (const char *)end; line += LINE_BYTES)
        __builtin_prefetch(line);
}

void fn_conn_prefetch_receiving(const fn_conn *conn)
{
    prefetch(&conn->receive_keys, &conn->sent);
}

void fn_conn_prefetch_sending(const fn_conn *conn)
{
    prefetch(conn, &conn->store + 1);
    prefetch(&conn->send_keys, &conn->send_keys + 1);
    prefetch(&conn->sent, &conn->paths[0]);
    if (conn->active < FN_CONN_PATHS_MAX)
        prefetch(&conn->paths[conn->active], &conn->paths[conn->active] + 1);
    prefetch(&conn->idle, &conn->closing);
    prefetch(&conn->owed, conn + 1);
}
