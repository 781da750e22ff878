/*
 * From host names to addresses. The operating system's resolver blocks, so a name is
 * looked up on a short-lived thread of its own: the only thread that this library
 * ever starts. Numeric hosts need none.
 */
#ifndef FN_IO_RESOLVE_H
#define FN_IO_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "platform/error.h"
#include "platform/resolve.h"

/* Called once on the resolver thread when the result is there; typically wakes a poller. */
typedef void (*fn_resolve_done)(void *context);

/*
 * Starts a lookup. A numeric host is finished on return and done (may be NULL) is
 * not called for it. Returns NULL on failure: FASTNET_ERR_ARGUMENT,
 * FASTNET_ERR_MEMORY or FASTNET_ERR_SYSTEM (no thread).
 */
fn_resolve *fn_resolve_start(const char *host, uint16_t port, fn_resolve_done done, void *context,
                             fn_io_error *error);

/* Cheap; poll it as often as you like. */
bool fn_resolve_finished(const fn_resolve *resolve);

/*
 * Once finished: FASTNET_OK with at least one address, or FASTNET_ERR_ADDRESS with a sentence that
 * names the host. FASTNET_ERR_STATE before.
 */
int fn_resolve_get(const fn_resolve *resolve, fn_resolve_result *result, fn_io_error *error);

/*
 * Lets go of the lookup, finished or not (NULL is fine). When it returns, done does not run and
 * never will, so context may be freed. Never waits for the name server. Not from within done.
 */
void fn_resolve_release(fn_resolve *resolve);

#endif
