/* The operating system's name for a socket, without the operating system's header. */
#ifndef FN_PLATFORM_HANDLE_H
#define FN_PLATFORM_HANDLE_H

#include <stdint.h>

typedef intptr_t fn_handle; /* a descriptor on POSIX, a SOCKET on Windows */

#define FN_HANDLE_NONE ((fn_handle)-1)

#endif
