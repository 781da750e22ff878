/*
 * Which of the UDP sockets on one port gets a datagram: the system reads it off the datagram,
 * before any socket has it. For the sockets of shards: each has a number, from 0 in the order in
 * which they were bound.
 */
#ifndef FN_IO_SHARD_STEERING_H
#define FN_IO_SHARD_STEERING_H

#include <stdbool.h>
#include <stdint.h>

#include "io/udp.h"
#include "platform/error.h"

/*
 * A datagram whose first byte, masked, has that value goes to the socket that the top bits of the
 * big-endian 32-bit number at `offset` name. All else goes to socket 0: other datagrams, shorter
 * ones, and numbers of no socket.
 */
typedef struct fn_steering {
    uint32_t sockets; /* 2 or more; the number fits into `bits` */
    uint32_t bits;    /* 1..31 */
    uint32_t offset;
    uint8_t first_mask;
    uint8_t first_value;
} fn_steering;

/* Whether the system can do it at all. */
bool fn_steering_supported(void);

/* For all sockets on the port of this one, also of those that join later: call it when at least two
 * are bound. ERR_UNSUPPORTED: this system or build has no such thing; ERR_SYSTEM. */
int fn_steering_attach(const fn_udp *udp, const fn_steering *steering, fn_io_error *error);

#endif
