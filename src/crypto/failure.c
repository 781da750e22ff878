#include "crypto/failure.h"

#include "base/result.h"

#include <openssl/bio.h>

#include <stdarg.h>

int fn_failure_set(fn_failure *failure, int code, const char *format, ...)
{
    if (failure == NULL)
        return code;
    failure->code = code;
    va_list arguments;
    va_start(arguments, format);
    if (BIO_vsnprintf(failure->text, sizeof failure->text, format, arguments) < 0)
        failure->text[sizeof failure->text - 1] = '\0';
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
