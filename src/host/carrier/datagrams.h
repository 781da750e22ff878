/*
 * datagrams.h: between the UDP socket and the sessions.
 *
 * Receiving: batches of 32, or single datagrams while the socket is looked at so often that more
 * are not to be expected, into a fixed block of buffers. Messages are delivered out of these
 * buffers without a copy, so a buffer is filled again only when no event points into it any more:
 * the block starts over when all its datagrams were handled and no event is queued or delivered.
 *
 * Sending: sessions write sealed datagrams into the slots of one batch. What the socket does not
 * take stays, and goes again as the same bytes: a packet number is never sealed twice.
 */
#ifndef FN_HOST_CARRIER_DATAGRAMS_H
#define FN_HOST_CARRIER_DATAGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "core/conn.h"
#include "crypto/failure.h"
#include "fastnet.h"
#include "host/carrier/bad_link.h"
#include "platform/platform.h"

typedef struct fn_host fn_host;

enum {
    FN_DATAGRAMS_BATCH = 32,
    FN_DATAGRAMS_SEND_BATCH = 48, /* nearly what one segmented send takes */
    FN_DATAGRAMS_BUFFERS = 256,   /* received in one poll at most, while their messages wait */
    FN_DATAGRAMS_BUFFERS_COALESCED = 64, /* where each has room for many: 4 MiB in all */
};

struct fn_peer;

/* One datagram on its way out. */
typedef struct fn_send_slot {
    uint8_t *data;
    FastNetPeerId peer;
    uint8_t path;
    bool alone; /* never in one send with others */
} fn_send_slot;

/* Who takes what came for a peer: by UDP from an address, or on that path. */
typedef struct fn_datagrams_sink {
    fn_conn_received (*receive)(fn_host *host, struct fn_peer *peer, uint64_t now_ns,
                                const fn_address *from, uint8_t *data, size_t bytes);
    fn_conn_received (*receive_on)(fn_host *host, struct fn_peer *peer, uint64_t now_ns,
                                   uint8_t path, uint8_t *data, size_t bytes);
} fn_datagrams_sink;

typedef struct fn_datagrams {
    const fn_datagrams_sink *sink;
    fn_address remote; /* of a connected socket */
    bool open;
    bool connected; /* it hears nobody else */
    bool watched;   /* the wait knows the socket */
    bool blocked;   /* the socket is full: we wait until it is writable */
    uint16_t local_port;
    uint32_t datagram_bytes;  /* of each buffer and slot */
    uint64_t read_ns;         /* when the socket was last read */
    uint64_t emptied_ns;      /* when it was last found empty */
    uint32_t hot;             /* received singly since somebody last waited */
    uint32_t last_burst;      /* how many there were before that */
    bool found;               /* something was received in this poll */
    bool single;              /* it was one datagram, and brought what the application waits for */
    bool awaits;              /* answers to what the send batch holds may come */
    fn_udp_counters before;   /* of sockets that were replaced */
    struct fn_peer *latest;   /* whose datagram came last; may have become somebody else's row */
    uint64_t unknown;         /* no such receiver id, or not ours */
    uint64_t rejected;        /* dropped by the session that they named */
    fn_bad_link *bad_link;    /* what is sent; NULL = off */
    fn_bad_link *bad_link_in; /* what is received; likewise */

    fn_datagram inbound[FN_DATAGRAMS_BUFFERS];
    uint32_t inbound_count;  /* buffers that there are */
    uint32_t inbound_next;   /* the first one not handled yet */
    uint32_t inbound_offset; /* bytes of it that are */
    uint32_t inbound_filled; /* the first free buffer */

    fn_datagram batch[FN_DATAGRAMS_SEND_BATCH];
    fn_send_slot outbound[FN_DATAGRAMS_SEND_BATCH];
    uint32_t outbound_count;
} fn_datagrams;

/* Opens the UDP port and takes memory from the endpoint's blocks. */
int fn_datagrams_open(fn_host *host, fn_failure *failure);
void fn_datagrams_close(fn_host *host);

/* A client's session to that address is about to begin. An endpoint with one single peer that does
 * not listen connects its socket to it: the kernel then filters, and calls are cheaper. Where the
 * system knows no way there the socket stays unconnected, unless UDP is all that there may be: a
 * session has TCP, too. */
int fn_datagrams_prepare(fn_host *host, const fn_address *remote);

/* Somebody will wait for the poller: it must know the socket. What poller's add fails with. */
int fn_datagrams_watch(fn_host *host, fn_io_error *error);

/* Nothing is heard over UDP: a connected socket may stick to the address of an
 * interface that is gone (Wi-Fi left for LTE), so it is replaced. One that is not
 * connected follows the routes by itself. */
void fn_datagrams_renew(fn_host *host);

/* Receives and handles datagrams until the socket is empty. False: it was not emptied, because
 * there was too much for one poll, or because events wait for the application. */
bool fn_datagrams_receive(fn_host *host, uint64_t now_ns);

/* A datagram that came on that path of a session, not by UDP. It is copied where received ones lie.
 * False: no place is free, because events wait for the application. */
bool fn_datagrams_handle(fn_host *host, struct fn_peer *peer, uint8_t path, const uint8_t *data,
                         size_t bytes, uint64_t now_ns);

/* Where a datagram goes that did not come out of the socket: data and capacity are there. NULL: no
 * place is free, because events wait for the application. */
fn_datagram *fn_datagrams_spare(fn_host *host);

/* Address, data and length of the spare one were filled in: it is handled like a received one. */
void fn_datagrams_take(fn_host *host, const fn_datagram *spare, uint64_t now_ns);

/* The next free slot of the send batch; NULL when the socket is full. */
fn_send_slot *fn_datagrams_slot(fn_host *host);

/* The slot was filled, for a path whose address the peer knows. */
void fn_datagrams_commit(fn_host *host, fn_send_slot *slot, const struct fn_peer *peer,
                         uint8_t path, size_t bytes);

/* Hands the batch to the socket, and what the bad link held back long enough. */
void fn_datagrams_send(fn_host *host, uint64_t now_ns);

/* The socket is writable again. */
void fn_datagrams_unblock(fn_host *host);

/* All counters, of replaced sockets too. */
fn_udp_counters fn_datagrams_counters(const fn_host *host);

#endif
