/* readiness.h: what a socket is waited for, and what it is ready for. */
#ifndef FN_PLATFORM_READINESS_H
#define FN_PLATFORM_READINESS_H

#include <stdint.h>

/* Interest, and readiness. A broken socket is reported as ready for both: use it and see. */
#define FN_POLL_READ  1u
#define FN_POLL_WRITE 2u

/* Timeout of a wait without a deadline. */
#define FN_POLL_FOREVER UINT64_MAX

typedef struct fn_poll_event {
    uint64_t token; /* as given when the socket was added */
    uint32_t ready; /* FN_POLL_READ | FN_POLL_WRITE */
} fn_poll_event;

#endif
