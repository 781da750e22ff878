/*
 * door.h: the TLS port's listener: who is accepted when, and when nobody is.
 *
 *   take      the next one, while core/admission has room
 *   hold      it was accepted, and has to wait because of where it came from: it is the next one
 *   settle    no room: the listener is not listened to, newcomers wait in the system's queue
 *
 * Whether somebody may come in is its owner's business (incoming.h).
 */
#ifndef FN_HOST_CONNECT_DOOR_H
#define FN_HOST_CONNECT_DOOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "crypto/failure.h"
#include "host/timer.h"
#include "platform/port_use.h"
#include "platform/tcp.h"

typedef struct fn_host fn_host;

typedef struct fn_door {
    bool open;
    bool shut;  /* newcomers wait outside */
    bool holds; /* one who waits inside */
    fn_tcp held;
    fn_address held_from;
    fn_timer timer; /* shut: when somebody overruns */
    uint16_t port;
} fn_door;

/* Opens the TLS port. ERR_ADDRESS, ERR_SYSTEM. */
int fn_door_open(fn_host *host, fn_port_use port_use, fn_failure *failure);
void fn_door_close(fn_host *host);

/* WOULD_BLOCK: there is nobody, or nobody can come in. *held: it was accepted before. */
fn_tcp_outcome fn_door_take(fn_host *host, uint64_t now_ns, fn_tcp *tcp, fn_address *from,
                            bool *held);

void fn_door_hold(fn_door *door, fn_tcp tcp, const fn_address *from);

/* So many were taken as can be now. */
void fn_door_settle(fn_host *host, uint64_t now_ns);

#endif
