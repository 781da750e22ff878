#include "io/posix/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "io/posix/fail.h"

bool fn_socket_prepare(int descriptor)
{
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0)
        return false;
    if (fcntl(descriptor, F_SETFD, FD_CLOEXEC) < 0)
        return false;
#ifdef SO_NOSIGPIPE
    fn_socket_set(descriptor, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
    return true;
}

int fn_socket_open(bool ipv6, int type)
{
    int family = ipv6 ? AF_INET6 : AF_INET;
#ifdef SOCK_CLOEXEC
    return socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
#else
    int descriptor = socket(family, type, 0);
    if (descriptor >= 0 && !fn_socket_prepare(descriptor)) {
        int saved = errno;
        close(descriptor);
        errno = saved;
        return -1;
    }
    return descriptor;
#endif
}

void fn_socket_set(fn_handle handle, int level, int name, int value)
{
    (void)setsockopt((int)handle, level, name, &value, sizeof value);
}

void fn_socket_close(fn_handle *handle)
{
    if (*handle != FN_HANDLE_NONE)
        (void)close((int)*handle);
    *handle = FN_HANDLE_NONE;
}

static int fn_bind_failed(const fn_socket_options *options, int os_error, fn_io_error *error)
{
    const char *protocol = options->protocol;
    unsigned port = options->local.port;
    char host[FN_ADDRESS_TEXT_BYTES];
    fn_address_format_host(&options->local, host);
    switch (os_error) {
    case EADDRINUSE:
        return fn_io_fail(error, FASTNET_ERR_ADDRESS, os_error, "%s port %u is already in use",
                          protocol, port);
    case EACCES:
    case EPERM:
        return fn_io_fail(error, FASTNET_ERR_ADDRESS, os_error,
                          "%s port %u may not be opened by this user; ports below 1024 need rights",
                          protocol, port);
    case EADDRNOTAVAIL:
        return fn_io_fail(error, FASTNET_ERR_ADDRESS, os_error,
                          "%s is not an address of this machine", host);
    default:
        return fn_io_fail(error, FASTNET_ERR_SYSTEM, os_error, "cannot open %s port %u on %s: %s",
                          protocol, port, host, fn_errno_text(os_error));
    }
}

static void fn_share_port(fn_handle handle)
{
#ifdef SO_REUSEPORT
    fn_socket_set(handle, SOL_SOCKET, SO_REUSEPORT, 1);
#else
    (void)handle;
#endif
}

/* One attempt with one family; 0 or errno. */
static int fn_bind_family(const fn_socket_options *options, bool ipv6, fn_handle *handle)
{
    fn_sockaddr name;
    int descriptor = fn_socket_open(ipv6, options->type);
    if (descriptor < 0)
        return errno;
    *handle = descriptor;
    if (ipv6)
        fn_socket_set(*handle, IPPROTO_IPV6, IPV6_V6ONLY, !fn_address_is_any(&options->local));
    if (options->reuse_address)
        fn_socket_set(*handle, SOL_SOCKET, SO_REUSEADDR, 1);
    if (options->port_use == FN_PORT_JOIN)
        fn_share_port(*handle);
    socklen_t length = fn_sockaddr_encode(&options->local, ipv6, &name);
    if (bind(descriptor, &name.any, length) == 0) {
        /* Before, it would also have shared a port that another program has already. */
        if (options->port_use == FN_PORT_FIRST)
            fn_share_port(*handle);
        return 0;
    }
    int saved = errno;
    fn_socket_close(handle);
    return saved;
}

int fn_socket_bind(const fn_socket_options *options, fn_socket_bound *bound, fn_io_error *error)
{
    *bound = (fn_socket_bound){.handle = FN_HANDLE_NONE};
    bound->ipv6 = !fn_address_is_v4(&options->local);
    int os_error = fn_bind_family(options, bound->ipv6, &bound->handle);
    bool no_ipv6 = os_error == EAFNOSUPPORT || os_error == EADDRNOTAVAIL;
    if (no_ipv6 && bound->ipv6 && fn_address_is_any(&options->local)) {
        bound->ipv6 = false;
        bound->fell_back = true;
        os_error = fn_bind_family(options, false, &bound->handle);
    }
    return os_error == 0 ? FASTNET_OK : fn_bind_failed(options, os_error, error);
}

int fn_socket_local(fn_handle handle, fn_address *local, fn_io_error *error)
{
    fn_sockaddr name;
    socklen_t length = sizeof name;
    if (getsockname((int)handle, &name.any, &length) != 0)
        return fn_io_fail(error, FASTNET_ERR_SYSTEM, errno, "cannot read a socket's own address");
    *local = fn_sockaddr_decode(&name);
    return FASTNET_OK;
}
