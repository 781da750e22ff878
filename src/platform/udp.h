/*
 * udp.h: the vocabulary of datagrams: one of them, what became of it, how a socket is tuned and
 * what it counted. What moves them is in platform.h.
 */
#ifndef FN_PLATFORM_UDP_H
#define FN_PLATFORM_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "platform/port_use.h"

/* Buffers of a socket that coalesces have room for so much. */
enum { FN_UDP_COALESCED_BYTES = 65536 };

/*
 * What became of one datagram of a batch. Only WOULD_BLOCK holds for the rest of the batch too.
 * The bytes of a datagram that did not leave may be sent again as they are, or be abandoned.
 */
typedef enum fn_udp_outcome {
    FN_UDP_SENT = 0,
    FN_UDP_WOULD_BLOCK, /* the send buffer is full: wait for writability */
    FN_UDP_TOO_BIG,     /* larger than the interface takes (EMSGSIZE): lower the path's MTU */
    FN_UDP_REFUSED,     /* ICMP says that nobody listens there: a hint, anyone can forge it */
    FN_UDP_TRANSIENT,   /* this one is lost (ENOBUFS, EIO ...); later ones may not be */
    FN_UDP_UNROUTABLE   /* this system sends nothing there: no route (ENETUNREACH ...), or a rule
                           against it (EACCES, EPERM). A rule may be one of chance */
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
    bool alone;             /* send: never in one send with others */
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
    uint64_t unroutable;
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

#endif
