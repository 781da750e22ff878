/*
 * system.c: what the kernel takes for one datagram over loopback, and for the calls around it: the
 * part of every figure that no library can save.
 */
#include "common/clock.h"
#include "common/options.h"
#include "common/process.h"
#include "common/report.h"
#include "common/sockets.h"

#include <arpa/inet.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 32, ROUNDS = 400, BYTES_MAX = 1200 };

static struct {
    int from, to, epoll;
    size_t bytes;
    struct sockaddr_in target; /* of sockets that are not connected */
    uint8_t data[BATCH * BYTES_MAX];
    struct mmsghdr messages[BATCH];
    struct iovec pieces[BATCH];
} sys;

static void prepare_messages(void)
{
    for (int i = 0; i < BATCH; i++) {
        sys.pieces[i] = (struct iovec){.iov_base = sys.data + i * BYTES_MAX, .iov_len = sys.bytes};
        sys.messages[i].msg_hdr = (struct msghdr){.msg_iov = &sys.pieces[i], .msg_iovlen = 1};
    }
}

/* Each sends or receives BATCH datagrams. */
static void send_each(void)
{
    for (int i = 0; i < BATCH; i++) {
        send(sys.from, sys.data, sys.bytes, MSG_DONTWAIT);
    }
}

static void receive_each(void)
{
    for (int i = 0; i < BATCH; i++) {
        recv(sys.to, sys.data, sizeof sys.data, MSG_DONTWAIT);
    }
}

static void send_to_each(void)
{
    for (int i = 0; i < BATCH; i++) {
        sendto(sys.from, sys.data, sys.bytes, MSG_DONTWAIT, (struct sockaddr *)&sys.target,
               sizeof sys.target);
    }
}

static void receive_from_each(void)
{
    for (int i = 0; i < BATCH; i++) {
        struct sockaddr_in from;
        socklen_t bytes = sizeof from;
        recvfrom(sys.to, sys.data, sizeof sys.data, MSG_DONTWAIT, (struct sockaddr *)&from, &bytes);
    }
}

static void send_batch(void)
{
    prepare_messages();
    sendmmsg(sys.from, sys.messages, BATCH, MSG_DONTWAIT);
}

static void receive_batch(void)
{
    prepare_messages();
    recvmmsg(sys.to, sys.messages, BATCH, MSG_DONTWAIT, NULL);
}

static void send_segmented(void)
{
    uint16_t segment = (uint16_t)sys.bytes;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof segment)] = {0};
    struct iovec piece = {.iov_base = sys.data, .iov_len = BATCH * sys.bytes};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_UDP;
    head->cmsg_type = UDP_SEGMENT;
    head->cmsg_len = CMSG_LEN(sizeof segment);
    memcpy(CMSG_DATA(head), &segment, sizeof segment);
    sendmsg(sys.from, &message, MSG_DONTWAIT);
}

static void receive_coalesced(void)
{
    while (recv(sys.to, sys.data, sizeof sys.data, MSG_DONTWAIT) > 0) {
    }
}

static void measure(const char *way, void (*out)(void), void (*in)(void))
{
    uint64_t send_ns = 0, receive_ns = 0;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t begin_ns = bench_cpu_ns(0);
        out();
        uint64_t middle_ns = bench_cpu_ns(0);
        in();
        receive_ns += bench_cpu_ns(0) - middle_ns;
        send_ns += middle_ns - begin_ns;
    }
    bench_report_begin("system");
    bench_report_text("way", way);
    bench_report_count("bytes", sys.bytes);
    bench_report_number("send_ns", (double)send_ns / (ROUNDS * BATCH));
    bench_report_number("receive_ns", (double)receive_ns / (ROUNDS * BATCH));
    bench_report_end();
}

static void measure_call(const char *what, void (*call)(void))
{
    uint64_t begin_ns = bench_cpu_ns(0);
    for (int i = 0; i < ROUNDS * BATCH; i++) {
        call();
    }
    bench_report_begin("system");
    bench_report_text("way", what);
    bench_report_count("bytes", 0);
    bench_report_number("call_ns", (double)(bench_cpu_ns(0) - begin_ns) / (ROUNDS * BATCH));
    bench_report_end();
}

static void empty_receive(void)
{
    recv(sys.to, sys.data, sizeof sys.data, MSG_DONTWAIT);
}

static void empty_epoll(void)
{
    struct epoll_event ready;
    epoll_wait(sys.epoll, &ready, 1, 0);
}

static void read_clock(void)
{
    bench_now_ns();
}

static void watch(bool on)
{
    struct epoll_event wanted = {.events = EPOLLIN};
    epoll_ctl(sys.epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, sys.to, &wanted);
}

static void connect_both(void)
{
    struct sockaddr_in back = bench_address("127.0.0.1", bench_port_of(sys.from));
    if (connect(sys.to, (struct sockaddr *)&back, sizeof back) != 0) {
        bench_fail("cannot connect two sockets over loopback");
    }
}

/* One that serves both families, talking IPv4. */
static int open_dual_stack(void)
{
    int off = 0, fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any) != 0) {
        bench_fail("no IPv6 socket");
    }
    return fd;
}

static void connect_dual_stack(int fd, int to)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(bench_port_of(to))};
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        bench_fail("cannot connect two IPv6 sockets over loopback");
    }
}

/* How the socket itself matters. */
static void measure_kinds(void)
{
    int from = sys.from, to = sys.to;
    sys.bytes = 64;
    watch(true);
    measure("one call each, a poller knows the receiver", send_each, receive_each);
    watch(false);
    sys.to = bench_udp_bind("127.0.0.1", 0);
    sys.from = bench_udp_bind("127.0.0.1", 0);
    sys.target = bench_address("127.0.0.1", bench_port_of(sys.to));
    measure("one call each, not connected", send_to_each, receive_from_each);
    close(sys.to);
    close(sys.from);
    sys.to = open_dual_stack();
    sys.from = open_dual_stack();
    connect_dual_stack(sys.to, sys.from);
    connect_dual_stack(sys.from, sys.to);
    measure("one call each, IPv6 sockets", send_each, receive_each);
    close(sys.to);
    close(sys.from);
    sys.from = from;
    sys.to = to;
}

int main(int argc, char **argv)
{
    bench_options options = bench_options_read(argc, argv, "run", "no channels");
    static const size_t sizes[] = {64, 1200};
    bench_pin(options.cpu);
    sys.to = bench_udp_bind("127.0.0.1", 0);
    sys.from = bench_udp_connect("127.0.0.1", bench_port_of(sys.to));
    connect_both();
    sys.epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(true);
    measure_call("empty receive", empty_receive);
    measure_call("empty epoll_wait", empty_epoll);
    measure_call("clock_gettime", read_clock);
    watch(false);
    measure_kinds();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int on = 0;
        sys.bytes = sizes[i];
        setsockopt(sys.to, SOL_UDP, UDP_GRO, &on, sizeof on);
        measure("one call each", send_each, receive_each);
        measure("sendmmsg and recvmmsg", send_batch, receive_batch);
        on = 1;
        setsockopt(sys.to, SOL_UDP, UDP_GRO, &on, sizeof on);
        measure("GSO and GRO", send_segmented, receive_coalesced);
    }
    return 0;
}
