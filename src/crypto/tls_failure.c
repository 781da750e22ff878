#include "crypto/tls_internal.h"

#include "base/result.h"

#include <openssl/bio.h>
#include <stdarg.h>

const char *fn_tls_peer_word(const fn_tls *tls)
{
    return tls->context->server ? "client" : "server";
}

int fn_tls_fail(fn_tls *tls, int code, const char *format, ...)
{
    if (tls->failure.code != FASTNET_OK)
        return tls->failure.code;
    char text[FN_FAILURE_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    BIO_vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return fn_failure_set(&tls->failure, code, "%s", text);
}

const fn_failure *fn_tls_failure(const fn_tls *tls)
{
    return &tls->failure;
}
