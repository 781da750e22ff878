/*
 * stall.h: the application was away: a frozen process, a breakpoint, a level that loads.
 *
 * What it finds in its sockets afterwards is of any age since the last turn, and says nothing about
 * who is there now. The sockets are emptied first; then every session is asked, and the end of
 * those that are dead comes when it would have come without the stall, but 3 s from now at the
 * earliest (core/idle.h). Without this a session that died meanwhile held its place for the idle
 * timeout once more.
 */
#ifndef FN_HOST_STALL_H
#define FN_HOST_STALL_H

#include <stdbool.h>
#include <stdint.h>

#include "fastnet.h"

typedef struct fn_host fn_host;

typedef struct fn_stall {
    uint64_t since_ns; /* the last turn before it; 0 = there is none */
    bool asked;        /* the sessions were, but the sockets still hold more */
} fn_stall;

/* A turn begins. Whoever waits for the next deadline is not away: a stall is to be later than that
 * by a second. Costs a comparison. */
void fn_stall_notice(fn_host *host, uint64_t now_ns);

/* Timers are about to run. emptied: the UDP socket holds nothing any more. */
void fn_stall_recall(fn_host *host, bool emptied, uint64_t now_ns);

#endif
