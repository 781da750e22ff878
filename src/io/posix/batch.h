/* One message of a batch, for both ways of sending it: alone and with others. */
#ifndef FN_IO_POSIX_BATCH_H
#define FN_IO_POSIX_BATCH_H

#include <sys/socket.h>

#include "base/result.h"
#include "io/batch.h"

#ifdef MSG_NOSIGNAL
#define FN_BATCH_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#else
#define FN_BATCH_FLAGS MSG_DONTWAIT
#endif

/* The FASTNET_* code for errno; FASTNET_OK for "nothing there" on receive. */
int fn_batch_send_result(int os_error);
int fn_batch_receive_result(int os_error);

void fn_batch_prepare_send(const fn_batch_item *item, struct iovec *vector, struct msghdr *message);
void fn_batch_prepare_receive(const fn_batch_item *item, struct iovec *vector,
                              struct msghdr *message);
void fn_batch_finish_receive(fn_batch_item *item, const struct msghdr *message, size_t bytes);

/* The plain way: one call for each. */
int fn_batch_send_each(fn_handle socket, const fn_batch_item *items, size_t count, size_t *done);
int fn_batch_receive_each(fn_handle socket, fn_batch_item *items, size_t count, size_t *done);

#endif
