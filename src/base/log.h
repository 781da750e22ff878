/*
 * Where log lines go: one callback, given by the application. No line ever holds a secret, and
 * lines about what a peer sent are the caller's to limit in number.
 */
#ifndef FN_BASE_LOG_H
#define FN_BASE_LOG_H

#include "base/text.h"

#include <stddef.h>

/* Larger is less important. The values are those of FASTNET_LOG_* in the public header. */
typedef enum fn_log_level {
    FN_LOG_ERROR = 0,
    FN_LOG_WARNING = 1,
    FN_LOG_INFO = 2,
    FN_LOG_DEBUG = 3,
} fn_log_level;

#define FN_LOG_LINE_BYTES_MAX 512

typedef struct fn_log {
    void (*write)(void *user, int level, const char *line); /* NULL = be silent */
    void *user;
    int level_max; /* lines of a larger level are dropped */
} fn_log;

/* Would a line of that level be written? Ask before building an expensive one. log may be NULL. */
static inline bool fn_log_wants(const fn_log *log, fn_log_level level)
{
    return log != NULL && log->write != NULL && (int)level <= log->level_max;
}

/* line: terminated, without a newline; borrowed during the call. Control characters are written as
 * '?'. log may be NULL. */
void fn_log_write(const fn_log *log, fn_log_level level, const char *line);

/* "what: detail". */
void fn_log_detail(const fn_log *log, fn_log_level level, const char *what, const char *detail);

/* "what: number". */
void fn_log_u64(const fn_log *log, fn_log_level level, const char *what, uint64_t number);

#endif
