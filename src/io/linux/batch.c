#include <assert.h>
#include <errno.h>

#include "io/posix/batch.h"

int fn_batch_send(fn_handle socket, const fn_batch_item *items, size_t count, size_t *done)
{
    struct mmsghdr messages[FN_BATCH_MAX];
    struct iovec vectors[FN_BATCH_MAX];
    int sent;
    assert(count <= FN_BATCH_MAX);
    for (size_t i = 0; i < count; i++)
        fn_batch_prepare_send(&items[i], &vectors[i], &messages[i].msg_hdr);
    do
        sent = sendmmsg((int)socket, messages, (unsigned)count, FN_BATCH_FLAGS);
    while (sent < 0 && errno == EINTR);
    /* Sandboxes refuse calls that they do not know with EPERM; firewalls do so too. */
    if (sent < 0 && (errno == ENOSYS || errno == EPERM))
        return fn_batch_send_each(socket, items, count, done);
    *done = sent > 0 ? (size_t)sent : 0;
    return sent < 0 ? fn_batch_send_result(errno) : FASTNET_OK;
}

int fn_batch_receive(fn_handle socket, fn_batch_item *items, size_t count, size_t *done)
{
    struct mmsghdr messages[FN_BATCH_MAX];
    struct iovec vectors[FN_BATCH_MAX];
    int received;
    assert(count <= FN_BATCH_MAX);
    for (size_t i = 0; i < count; i++)
        fn_batch_prepare_receive(&items[i], &vectors[i], &messages[i].msg_hdr);
    do
        received = recvmmsg((int)socket, messages, (unsigned)count, FN_BATCH_FLAGS, NULL);
    while (received < 0 && errno == EINTR);
    if (received < 0 && (errno == ENOSYS || errno == EPERM))
        return fn_batch_receive_each(socket, items, count, done);
    *done = received > 0 ? (size_t)received : 0;
    for (size_t i = 0; i < *done; i++)
        fn_batch_finish_receive(&items[i], &messages[i].msg_hdr, messages[i].msg_len);
    return received < 0 ? fn_batch_receive_result(errno) : FASTNET_OK;
}
