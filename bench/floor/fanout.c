/*
 * fanout.c: the floor of the fan-out benchmark: one key for each client, libsodium, recvmmsg and
 * sendmmsg, and no protocol: a client is whoever sends a datagram that opens with the client's key.
 */
#include "fanout.h"

#include "common/clock.h"
#include "common/report.h"
#include "common/sealing.h"
#include "common/sockets.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { BATCH = 64, EVENTS = 256, ROOM = 2048, CLIENT_BIT = 1 << 20 };

/* Ids and with them keys differ by direction. */
typedef struct peer {
    sealing seal, open;
    struct sockaddr_in address;
    int fd; /* a client's socket */
    bool known;
} peer;

typedef struct batch {
    struct mmsghdr messages[BATCH];
    struct iovec pieces[BATCH];
    uint8_t buffers[BATCH][ROOM];
    struct sockaddr_in addresses[BATCH];
} batch;

static struct {
    const bench_options *options;
    peer *peers;
    int fd, epoll;
    uint32_t queued;
    uint64_t calls;
    batch in, out;
} fan;

static void make_peers(const bench_options *options, bool server)
{
    fan.options = options;
    fan.peers = calloc((size_t)options->clients, sizeof *fan.peers);
    if (!fan.peers) {
        bench_fail("out of memory");
    }
    for (uint32_t i = 0; i < (uint32_t)options->clients; i++) {
        uint32_t to_server = i | CLIENT_BIT;
        sealing_init(&fan.peers[i].seal, sealing_fastest(FANOUT_STATE_BYTES), true,
                     server ? i : to_server);
        sealing_init(&fan.peers[i].open, sealing_fastest(FANOUT_INPUT_BYTES), false,
                     server ? to_server : i);
    }
}

void fanout_listen(const bench_options *options, uint16_t *port, uint16_t *tls_port)
{
    make_peers(options, true);
    fan.fd = bench_udp_bind(options->host, options->port);
    *port = bench_port_of(fan.fd);
    *tls_port = 0;
}

static int receive(int fd)
{
    for (int i = 0; i < BATCH; i++) {
        fan.in.pieces[i] = (struct iovec){.iov_base = fan.in.buffers[i], .iov_len = ROOM};
        fan.in.messages[i].msg_hdr = (struct msghdr){.msg_iov = &fan.in.pieces[i],
                                                     .msg_iovlen = 1,
                                                     .msg_name = &fan.in.addresses[i],
                                                     .msg_namelen = sizeof fan.in.addresses[i]};
    }
    fan.calls++;
    return recvmmsg(fd, fan.in.messages, BATCH, MSG_DONTWAIT, NULL);
}

static void take_input(int i)
{
    size_t bytes = fan.in.messages[i].msg_len;
    uint32_t number =
        bytes >= SEALING_HEADER_BYTES ? sealing_id(fan.in.buffers[i]) & ~CLIENT_BIT : 0;
    if (number >= (uint32_t)fan.options->clients) {
        return;
    }
    peer *p = &fan.peers[number];
    if (!sealing_open(&p->open, fan.in.buffers[i], bytes)) {
        return;
    }
    p->address = fan.in.addresses[i];
    if (p->known) {
        swarm_input(number, fan.in.buffers[i] + SEALING_HEADER_BYTES, FANOUT_INPUT_BYTES);
    } else {
        p->known = true;
        fanout_send_state(number, fan.in.buffers[i]);
        fanout_server_flush();
    }
}

void fanout_server_step(uint64_t timeout_ns)
{
    int count = receive(fan.fd);
    if (count <= 0 && bench_wait(fan.fd, false, timeout_ns)) {
        count = receive(fan.fd);
    }
    for (int i = 0; i < count; i++) {
        take_input(i);
    }
}

void fanout_server_flush(void)
{
    uint32_t sent = 0;
    while (sent < fan.queued) {
        fan.calls++;
        int count = sendmmsg(fan.fd, fan.out.messages + sent, fan.queued - sent, 0);
        if (count <= 0) {
            break;
        }
        sent += (uint32_t)count;
    }
    fan.queued = 0;
}

void fanout_send_state(uint32_t number, const uint8_t *state)
{
    peer *p = &fan.peers[number];
    uint32_t i = fan.queued++;
    memcpy(fan.out.buffers[i] + SEALING_HEADER_BYTES, state, FANOUT_STATE_BYTES);
    size_t length = sealing_seal(&p->seal, fan.out.buffers[i], FANOUT_STATE_BYTES);
    fan.out.pieces[i] = (struct iovec){.iov_base = fan.out.buffers[i], .iov_len = length};
    fan.out.messages[i].msg_hdr = (struct msghdr){.msg_iov = &fan.out.pieces[i],
                                                  .msg_iovlen = 1,
                                                  .msg_name = &p->address,
                                                  .msg_namelen = sizeof p->address};
    if (fan.queued == BATCH) {
        fanout_server_flush();
    }
}

void fanout_open(const bench_options *options)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    make_peers(options, false);
    uint32_t per_socket = options->per_socket > 0 ? (uint32_t)options->per_socket : 1;
    uint32_t sockets = ((uint32_t)options->clients + per_socket - 1) / per_socket;
    fan.epoll = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < (uint32_t)options->clients; i++) {
        if (i >= sockets) {
            fan.peers[i].fd = fan.peers[i % sockets].fd;
            continue;
        }
        fan.peers[i].fd = bench_udp_connect(options->host, options->port);
        struct epoll_event wanted = {.events = EPOLLIN, .data.fd = fan.peers[i].fd};
        epoll_ctl(fan.epoll, EPOLL_CTL_ADD, fan.peers[i].fd, &wanted);
    }
}

void fanout_connect(uint32_t number)
{
    static const uint8_t hello[FANOUT_INPUT_BYTES];
    fanout_send_input(number, hello);
}

void fanout_client_step(uint64_t timeout_ns)
{
    struct epoll_event ready[EVENTS];
    struct timespec timeout = bench_timespec(timeout_ns);
    int count = epoll_pwait2(fan.epoll, ready, EVENTS, &timeout, NULL);
    for (int i = 0; i < count; i++) {
        int received = receive(ready[i].data.fd);
        for (int k = 0; k < received; k++) {
            uint8_t *datagram = fan.in.buffers[k];
            uint32_t number = sealing_id(datagram);
            peer *p = number < (uint32_t)fan.options->clients ? &fan.peers[number] : NULL;
            if (!p || !sealing_open(&p->open, datagram, fan.in.messages[k].msg_len)) {
                continue;
            }
            if (!p->known) {
                p->known = true;
                swarm_connected(number);
            } else {
                swarm_state(number, datagram + SEALING_HEADER_BYTES, FANOUT_STATE_BYTES);
            }
        }
    }
}

void fanout_client_timers(void)
{
}

void fanout_send_input(uint32_t number, const uint8_t *input)
{
    uint8_t datagram[SEALING_HEADER_BYTES + FANOUT_INPUT_BYTES + SEALING_TAG_BYTES];
    peer *p = &fan.peers[number];
    memcpy(datagram + SEALING_HEADER_BYTES, input, FANOUT_INPUT_BYTES);
    size_t length = sealing_seal(&p->seal, datagram, FANOUT_INPUT_BYTES);
    send(p->fd, datagram, length, MSG_DONTWAIT);
}

void fanout_report(void)
{
    bench_report_count("calls", fan.calls);
}
