#include "io/warm.h"

enum { BEAT_BYTES = 64 };

static int open_both(fn_warm *warm, fn_io_error *error)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    const fn_udp_options options = {.local = fn_address_from_ipv4(loopback, 0)};
    int result = fn_udp_open(&warm->from, &options, error);
    return result == FASTNET_OK ? fn_udp_open(&warm->to, &options, error) : result;
}

/* Each hears only the other. */
static int connect_to(fn_udp *udp, const fn_udp *peer, fn_io_error *error)
{
    fn_address address;
    int result = fn_udp_local(peer, &address, error);
    return result == FASTNET_OK ? fn_udp_connect(udp, &address, error) : result;
}

int fn_warm_open(fn_warm *warm, fn_io_error *error)
{
    *warm = (fn_warm){.from = {.handle = FN_HANDLE_NONE}, .to = {.handle = FN_HANDLE_NONE}};
    int result = open_both(warm, error);
    if (result == FASTNET_OK)
        result = connect_to(&warm->from, &warm->to, error);
    if (result == FASTNET_OK)
        result = connect_to(&warm->to, &warm->from, error);
    if (result != FASTNET_OK)
        fn_warm_close(warm);
    return result;
}

void fn_warm_close(fn_warm *warm)
{
    fn_udp_close(&warm->from);
    fn_udp_close(&warm->to);
}

bool fn_warm_beat(fn_warm *warm)
{
    uint8_t bytes[BEAT_BYTES] = {0};
    fn_datagram datagram = {.data = bytes, .capacity = sizeof bytes, .length = sizeof bytes};
    fn_udp_send(&warm->from, &datagram, 1);
    return fn_udp_receive_next(&warm->to, &datagram);
}
