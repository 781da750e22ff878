/*
 * system.h: the operating system as an endpoint's world (platform/platform.h): its UDP socket, its
 * listener and what waits for them.
 */
#ifndef FN_IO_SYSTEM_H
#define FN_IO_SYSTEM_H

#include <stdatomic.h>
#include <stdbool.h>

#include "io/fork_guard.h"
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
    atomic_bool interrupted; /* not taken yet */
    fn_fork_guard guard;
} fn_system;

/*
 * The table over a system; one that is all zero holds nothing yet.
 *
 * In a child process (fork) nothing that the parent shares is touched any more: no byte is sent or
 * received, no socket leaves the parent's wait, closing only closes the child's descriptors.
 */
fn_platform fn_system_platform(fn_system *system);

/* After its sockets were closed. */
void fn_system_close(fn_system *system);

#endif
