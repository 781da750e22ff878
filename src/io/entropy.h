/* Random bytes from the operating system. */
#ifndef FN_IO_ENTROPY_H
#define FN_IO_ENTROPY_H

#include <stddef.h>

#include "platform/error.h"

/*
 * Fills data with bytes fit for keys. May block once, early at boot. FASTNET_ERR_SYSTEM: the system
 * has no source; give up, there is no substitute.
 */
int fn_entropy_fill(void *data, size_t length, fn_io_error *error);

#endif
