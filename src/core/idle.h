/*
 * Silence: when to send a keep-alive, and when the peer is gone.
 *
 * The session ends idle_timeout after the last authenticated packet arrived, or after the first
 * ack-eliciting packet sent since then, if that was later (RFC 9000 §10.1: who has just spoken gets
 * the time for an answer). A keep-alive is due after keepalive of quiet: nothing received and
 * nothing ack-eliciting sent. A keep-alive longer than a third of the timeout would be none: it is
 * cut to that.
 *
 * Who was frozen for a while finds datagrams of any age in his socket. They do not count as heard
 * just now: fn_idle_recall() puts the clock back to before the stall, and gives the other side a
 * few seconds to answer.
 */
#ifndef FN_CORE_IDLE_H
#define FN_CORE_IDLE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"

typedef enum fn_idle_due {
    FN_IDLE_NOTHING,
    FN_IDLE_KEEPALIVE, /* send a PING */
    FN_IDLE_TIMEOUT    /* the session is over */
} fn_idle_due;

typedef struct fn_idle {
    uint64_t timeout_ns;   /* FN_NEVER = never */
    uint64_t keepalive_ns; /* FN_NEVER = never */
    uint64_t received_ns;
    uint64_t spoke_ns;    /* first ack-eliciting packet sent since received_ns; FN_NEVER = none */
    uint64_t sent_ns;     /* last ack-eliciting packet sent */
    uint64_t recalled_ns; /* when it was last recalled; 0 = never */
} fn_idle;

#define FN_IDLE_RECALL_NS (3 * FN_NS_PER_S)

static_assert(sizeof(fn_idle) <= 48, "fn_idle is part of every connection");

/* Counts from now. timeout_ns and keepalive_ns: 0 and FN_NEVER = never. */
void fn_idle_init(fn_idle *idle, uint64_t timeout_ns, uint64_t keepalive_ns, uint64_t now_ns);

/* An authenticated, fresh packet arrived. */
void fn_idle_on_received(fn_idle *idle, uint64_t now_ns);

/* An ack-eliciting packet left. */
void fn_idle_on_sent(fn_idle *idle, uint64_t now_ns);

/*
 * After a stall that began at since_ns: what was received after that may be as old as the stall.
 * The session ends when it would have without it, but not before FN_IDLE_RECALL_NS from now (or the
 * timeout, if that is shorter). True: ask the other side. False: it was asked after an earlier
 * stall, nothing came since, and its time goes on running.
 */
bool fn_idle_recall(fn_idle *idle, uint64_t since_ns, uint64_t now_ns);

/* When the session is over unless something arrives; FN_NEVER. */
uint64_t fn_idle_timeout_at(const fn_idle *idle);

/* When fn_idle_check() will next say something; FN_NEVER. */
uint64_t fn_idle_deadline(const fn_idle *idle);

fn_idle_due fn_idle_check(const fn_idle *idle, uint64_t now_ns);

#endif
