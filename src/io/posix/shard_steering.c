#include "io/shard_steering.h"

#include "io/posix/fail.h"

bool fn_steering_supported(void)
{
    return false;
}

int fn_steering_attach(const fn_udp *udp, const fn_steering *steering, fn_io_error *error)
{
    (void)udp;
    (void)steering;
    return fn_io_fail(error, FASTNET_ERR_UNSUPPORTED, 0,
                      "this build cannot tell the system which socket gets a datagram");
}
