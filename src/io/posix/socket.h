/* What UDP and TCP sockets have in common. */
#ifndef FN_IO_POSIX_SOCKET_H
#define FN_IO_POSIX_SOCKET_H

#include <stdbool.h>

#include "base/address.h"
#include "io/posix/sockaddr.h"
#include "platform/error.h"
#include "platform/handle.h"
#include "platform/port_use.h"

typedef struct fn_socket_options {
    const char *protocol; /* "UDP" or "TCP", for sentences */
    int type;             /* SOCK_DGRAM or SOCK_STREAM */
    bool reuse_address;   /* bind although old connections linger */
    fn_port_use port_use;
    fn_address local;
} fn_socket_options;

typedef struct fn_socket_bound {
    fn_handle handle;
    bool ipv6;
    bool fell_back; /* "::" was asked for and the system has no IPv6 */
} fn_socket_bound;

/* A non-blocking, close-on-exec socket, or -1 with errno. */
int fn_socket_open(bool ipv6, int type);

/* The same qualities for a descriptor that accept returned. */
bool fn_socket_prepare(int descriptor);

/* Opens and binds; dual stack on "::". FASTNET_ERR_ADDRESS or FASTNET_ERR_SYSTEM. */
int fn_socket_bind(const fn_socket_options *options, fn_socket_bound *bound, fn_io_error *error);

int fn_socket_local(fn_handle handle, fn_address *local, fn_io_error *error);

void fn_socket_set(fn_handle handle, int level, int name, int value);

/* Closes and forgets it; nothing for FN_HANDLE_NONE. */
void fn_socket_close(fn_handle *handle);

#endif
