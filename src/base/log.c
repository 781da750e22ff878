#include "base/log.h"

void fn_log_write(const fn_log *log, fn_log_level level, const char *line)
{
    if (fn_log_wants(log, level))
        log->write(log->user, (int)level, line);
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
    log->write(log->user, (int)level, buffer);
}

void fn_log_u64(const fn_log *log, fn_log_level level, const char *what, uint64_t number)
{
    if (!fn_log_wants(log, level))
        return;
    char buffer[FN_LOG_LINE_BYTES_MAX];
    fn_text text = begin(buffer, what);
    fn_text_add_u64(&text, number);
    log->write(log->user, (int)level, buffer);
}
