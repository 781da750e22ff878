/*
 * system.h: the operating system as an endpoint's world (platform/platform.h): its UDP socket, its
 * listener and what waits for them.
 */
#ifndef FN_IO_SYSTEM_H
#define FN_IO_SYSTEM_H

#include "io/poller.h"
#include "io/tcp.h"
#include "io/udp.h"
#include "io/warm.h"
#include "platform/platform.h"

/* Fields are private, except that shards steer datagrams to `udp`, and other event loops wait for
 * `poller`. Must not move. */
typedef struct fn_system {
    fn_udp udp;
    fn_tcp_listener listener;
    fn_poller poller;
    fn_warm warm;
    bool udp_watched;
} fn_system;

/* The table over a system; one that is all zero holds nothing yet. */
fn_platform fn_system_platform(fn_system *system);

#endif
