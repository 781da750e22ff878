#include "io/posix/udp_batch.h"

size_t fn_udp_receive(fn_udp *udp, fn_datagram *batch, size_t capacity)
{
    return fn_udp_receive_each(udp, batch, capacity);
}

size_t fn_udp_send(fn_udp *udp, fn_datagram *batch, size_t count)
{
    return fn_udp_send_each(udp, batch, count);
}
