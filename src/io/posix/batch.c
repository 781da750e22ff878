#include "io/posix/batch.h"

int fn_batch_send(fn_handle socket, const fn_batch_item *items, size_t count, size_t *done)
{
    return fn_batch_send_each(socket, items, count, done);
}

int fn_batch_receive(fn_handle socket, fn_batch_item *items, size_t count, size_t *done)
{
    return fn_batch_receive_each(socket, items, count, done);
}
