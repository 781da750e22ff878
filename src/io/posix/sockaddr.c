#include "io/posix/sockaddr.h"

#include <string.h>

#include <arpa/inet.h>

static socklen_t fn_sockaddr_encode_v4(const fn_address *address, fn_sockaddr *out)
{
    bool any = fn_address_is_any(address);
    if (!fn_address_is_v4(address) && !any)
        return 0;
    memset(&out->v4, 0, sizeof out->v4);
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons(address->port);
    if (!any)
        memcpy(&out->v4.sin_addr, address->ip + 12, 4);
    return sizeof out->v4;
}

socklen_t fn_sockaddr_encode(const fn_address *address, bool ipv6_socket, fn_sockaddr *out)
{
    if (!ipv6_socket)
        return fn_sockaddr_encode_v4(address, out);
    memset(&out->v6, 0, sizeof out->v6);
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(address->port);
    out->v6.sin6_scope_id = address->scope_id;
    memcpy(&out->v6.sin6_addr, address->ip, 16);
    return sizeof out->v6;
}

fn_address fn_sockaddr_decode(const fn_sockaddr *in)
{
    if (in->any.sa_family == AF_INET)
        return fn_address_from_ipv4((const uint8_t *)&in->v4.sin_addr, ntohs(in->v4.sin_port));
    if (in->any.sa_family == AF_INET6)
        return fn_address_from_ipv6(in->v6.sin6_addr.s6_addr, in->v6.sin6_scope_id,
                                    ntohs(in->v6.sin6_port));
    return (fn_address){0};
}
