#include "io/environment.h"

#include <stdlib.h>
#include <unistd.h>

const char *fn_environment_get(const char *name)
{
    if (getuid() != geteuid() || getgid() != getegid())
        return NULL;
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}
