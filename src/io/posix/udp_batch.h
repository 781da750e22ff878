/* Between udp.c and the batch calls: the plain way, one system call for each datagram. */
#ifndef FN_IO_POSIX_UDP_BATCH_H
#define FN_IO_POSIX_UDP_BATCH_H

#include <sys/socket.h>

#include "io/posix/sockaddr.h"
#include "io/udp.h"

/* Never raises SIGPIPE, never blocks. */
#ifdef MSG_NOSIGNAL
#define FN_UDP_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#else
#define FN_UDP_FLAGS MSG_DONTWAIT
#endif

/* So many pending errors are skipped in one receive: nobody keeps us here by sending ICMP. */
#define FN_UDP_ERRORS_MAX 16

/* A message header with the vector and the name it points to. */
typedef struct fn_udp_slot {
    struct iovec vector;
    fn_sockaddr name;
} fn_udp_slot;

/* Room for the control message that names a source address. */
typedef union fn_udp_source {
    size_t align;
    uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
} fn_udp_source;

/* Writes that message where a fn_udp_source fits; returns its bytes, or 0 when this socket cannot
 * send from there. */
size_t fn_udp_write_source(const fn_udp *udp, const fn_address *source, void *control);

/* Sends one datagram with its source address. -1 and errno when it did not leave. */
ssize_t fn_udp_send_from(const fn_udp *udp, const fn_datagram *datagram, fn_sockaddr *name,
                         socklen_t name_bytes);

/* Points the header at the datagram's buffer, and at the slot's name unless the peer is fixed. */
void fn_udp_prepare_receive(const fn_udp *udp, fn_datagram *datagram, fn_udp_slot *slot,
                            struct msghdr *message);

/* Fills the datagram from what the system wrote. */
void fn_udp_finish_receive(fn_udp *udp, fn_datagram *datagram, const fn_udp_slot *slot,
                           const struct msghdr *message, size_t bytes);

/* After a failed receive: true = a pending error was consumed, try again; false = empty. */
bool fn_udp_receive_again(fn_udp *udp, int os_error, int *errors);

/* Sends one datagram, again if only a pending error was in the way;
 * counts and returns the outcome. */
fn_udp_outcome fn_udp_send_one(fn_udp *udp, fn_datagram *datagram);

/* Each datagram to that address leaves by itself. */
bool fn_udp_is_plain(const fn_udp *udp, const fn_address *address);

/* From the first unsent datagram on. */
void fn_udp_mark_blocked(fn_datagram *batch, size_t count);

/* Turns segmentation and coalescing on, as far as they are asked for and this backend has them. */
void fn_udp_offload_start(fn_udp *udp, const fn_udp_settings *wanted);

/* All other settings. */
void fn_udp_settings_apply(const fn_udp *udp, const fn_udp_settings *wanted);

size_t fn_udp_receive_each(fn_udp *udp, fn_datagram *batch, size_t capacity);
size_t fn_udp_send_each(fn_udp *udp, fn_datagram *batch, size_t count);

#endif
