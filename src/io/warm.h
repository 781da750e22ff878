/*
 * Keeps the system's path of a datagram warm: a socket of our own that nobody else can reach, to
 * send something to and to take it back. At 60 datagrams a second the caches have forgotten that
 * path each time; after a beat every 100 us they have not.
 */
#ifndef FN_IO_WARM_H
#define FN_IO_WARM_H

#include "io/udp.h"

typedef struct fn_warm {
    fn_udp from;
    fn_udp to;
} fn_warm;

/* Two sockets on loopback, connected to each other. On failure nothing needs a close. */
int fn_warm_open(fn_warm *warm, fn_io_error *error);

/* Safe to call twice after an open. */
void fn_warm_close(fn_warm *warm);

/* One datagram there and back: a few microseconds. False: it did not come. */
bool fn_warm_beat(fn_warm *warm);

#endif
