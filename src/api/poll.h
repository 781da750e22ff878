/* poll.h: one event at a time, as the short forms give it. */
#ifndef FN_API_POLL_H
#define FN_API_POLL_H

#include <stdbool.h>

#include "fastnet.h"

/* Without waiting; false and type NONE when there is none. */
bool fn_poll_one(FastNetEndpoint *endpoint, FastNetEvent *event);

#endif
