/*
 * Waits for sockets, for a deadline, and for a wake from elsewhere. Level-triggered.
 * One thread uses a poller; only fn_poller_wake may be called from others and from signal handlers.
 */
#ifndef FN_IO_POLLER_H
#define FN_IO_POLLER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/error.h"
#include "platform/handle.h"
#include "platform/readiness.h"

/* Fields are private. */
typedef struct fn_poller {
    fn_handle handle;     /* what other loops can wait on, or FN_HANDLE_NONE */
    fn_handle wake_read;  /* becomes readable by a wake */
    fn_handle wake_write; /* the same as wake_read where one descriptor is enough */
    atomic_bool woken;    /* a wake is under way: further ones need no system call */
    bool coarse;          /* the precise wait is unavailable here */
    uint32_t capacity;
    uint32_t count;
    uint32_t next; /* where the scan for ready sockets begins: nobody starves */
    void *memory;
} fn_poller;

/* Memory that open needs for so many sockets; 0 where the system keeps the table. */
size_t fn_poller_memory_bytes(uint32_t capacity);

/*
 * memory: fn_poller_memory_bytes(capacity) bytes, aligned for any type, kept until close; may be
 * NULL when that is 0. The poller must not move afterwards. FASTNET_ERR_SYSTEM on failure.
 */
int fn_poller_open(fn_poller *poller, void *memory, uint32_t capacity, fn_io_error *error);
void fn_poller_close(fn_poller *poller);

/*
 * Adds, changes, removes a socket. interest 0 keeps it without waiting for it. Remove it before it
 * is closed. FASTNET_ERR_LIMIT: capacity reached; FASTNET_ERR_SYSTEM: anything else.
 */
int fn_poller_add(fn_poller *poller, fn_handle handle, uint64_t token, uint32_t interest,
                  fn_io_error *error);
int fn_poller_modify(fn_poller *poller, fn_handle handle, uint64_t token, uint32_t interest,
                     fn_io_error *error);
void fn_poller_remove(fn_poller *poller, fn_handle handle);

/*
 * Waits at most timeout_ns (0 = look only) and writes up to capacity events; returns how many.
 * Without wake or signal it never returns early with none. A wake or a signal ends the wait,
 * possibly with no event, and wakes given before the return are consumed together.
 */
size_t fn_poller_wait(fn_poller *poller, uint64_t timeout_ns, fn_poll_event *events,
                      size_t capacity);

/* Ends the present wait, or the next one. Any thread; async-signal-safe; never blocks. */
void fn_poller_wake(fn_poller *poller);

/*
 * One descriptor that is readable while any socket is ready or a wake is pending, for other event
 * loops. FN_HANDLE_NONE where the system has none (the plain poll backend).
 */
fn_handle fn_poller_fd(const fn_poller *poller);

#endif
