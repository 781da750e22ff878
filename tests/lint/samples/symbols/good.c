#include <assert.h>
#include <string.h>
int fn_below(int a);
int fn_good(const char *text, char *copy)
{
    static const int table[] = {1, 2, 3};
    assert(text != copy);
    memcpy(copy, text, strlen(text));
    return fn_below(table[copy[0] % 3]);
}
