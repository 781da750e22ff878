#include <stdlib.h>
#include <time.h>
int fn_unknown(void);
static long bad_calls;
long bad_counter = 1;
long fn_bad(void)
{
    char *copy = malloc((size_t)fn_unknown());
    free(copy);
    bad_calls += bad_counter;
    return (long)time(NULL) + bad_calls;
}
