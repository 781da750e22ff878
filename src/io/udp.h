/*
 * UDP sockets: open, and move datagrams in batches. Never blocks; allocates nothing.
 *
 * A socket on "::" serves IPv6 and IPv4 at once (IPv4 peers appear as IPv4 addresses, see
 * base/address.h). Where the host has no IPv6 it falls back to IPv4 by itself.
 */
#ifndef FN_IO_UDP_H
#define FN_IO_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "io/error.h"
#include "io/handle.h"
#include "io/port.h"

/*
 * What became of one datagram of a batch. Only WOULD_BLOCK holds for the rest of the batch too.
 * The bytes of a datagram that did not leave may be sent again as they are, or be abandoned.
 */
typedef enum fn_udp_outcome {
    FN_UDP_SENT = 0,
    FN_UDP_WOULD_BLOCK, /* the send buffer is full: wait for writability */
    FN_UDP_TOO_BIG,     /* larger than the interface takes (EMSGSIZE): lower the path's MTU */
    FN_UDP_REFUSED,     /* ICMP says that nobody listens there: a hint, anyone can forge it */
    FN_UDP_TRANSIENT /* this one is lost (ENOBUFS, EIO, ENETUNREACH ...); later ones may not be */
} fn_udp_outcome;

/* One datagram of a batch, to be sent or received into. The caller owns data throughout. */
typedef struct fn_datagram {
    fn_address address;       /* receive: source. send: destination, unused on a connected socket */
    const fn_address *source; /* send: the local address that it leaves from, its port is not used;
                                 NULL = the system's choice. For sockets on all interfaces */
    uint8_t *data;            /* read by send, written by receive */
    uint32_t capacity;        /* receive: bytes that fit at data */
    uint32_t length; /* bytes at data; a datagram longer than capacity arrives with length 0 */
    uint32_t segment_bytes; /* receive: size of each datagram within data; = length when just one */
    uint8_t outcome;        /* send: fn_udp_outcome, always written */
} fn_datagram;

typedef struct fn_udp_counters {
    uint64_t receive_calls; /* system calls, empty ones included */
    uint64_t received;      /* datagrams */
    uint64_t truncated;     /* datagrams that did not fit; they arrive with length 0 */
    uint64_t send_calls;    /* system calls */
    uint64_t sent;          /* datagrams */
    uint64_t would_block;   /* batches cut short by a full send buffer */
    uint64_t too_big;
    uint64_t refused; /* ICMP hints, on send and receive; unsent datagrams are retried first */
    uint64_t transient;
    uint64_t fallbacks; /* IPv6, a batch call or segmentation was unavailable: the plainer way */
    uint64_t segmented_sends;    /* sends of several datagrams in one, for the system to cut */
    uint64_t segmented;          /* datagrams that left in these */
    uint64_t coalesced_receives; /* receives of several datagrams in one */
    uint64_t coalesced;          /* datagrams that came in these */
} fn_udp_counters;

/*
 * How the socket is tuned. 0 and false leave what the system does by itself. None of it is
 * guaranteed: fn_udp_settings_get tells what holds.
 */
typedef struct fn_udp_settings {
    uint32_t receive_buffer_bytes; /* usable size; the system cuts it to a limit of its own ... */
    uint32_t send_buffer_bytes;
    bool force_buffers;     /* ... unless forced, which takes rights (CAP_NET_ADMIN) */
    bool prefer_busy_poll;  /* the device's interrupts wait for the poller */
    bool segment;           /* equal datagrams to one address leave in one send (UDP GSO) */
    bool coalesce;          /* such datagrams may arrive in one buffer, up to 64 KiB (UDP GRO) */
    uint32_t busy_poll_us;  /* a blocking call spins on the device this long */
    uint32_t traffic_class; /* DSCP and ECN bits, of IPv4 and of IPv6; 0..255 */
    uint32_t priority;      /* of the queue in the system, 0..6 without rights */
} fn_udp_settings;

typedef struct fn_udp_options {
    fn_address local; /* fn_address_any() for all interfaces; port 0 = any free one */
    fn_port_use port_use;
    fn_udp_settings settings;
} fn_udp_options;

enum {
    FN_UDP_PLAIN_MAX = 8,           /* addresses remembered as refusing segmentation */
    FN_UDP_COALESCED_BYTES = 65536, /* buffers of a socket that coalesces have room for so much */
};

/* Fields are private, except that tests may read and change them. */
typedef struct fn_udp {
    fn_handle handle;
    bool ipv6;        /* address family of the socket */
    bool connected;   /* peer is fixed: the system filters, and calls are cheaper */
    bool batch_calls; /* recvmmsg and sendmmsg work here */
    bool segments;    /* UDP GSO works here */
    bool coalesces;   /* UDP GRO is on */
    fn_address peer;
    fn_address plain[FN_UDP_PLAIN_MAX]; /* on the way to these a device refuses segmentation */
    uint32_t plain_count;
    fn_udp_counters counters;
} fn_udp;

/*
 * Opens, binds and sets "don't fragment" (with path MTU left to us: RFC 8899).
 * FASTNET_ERR_ADDRESS: port in use, not permitted, or no such local address; FASTNET_ERR_SYSTEM:
 * anything else. On failure the socket needs no close.
 */
int fn_udp_open(fn_udp *udp, const fn_udp_options *options, fn_io_error *error);

/* Safe to call twice. */
void fn_udp_close(fn_udp *udp);

/* Fixes the peer: from now on only its datagrams arrive. FASTNET_ERR_ADDRESS when unreachable. */
int fn_udp_connect(fn_udp *udp, const fn_address *peer, fn_io_error *error);

/* The address the socket is bound to, with the port that the system chose. */
int fn_udp_local(const fn_udp *udp, fn_address *local, fn_io_error *error);

/* What the system granted, read back from it. */
void fn_udp_settings_get(const fn_udp *udp, fn_udp_settings *settings);

/*
 * Receives up to capacity datagrams; returns how many. Less than capacity means empty now, or that
 * an ICMP error came in between (then the socket is still readable). Such errors are counted and
 * skipped. Each entry needs data and capacity; all else is written.
 */
size_t fn_udp_receive(fn_udp *udp, fn_datagram *batch, size_t capacity);

/*
 * Receives one datagram in the cheapest way: for a caller that looks often and seldom finds more
 * than one. False: empty now, or errors came in between. With coalescing the entry may hold
 * several.
 */
bool fn_udp_receive_next(fn_udp *udp, fn_datagram *datagram);

/*
 * Sends the batch in order; returns how many left. Neighbours of one length to one address (the
 * last may be shorter) leave in one send where the socket segments; when that is refused on the way
 * to an address, they go one by one, and so does all that follows to it. Each entry's outcome is
 * written. An error of one datagram never keeps back the next; after WOULD_BLOCK all the rest is
 * WOULD_BLOCK.
 */
size_t fn_udp_send(fn_udp *udp, fn_datagram *batch, size_t count);

#endif
