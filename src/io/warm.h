/*
 * Two sockets of our own that nobody else can reach, to send datagrams to ourselves: they take the
 * system's path of a datagram, which the caches forget between two packets at a game's rate.
 */
#ifndef FN_IO_WARM_H
#define FN_IO_WARM_H

#include "io/udp.h"

typedef struct fn_warm {
    fn_udp ends[2];
} fn_warm;

/* Two sockets on loopback, connected to each other. On failure nothing needs a close. */
int fn_warm_open(fn_warm *warm, fn_io_error *error);

/* Safe to call twice after an open. */
void fn_warm_close(fn_warm *warm);

/* Sends data from one end and takes what came out of the other into in, which has a buffer of its
 * own. A few microseconds. False: nothing came. */
bool fn_warm_carry(fn_warm *warm, uint32_t from, const uint8_t *data, uint32_t bytes,
                   fn_datagram *in);

#endif
