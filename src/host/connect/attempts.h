/*
 * attempts.h: TCP to one of several addresses, one after the other: the first that answers wins.
 * Which is due, and what follows, is the owner's business (outgoing.h).
 */
#ifndef FN_HOST_CONNECT_ATTEMPTS_H
#define FN_HOST_CONNECT_ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "platform/error.h"
#include "platform/platform.h"
#include "platform/resolve.h"

typedef struct fn_attempt {
    fn_tcp tcp;
    bool open;
} fn_attempt;

typedef struct fn_attempts {
    fn_resolve_result addresses;
    size_t next; /* address that was not tried yet */
    fn_attempt all[FN_RESOLVE_ADDRESSES_MAX];
    int last_code;
    char last_failure[160]; /* both: of the one that failed last */
} fn_attempts;

static inline bool fn_attempts_left(const fn_attempts *attempts)
{
    return attempts->next < attempts->addresses.count;
}

bool fn_attempts_any_open(const fn_attempts *attempts);

/* Starts the next one, from a local address (any = whatever); the wait tells of it by that token.
 */
void fn_attempts_start(fn_attempts *attempts, const fn_platform *platform, const fn_address *from,
                       uint64_t token);

/* One is over: its connection is closed, and the reason kept. */
void fn_attempts_fail(fn_attempts *attempts, const fn_platform *platform, size_t index,
                      const fn_io_error *error);

/* Its connection is the owner's from now on; all others are closed. */
fn_tcp fn_attempts_win(fn_attempts *attempts, const fn_platform *platform, size_t index);

void fn_attempts_close(fn_attempts *attempts, const fn_platform *platform);

/* From the beginning, but for the first address, which is the last one then. */
void fn_attempts_restart(fn_attempts *attempts);

#endif
