/*
 * fork_guard.h: finds out whether this process is a copy (fork) of the one in which the guard was
 * opened, without asking the system each time: a page that the system zeroes in the child.
 *
 * Two processes that go on with the same keys and counters would seal different bytes under one
 * nonce, and both would read the same sockets.
 */
#ifndef FN_IO_FORK_GUARD_H
#define FN_IO_FORK_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fn_fork_guard {
    const volatile uint32_t *mark; /* 0 in a child; NULL: this system has no such pages */
    size_t page_bytes;
    int64_t process; /* without such a page: asked each time */
} fn_fork_guard;

/* Cannot fail: at worst, asking takes a system call. */
void fn_fork_guard_open(fn_fork_guard *guard);
void fn_fork_guard_close(fn_fork_guard *guard);

bool fn_fork_guard_is_child(const fn_fork_guard *guard);

#endif
