/*
 * tcp.h: the vocabulary of byte streams. What moves the bytes is in platform.h.
 */
#ifndef FN_PLATFORM_TCP_H
#define FN_PLATFORM_TCP_H

#include <stdint.h>

#include "base/address.h"
#include "platform/handle.h"
#include "platform/port_use.h"

typedef enum fn_tcp_outcome {
    FN_TCP_OK = 0,
    FN_TCP_WOULD_BLOCK, /* nothing to do now: wait for readability or writability */
    FN_TCP_CLOSED,      /* receive: orderly end of stream. send: nobody reads any more */
    FN_TCP_RESET,       /* the other side is gone (ECONNRESET, ETIMEDOUT, ICMP) */
    FN_TCP_EXHAUSTED    /* accept: out of descriptors or memory; the connection was dropped */
} fn_tcp_outcome;

typedef struct fn_tcp {
    fn_handle handle;
} fn_tcp;

typedef struct fn_tcp_listen_options {
    fn_address local;     /* fn_address_any() = IPv6 and IPv4; port 0 = any free one */
    uint32_t backlog;     /* connections waiting for accept; 0 = the system's maximum */
    fn_port_use port_use; /* the system spreads connections over the listeners of a port */
} fn_tcp_listen_options;

#endif
