/* The half of a poller that other threads and signal handlers touch. */
#ifndef FN_IO_POSIX_WAKE_H
#define FN_IO_POSIX_WAKE_H

#include "io/poller.h"

/* Takes all wakes given so far off the descriptor; only then may new ones write to it again. */
void fn_wake_consume(fn_poller *poller);

#endif
