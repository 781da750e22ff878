#include "io/posix/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FN_PATH_SHOWN_MAX 90

/* Our own table: strerror may use a shared buffer, and speaks the locale's language. */
#define FN_ERRNO_MAP(X)                                \
    X(EACCES, "not permitted")                         \
    X(EADDRINUSE, "already in use")                    \
    X(EADDRNOTAVAIL, "not an address of this machine") \
    X(EAFNOSUPPORT, "address family not supported")    \
    X(EAGAIN, "temporarily unavailable")               \
    X(EBADF, "bad descriptor")                         \
    X(EBUSY, "in use by the system, as a mount is")    \
    X(ECONNABORTED, "connection aborted")              \
    X(ECONNREFUSED, "refused: nothing listens there")  \
    X(ECONNRESET, "connection reset")                  \
    X(EEXIST, "exists already")                        \
    X(EHOSTUNREACH, "no route to the host")            \
    X(EINVAL, "invalid argument")                      \
    X(EIO, "input/output error")                       \
    X(EISDIR, "is a directory")                        \
    X(ELOOP, "too many symbolic links")                \
    X(EMFILE, "too many open files in this process")   \
    X(ENAMETOOLONG, "name too long")                   \
    X(ENETDOWN, "network is down")                     \
    X(ENETUNREACH, "network unreachable")              \
    X(ENFILE, "too many open files in the system")     \
    X(ENOBUFS, "no buffer space")                      \
    X(ENOENT, "no such file or directory")             \
    X(ENOMEM, "out of memory")                         \
    X(ENOSPC, "no space left")                         \
    X(ENOTDIR, "not a directory")                      \
    X(ENOTSOCK, "not a socket")                        \
    X(EPERM, "operation not permitted")                \
    X(EPIPE, "broken pipe")                            \
    X(EROFS, "read-only file system")                  \
    X(ETIMEDOUT, "no answer in time")

typedef struct fn_errno_row {
    int value;
    const char *name;
    const char *text;
} fn_errno_row;

static const fn_errno_row *fn_errno_find(int os_error)
{
    static const fn_errno_row rows[] = {
#define X(name, text) {name, #name, text},
        FN_ERRNO_MAP(X)
#undef X
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].value == os_error)
            return &rows[i];
    return NULL;
}

const char *fn_errno_text(int os_error)
{
    const fn_errno_row *row = fn_errno_find(os_error);
    return row != NULL ? row->text : "the system call failed";
}

const char *fn_path_tail(const char *path)
{
    size_t length = strlen(path);
    return length > FN_PATH_SHOWN_MAX ? path + length - FN_PATH_SHOWN_MAX : path;
}

static void fn_errno_append(fn_io_error *error, int os_error)
{
    const fn_errno_row *row = fn_errno_find(os_error);
    size_t length = strlen(error->text);
    char *end = error->text + length;
    size_t room = sizeof error->text - length;
    if (row != NULL)
        (void)snprintf(end, room, " (%s)", row->name);
    else
        (void)snprintf(end, room, " (errno %d)", os_error);
}

int fn_io_fail(fn_io_error *error, int code, int os_error, const char *format, ...)
{
    if (error == NULL)
        return code;
    va_list arguments;
    va_start(arguments, format);
    error->code = code;
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    if (os_error != 0)
        fn_errno_append(error, os_error);
    return code;
}
