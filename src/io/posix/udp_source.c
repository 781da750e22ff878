#include "io/posix/udp_batch.h"

#include <errno.h>
#include <string.h>

static size_t fn_udp_put(void *control, int level, int type, const void *info, size_t bytes)
{
    struct cmsghdr *head = control;
    memset(control, 0, CMSG_SPACE(bytes));
    head->cmsg_level = level;
    head->cmsg_type = type;
    head->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(head), info, bytes);
    return CMSG_SPACE(bytes);
}

size_t fn_udp_write_source(const fn_udp *udp, const fn_address *source, void *control)
{
    fn_sockaddr name;
    if (fn_sockaddr_encode(source, udp->ipv6, &name) == 0)
        return 0;
    if (udp->ipv6) { /* v4-mapped for an IPv4 peer */
        struct in6_pktinfo info = {.ipi6_addr = name.v6.sin6_addr};
        return fn_udp_put(control, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
#if defined(IP_PKTINFO)
    struct in_pktinfo info = {.ipi_spec_dst = name.v4.sin_addr};
    return fn_udp_put(control, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
#elif defined(IP_SENDSRCADDR)
    return fn_udp_put(control, IPPROTO_IP, IP_SENDSRCADDR, &name.v4.sin_addr,
                      sizeof name.v4.sin_addr);
#else
    return 0;
#endif
}

ssize_t fn_udp_send_from(const fn_udp *udp, const fn_datagram *datagram, fn_sockaddr *name,
                         socklen_t name_bytes)
{
    fn_udp_source control;
    struct iovec vector = {.iov_base = datagram->data, .iov_len = datagram->length};
    struct msghdr message = {.msg_name = name,
                             .msg_namelen = name_bytes,
                             .msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = &control};
    message.msg_controllen = fn_udp_write_source(udp, datagram->source, &control);
    if (message.msg_controllen == 0) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return sendmsg((int)udp->handle, &message, FN_UDP_FLAGS);
}
