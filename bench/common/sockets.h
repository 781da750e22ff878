/*
 * sockets.h: the sockets of the peers and floor programs. Every failure
 * ends the program with a sentence.
 */
#ifndef BENCH_COMMON_SOCKETS_H
#define BENCH_COMMON_SOCKETS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct sockaddr_in bench_address(const char *host, int64_t port);

/* Bound, with 4 MiB buffers as far as the kernel grants them. */
int bench_udp_bind(const char *host, int64_t port);

/* Bound to any port and connected. */
int bench_udp_connect(const char *host, int64_t port);

int bench_tcp_listen(const char *host, int64_t port);
int bench_tcp_accept(int listener);
int bench_tcp_connect(const char *host, int64_t port); /* TCP_NODELAY, like the accepted ones */

uint16_t bench_port_of(int fd);

void bench_nonblocking(int fd);

/* Waits until fd is readable (or writable, if asked for) at most so long; true when it is. */
bool bench_wait(int fd, bool writable, uint64_t timeout_ns);

#endif
