#include "io/poller.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "io/posix/fail.h"
#include "io/posix/socket.h"
#include "io/posix/wake.h"

#define FN_NS_PER_S   UINT64_C(1000000000)
#define FN_WAIT_BATCH 64
#define FN_WAKE_TOKEN UINT64_MAX

#if !defined(SYS_epoll_pwait2) && (defined(__x86_64__) || defined(__aarch64__))
#define SYS_epoll_pwait2 441 /* Linux 5.11; the headers may be older than the kernel */
#endif

size_t fn_poller_memory_bytes(uint32_t capacity)
{
    (void)capacity;
    return 0;
}

static bool fn_open_descriptors(fn_poller *poller)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = FN_WAKE_TOKEN}};
    poller->handle = epoll_create1(EPOLL_CLOEXEC);
    poller->wake_read = poller->wake_write = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (poller->handle < 0 || poller->wake_read < 0)
        return false;
    return epoll_ctl((int)poller->handle, EPOLL_CTL_ADD, (int)poller->wake_read, &event) == 0;
}

int fn_poller_open(fn_poller *poller, void *memory, uint32_t capacity, fn_io_error *error)
{
    memset(poller, 0, sizeof *poller);
    atomic_init(&poller->woken, false);
    poller->memory = memory;
    poller->capacity = capacity;
    if (fn_open_descriptors(poller))
        return FASTNET_OK;
    int os_error = errno;
    fn_poller_close(poller);
    return fn_io_fail(error, FASTNET_ERR_SYSTEM, os_error, "cannot open epoll: %s",
                      fn_errno_text(os_error));
}

void fn_poller_close(fn_poller *poller)
{
    fn_socket_close(&poller->handle);
    fn_socket_close(&poller->wake_read);
    poller->wake_write = FN_HANDLE_NONE;
}

/* --- the table ------------------------------------------------------------------------------ */

static int fn_control(fn_poller *poller, int operation, fn_handle handle, uint64_t token,
                      uint32_t interest)
{
    struct epoll_event event = {.data = {.u64 = token}};
    assert(token != FN_WAKE_TOKEN);
    event.events = (interest & FN_POLL_READ ? (uint32_t)EPOLLIN : 0) |
                   (interest & FN_POLL_WRITE ? (uint32_t)EPOLLOUT : 0);
    /* epoll always reports broken sockets; without interest once must
     * do, or the loop would spin. */
    if (event.events == 0)
        event.events = EPOLLET;
    return epoll_ctl((int)poller->handle, operation, (int)handle, &event) == 0 ? 0 : errno;
}

int fn_poller_add(fn_poller *poller, fn_handle handle, uint64_t token, uint32_t interest,
                  fn_io_error *error)
{
    if (poller->count == poller->capacity)
        return fn_io_fail(error, FASTNET_ERR_LIMIT, 0, "no more than %u sockets fit here",
                          (unsigned)poller->capacity);
    int os_error = fn_control(poller, EPOLL_CTL_ADD, handle, token, interest);
    if (os_error != 0)
        return fn_io_fail(error, FASTNET_ERR_SYSTEM, os_error, "epoll cannot add a socket: %s",
                          fn_errno_text(os_error));
    poller->count++;
    return FASTNET_OK;
}

int fn_poller_modify(fn_poller *poller, fn_handle handle, uint64_t token, uint32_t interest,
                     fn_io_error *error)
{
    int os_error = fn_control(poller, EPOLL_CTL_MOD, handle, token, interest);
    if (os_error != 0)
        return fn_io_fail(error, FASTNET_ERR_SYSTEM, os_error, "epoll cannot change a socket: %s",
                          fn_errno_text(os_error));
    return FASTNET_OK;
}

void fn_poller_remove(fn_poller *poller, fn_handle handle)
{
    struct epoll_event unused = {0};
    if (epoll_ctl((int)poller->handle, EPOLL_CTL_DEL, (int)handle, &unused) == 0)
        poller->count--;
}

/* --- waiting -------------------------------------------------------------------------------- */

/* epoll_wait counts in milliseconds: good for looking, useless for a frame's deadline. */
static int fn_wait_precise(const fn_poller *poller, uint64_t timeout_ns, struct epoll_event *ready,
                           int capacity)
{
#ifdef SYS_epoll_pwait2
    struct {
        int64_t seconds, nanoseconds;
    } timeout = {(int64_t)(timeout_ns / FN_NS_PER_S), (int64_t)(timeout_ns % FN_NS_PER_S)};
    return (int)syscall(SYS_epoll_pwait2, (int)poller->handle, ready, capacity,
                        timeout_ns == FN_POLL_FOREVER ? NULL : &timeout, NULL, (size_t)0);
#else
    (void)poller, (void)timeout_ns, (void)ready, (void)capacity;
    errno = ENOSYS;
    return -1;
#endif
}

/* An epoll descriptor can itself be waited for, and ppoll counts in nanoseconds on every kernel. */
static int fn_wait_through_ppoll(const fn_poller *poller, uint64_t timeout_ns,
                                 struct epoll_event *ready, int capacity)
{
    struct pollfd row = {.fd = (int)poller->handle, .events = POLLIN};
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / FN_NS_PER_S),
                               .tv_nsec = (long)(timeout_ns % FN_NS_PER_S)};
    int found = ppoll(&row, 1, timeout_ns == FN_POLL_FOREVER ? NULL : &timeout, NULL);
    return found > 0 ? epoll_wait((int)poller->handle, ready, capacity, 0) : found;
}

static int fn_wait(fn_poller *poller, uint64_t timeout_ns, struct epoll_event *ready, int capacity)
{
    if (timeout_ns == 0)
        return epoll_wait((int)poller->handle, ready, capacity, 0);
    if (!poller->coarse) {
        int found = fn_wait_precise(poller, timeout_ns, ready, capacity);
        /* Old kernels say ENOSYS, sandboxes EPERM. */
        poller->coarse = found < 0 && (errno == ENOSYS || errno == EPERM);
        if (!poller->coarse)
            return found;
    }
    return fn_wait_through_ppoll(poller, timeout_ns, ready, capacity);
}

static uint32_t fn_ready_of(uint32_t events)
{
    if (events & (EPOLLERR | EPOLLHUP))
        return FN_POLL_READ | FN_POLL_WRITE;
    return (events & EPOLLIN ? FN_POLL_READ : 0) | (events & EPOLLOUT ? FN_POLL_WRITE : 0);
}

size_t fn_poller_wait(fn_poller *poller, uint64_t timeout_ns, fn_poll_event *events,
                      size_t capacity)
{
    struct epoll_event ready[FN_WAIT_BATCH];
    assert(capacity > 0);
    int room = capacity < FN_WAIT_BATCH ? (int)capacity : FN_WAIT_BATCH;
    int found = fn_wait(poller, timeout_ns, ready, room);
    size_t count = 0;
    for (int i = 0; i < found; i++) {
        if (ready[i].data.u64 == FN_WAKE_TOKEN)
            fn_wake_consume(poller);
        else
            events[count++] = (fn_poll_event){ready[i].data.u64, fn_ready_of(ready[i].events)};
    }
    return count;
}

fn_handle fn_poller_fd(const fn_poller *poller)
{
    return poller->handle;
}
