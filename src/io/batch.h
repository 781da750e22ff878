/*
 * Batches on a socket that is not ours: system addresses in and out, nothing counted or remembered.
 * Never blocks, allocates nothing.
 */
#ifndef FN_IO_BATCH_H
#define FN_IO_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/handle.h"

enum {
    FN_BATCH_MAX = 64,
    FN_BATCH_ADDRESS_BYTES = 32 /* a sockaddr_in6 fits */
};

typedef struct fn_batch_item {
    void *data;             /* read by send, written by receive */
    size_t length;          /* send: of data; receive: how many bytes came, at most capacity */
    size_t capacity;        /* receive */
    uint8_t *address;       /* send: a sockaddr; receive: FN_BATCH_ADDRESS_BYTES for one */
    uint32_t address_bytes; /* send: 0 = the socket is connected. receive: written */
    bool truncated;         /* receive: it was longer than capacity */
} fn_batch_item;

/*
 * Sends the first count (at most FN_BATCH_MAX) items in order; *done is how many left. FASTNET_OK
 * when at least one did; otherwise why the first did not: ERR_BACKPRESSURE, ERR_TOO_LARGE,
 * ERR_ADDRESS, ERR_SYSTEM.
 */
int fn_batch_send(fn_handle socket, const fn_batch_item *items, size_t count, size_t *done);

/* Receives at most count items. FASTNET_OK (none there: *done is 0), ERR_ADDRESS, ERR_SYSTEM. */
int fn_batch_receive(fn_handle socket, fn_batch_item *items, size_t count, size_t *done);

#endif
