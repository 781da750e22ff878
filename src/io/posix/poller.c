#include "io/poller.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <poll.h>

#include "io/clock.h"
#include "io/posix/fail.h"
#include "io/posix/socket.h"
#include "io/posix/wake.h"

#if defined(__linux__) || defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__NetBSD__)
#define FN_HAVE_PPOLL 1
#else
#define FN_HAVE_PPOLL 0
#endif

#define FN_NS_PER_S  UINT64_C(1000000000)
#define FN_NS_PER_MS UINT64_C(1000000)

/* Index i of both tables is the same socket; row 0 of the poll table is the wake pipe. */
typedef struct fn_poll_entry {
    uint64_t token;
    int descriptor;
} fn_poll_entry;

static fn_poll_entry *fn_entries(const fn_poller *poller)
{
    return poller->memory;
}

static struct pollfd *fn_rows(const fn_poller *poller)
{
    return (struct pollfd *)(void *)(fn_entries(poller) + poller->capacity);
}

size_t fn_poller_memory_bytes(uint32_t capacity)
{
    return capacity * sizeof(fn_poll_entry) + (capacity + (size_t)1) * sizeof(struct pollfd);
}

static bool fn_open_pipe(fn_poller *poller)
{
    int ends[2];
    if (pipe(ends) != 0)
        return false;
    poller->wake_read = ends[0];
    poller->wake_write = ends[1];
    return fn_socket_prepare(ends[0]) && fn_socket_prepare(ends[1]);
}

int fn_poller_open(fn_poller *poller, void *memory, uint32_t capacity, fn_io_error *error)
{
    memset(poller, 0, sizeof *poller);
    atomic_init(&poller->woken, false);
    poller->handle = poller->wake_read = poller->wake_write = FN_HANDLE_NONE;
    poller->memory = memory;
    poller->capacity = capacity;
    poller->coarse = !FN_HAVE_PPOLL;
    assert(memory != NULL);
    if (!fn_open_pipe(poller)) {
        int os_error = errno;
        fn_poller_close(poller);
        return fn_io_fail(error, FASTNET_ERR_SYSTEM, os_error, "cannot open a pipe to wait on: %s",
                          fn_errno_text(os_error));
    }
    fn_rows(poller)[0] = (struct pollfd){.fd = (int)poller->wake_read, .events = POLLIN};
    return FASTNET_OK;
}

void fn_poller_close(fn_poller *poller)
{
    fn_socket_close(&poller->wake_read);
    fn_socket_close(&poller->wake_write);
}

/* --- the table ------------------------------------------------------------------------------ */

static uint32_t fn_find(const fn_poller *poller, fn_handle handle)
{
    uint32_t index = 0;
    while (index < poller->count && fn_entries(poller)[index].descriptor != (int)handle)
        index++;
    return index;
}

static void fn_set_row(fn_poller *poller, uint32_t index, uint32_t interest)
{
    struct pollfd *row = &fn_rows(poller)[index + 1];
    /* poll(2) skips negative descriptors: otherwise a broken one would be reported for ever. */
    row->fd = interest != 0 ? fn_entries(poller)[index].descriptor : -1;
    row->events =
        (short)((interest & FN_POLL_READ ? POLLIN : 0) | (interest & FN_POLL_WRITE ? POLLOUT : 0));
    row->revents = 0;
}

int fn_poller_add(fn_poller *poller, fn_handle handle, uint64_t token, uint32_t interest,
                  fn_io_error *error)
{
    if (poller->count == poller->capacity)
        return fn_io_fail(error, FASTNET_ERR_LIMIT, 0, "no more than %u sockets fit here",
                          (unsigned)poller->capacity);
    if (fn_find(poller, handle) != poller->count)
        return fn_io_fail(error, FASTNET_ERR_SYSTEM, EEXIST, "the socket is waited for already");
    fn_entries(poller)[poller->count] = (fn_poll_entry){token, (int)handle};
    fn_set_row(poller, poller->count, interest);
    poller->count++;
    return FASTNET_OK;
}

int fn_poller_modify(fn_poller *poller, fn_handle handle, uint64_t token, uint32_t interest,
                     fn_io_error *error)
{
    uint32_t index = fn_find(poller, handle);
    if (index == poller->count)
        return fn_io_fail(error, FASTNET_ERR_SYSTEM, ENOENT, "the socket is not waited for");
    fn_entries(poller)[index].token = token;
    fn_set_row(poller, index, interest);
    return FASTNET_OK;
}

void fn_poller_remove(fn_poller *poller, fn_handle handle)
{
    uint32_t index = fn_find(poller, handle);
    if (index == poller->count)
        return;
    poller->count--;
    fn_entries(poller)[index] = fn_entries(poller)[poller->count];
    fn_rows(poller)[index + 1] = fn_rows(poller)[poller->count + 1];
}

/* --- waiting -------------------------------------------------------------------------------- */

#if FN_HAVE_PPOLL
static int fn_poll_precise(const fn_poller *poller, uint64_t timeout_ns)
{
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / FN_NS_PER_S),
                               .tv_nsec = (long)(timeout_ns % FN_NS_PER_S)};
    return ppoll(fn_rows(poller), poller->count + (nfds_t)1,
                 timeout_ns == FN_POLL_FOREVER ? NULL : &timeout, NULL);
}
#else
static int fn_poll_precise(const fn_poller *poller, uint64_t timeout_ns)
{
    (void)poller;
    (void)timeout_ns;
    errno = ENOSYS;
    return -1;
}
#endif

/* Whole milliseconds, rounded up: late is allowed, early is not. */
static int fn_poll_coarse(const fn_poller *poller, uint64_t timeout_ns)
{
    uint64_t ms = timeout_ns / FN_NS_PER_MS + (timeout_ns % FN_NS_PER_MS != 0);
    int timeout_ms = ms > INT_MAX ? INT_MAX : (int)ms;
    return poll(fn_rows(poller), poller->count + (nfds_t)1,
                timeout_ns == FN_POLL_FOREVER ? -1 : timeout_ms);
}

static uint32_t fn_ready_of(short revents)
{
    if (revents & (POLLERR | POLLHUP | POLLNVAL))
        return FN_POLL_READ | FN_POLL_WRITE;
    return (revents & POLLIN ? FN_POLL_READ : 0) | (revents & POLLOUT ? FN_POLL_WRITE : 0);
}

/* Starts after the last socket reported, so that a short events array starves nobody. */
static size_t fn_collect_ready(fn_poller *poller, fn_poll_event *events, size_t capacity)
{
    size_t found = 0;
    uint32_t start = poller->next;
    for (uint32_t i = 0; i < poller->count && found < capacity; i++) {
        uint32_t index = (start + i) % poller->count;
        uint32_t ready = fn_ready_of(fn_rows(poller)[index + 1].revents);
        if (ready == 0)
            continue;
        events[found++] = (fn_poll_event){fn_entries(poller)[index].token, ready};
        poller->next = index + 1;
    }
    return found;
}

size_t fn_poller_wait(fn_poller *poller, uint64_t timeout_ns, fn_poll_event *events,
                      size_t capacity)
{
    assert(capacity > 0);
    int ready =
        poller->coarse ? fn_poll_coarse(poller, timeout_ns) : fn_poll_precise(poller, timeout_ns);
    if (ready <= 0)
        return 0;
    if (fn_rows(poller)[0].revents != 0)
        fn_wake_consume(poller);
    return fn_collect_ready(poller, events, capacity);
}

fn_handle fn_poller_fd(const fn_poller *poller)
{
    return poller->handle;
}
