#include "api/connect_error.h"

#include "base/text.h"
#include "fastnet.h"

static _Thread_local char error_text[FN_CONNECT_ERROR_BYTES];

int fn_connect_error_set(int code, const char *text)
{
    fn_text out = fn_text_make(error_text, sizeof error_text);
    fn_text_add(&out, text);
    return code;
}

int fn_connect_error_set_detail(int code, const char *what, const char *detail)
{
    fn_text out = fn_text_make(error_text, sizeof error_text);
    fn_text_add(&out, what);
    fn_text_add(&out, ": ");
    fn_text_add(&out, detail);
    return code;
}

void fn_connect_error_clear(void)
{
    error_text[0] = '\0';
}

const char *fastnet_connect_error_text(void)
{
    return error_text;
}
