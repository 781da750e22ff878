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
#include "platform/error.h"
#include "platform/handle.h"
#include "platform/udp.h"

enum {
    FN_UDP_PLAIN_MAX = 8, /* addresses remembered as refusing segmentation */
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
    fn_address plain[FN_UDP_PLAIN_MAX]; /* on the way to these hosts nothing leaves in one piece */
    uint32_t plain_count;
    uint32_t plain_next; /* the one that gives way when there are too many */
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

/* What left for that host in one piece was lost on the way: from now on each datagram leaves by
 * itself. */
void fn_udp_set_plain(fn_udp *udp, const fn_address *address);

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
 * Receives one datagram in the cheapest way: for a caller that looks often and
 * seldom finds more than one. False: empty now, or errors came in between. With
 * coalescing the entry may hold several.
 */
bool fn_udp_receive_next(fn_udp *udp, fn_datagram *datagram);

/*
 * Sends the batch in order; returns how many left. Neighbours of one length to one address
 * (the last may be shorter) leave in one send where the socket segments; when that is
 * refused on the way to an address, they go one by one, and so does all that follows to it.
 * Each entry's outcome is written. An error of one datagram never keeps back the next;
 * after WOULD_BLOCK all the rest is WOULD_BLOCK.
 */
size_t fn_udp_send(fn_udp *udp, fn_datagram *batch, size_t count);

#endif
