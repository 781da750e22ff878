/*
 * report.h: how an endpoint tells people what went wrong: log lines and the last error's sentence.
 *
 * No line holds a secret. Text that came from a peer goes through fn_text_add_quoted first.
 */
#ifndef FN_API_REPORT_H
#define FN_API_REPORT_H

#include "base/log.h"
#include "base/text.h"

#define FN_REPORT_BYTES 512

typedef struct fn_report {
    fn_log log;
    char last_error[FN_REPORT_BYTES]; /* "" before the first */
} fn_report;

/* Keeps the sentence as the last error, logs it, and returns code. */
int fn_report_error(fn_report *report, fn_log_level level, int code, const char *text);

/* Copies a terminated text into a buffer of that size, cutting what does not fit. */
void fn_report_copy(char *to, size_t capacity, const char *text);

#endif
