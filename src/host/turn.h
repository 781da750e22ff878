/*
 * turn.h: the order in which everything gets its turn.
 *
 *   what the last poll delivered is given back
 *   UDP is read until it is empty, then timers run: an application that was busy for a while must
 * not lose peers whose datagrams are waiting in the socket TCP: accepted, read; handshakes step
 * within their budget every session that may have something to send is flushed, in one batch
 */
#ifndef FN_HOST_TURN_H
#define FN_HOST_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "host/host.h"

/* One turn for everything, without waiting. Does not release or deliver events. */
void fn_pump(fn_host *host);

/* Waits for one thing to do, until end_ns at most, and gives everything one turn. */
void fn_pump_turn(fn_host *host, uint64_t end_ns);

/* Turns until an event is queued, fastnet_wake was called, timeout_ns have passed, or the allowance
 * of handshake work is used up and more is left. */
void fn_pump_wait(fn_host *host, uint64_t timeout_ns);

/* When the next turn is wanted even if nothing arrives: absolute; 0 = now. */
uint64_t fn_pump_deadline_ns(const fn_host *host);

/* Gives back what was delivered and frees what was waiting for that. */
void fn_pump_release(fn_host *host);

/* Turns until an event is queued, fastnet_wake was called, or nothing is left to do now. */
void fn_pump_now(fn_host *host);

#endif
