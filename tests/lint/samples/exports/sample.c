#include "include/sample.h"
int fn_leaked(void);
int fastnet_good(void)
{
    return 0;
}
const char *fastnet_pointer(int (*fastnet_callback)(void *), void *context)
{
    return fastnet_callback(context) ? "yes" : "no";
}
FASTNET_API int fn_leaked(void)
{
    return 1;
}
