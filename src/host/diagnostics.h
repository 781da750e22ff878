/*
 * diagnostics.h: how an endpoint tells people what went wrong: log lines and the last error's sentence.
 *
 * No line holds a secret. Text that came from a peer goes through fn_text_add_quoted or
 * fn_text_add_harmless first.
 *
 * What an operator wants to know of is kept and logged; for callers that are refused see
 * api/refusal.h.
 */
#ifndef FN_HOST_DIAGNOSTICS_H
#define FN_HOST_DIAGNOSTICS_H

#include "base/log.h"
#include "base/text.h"

#define FN_DIAGNOSTICS_BYTES 512

typedef struct fn_diagnostics {
    fn_log log;
    const char *sentence; /* static, or last_error; NULL before the first failure */
    char last_error[FN_DIAGNOSTICS_BYTES];
} fn_diagnostics;

/* Keeps the sentence as the last error, logs it, and returns code. */
int fn_diagnostics_error(fn_diagnostics *report, fn_log_level level, int code, const char *text);

/* Copies a terminated text into a buffer of that size, cutting what does not fit. */
void fn_diagnostics_copy(char *to, size_t capacity, const char *text);

#endif
