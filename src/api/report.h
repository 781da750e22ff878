/*
 * report.h: how an endpoint tells people what went wrong: log lines and the last error's sentence.
 *
 * No line holds a secret. Text that came from a peer goes through fn_text_add_quoted or
 * fn_text_add_harmless first.
 *
 *   fn_report_error   something failed that an operator wants to know of: kept and logged
 *   fn_refuse_...     the caller of a public function was refused: kept, not logged, and cheap,
 *                     since a full queue refuses as often as a game sends
 */
#ifndef FN_API_REPORT_H
#define FN_API_REPORT_H

#include "base/log.h"
#include "base/text.h"
#include "fastnet.h"

#define FN_REPORT_BYTES 512

typedef struct fn_report {
    fn_log log;
    const char *sentence; /* static, or last_error; NULL before the first failure */
    char last_error[FN_REPORT_BYTES];
} fn_report;

/* Keeps the sentence as the last error, logs it, and returns code. */
int fn_report_error(fn_report *report, fn_log_level level, int code, const char *text);

/* Copies a terminated text into a buffer of that size, cutting what does not fit. */
void fn_report_copy(char *to, size_t capacity, const char *text);

/* Keep a sentence (static; NULL = the table's one for the code) as the endpoint's last error and
 * return code. Without an endpoint there is nowhere to keep it. */
FastNetResult fn_refuse(const FastNetEndpoint *endpoint, int code, const char *sentence);

/* "what value; limit_name is limit" */
FastNetResult fn_refuse_limit(const FastNetEndpoint *endpoint, int code, const char *what,
                              uint64_t value, const char *limit_name, uint64_t limit);

/* ERR_PEER; in a child process what fn_refuse_copy() says. */
FastNetResult fn_refuse_peer(const FastNetEndpoint *endpoint);

/* True in a child process (fork): the endpoint is the parent's. False for NULL. */
bool fn_is_copy(const FastNetEndpoint *endpoint);

/* ERR_STATE */
FastNetResult fn_refuse_copy(const FastNetEndpoint *endpoint);

#endif
