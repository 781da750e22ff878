#include "api/report.h"

void fn_report_copy(char *to, size_t capacity, const char *text)
{
    fn_text out = fn_text_make(to, capacity);
    fn_text_add(&out, text);
}

int fn_report_error(fn_report *report, fn_log_level level, int code, const char *text)
{
    fn_report_copy(report->last_error, sizeof report->last_error, text);
    fn_log_write(&report->log, level, report->last_error);
    return code;
}
