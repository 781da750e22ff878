/*
 * recent.h: what happened in the last 4 to 5 seconds, out of counters that only grow: marks of
 * them, one a second at most, and the difference to the present.
 *
 * Costs one comparison per packet. A quiet connection sets no marks and needs none: all since the
 * newest mark happened within a second after it.
 */
#ifndef FN_CORE_RECENT_H
#define FN_CORE_RECENT_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"

#define FN_RECENT_MARK_NS   FN_NS_PER_S
#define FN_RECENT_WINDOW_NS (4 * FN_NS_PER_S)

enum { FN_RECENT_MARKS = 6 };

/* Counters, or a difference of two of them. */
typedef struct fn_recent_counts {
    uint64_t sent_bytes;
    uint64_t received_bytes;
    uint32_t sent;     /* packets that ask for an acknowledgement */
    uint32_t lost;     /* of them, as far as known */
    uint32_t received; /* packets */
    uint32_t numbers;  /* that the other side has used up to the newest one received */
} fn_recent_counts;

typedef struct fn_recent_mark {
    uint64_t time_ns;
    fn_recent_counts counts;
} fn_recent_mark;

typedef struct fn_recent {
    uint64_t next_ns;                      /* when the next mark is due */
    uint32_t newest;                       /* index */
    fn_recent_mark marks[FN_RECENT_MARKS]; /* a ring; at first all are the beginning */
} fn_recent;

static_assert(sizeof(fn_recent) <= 256, "fn_recent is part of every connection");

void fn_recent_init(fn_recent *recent, uint64_t now_ns);

static inline bool fn_recent_is_due(const fn_recent *recent, uint64_t now_ns)
{
    return now_ns >= recent->next_ns;
}

/* Before what happens now is counted. */
void fn_recent_set_mark(fn_recent *recent, uint64_t now_ns, const fn_recent_counts *counts);

/* The difference between the counters now and 4 to 5 seconds ago (younger connections: since the
 * beginning), and over how long it is; all zero when nothing happened. */
uint64_t fn_recent_since(const fn_recent *recent, uint64_t now_ns, const fn_recent_counts *counts,
                         fn_recent_counts *difference);

#endif
