#include "host/connect/tickets.h"

#include <string.h>

#include "base/bytes.h"
#include "host/blocks.h"

static size_t block_bytes(const fn_ticket *ticket)
{
    return sizeof *ticket + ticket->name_bytes + ticket->bytes;
}

static fn_ticket *remove_at(fn_tickets *tickets, uint32_t index)
{
    fn_ticket *ticket = tickets->rows[index];
    tickets->count--;
    memmove(&tickets->rows[index], &tickets->rows[index + 1],
            (tickets->count - index) * sizeof(fn_ticket *));
    return ticket;
}

void fn_tickets_put(fn_tickets *tickets, const fn_address *server, const char *name,
                    const uint8_t *blob, size_t bytes)
{
    size_t name_bytes = strlen(name);
    fn_ticket *ticket = fn_memory_alloc(&tickets->memory, sizeof *ticket + name_bytes + bytes,
                                        FN_ALLOCATOR_ALIGNMENT);
    if (ticket == NULL)
        return;
    *ticket = (fn_ticket){.bytes = bytes, .server = *server, .name_bytes = (uint16_t)name_bytes};
    memcpy(ticket->data, name, name_bytes);
    memcpy(ticket->data + name_bytes, blob, bytes);
    if (tickets->count == FN_TICKETS_MAX)
        fn_tickets_drop(tickets, remove_at(tickets, 0));
    tickets->rows[tickets->count++] = ticket;
}

static bool is_for(const fn_ticket *ticket, const fn_address *server, const char *name)
{
    size_t name_bytes = strlen(name);
    return fn_address_equal(&ticket->server, server) && ticket->name_bytes == name_bytes &&
           memcmp(ticket->data, name, name_bytes) == 0;
}

fn_ticket *fn_tickets_take(fn_tickets *tickets, const fn_address *server, const char *name)
{
    for (uint32_t i = tickets->count; i-- > 0;) {
        if (is_for(tickets->rows[i], server, name))
            return remove_at(tickets, i);
    }
    return NULL;
}

void fn_tickets_drop(const fn_tickets *tickets, fn_ticket *ticket)
{
    if (ticket == NULL)
        return;
    size_t bytes = block_bytes(ticket);
    fn_bytes_wipe(ticket, bytes);
    fn_memory_free(&tickets->memory, ticket, bytes);
}

void fn_tickets_drop_all(fn_tickets *tickets)
{
    while (tickets->count > 0)
        fn_tickets_drop(tickets, remove_at(tickets, 0));
}
