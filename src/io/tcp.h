/* TCP: non-blocking listener, connections, and partial reads and writes. Allocates nothing. */
#ifndef FN_IO_TCP_H
#define FN_IO_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "platform/error.h"
#include "platform/tcp.h"

typedef struct fn_tcp_listener {
    fn_handle handle;
    fn_handle spare; /* given up to accept and drop one connection when descriptors run out */
} fn_tcp_listener;

/*
 * FASTNET_ERR_ADDRESS: in use, not permitted, or no such local address (the sentence says which);
 * FASTNET_ERR_SYSTEM: anything else.
 */
int fn_tcp_listen(fn_tcp_listener *listener, const fn_tcp_listen_options *options,
                  fn_io_error *error);
void fn_tcp_listener_close(fn_tcp_listener *listener);
int fn_tcp_listener_local(const fn_tcp_listener *listener, fn_address *local, fn_io_error *error);

/*
 * Takes one waiting connection: non-blocking, with TCP_NODELAY. Connections that died in the queue
 * are skipped. Without a free descriptor the oldest waiting connection is accepted and closed
 * (EXHAUSTED), so a level-triggered loop does not spin on a listener that it cannot empty.
 */
fn_tcp_outcome fn_tcp_accept(fn_tcp_listener *listener, fn_tcp *tcp, fn_address *peer);

/*
 * Starts to connect, from a local address (its port does not matter; any = what the system takes).
 * FASTNET_OK: under way; wait for writability, then ask for the result. On
 * failure (FASTNET_ERR_ADDRESS, FASTNET_ERR_SYSTEM) nothing needs to be closed.
 */
int fn_tcp_connect(fn_tcp *tcp, const fn_address *peer, const fn_address *local,
                   fn_io_error *error);

/*
 * After writability (harmless before): FASTNET_OK with *established false while under way, true
 * when done. FASTNET_ERR_ADDRESS: refused or unreachable; FASTNET_ERR_CLOSED: established, and
 * reset by the other side since; FASTNET_ERR_TIMEOUT: the system gave up
 * waiting; FASTNET_ERR_SYSTEM: anything else. The sentence names the peer.
 */
int fn_tcp_connect_result(fn_tcp *tcp, const fn_address *peer, bool *established,
                          fn_io_error *error);

int fn_tcp_local(const fn_tcp *tcp, fn_address *local, fn_io_error *error);

/* Sends or receives what is possible now; *moved is always written. Never raises SIGPIPE. */
fn_tcp_outcome fn_tcp_send(fn_tcp *tcp, const void *data, size_t length, size_t *moved);
fn_tcp_outcome fn_tcp_receive(fn_tcp *tcp, void *data, size_t capacity, size_t *moved);

/* Ends our direction: the other side reads what was sent, then CLOSED. */
void fn_tcp_shutdown(fn_tcp *tcp);

/* Best effort: the connection works without them. */
void fn_tcp_set_nodelay(fn_tcp *tcp, bool on);

/* Writable only while fewer than bytes are unsent below us, so that old data never queues deep. */
void fn_tcp_set_unsent_max(fn_tcp *tcp, uint32_t bytes);

/* Orderly close, or abort: the other side sees RESET and the system
 * keeps nothing. Twice is safe. */
void fn_tcp_close(fn_tcp *tcp);
void fn_tcp_abort(fn_tcp *tcp);

#endif
