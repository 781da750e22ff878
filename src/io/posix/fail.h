/* Filling an fn_io_error from errno. */
#ifndef FN_IO_POSIX_FAIL_H
#define FN_IO_POSIX_FAIL_H

#include "platform/error.h"

/*
 * Writes the formatted sentence, and " (ENAME)" unless os_error is 0. Returns code, so that callers
 * can end with it. error may be NULL.
 */
int fn_io_fail(fn_io_error *error, int code, int os_error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* "no such file or directory" and the like; never NULL. */
const char *fn_errno_text(int os_error);

/* What of a path fits into a sentence: all of it, or its end. */
const char *fn_path_tail(const char *path);

#endif
