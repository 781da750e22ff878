/*
 * throughput.c: how many sealed datagrams one core can send, and one core can receive, when nothing
 * else is done: no acknowledgements, no congestion control, no queues. Channel "gso" cuts one large
 * send into datagrams in the kernel (UDP_SEGMENT) and receives several at once (UDP_GRO); "mmsg"
 * uses sendmmsg and recvmmsg. Cipher: the fastest there is for the size (sealing_fastest).
 */
#include "common/clock.h"
#include "common/options.h"
#include "common/process.h"
#include "common/report.h"
#include "common/sealing.h"
#include "common/sockets.h"

#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BATCH = 32,
    SEGMENTS_MAX = 40, /* in one UDP_SEGMENT send: below 64 KiB and below the kernel's 64 */
    ROOM = 65536
};

typedef struct totals {
    uint64_t datagrams, bytes, calls, first_ns, last_ns, cpu_ns;
} totals;

static uint8_t buffer[BATCH][ROOM];
static const char channels[] = "gso, mmsg";

static void report(const char *kind, const totals *sum)
{
    bench_report_begin(kind);
    bench_report_count("datagrams", sum->datagrams);
    bench_report_count("bytes", sum->bytes);
    bench_report_count("calls", sum->calls);
    bench_report_count("elapsed_ns", sum->last_ns - sum->first_ns);
    bench_report_count("cpu_ns", sum->cpu_ns);
    bench_report_end();
}

/* --- receiving -------------------------------------------------------------------------------- */

static void open_segments(sealing *s, totals *sum, uint8_t *data, size_t bytes, size_t segment)
{
    while (bytes > 0) {
        size_t length = segment && segment < bytes ? segment : bytes;
        if (sealing_open(s, data, length)) {
            sum->datagrams++;
            sum->bytes += length - SEALING_HEADER_BYTES - SEALING_TAG_BYTES;
        }
        data += length;
        bytes -= length;
    }
}

static size_t segment_bytes(struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            int bytes;
            memcpy(&bytes, CMSG_DATA(c), sizeof bytes);
            return (size_t)bytes;
        }
    }
    return 0;
}

static int receive_batch(int fd, sealing *s, totals *sum)
{
    struct mmsghdr messages[BATCH];
    struct iovec pieces[BATCH];
    _Alignas(struct cmsghdr) char controls[BATCH][CMSG_SPACE(sizeof(int))];
    for (int i = 0; i < BATCH; i++) {
        pieces[i] = (struct iovec){.iov_base = buffer[i], .iov_len = ROOM};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i],
                                              .msg_iovlen = 1,
                                              .msg_control = controls[i],
                                              .msg_controllen = sizeof controls[i]};
    }
    int count = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        open_segments(s, sum, buffer[i], messages[i].msg_len, segment_bytes(&messages[i].msg_hdr));
    }
    sum->calls++;
    return count;
}

static int serve(const bench_options *options)
{
    int fd = bench_udp_bind(options->host, options->port);
    int on = strcmp(options->channel, "gso") == 0;
    setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on);
    bench_report_begin("listening");
    bench_report_count("port", bench_port_of(fd));
    bench_report_end();

    sealing s;
    totals sum = {0};
    sealing_init(&s, sealing_fastest((size_t)options->bytes), false, 1);
    while (!bench_stopped()) {
        uint64_t before = sum.datagrams;
        if (receive_batch(fd, &s, &sum) <= 0) {
            bench_wait(fd, false, BENCH_NS_PER_MS);
        }
        if (sum.datagrams != before) {
            sum.last_ns = bench_now_ns();
            if (sum.first_ns == 0) {
                sum.first_ns = sum.last_ns;
                sum.cpu_ns = bench_cpu_ns(0);
                sum.datagrams = sum.bytes = sum.calls = 0;
            }
        }
    }
    sum.cpu_ns = bench_cpu_ns(0) - sum.cpu_ns;
    report("server", &sum);
    return 0;
}

/* --- sending ---------------------------------------------------------------------------------- */

static void send_segmented(int fd, sealing *s, size_t text_bytes, totals *sum)
{
    size_t length = SEALING_HEADER_BYTES + text_bytes + SEALING_TAG_BYTES;
    size_t count = 60000 / length < SEGMENTS_MAX ? 60000 / length : SEGMENTS_MAX;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
    struct iovec piece = {.iov_base = buffer[0], .iov_len = count * length};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    uint16_t segment = (uint16_t)length;
    head->cmsg_level = SOL_UDP;
    head->cmsg_type = UDP_SEGMENT;
    head->cmsg_len = CMSG_LEN(sizeof segment);
    memcpy(CMSG_DATA(head), &segment, sizeof segment);
    for (size_t i = 0; i < count; i++) {
        sealing_seal(s, buffer[0] + i * length, text_bytes);
    }
    if (sendmsg(fd, &message, 0) > 0) {
        sum->datagrams += count;
        sum->bytes += count * text_bytes;
    }
    sum->calls++;
}

static void send_batch(int fd, sealing *s, size_t text_bytes, totals *sum)
{
    struct mmsghdr messages[BATCH];
    struct iovec pieces[BATCH];
    for (int i = 0; i < BATCH; i++) {
        size_t length = sealing_seal(s, buffer[i], text_bytes);
        pieces[i] = (struct iovec){.iov_base = buffer[i], .iov_len = length};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    int count = sendmmsg(fd, messages, BATCH, 0);
    if (count > 0) {
        sum->datagrams += (uint64_t)count;
        sum->bytes += (uint64_t)count * text_bytes;
    }
    sum->calls++;
}

static int run(const bench_options *options)
{
    int fd = bench_udp_connect(options->host, options->port);
    bool segmented = strcmp(options->channel, "gso") == 0;
    uint64_t seconds = options->seconds > 0 ? (uint64_t)options->seconds : 1;
    sealing s;
    totals sum = {.first_ns = bench_now_ns(), .cpu_ns = bench_cpu_ns(0)};
    sealing_init(&s, sealing_fastest((size_t)options->bytes), true, 1);
    while (!bench_stopped() && bench_now_ns() - sum.first_ns < seconds * BENCH_NS_PER_S) {
        (segmented ? send_segmented : send_batch)(fd, &s, (size_t)options->bytes, &sum);
    }
    sum.last_ns = bench_now_ns();
    sum.cpu_ns = bench_cpu_ns(0) - sum.cpu_ns;
    report("client", &sum);
    return 0;
}

int main(int argc, char **argv)
{
    bench_options options = bench_options_read(argc, argv, "serve, run", "channels: gso, mmsg");
    if (!*options.channel) {
        options.channel = "mmsg";
    }
    if (!bench_listed(channels, options.channel) || options.bytes < 1 || options.bytes > 1400) {
        bench_fail("--channel is one of: %s; --bytes 1 to 1400", channels);
    }
    bench_stop_on_signals();
    bench_pin(options.cpu);
    return strcmp(options.mode, "serve") == 0 ? serve(&options) : run(&options);
}
