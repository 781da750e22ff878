/*
 * unsent.h: what is made of datagrams that the system refused, and of bursts that it sent in vain.
 */
#ifndef FN_HOST_CARRIER_UNSENT_H
#define FN_HOST_CARRIER_UNSENT_H

#include "host/carrier/datagrams.h"

/* The socket did not take that datagram of the peer's session, and will not. True when the session
 * was told what follows from that, and may want to send. */
bool fn_unsent_handle(const fn_platform *platform, const struct fn_peer *peer, uint8_t path,
                      fn_datagram *datagram);

/* Moves what the socket did not take yet, from the first of it on, to the front: batch and slots
 * keep their buffers apart. */
void fn_unsent_keep(fn_datagrams *datagrams, uint32_t first);

/* Whether what the peer's session wrote last leaves by itself. If bursts vanish on that path the
 * platform remembers its address: also for what comes after this session. */
bool fn_unsent_leaves_alone(fn_host *host, const struct fn_peer *peer, uint8_t path);

#endif
