#include <errno.h>
#include <string.h>

#include "io/posix/batch.h"

int fn_batch_send_result(int os_error)
{
    switch (os_error) {
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
    case ENOBUFS:
        return FASTNET_ERR_BACKPRESSURE;
    case EMSGSIZE:
        return FASTNET_ERR_TOO_LARGE;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EDESTADDRREQ:
    case EINVAL:
        return FASTNET_ERR_ADDRESS;
    default:
        return FASTNET_ERR_SYSTEM;
    }
}

int fn_batch_receive_result(int os_error)
{
    int result = fn_batch_send_result(os_error);
    if (result == FASTNET_ERR_BACKPRESSURE)
        return FASTNET_OK;
    return os_error == ECONNREFUSED ? FASTNET_ERR_ADDRESS : FASTNET_ERR_SYSTEM;
}

static void fn_point(const fn_batch_item *item, size_t bytes, struct iovec *vector,
                     struct msghdr *message)
{
    *vector = (struct iovec){.iov_base = item->data, .iov_len = bytes};
    memset(message, 0, sizeof *message);
    message->msg_iov = vector;
    message->msg_iovlen = 1;
}

void fn_batch_prepare_send(const fn_batch_item *item, struct iovec *vector, struct msghdr *message)
{
    fn_point(item, item->length, vector, message);
    message->msg_name = item->address_bytes > 0 ? item->address : NULL;
    message->msg_namelen = item->address_bytes;
}

void fn_batch_prepare_receive(const fn_batch_item *item, struct iovec *vector,
                              struct msghdr *message)
{
    fn_point(item, item->capacity, vector, message);
    message->msg_name = item->address;
    message->msg_namelen = FN_BATCH_ADDRESS_BYTES;
}

void fn_batch_finish_receive(fn_batch_item *item, const struct msghdr *message, size_t bytes)
{
    item->length = bytes < item->capacity ? bytes : item->capacity;
    item->truncated = (message->msg_flags & MSG_TRUNC) != 0;
    item->address_bytes =
        message->msg_namelen <= FN_BATCH_ADDRESS_BYTES ? (uint32_t)message->msg_namelen : 0;
}

int fn_batch_send_each(fn_handle socket, const fn_batch_item *items, size_t count, size_t *done)
{
    struct iovec vector;
    struct msghdr message;
    for (*done = 0; *done < count; ++*done) {
        ssize_t sent;
        fn_batch_prepare_send(&items[*done], &vector, &message);
        do
            sent = sendmsg((int)socket, &message, FN_BATCH_FLAGS);
        while (sent < 0 && errno == EINTR);
        if (sent < 0)
            return *done > 0 ? FASTNET_OK : fn_batch_send_result(errno);
    }
    return FASTNET_OK;
}

int fn_batch_receive_each(fn_handle socket, fn_batch_item *items, size_t count, size_t *done)
{
    struct iovec vector;
    struct msghdr message;
    for (*done = 0; *done < count; ++*done) {
        ssize_t bytes;
        fn_batch_prepare_receive(&items[*done], &vector, &message);
        do
            bytes = recvmsg((int)socket, &message, FN_BATCH_FLAGS);
        while (bytes < 0 && errno == EINTR);
        if (bytes < 0)
            return *done > 0 ? FASTNET_OK : fn_batch_receive_result(errno);
        fn_batch_finish_receive(&items[*done], &message, (size_t)bytes);
    }
    return FASTNET_OK;
}
