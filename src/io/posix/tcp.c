#include "io/tcp.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "io/posix/fail.h"
#include "io/posix/socket.h"

#ifdef MSG_NOSIGNAL
#define FN_TCP_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#else
#define FN_TCP_FLAGS MSG_DONTWAIT
#endif

/* Dead connections skipped by one accept: whoever resets thousands
 * of them does not keep us here. */
#define FN_TCP_SKIPPED_MAX 32

/* --- listening ------------------------------------------------------------------------------ */

int fn_tcp_listen(fn_tcp_listener *listener, const fn_tcp_listen_options *options,
                  fn_io_error *error)
{
    fn_socket_bound bound;
    fn_socket_options socket_options = {.protocol = "TCP",
                                        .type = SOCK_STREAM,
                                        .reuse_address = true,
                                        .port_use = options->port_use,
                                        .local = options->local};
    bool capped = options->backlog > 0 && options->backlog < INT_MAX;
    listener->handle = listener->spare = FN_HANDLE_NONE;
    int result = fn_socket_bind(&socket_options, &bound, error);
    if (result != FASTNET_OK)
        return result;
    listener->handle = bound.handle;
    if (listen((int)listener->handle, capped ? (int)options->backlog : SOMAXCONN) != 0) {
        int os_error = errno;
        fn_tcp_listener_close(listener);
        bool used = os_error == EADDRINUSE;
        return fn_io_fail(error, used ? FASTNET_ERR_ADDRESS : FASTNET_ERR_SYSTEM, os_error,
                          "cannot listen on TCP port %u: %s", (unsigned)options->local.port,
                          fn_errno_text(os_error));
    }
    listener->spare = fcntl((int)listener->handle, F_DUPFD_CLOEXEC, 0);
    return FASTNET_OK;
}

void fn_tcp_listener_close(fn_tcp_listener *listener)
{
    fn_socket_close(&listener->spare);
    fn_socket_close(&listener->handle);
}

int fn_tcp_listener_local(const fn_tcp_listener *listener, fn_address *local, fn_io_error *error)
{
    return fn_socket_local(listener->handle, local, error);
}

/* --- accepting ------------------------------------------------------------------------------ */

static int fn_accept_descriptor(const fn_tcp_listener *listener, fn_sockaddr *name)
{
    socklen_t length = sizeof *name;
#ifdef SOCK_CLOEXEC
    return accept4((int)listener->handle, &name->any, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
#else
    int descriptor = accept((int)listener->handle, &name->any, &length);
    if (descriptor >= 0 && !fn_socket_prepare(descriptor)) {
        close(descriptor);
        errno = ECONNABORTED;
        return -1;
    }
    return descriptor;
#endif
}

/* The spare makes room to take one connection off the queue and turn it away. */
static fn_tcp_outcome fn_accept_and_drop(fn_tcp_listener *listener)
{
    fn_sockaddr name;
    fn_tcp dropped;
    fn_socket_close(&listener->spare);
    dropped.handle = fn_accept_descriptor(listener, &name);
    fn_tcp_outcome outcome = dropped.handle >= 0 || errno == EMFILE || errno == ENFILE
                                 ? FN_TCP_EXHAUSTED
                                 : FN_TCP_WOULD_BLOCK;
    fn_tcp_abort(&dropped);
    listener->spare = fcntl((int)listener->handle, F_DUPFD_CLOEXEC, 0);
    return outcome;
}

static bool fn_is_exhaustion(int os_error)
{
    return os_error == EMFILE || os_error == ENFILE || os_error == ENOBUFS || os_error == ENOMEM;
}

fn_tcp_outcome fn_tcp_accept(fn_tcp_listener *listener, fn_tcp *tcp, fn_address *peer)
{
    fn_sockaddr name;
    tcp->handle = FN_HANDLE_NONE;
    for (int skipped = 0; skipped < FN_TCP_SKIPPED_MAX; skipped++) {
        int descriptor = fn_accept_descriptor(listener, &name);
        if (descriptor >= 0) {
            tcp->handle = descriptor;
            *peer = fn_sockaddr_decode(&name);
            fn_tcp_set_nodelay(tcp, true);
            return FN_TCP_OK;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return FN_TCP_WOULD_BLOCK;
        if (fn_is_exhaustion(errno))
            return fn_accept_and_drop(listener);
    }
    return FN_TCP_WOULD_BLOCK;
}

/* --- connecting ----------------------------------------------------------------------------- */

static int fn_connect_failed(const fn_address *peer, int os_error, fn_io_error *error)
{
    char text[FN_ADDRESS_TEXT_BYTES];
    int code = FASTNET_ERR_SYSTEM;
    fn_address_format(peer, text);
    switch (os_error) {
    case ETIMEDOUT:
        code = FASTNET_ERR_TIMEOUT;
        break;
    case ECONNRESET:
        code = FASTNET_ERR_CLOSED;
        break;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EACCES:
    case EPERM:
    case EINVAL:
        code = FASTNET_ERR_ADDRESS;
        break;
    default:
        break;
    }
    return fn_io_fail(error, code, os_error, "TCP to %s: %s", text, fn_errno_text(os_error));
}

/* 0 or errno. */
static int fn_bind_before_connect(int descriptor, const fn_address *peer, fn_address local)
{
    fn_sockaddr name;
    bool ipv6 = !fn_address_is_v4(peer);
    local.port = 0;
    if (fn_address_is_any(&local))
        return 0;
    if (fn_address_is_v4(&local) == ipv6)
        return EADDRNOTAVAIL;
#ifdef IP_BIND_ADDRESS_NO_PORT
    /* The port is chosen by connect(), which knows where to: as many as ever can be open. */
    fn_socket_set(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
#endif
    socklen_t length = fn_sockaddr_encode(&local, ipv6, &name);
    return bind(descriptor, &name.any, length) == 0 ? 0 : errno;
}

static int fn_connect_unbound(const fn_address *peer, const fn_address *local, int os_error,
                              fn_io_error *error)
{
    char to[FN_ADDRESS_TEXT_BYTES];
    char from[FN_ADDRESS_TEXT_BYTES];
    fn_address_format(peer, to);
    fn_address_format_host(local, from);
    return fn_io_fail(error, FASTNET_ERR_ADDRESS, os_error, "TCP to %s cannot leave from %s: %s",
                      to, from, fn_errno_text(os_error));
}

int fn_tcp_connect(fn_tcp *tcp, const fn_address *peer, const fn_address *local, fn_io_error *error)
{
    fn_sockaddr name;
    bool ipv6 = !fn_address_is_v4(peer);
    int descriptor = fn_socket_open(ipv6, SOCK_STREAM);
    tcp->handle = FN_HANDLE_NONE;
    if (descriptor < 0)
        return fn_connect_failed(peer, errno, error);
    tcp->handle = descriptor;
    fn_tcp_set_nodelay(tcp, true);
    int bound = fn_bind_before_connect(descriptor, peer, *local);
    if (bound != 0) {
        fn_tcp_close(tcp);
        return fn_connect_unbound(peer, local, bound, error);
    }
    socklen_t length = fn_sockaddr_encode(peer, ipv6, &name);
    if (connect(descriptor, &name.any, length) == 0 || errno == EINPROGRESS || errno == EINTR)
        return FASTNET_OK;
    int os_error = errno;
    fn_tcp_close(tcp);
    return fn_connect_failed(peer, os_error, error);
}

int fn_tcp_connect_result(fn_tcp *tcp, const fn_address *peer, bool *established,
                          fn_io_error *error)
{
    fn_sockaddr name;
    int os_error = 0;
    socklen_t length = sizeof os_error;
    *established = false;
    if (getsockopt((int)tcp->handle, SOL_SOCKET, SO_ERROR, &os_error, &length) != 0)
        os_error = errno;
    if (os_error != 0)
        return fn_connect_failed(peer, os_error, error);
    length = sizeof name;
    *established = getpeername((int)tcp->handle, &name.any, &length) == 0;
    return FASTNET_OK;
}

int fn_tcp_local(const fn_tcp *tcp, fn_address *local, fn_io_error *error)
{
    return fn_socket_local(tcp->handle, local, error);
}

/* --- moving bytes --------------------------------------------------------------------------- */

static fn_tcp_outcome fn_tcp_classify(int os_error)
{
    switch (os_error) {
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
    case EINTR:
    case ENOBUFS:
    case ENOMEM:
        return FN_TCP_WOULD_BLOCK;
    case EPIPE:
        return FN_TCP_CLOSED;
    default:
        return FN_TCP_RESET;
    }
}

fn_tcp_outcome fn_tcp_send(fn_tcp *tcp, const void *data, size_t length, size_t *moved)
{
    *moved = 0;
    if (length == 0)
        return FN_TCP_OK;
    ssize_t bytes = send((int)tcp->handle, data, length, FN_TCP_FLAGS);
    if (bytes < 0)
        return fn_tcp_classify(errno);
    *moved = (size_t)bytes;
    return FN_TCP_OK;
}

fn_tcp_outcome fn_tcp_receive(fn_tcp *tcp, void *data, size_t capacity, size_t *moved)
{
    assert(capacity > 0);
    *moved = 0;
    ssize_t bytes = recv((int)tcp->handle, data, capacity, FN_TCP_FLAGS);
    if (bytes < 0)
        return fn_tcp_classify(errno);
    *moved = (size_t)bytes;
    return bytes == 0 ? FN_TCP_CLOSED : FN_TCP_OK;
}

void fn_tcp_shutdown(fn_tcp *tcp)
{
    (void)shutdown((int)tcp->handle, SHUT_WR);
}

void fn_tcp_set_nodelay(fn_tcp *tcp, bool on)
{
    fn_socket_set(tcp->handle, IPPROTO_TCP, TCP_NODELAY, on);
}

void fn_tcp_set_unsent_max(fn_tcp *tcp, uint32_t bytes)
{
#ifdef TCP_NOTSENT_LOWAT
    fn_socket_set(tcp->handle, IPPROTO_TCP, TCP_NOTSENT_LOWAT, (int)bytes);
#else
    (void)tcp;
    (void)bytes;
#endif
}

void fn_tcp_close(fn_tcp *tcp)
{
    fn_socket_close(&tcp->handle);
}

void fn_tcp_abort(fn_tcp *tcp)
{
    if (tcp->handle == FN_HANDLE_NONE)
        return;
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt((int)tcp->handle, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    fn_tcp_close(tcp);
}
