/*
 * conn.h: one encrypted session with one peer.
 *
 * The composition root: it holds no mechanism of its own, only the parts (keys, replay, ack, sent,
 * loss, paths, channels, queues, …) and the order in which they act. Pure: time, randomness and
 * memory are arguments; no sockets, no clock. It never learns what carries its datagrams, it sees
 * small path ids.
 *
 *   owner                         connection
 *   datagram arrived        ->    fn_conn_receive()      opens in place, adds events
 *   application sends       ->    fn_conn_send()         copies into a queue
 *   until it returns 0      ->    fn_conn_transmit()     writes one sealed datagram each time
 *   fn_conn_deadline() came ->    fn_conn_tick()         then transmit again
 *   event was used up       ->    fn_conn_release()      gives memory and credit back
 *
 * After any receive, send, tick or release the owner calls transmit until it
 * returns 0, then reads the deadline. All calls for one connection come from one
 * thread, with a clock that never goes back.
 */
#ifndef FN_CORE_CONN_H
#define FN_CORE_CONN_H

#include "base/pool.h"
#include "core/channel_table.h"
#include "core/event.h"
#include "core/hello.h"
#include "core/stats.h"
#include "crypto/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fn_conn fn_conn;

enum {
    FN_CONN_PATHS_MAX = 4,
    FN_CONN_PATH_UNKNOWN = 0xff,
    FN_CONN_TEXT_BYTES = 256,
    FN_CONN_DATAGRAM_BYTES_MIN = 1200,
    FN_CONN_OBJECT_BYTES_MAX = 8192
};

/* PROTOCOL.md section 13, from VALIDATING on. */
typedef enum fn_conn_state {
    FN_CONN_VALIDATING,
    FN_CONN_CONNECTED,
    FN_CONN_LINGERING,
    FN_CONN_CLOSING,
    FN_CONN_DRAINING,
    FN_CONN_DEAD /* nothing more to do: destroy it */
} fn_conn_state;

typedef enum fn_conn_received {
    FN_CONN_DROPPED,  /* not ours, forged, replayed, malformed before the open: no state changed */
    FN_CONN_ACCEPTED, /* authenticated */
    FN_CONN_NEW_PATH  /* authenticated, and *path is the id of a candidate:
                         remember the address for it */
} fn_conn_received;

/* What connections of one owner share. Borrowed for their life. */
typedef struct fn_conn_shared {
    fn_pool *pool;
    fn_random *random;
    fn_events *events;
    const FastNetChannelConfig *channels; /* the application's, from 0; ours come on top */
    uint32_t channel_count;
} fn_conn_shared;

typedef struct fn_conn_config {
    bool is_client;                  /* the TLS client chooses the path */
    uint32_t owner;                  /* put into every event */
    uint32_t remote_receiver_id;     /* put into every datagram we send */
    const uint8_t *send_secret;      /* 32 bytes, copied */
    const uint8_t *receive_secret;   /* 32 bytes, copied */
    fn_limits_agreed limits;         /* of both sides' HELLO and WELCOME */
    uint32_t send_queue_bytes_max;   /* all reliable channels together */
    uint32_t datagram_bytes_max;     /* upper end of MTU discovery; ≥ 1200 */
    uint32_t rate_floor_bytes_per_s; /* section 9 */
    uint64_t keepalive_ns;           /* FN_NEVER = none */
    uint64_t key_update_packets;
    uint64_t key_update_ns;
    uint64_t stream_after_ns;     /* client: unconnected over UDP so long, it wants a
                                 stream; FN_NEVER = never */
    uint64_t connect_deadline_ns; /* absolute: CONNECTED by then, or CLOSED with ERR_TIMEOUT */
    size_t memory_cap_bytes;      /* of the pool, at most */
    const char *congestion;       /* "cubic"; NULL = that */
} fn_conn_config;

/* Bytes of memory that fn_conn_create needs, aligned to 16. */
size_t fn_conn_bytes(const fn_conn_config *config, const fn_conn_shared *shared);

/*
 * Builds a connection in VALIDATING with one path (id 0): for a client its challenge is due at
 * once, a server waits for the first datagram.
 *
 * Owner:   memory is the caller's, fn_conn_bytes() long, until after fn_conn_destroy().
 * Returns: NULL when all seats of the pool are taken, or there is no such congestion control.
 */
fn_conn *fn_conn_create(void *memory, const fn_conn_config *config, const fn_conn_shared *shared,
                        uint64_t now_ns);

/* Frees what it holds in the pool and erases the keys. Its events must have been released or
 * withdrawn (fn_conn_withdraw). */
void fn_conn_destroy(fn_conn *conn);

/* Takes this connection's events out of the ring, releasing them. */
void fn_conn_withdraw(fn_conn *conn);

/*
 * Takes one datagram, decrypting it in place. The first byte and the receiver id were already
 * looked at: they led to this connection.
 *
 * *path: the id of the path that it came on, FN_CONN_PATH_UNKNOWN for an address that has none;
 * set on FN_CONN_NEW_PATH (an older candidate's id may be reused: forget its address).
 * Owner: the buffer must stay as it is until the events this added were used up.
 * Hostile: costs one lookup and at most one AEAD open, changes nothing,
 *          unless it was sealed by the peer.
 */
fn_conn_received fn_conn_receive(fn_conn *conn, uint64_t now_ns, uint8_t *path, uint8_t *datagram,
                                 size_t bytes);

/*
 * Writes at most one sealed datagram and says on which path it goes. Returns its length, 0 for
 * nothing now. out has room for capacity ≥ datagram_bytes_max. The same bytes may be sent again,
 * never changed.
 */
size_t fn_conn_transmit(fn_conn *conn, uint64_t now_ns, uint8_t *out, size_t capacity,
                        uint8_t *path);

/* What transmit wrote last must leave in a send of its own: it is to get through where bursts that
 * leave in one piece may vanish. */
bool fn_conn_leaves_alone(const fn_conn *conn);

/* They do vanish on that path: nothing is to leave in one piece to its address any more. */
bool fn_conn_path_is_plain(const fn_conn *conn, uint8_t path);

/* False: transmit would write nothing now, so it need not be asked. Cheaper than asking. */
bool fn_conn_has_more(fn_conn *conn, uint64_t now_ns);

/* When tick wants to be called; FN_NEVER for never. */
uint64_t fn_conn_deadline(const fn_conn *conn);

/* The owner was frozen from since_ns on, and has handed over what waited for him: nobody knows how
 * old that was. The other side is asked whether it is there, see core/idle.h. Before tick. */
void fn_conn_recall(fn_conn *conn, uint64_t since_ns, uint64_t now_ns);

/* Runs the timers that are due. Harmless when none is. */
void fn_conn_tick(fn_conn *conn, uint64_t now_ns);

/*
 * For an owner that has nothing else to do (it spins, waiting for the next datagram): does one
 * small piece of work that makes the next packets cheaper, see crypto/keystream.h. False when there
 * is none.
 *
 * Only for a connection that is busy; takes 16 KiB of the pool then, and gives them back after a
 * quiet second.
 */
bool fn_conn_prepare(fn_conn *conn, uint64_t now_ns);

/* What one message needs beyond its bytes. Zeroed = nothing special. */
typedef struct fn_send_options {
    bool tagged; /* DELIVERED / LOST events carry tag */
    uint64_t tag;
    uint64_t time_to_live_ns; /* 0 = the channel's; counts from the next transmit on */
} fn_send_options;

/*
 * Queues one message (data is copied; any length from 0 to the agreed maximum). options may be
 * NULL. Returns FASTNET_OK, or ERR_STATE, ERR_ARGUMENT (no such channel), ERR_TOO_LARGE,
 * ERR_BACKPRESSURE (reliable: nothing was queued; unreliable: memory is short even after dropping
 * the oldest).
 */
int fn_conn_send(fn_conn *conn, uint8_t channel, const void *data, size_t bytes,
                 const fn_send_options *options);

/* Gives an event back: its payload is not used any more. Once per MESSAGE event. */
void fn_conn_release(fn_conn *conn, const fn_event *event);

/*
 * Ends the session from this side: after the queued reliable messages were acknowledged, for at
 * most linger_ns (0 = at once), says CLOSE until acknowledged. No CLOSED event follows. code and
 * text (may be NULL, cut at FN_CONN_TEXT_BYTES) reach the other application.
 */
void fn_conn_close(fn_conn *conn, uint64_t now_ns, uint32_t code, const char *text,
                   uint64_t linger_ns);

/* Caps what is sent; 0 = no cap. */
void fn_conn_set_rate_max(fn_conn *conn, uint64_t bytes_per_s);

/* --- paths --- */

/* The system refused a datagram of that length on that path (EMSGSIZE): it counts as lost, and what
 * it carried goes again in smaller ones. Once for each datagram that was refused. */
void fn_conn_path_too_big(fn_conn *conn, uint8_t path, size_t bytes);

/* The system sends nothing on that path: no route, no permission. A client wants a stream at once.
 */
void fn_conn_path_unsendable(fn_conn *conn, uint8_t path);

/* A client wants to go on over a new local socket or remote address: opens a candidate and
 * challenges it. Returns its id, or -1 when all slots hold validated paths in use. */
int fn_conn_path_add(fn_conn *conn, uint64_t now_ns);

/*
 * TLS streams (PROTOCOL.md section 11.4): the same sealed datagrams, over TCP. Attached by ATTACH,
 * so validated from the start. The client uses one when UDP is silent and goes back when UDP
 * answers again.
 */

/* A client asks its owner for a stream: nothing came back over UDP in time, or nothing of what it
 * sent was acknowledged for three probe timeouts, and at least a second, or the UDP path is useless
 * (it does not carry 1200 bytes, or the system sends nothing on it), and it has none. */
bool fn_conn_wants_stream(const fn_conn *conn, uint64_t now_ns);

/* Nothing that a client sends over UDP is acknowledged any more, whether or not it may have a
 * stream: its socket may stick to a way that is gone. */
bool fn_conn_is_unheard(const fn_conn *conn, uint64_t now_ns);

/* The stream is attached. Returns the path's id, or -1 when the session is ending. */
int fn_conn_stream_add(fn_conn *conn, uint64_t now_ns);

/* Whether the stream takes another datagram: while not, transmit gives none for it, so that
 * unreliable messages grow old here and not below. True at first. */
void fn_conn_stream_writable(fn_conn *conn, uint8_t path, bool writable);

/* The stream is gone: all that is in flight on it counts as lost at once and goes elsewhere. */
void fn_conn_stream_lost(fn_conn *conn, uint64_t now_ns, uint8_t path);

/* Nothing that a client sends on its stream is acknowledged any more, not even a ping: TCP may sit
 * on a way that is gone for minutes. Drop it (fn_conn_stream_lost); another may lead through. */
bool fn_conn_stream_is_silent(const fn_conn *conn, uint64_t now_ns);

/* The server answered GONE: it does not know this session any more.
 * CLOSED with ERR_GONE follows. */
void fn_conn_gone(fn_conn *conn);

/* The path in use; FN_CONN_PATH_UNKNOWN before any is validated. */
uint8_t fn_conn_path(const fn_conn *conn);

/* --- looking --- */

fn_conn_state fn_conn_get_state(const fn_conn *conn);

/* Ask the cache for what sending, or receiving, will use: for a loop over many sessions, one session
 * ahead, and before a system call. */
void fn_conn_prefetch_sending(const fn_conn *conn);
void fn_conn_prefetch_receiving(const fn_conn *conn);

/* All counters and present values. Rare, not free. */
void fn_conn_get_stats(const fn_conn *conn, uint64_t now_ns, fn_stats *out);

/* Something that asks for an acknowledgement is on its way. */
bool fn_conn_awaits_answer(const fn_conn *conn);

/* Nothing queued or unacknowledged on reliable channels. */
bool fn_conn_is_flushed(const fn_conn *conn);

#endif
