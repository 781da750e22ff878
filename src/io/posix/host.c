#include "io/host.h"

#include <net/if.h>

bool fn_host_parse(const char *text, fn_address *out)
{
    fn_address address;
    char name[FN_INTERFACE_NAME_BYTES];
    if (!fn_address_parse_named(text, &address, name))
        return false;
    unsigned index = name[0] != '\0' ? if_nametoindex(name) : 0;
    if (name[0] != '\0' && index == 0)
        return false;
    *out = name[0] != '\0' ? fn_address_from_ipv6(address.ip, index, address.port) : address;
    return true;
}
