#include <limits.h>
#include <string.h>

#include <netinet/in.h>

#include "io/posix/socket.h"
#include "io/posix/udp_batch.h"

/* Linux books a datagram with its bookkeeping, grants twice what was asked for that, and reports
 * the double. */
#ifdef __linux__
#define FN_BUFFER_REPORTED 2
#else
#define FN_BUFFER_REPORTED 1
#endif

/* --- applying --- */

static bool fn_try(const fn_udp *udp, int level, int name, uint32_t value)
{
    int number = value > INT_MAX ? INT_MAX : (int)value;
    return setsockopt((int)udp->handle, level, name, &number, sizeof number) == 0;
}

static void fn_set_buffers(const fn_udp *udp, const fn_udp_settings *wanted)
{
    bool forced_receive = false, forced_send = false;
#if defined(SO_RCVBUFFORCE) && defined(SO_SNDBUFFORCE)
    if (wanted->force_buffers) {
        forced_receive = wanted->receive_buffer_bytes > 0 &&
                         fn_try(udp, SOL_SOCKET, SO_RCVBUFFORCE, wanted->receive_buffer_bytes);
        forced_send = wanted->send_buffer_bytes > 0 &&
                      fn_try(udp, SOL_SOCKET, SO_SNDBUFFORCE, wanted->send_buffer_bytes);
    }
#endif
    if (wanted->receive_buffer_bytes > 0 && !forced_receive)
        fn_try(udp, SOL_SOCKET, SO_RCVBUF, wanted->receive_buffer_bytes);
    if (wanted->send_buffer_bytes > 0 && !forced_send)
        fn_try(udp, SOL_SOCKET, SO_SNDBUF, wanted->send_buffer_bytes);
}

/* A dual-stack socket needs both: IPv4 peers get the one, IPv6 peers the other. */
static void fn_set_traffic_class(const fn_udp *udp, uint32_t traffic_class)
{
    if (traffic_class == 0)
        return;
    fn_try(udp, IPPROTO_IP, IP_TOS, traffic_class);
#ifdef IPV6_TCLASS
    if (udp->ipv6)
        fn_try(udp, IPPROTO_IPV6, IPV6_TCLASS, traffic_class);
#endif
}

void fn_udp_settings_apply(const fn_udp *udp, const fn_udp_settings *wanted)
{
    fn_set_buffers(udp, wanted);
    fn_set_traffic_class(udp, wanted->traffic_class);
    /* After the traffic class, which sets a priority of its own. */
#ifdef SO_PRIORITY
    if (wanted->priority > 0)
        fn_try(udp, SOL_SOCKET, SO_PRIORITY, wanted->priority);
#endif
#ifdef SO_BUSY_POLL
    if (wanted->busy_poll_us > 0)
        fn_try(udp, SOL_SOCKET, SO_BUSY_POLL, wanted->busy_poll_us);
#endif
#ifdef SO_PREFER_BUSY_POLL
    if (wanted->prefer_busy_poll)
        fn_try(udp, SOL_SOCKET, SO_PREFER_BUSY_POLL, 1);
#endif
}

/* --- reading back --- */

static uint32_t fn_get(const fn_udp *udp, int level, int name)
{
    int value = 0;
    socklen_t length = sizeof value;
    if (getsockopt((int)udp->handle, level, name, &value, &length) != 0)
        return 0;
    return value > 0 ? (uint32_t)value : 0;
}

static uint32_t fn_get_traffic_class(const fn_udp *udp)
{
#ifdef IPV6_TCLASS
    if (udp->ipv6)
        return fn_get(udp, IPPROTO_IPV6, IPV6_TCLASS);
#endif
    return fn_get(udp, IPPROTO_IP, IP_TOS);
}

void fn_udp_settings_get(const fn_udp *udp, fn_udp_settings *settings)
{
    memset(settings, 0, sizeof *settings);
    settings->receive_buffer_bytes = fn_get(udp, SOL_SOCKET, SO_RCVBUF) / FN_BUFFER_REPORTED;
    settings->send_buffer_bytes = fn_get(udp, SOL_SOCKET, SO_SNDBUF) / FN_BUFFER_REPORTED;
    settings->traffic_class = fn_get_traffic_class(udp);
#ifdef SO_PRIORITY
    settings->priority = fn_get(udp, SOL_SOCKET, SO_PRIORITY);
#endif
#ifdef SO_BUSY_POLL
    settings->busy_poll_us = fn_get(udp, SOL_SOCKET, SO_BUSY_POLL);
#endif
#ifdef SO_PREFER_BUSY_POLL
    settings->prefer_busy_poll = fn_get(udp, SOL_SOCKET, SO_PREFER_BUSY_POLL) != 0;
#endif
    settings->segment = udp->segments;
    settings->coalesce = udp->coalesces;
}
