/*
 * failure.h: why something failed: a result code and one sentence for a person.
 *
 * The sentence says what is wrong and, where there is one, the remedy. Text that came from the
 * network (names in a certificate) is escaped to printable ASCII by whoever puts it in, so that a
 * peer cannot write control characters or line breaks into a log.
 */
#ifndef FN_CRYPTO_FAILURE_H
#define FN_CRYPTO_FAILURE_H

#include <stddef.h>

#define FN_FAILURE_TEXT_BYTES 512

#if defined(__GNUC__)
#define FN_FAILURE_FORMAT __attribute__((format(printf, 3, 4)))
#else
#define FN_FAILURE_FORMAT
#endif

typedef struct fn_failure {
    int code;                         /* FASTNET_OK or FASTNET_ERR_* */
    char text[FN_FAILURE_TEXT_BYTES]; /* "" when code is FASTNET_OK; always terminated */
} fn_failure;

/* Sets code and text (cut when too long) and returns the code. `failure` may be NULL. */
int fn_failure_set(fn_failure *failure, int code, const char *format, ...) FN_FAILURE_FORMAT;

/* Code OK, empty text. NULL is fine. */
void fn_failure_clear(fn_failure *failure);

#endif
