/* Between our address value and the system's. */
#ifndef FN_IO_POSIX_SOCKADDR_H
#define FN_IO_POSIX_SOCKADDR_H

#include <stdbool.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include "base/address.h"

/* Either family, and no larger: a batch of 64 lives on the stack. */
typedef union fn_sockaddr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} fn_sockaddr;

/*
 * For a socket of the given family; on IPv6 sockets an IPv4 address goes as v4-mapped. Returns the
 * length, or 0 when an IPv4 socket cannot reach the address.
 */
socklen_t fn_sockaddr_encode(const fn_address *address, bool ipv6_socket, fn_sockaddr *out);

/* All zero for a family that is neither. */
fn_address fn_sockaddr_decode(const fn_sockaddr *in);

#endif
