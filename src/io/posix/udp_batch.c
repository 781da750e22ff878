#include "io/posix/udp_batch.h"

void fn_udp_offload_start(fn_udp *udp, const fn_udp_settings *wanted)
{
    (void)udp, (void)wanted;
}

size_t fn_udp_receive(fn_udp *udp, fn_datagram *batch, size_t capacity)
{
    return fn_udp_receive_each(udp, batch, capacity);
}

bool fn_udp_receive_next(fn_udp *udp, fn_datagram *datagram)
{
    return fn_udp_receive_each(udp, datagram, 1) == 1;
}

size_t fn_udp_send(fn_udp *udp, fn_datagram *batch, size_t count)
{
    return fn_udp_send_each(udp, batch, count);
}
