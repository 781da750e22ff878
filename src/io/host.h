/* Numeric hosts whose scope is the name of one of this machine's interfaces. */
#ifndef FN_IO_HOST_H
#define FN_IO_HOST_H

#include <stdbool.h>

#include "base/address.h"

/* fn_address_parse_host(), and "fe80::1%eth0": false also when there is no such interface. */
bool fn_host_parse(const char *text, fn_address *out);

#endif
