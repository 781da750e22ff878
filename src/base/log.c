#include "base/log.h"

#include <string.h>

/* A host name out of somebody's server list, or a peer's text, must not be able to forge a line. */
static const char *harmless(const char *line, char *buffer)
{
    size_t bytes = strlen(line);
    if (fn_text_is_harmless(line, bytes))
        return line;
    fn_text text = fn_text_make(buffer, FN_LOG_LINE_BYTES_MAX);
    fn_text_add_harmless(&text, line, bytes);
    return buffer;
}

void fn_log_write(const fn_log *log, fn_log_level level, const char *line)
{
    char buffer[FN_LOG_LINE_BYTES_MAX];
    if (fn_log_wants(log, level))
        log->write(log->user, (int)level, harmless(line, buffer));
}

static fn_text begin(char *buffer, const char *what)
{
    fn_text text = fn_text_make(buffer, FN_LOG_LINE_BYTES_MAX);
    fn_text_add(&text, what);
    fn_text_add(&text, ": ");
    return text;
}

void fn_log_detail(const fn_log *log, fn_log_level level, const char *what, const char *detail)
{
    if (!fn_log_wants(log, level))
        return;
    char buffer[FN_LOG_LINE_BYTES_MAX];
    fn_text text = begin(buffer, what);
    fn_text_add(&text, detail);
    fn_log_write(log, level, buffer);
}

void fn_log_u64(const fn_log *log, fn_log_level level, const char *what, uint64_t number)
{
    if (!fn_log_wants(log, level))
        return;
    char buffer[FN_LOG_LINE_BYTES_MAX];
    fn_text text = begin(buffer, what);
    fn_text_add_u64(&text, number);
    fn_log_write(log, level, buffer);
}
