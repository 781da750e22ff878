#include "io/posix/wake.h"

#include <errno.h>
#include <unistd.h>

void fn_poller_wake(fn_poller *poller)
{
    if (atomic_exchange(&poller->woken, true))
        return;
    int saved = errno;
    const uint64_t one = 1; /* what an eventfd wants; a pipe takes any bytes */
    ssize_t written = write((int)poller->wake_write, &one, sizeof one);
    (void)written; /* a full pipe is readable, which is all that a wake asks for */
    errno = saved;
}

/*
 * The order matters. Cleared first, a wake could come between, its byte be read here, and the flag
 * would then hold back every later wake. This way a wake in between is part of this one: its
 * sender's writes are visible after the exchange.
 */
void fn_wake_consume(fn_poller *poller)
{
    uint64_t buffer[8];
    ssize_t bytes;
    do {
        bytes = read((int)poller->wake_read, buffer, sizeof buffer);
    } while (bytes == (ssize_t)sizeof buffer || (bytes < 0 && errno == EINTR));
    (void)atomic_exchange(&poller->woken, false);
}
