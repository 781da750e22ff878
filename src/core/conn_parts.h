/*
 * conn_parts.h: what a connection is made of, for the files that are its mechanism:
 *
 *   packet_in    a datagram becomes frames, frames become state
 *   packet_out   state becomes a datagram
 *   permission   what may leave now
 *   loss         acknowledgements, loss, probe timeouts
 *   useless_path one that does not carry 1200 bytes, bursts or anything
 *   timers       deadlines
 *   owed         what a peer that is heard does not give us
 *   report       what the owner is told
 *   closing      how it ends
 *   conn         creation, the application's calls
 *
 * Nobody else includes it.
 */
#ifndef FN_CORE_CONN_PARTS_H
#define FN_CORE_CONN_PARTS_H

#include "core/ack.h"
#include "core/bucket.h"
#include "core/channel.h"
#include "core/conn.h"
#include "core/flow.h"
#include "core/idle.h"
#include "core/keys.h"
#include "core/path.h"
#include "core/rate_floor.h"
#include "core/recent.h"
#include "core/remote_clock.h"
#include "core/replay.h"
#include "core/sent.h"
#include "core/store.h"
#include "core/wire.h"

/* Codes of CLOSE with origin 0: name, number, what the application sees. PROTOCOL.md section 15. */
#define FN_CLOSE_CODE_MAP(X)                                            \
    X(NONE, 0, CLOSED, "")                                              \
    X(INTERNAL, 1, CLOSED, "internal")                                  \
    X(FRAME, 2, PROTOCOL, "malformed frame")                            \
    X(FLOW, 3, PROTOCOL, "flow control exceeded")                       \
    X(MESSAGE, 4, PROTOCOL, "message too large, or its length changed") \
    X(CHANNEL, 5, PROTOCOL, "no such channel")                          \
    X(ACKNOWLEDGEMENT, 6, PROTOCOL, "acknowledged what was never sent") \
    X(KEY_UPDATE, 7, PROTOCOL, "key update too early")                  \
    X(AEAD_LIMIT, 8, LIMIT, "too many forged datagrams")                \
    X(LIMIT, 9, PROTOCOL, "message id beyond the window")               \
    X(STALLED, 10, TIMEOUT,                                             \
      "acknowledged nothing, or left a message unfinished, for the idle timeout")

typedef enum fn_close_code {
#define X(name, value, result, text) FN_CLOSE_##name = (value),
    FN_CLOSE_CODE_MAP(X)
#undef X
} fn_close_code;

/* Loss detection and probe timeout. */
typedef struct fn_loss {
    uint64_t largest_acked;  /* over all paths; FN_SEQ_NONE */
    uint64_t loss_at_ns;     /* when the next packet counts as lost by time; FN_NEVER */
    uint64_t armed_ns;       /* when the last packet left that arms the probe timeout */
    uint64_t unanswered_ns;  /* first ack-eliciting packet since one was acknowledged; FN_NEVER */
    uint64_t first_rtt_ns;   /* of the first RTT sample: persistent congestion counts from there */
    uint64_t walked;         /* records looked at so far */
    uint32_t backoff;        /* probes without an answer */
    uint32_t probes_due;     /* packets that may leave although the window is full */
    uint32_t eliciting_sent; /* packets; wraps */
} fn_loss;

/* How the session ends. */
typedef struct fn_closing {
    uint64_t linger_until_ns; /* LINGERING: CLOSING at the latest */
    uint64_t again_at_ns;     /* CLOSING: when CLOSE leaves (again); DRAINING: FN_NEVER */
    uint64_t dead_at_ns;      /* CLOSING, DRAINING */
    uint32_t code;
    int32_t result;    /* for the CLOSED event */
    uint32_t app_code; /* likewise */
    uint32_t text_bytes;
    bool application;    /* origin */
    bool answer;         /* DRAINING: a CLOSE wants its ACK */
    bool pending;        /* the CLOSED event waits for room */
    bool when_validated; /* the application closed before there was a path: CLOSING follows then */
    char text[FN_CONN_TEXT_BYTES + 1];
} fn_closing;

/* What a peer that is heard keeps from us, and holds our memory with. */
typedef struct fn_owed {
    fn_unfinished unfinished;
    uint64_t overdue_ns;   /* since then the first of these is known to be late; FN_NEVER */
    uint64_t ack_ns;       /* first ack-eliciting packet since one was acknowledged; FN_NEVER */
    uint64_t first_ask_ns; /* of the lone pings since ack_ns */
    uint64_t last_ask_ns;
    uint32_t asks; /* so many were sent */
    bool ask_due;  /* the next packet is a lone ping */
} fn_owed;

struct fn_conn {
    fn_conn_config config; /* its secrets pointers are NULL */
    fn_conn_shared shared;
    fn_store store;
    const fn_congestion_ops *congestion;
    fn_send_keys send_keys;
    fn_receive_keys receive_keys;
    fn_replay replay;
    fn_ack_ledger acks;
    fn_sent sent;
    fn_loss loss;
    fn_flow flow;
    fn_channels channels;
    fn_path paths[FN_CONN_PATHS_MAX];
    fn_idle idle;
    fn_remote_clock remote_clock;
    fn_rate_floor rate_floor;
    fn_bucket rate_max;
    fn_counters counters;
    fn_recent recent;
    fn_closing closing;
    fn_owed owed;
    fn_list ready;         /* fn_inbound: whole, waiting for room among the events */
    fn_list notices;       /* fn_outbound: tagged, finished, likewise */
    uint64_t pace_at_ns;   /* transmit was held back until then; FN_NEVER */
    uint64_t quiet_ns;     /* when transmit last had nothing to send */
    uint64_t clock_at_ns;  /* a PING rides along from then on */
    uint32_t acks_only;    /* packets in a row that asked for no ack */
    uint32_t skip_in;      /* packets until a number is skipped */
    uint8_t state;         /* fn_conn_state */
    uint8_t paths_used;    /* places of `paths` from here on never were */
    uint8_t active;        /* path id */
    uint8_t datagram_path; /* a client's UDP path, also while a stream is in use */
    uint64_t reprobe_ns;   /* client on a stream: pause before UDP is asked again */
    uint64_t asked_ns;     /* loss.unanswered_ns when the path was asked whether it is alive */
    bool ping_due;
    bool met;               /* the other side is connected, too */
    bool alone;             /* what transmit wrote last must leave by itself */
    bool muted;             /* the application has disconnected: nothing is reported any more */
    bool connected_pending; /* events that wait for room */
    bool path_pending;
    bool rate_capped;
    bool window_full; /* something waits for the congestion window */
};

/* The path in use, or NULL. */
static inline fn_path *fn_conn_active_path(fn_conn *conn)
{
    return conn->active == FN_CONN_PATH_UNKNOWN ? NULL : &conn->paths[conn->active];
}

/* PTO of the path in use, without back-off. */
uint64_t fn_conn_probe_timeout_ns(const fn_conn *conn);

/* How long stragglers of what is over are waited for: three probe timeouts, but the other side
 * sets those by acknowledging late, and what waits for it holds a place and memory. */
#define FN_CONN_SETTLE_NS_MAX (3 * FN_NS_PER_S)
uint64_t fn_conn_settle_ns(const fn_conn *conn);

/* conn.c: sets a mark for the numbers of the last seconds. */
void fn_conn_mark(fn_conn *conn, uint64_t now_ns);

/* Before a packet is counted. */
static inline void fn_conn_mark_if_due(fn_conn *conn, uint64_t now_ns)
{
    if (fn_recent_is_due(&conn->recent, now_ns))
        fn_conn_mark(conn, now_ns);
}

static inline void fn_conn_count_sent(fn_conn *conn, size_t bytes, uint64_t now_ns)
{
    fn_conn_mark_if_due(conn, now_ns);
    conn->counters.sent_packets++;
    conn->counters.sent_bytes += bytes;
}

/* Where queues put what they drop. */
static inline fn_send_outcome fn_conn_outcome(fn_conn *conn)
{
    return (fn_send_outcome){.notices = &conn->notices,
                             .dropped = &conn->counters.dropped_messages};
}

enum {
    FN_CONN_PROBES = 2, /* packets that may leave after a probe timeout; from the second timeout in
                           a row on a small one goes before them: it passes where these may not */
    FN_CONN_FIRST_CREDIT_BYTES =
        4 * FN_PATH_FIRST_BYTES /* a client may challenge its server so often */
};

/* --- loss.c --- */

/* An ACK frame. False: it covers what was never sent, close with ACKNOWLEDGEMENT. */
bool fn_loss_on_ack(fn_conn *conn, const fn_ack_frame *ack, uint64_t now_ns);
uint64_t fn_loss_deadline(const fn_conn *conn);
void fn_loss_tick(fn_conn *conn, uint64_t now_ns);
/* One packet will not arrive, for a reason other than congestion. */
void fn_loss_abandon(fn_conn *conn, uint64_t number, uint64_t now_ns);
/* The flight is full: what left more than a probe timeout ago, and nobody acknowledged, counts as
 * lost. False: all of it is younger. */
bool fn_loss_make_room(fn_conn *conn, uint64_t now_ns);
/* The newest packet of that length on that path was refused by the system. */
void fn_loss_abandon_refused(fn_conn *conn, uint8_t path, size_t bytes, uint64_t now_ns);
/* All that left on a path that is gone counts as lost. */
void fn_loss_abandon_path(fn_conn *conn, uint8_t path, uint64_t now_ns);

/* --- report.c --- */

void fn_report_message(fn_conn *conn, uint64_t now_ns, fn_receive_queue *queue,
                       const fn_message_frame *frame, uint32_t charge);
void fn_report_inbound(fn_conn *conn, uint64_t now_ns, fn_receive_queue *queue,
                       fn_inbound *message);
/* Moves what waits into the ring of events, as far as there is room. */
void fn_report_pump(fn_conn *conn, uint64_t now_ns);
/* A message may stay in its datagram: there is room for its event and nothing waits before it. */
bool fn_report_direct(const fn_conn *conn);
/* The tags of what was sent are nobody's business any more. */
void fn_report_drop_notices(fn_conn *conn);
/* Something waits, and there is room. */
bool fn_report_waiting(const fn_conn *conn);

/* --- permission.c --- */

typedef enum fn_permission {
    FN_MAY_SEND_NOTHING,   /* but acknowledgements and control */
    FN_MAY_SEND_REAL_TIME, /* the rate floor has credit */
    FN_MAY_SEND_ALL
} fn_permission;

/* What rate cap, window, pacer and rate floor let leave now; if not all, pace_at_ns says when. */
fn_permission fn_permission_now(fn_conn *conn, fn_path *path, size_t bytes, uint64_t now_ns);

/* --- useless_path.c --- */

/* That path does not carry 1200 bytes: a client leaves it, a server tells its client to. */
void fn_useless_path_found(fn_conn *conn, uint8_t path);
/* A server's telling was lost. */
void fn_useless_path_say(fn_conn *conn, uint8_t path);
/* The other side says so about the path that this came on. */
void fn_useless_path_told(fn_conn *conn, uint8_t path);

/* --- stream_path.c --- */

/* When a client begins to want a stream, or it is certain that the path in use has a black hole;
 * FN_NEVER. */
uint64_t fn_stream_path_deadline(const fn_conn *conn);
/* A client goes over to a stream that it has when UDP is silent, and there goes on asking UDP, with
 * pauses that double. */
void fn_stream_path_tick(fn_conn *conn, uint64_t now_ns);
/* A packet came on a stream that is not in use: the server follows its client there. */
bool fn_stream_path_follows(fn_conn *conn, uint8_t path, uint64_t now_ns);

/* --- owed.c --- */

void fn_owed_init(fn_conn *conn);
/* A packet that asks for an acknowledgement left; one that did was acknowledged. */
void fn_owed_on_sent(fn_conn *conn, uint64_t now_ns);
void fn_owed_on_acked(fn_conn *conn);
/* The packet being written shall hold nothing but a ping and what is acknowledged: whoever has no
 * memory for messages can still answer that. Says so once. */
bool fn_owed_asks(fn_conn *conn, uint64_t now_ns);
/* True: close it, it keeps too much for too long. */
bool fn_owed_tick(fn_conn *conn, uint64_t now_ns);
uint64_t fn_owed_deadline(const fn_conn *conn);

/* --- ahead.c --- */

/* Gives the prepared keystream back when the connection has been quiet
 * for a second, or is at its end. */
void fn_ahead_tick(fn_conn *conn, uint64_t now_ns);
void fn_ahead_free(fn_conn *conn);
uint64_t fn_ahead_deadline(const fn_conn *conn);

/* --- closing.c --- */

/* The other side broke the protocol. */
void fn_closing_violation(fn_conn *conn, uint64_t now_ns, fn_close_code code);
void fn_closing_on_frame(fn_conn *conn, uint64_t now_ns, const fn_close_frame *close);
/* Silence, or no connection in time: over at once, nothing is sent. */
void fn_closing_timeout(fn_conn *conn, const char *text);
void fn_closing_on_validated(fn_conn *conn, uint64_t now_ns); /* the first path was */
void fn_closing_on_acked(fn_conn *conn);
void fn_closing_tick(fn_conn *conn, uint64_t now_ns);
uint64_t fn_closing_deadline(const fn_conn *conn);

/* --- conn.c --- */

/* After how many packets a number is skipped. */
uint32_t fn_conn_draw_skip(const fn_conn *conn);
/* Puts a path into use: the session is connected by the first one. */
void fn_conn_on_validated(fn_conn *conn, uint8_t path, uint64_t now_ns);
/* Opens a candidate in a free place, or in that of the oldest one
 * that is not in use; -1 if none. */
int fn_conn_open_path(fn_conn *conn, uint64_t credit_bytes, uint64_t now_ns);
/* Makes that place a client's candidate again. */
void fn_conn_reopen_path(fn_conn *conn, uint8_t id, uint64_t now_ns);

#endif
