/*
 * session.h: the connection of one peer (core/conn.h), and what the driver does around it.
 */
#ifndef FN_HOST_SESSION_H
#define FN_HOST_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastnet.h"
#include "host/peer.h"

typedef struct fn_host fn_host;

/*
 * Takes all the memory that a session of this peer needs to begin, so that a server can still say
 * no: fn_session_start() cannot fail for want of it any more. ERR_MEMORY.
 */
int fn_session_reserve(fn_host *host, fn_peer *peer);

/*
 * Takes the secrets out of the peer's handshake and builds its connection. first_path: where a
 * client sends to, NULL when it does not know and TCP has to do; NULL for a server, which learns it
 * from the first datagram that opens.
 * ERR_MEMORY: neither the allocator nor the pool has room.
 */
int fn_session_start(fn_host *host, fn_peer *peer, const fn_address *first_path, uint64_t now_ns);

/* One datagram for this peer. The buffer stays as it is while events point into it. */
fn_conn_received fn_session_receive(fn_host *host, fn_peer *peer, uint64_t now_ns,
                                    const fn_address *from, uint8_t *data, size_t bytes);

/* Likewise, but it came on a path that is no address. */
fn_conn_received fn_session_receive_on(fn_host *host, fn_peer *peer, uint64_t now_ns, uint8_t path,
                                       uint8_t *data, size_t bytes);

/* Its timer fired. */
void fn_session_tick(fn_host *host, fn_peer *peer, uint64_t now_ns);

/* Puts what it may send into the send batch; its state is looked at once that has left. False: the
 * socket is full; it stays dirty. */
bool fn_session_flush(fn_host *host, fn_peer *peer, uint64_t now_ns);

/* The same for one peer whose message shall leave at once, with all that this brings about. */
void fn_session_send_now(fn_host *host, fn_peer *peer, uint64_t now_ns);

/* Flushes every peer that may have something, then hands all to the socket. */
void fn_sessions_flush(fn_host *host, uint64_t now_ns);

/* Ends it from this side. */
void fn_session_close(fn_host *host, fn_peer *peer, uint64_t now_ns, uint32_t code,
                      const char *text, uint64_t linger_ns);

/* Erases and frees the connection, or what was reserved for it. Its delivered events were released.
 */
void fn_session_free(fn_host *host, fn_peer *peer);

#endif
