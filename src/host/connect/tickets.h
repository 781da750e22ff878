/*
 * tickets.h: TLS tickets of sessions that are over, for the next connect to the
 * same server: its handshake is then a resumed one, with a fresh (EC)DHE exchange
 * and without certificate and signature.
 *
 * A ticket belongs to the address that gave it and the name that was verified there, and is used
 * once: an observer could link two uses. Whether it was made under the same trust is judged where
 * it is offered (crypto/tls_session.c); a server that does not know it (restarted, other
 * certificate) makes the handshake a full one.
 *
 * At most FN_TICKETS_MAX, each a block of 1 to 2 KiB from the endpoint's allocator; the oldest
 * makes room.
 */
#ifndef FN_HOST_CONNECT_TICKETS_H
#define FN_HOST_CONNECT_TICKETS_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/memory.h"

enum { FN_TICKETS_MAX = 16 };

typedef struct fn_ticket {
    size_t bytes;
    fn_address server;
    uint16_t name_bytes;
    uint8_t data[]; /* the name, then the blob of fn_tls_session() */
} fn_ticket;

/* All zero with memory set = empty. */
typedef struct fn_tickets {
    fn_memory memory;
    uint32_t count;
    fn_ticket *rows[FN_TICKETS_MAX]; /* the oldest first */
} fn_tickets;

/* Copies all of it. Without memory nothing happens. */
void fn_tickets_put(fn_tickets *tickets, const fn_address *server, const char *name,
                    const uint8_t *blob, size_t bytes);

/* The newest for that server, or NULL. It is the caller's: fn_tickets_drop(). */
fn_ticket *fn_tickets_take(fn_tickets *tickets, const fn_address *server, const char *name);

static inline const uint8_t *fn_ticket_blob(const fn_ticket *ticket)
{
    return ticket->data + ticket->name_bytes;
}

/* Erases and frees. NULL is fine. */
void fn_tickets_drop(const fn_tickets *tickets, fn_ticket *ticket);
void fn_tickets_drop_all(fn_tickets *tickets);

#endif
