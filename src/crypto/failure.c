#include "crypto/failure.h"

#include "base/result.h"

#include <openssl/bio.h>

#include <stdarg.h>

/* A character of several bytes at the end may be half a one. */
static void cut(char *text, size_t bytes)
{
    while (bytes > 0 && (text[bytes - 1] & 0xc0) == 0x80)
        bytes--;
    if (bytes > 0 && (text[bytes - 1] & 0x80) != 0)
        bytes--;
    text[bytes] = '\0';
}

int fn_failure_set(fn_failure *failure, int code, const char *format, ...)
{
    if (failure == NULL)
        return code;
    failure->code = code;
    va_list arguments;
    va_start(arguments, format);
    if (BIO_vsnprintf(failure->text, sizeof failure->text, format, arguments) < 0)
        cut(failure->text, sizeof failure->text - 1);
    va_end(arguments);
    return code;
}

void fn_failure_clear(fn_failure *failure)
{
    if (failure == NULL)
        return;
    failure->code = FASTNET_OK;
    failure->text[0] = '\0';
}
