/*
 * peer.h: the endpoint's table of peers: one slot for each that connects, waits for the
 * application's decision, talks, or says goodbye.
 *
 *   RESOLVING   client: the host's name is being looked up
 *   CONNECTING  client: TCP connects, to one address after the other
 *   SHAKING     client: TLS, HELLO and WELCOME (the link's handshake)
 *   LOCATING    client: WELCOME named a UDP host by name; that name is being looked up
 *   DECIDING    server: CONNECT_REQUEST was raised
 *   SESSION     there is a connection, see its own state
 *   FAILED      nothing is left but the ERROR event
 *   RETIRED     invisible; the slot is freed when the next poll begins
 *
 * peers_max counts places. A peer gives its place up when its end was delivered, or when it
 * retires; its row stays as long as the application may look at what was delivered, and while its
 * session still answers, as long as nobody needs the row.
 *
 * A peer that is `muted` was ended by the application: it is not
 * mentioned again and cannot be found.
 */
#ifndef FN_HOST_PEER_H
#define FN_HOST_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/list.h"
#include "core/conn.h"
#include "core/handshake.h"
#include "core/ids.h"
#include "core/seats.h"
#include "fastnet.h"
#include "host/peer_state.h"
#include "host/timer.h"

typedef struct fn_host fn_host;

struct fn_link;
struct fn_outgoing;
struct fn_fallback;
struct fn_stream;

typedef struct fn_peer {
    fn_timer timer;
    fn_list_node dirty;  /* may have something to transmit */
    fn_list_node quiet;  /* has transmitted all it may: its state and deadline are looked at next */
    fn_list_node listed; /* resolving, parting, or retired */
    FastNetPeerId id;
    uint32_t receiver_id; /* ours; 0 = none drawn */
    fn_peer_state state;
    bool is_client;
    bool muted;
    bool mentioned; /* CONNECT_REQUEST or CONNECTED was delivered: an end must be told */
    bool announced; /* CONNECTED was delivered */
    bool connected; /* the session is: counted, and broadcast to */
    bool placed;    /* counts towards peers_max */
    bool ended;     /* the last event was delivered */
    bool released;  /* and its payload is not used any more */
    void *user;
    struct fn_outgoing *outgoing;
    struct fn_link *link;         /* the TLS connection, until the session is connected */
    struct fn_stream *stream;     /* attached; NULL = none */
    struct fn_fallback *fallback; /* client: how to get one */
    fn_conn *conn;                /* SESSION */
    void *conn_memory;
    size_t conn_bytes;
    uint8_t *token; /* of CONNECT_REQUEST, until that event was used up */
    size_t token_bytes;
    uint32_t path_known;   /* bit per path id: it has an address */
    uint32_t path_streams; /* likewise: it is, or was, a stream */
    uint32_t path_sourced; /* likewise: what goes there leaves from `source` */
    fn_address paths[FN_CONN_PATHS_MAX];
    fn_address remote; /* where TLS came from or went to */
    fn_address source; /* a server's on all interfaces: where TLS arrived; any address = unknown */
    fn_seat seat;      /* incoming */
    uint32_t remote_receiver_id;
    uint8_t attach_key[FN_SECRETS_BYTES];
    uint32_t application_build;
    uint32_t message_bytes_max;
    int32_t error_code; /* FAILED */
    uint32_t app_code;
    char text[FASTNET_TEXT_BYTES_MAX + 1]; /* of ERROR or DISCONNECTED */
    char certificate_subject[FN_HANDSHAKE_SUBJECT_BYTES];
} fn_peer;

typedef struct fn_peers {
    fn_slots slots;
    fn_ids ids;
    fn_peer *rows; /* one per slot */
    uint32_t connected_count;
    uint32_t placed_count;
    uint32_t outgoing_count; /* of them, those that this side connected */
    fn_list dirty;
    fn_list quiet;
    fn_list over; /* by quiet: nothing is left of the session, it retires with this turn */
    fn_list resolving;
    fn_list parting; /* released, the oldest first; their sessions still answer */
    fn_list retired;
} fn_peers;

/* Takes memory from the endpoint's blocks. ERR_MEMORY. */
int fn_peers_init(fn_host *host);

/* The peer that the application may talk about; NULL for a stale id, a muted or a retired one. */
fn_peer *fn_peer_find(const fn_host *host, FastNetPeerId id);

/* The same, muted ones too: for events and tokens of our own. */
fn_peer *fn_peer_find_any(const fn_host *host, FastNetPeerId id);

/* The next taken slot after previous (0 = from the start), muted ones too; NULL at the end. */
fn_peer *fn_peer_after(const fn_host *host, FastNetPeerId previous);

/* The peer that a datagram's receiver id means; NULL when it is nobody's. */
fn_peer *fn_peer_by_receiver_id(const fn_host *host, uint32_t receiver_id);

/* Draws a receiver id for the peer. False when none is free (cannot happen below peers_max). */
bool fn_peer_draw_receiver_id(fn_host *host, fn_peer *peer, uint64_t now_ns);

/* Remembers the address of a path. */
void fn_peer_set_path(fn_peer *peer, uint8_t path, const fn_address *address);

/* That path is a stream now. */
void fn_peer_set_stream_path(fn_peer *peer, uint8_t path);

/* Over what a path goes. */
FastNetPath fn_peer_path_kind(const fn_peer *peer, uint8_t path);

/* The path of an address; FN_CONN_PATH_UNKNOWN when it has none. */
uint8_t fn_peer_path_of(const fn_peer *peer, const fn_address *address);

/* Where the peer is now: the path in use, or where TLS is. */
const fn_address *fn_peer_address(const fn_peer *peer);

/* It may have something to transmit: the next flush asks. */
void fn_peer_touch(fn_host *host, fn_peer *peer);

/* The one way from state to state; it counts places and who is connected. */
void fn_peer_enter(fn_host *host, fn_peer *peer, fn_peer_state state);

/* Counts it as connected, or not any more. */
void fn_peer_set_connected(fn_host *host, fn_peer *peer, bool connected);

/* The token of its CONNECT_REQUEST is not used any more. */
void fn_peer_free_token(fn_host *host, fn_peer *peer);

/* The application knows that it has ended: its place is free. */
void fn_peer_give_place_up(fn_host *host, fn_peer *peer);

#endif
