#include "common/sockets.h"

#include "common/clock.h"
#include "common/report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { BUFFER_BYTES = 4 << 20 };

struct sockaddr_in bench_address(const char *host, int64_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        bench_fail("'%s' is not an IPv4 address", host);
    }
    return address;
}

static void expect(bool fine, const char *what)
{
    if (!fine) {
        bench_fail("%s: %s", what, strerror(errno));
    }
}

static void grow(int fd, int option, int forced)
{
    int bytes = BUFFER_BYTES;
    if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes) != 0) {
        setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof bytes);
    }
}

int bench_udp_bind(const char *host, int64_t port)
{
    struct sockaddr_in address = bench_address(host, port);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    expect(fd >= 0, "UDP socket");
    grow(fd, SO_RCVBUF, SO_RCVBUFFORCE);
    grow(fd, SO_SNDBUF, SO_SNDBUFFORCE);
    expect(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "bind UDP");
    return fd;
}

int bench_udp_connect(const char *host, int64_t port)
{
    struct sockaddr_in address = bench_address(host, port);
    int fd = bench_udp_bind("0.0.0.0", 0);
    expect(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect UDP");
    return fd;
}

static void no_delay(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int bench_tcp_listen(const char *host, int64_t port)
{
    struct sockaddr_in address = bench_address(host, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    expect(fd >= 0, "TCP socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    expect(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "bind TCP");
    expect(listen(fd, 4096) == 0, "listen");
    return fd;
}

int bench_tcp_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        no_delay(fd);
    }
    return fd;
}

int bench_tcp_connect(const char *host, int64_t port)
{
    struct sockaddr_in address = bench_address(host, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect(fd >= 0, "TCP socket");
    expect(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect TCP");
    no_delay(fd);
    return fd;
}

uint16_t bench_port_of(int fd)
{
    struct sockaddr_in address = {0};
    socklen_t bytes = sizeof address;
    expect(getsockname(fd, (struct sockaddr *)&address, &bytes) == 0, "getsockname");
    return ntohs(address.sin_port);
}

void bench_nonblocking(int fd)
{
    expect(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0, "O_NONBLOCK");
}

bool bench_wait(int fd, bool writable, uint64_t timeout_ns)
{
    struct pollfd wanted = {.fd = fd, .events = (short)(POLLIN | (writable ? POLLOUT : 0))};
    struct timespec timeout = bench_timespec(timeout_ns);
    return ppoll(&wanted, 1, &timeout, NULL) > 0;
}
