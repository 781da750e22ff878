#include "host/diagnostics.h"

void fn_diagnostics_copy(char *to, size_t capacity, const char *text)
{
    fn_text out = fn_text_make(to, capacity);
    fn_text_add(&out, text);
}

int fn_diagnostics_error(fn_diagnostics *report, fn_log_level level, int code, const char *text)
{
    fn_diagnostics_copy(report->last_error, sizeof report->last_error, text);
    report->sentence = report->last_error;
    fn_log_write(&report->log, level, report->last_error);
    return code;
}
