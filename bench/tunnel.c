/*
 * tunnel.c: a bad link between two network namespaces, for whatever runs over IP: a TUN device in
 * each, and the simulator's link model between them. What a kernel without netem cannot do.
 *
 *   bench_tunnel NAMESPACE_A NAMESPACE_B DELAY_MS LOSS_PERMILLE RATE_KBIT QUEUE_BYTES SEED
 *
 * Delay is one way, loss applies to each direction by itself, rate 0 = unlimited. The devices are
 * called bench0; giving them addresses is the caller's part. Ends on SIGTERM with a line of counts.
 */
#include "common/clock.h"
#include "common/process.h"
#include "common/report.h"

#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PACKETS = 4096, PACKET_BYTES = 1600, SPIN_NS = 50000 };

/* The model without jitter keeps the order, so a queue is enough. */
typedef struct direction {
    int from, to;
    fn_link link;
    uint32_t first, count;
    uint64_t full;
    uint64_t at_ns[PACKETS];
    uint16_t bytes[PACKETS];
    uint8_t packets[PACKETS][PACKET_BYTES];
} direction;

static direction directions[2];

static int open_device(const char *namespace)
{
    char path[256];
    snprintf(path, sizeof path, "/run/netns/%s", namespace);
    int space = open(path, O_RDONLY | O_CLOEXEC);
    if (space < 0 || setns(space, CLONE_NEWNET) != 0) {
        bench_fail("network namespace '%s': %s", namespace, strerror(errno));
    }
    close(space);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    strcpy(request.ifr_name, "bench0");
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) {
        bench_fail("TUN device: %s", strerror(errno));
    }
    return fd;
}

/* Takes everything the device has. */
static void take(direction *d)
{
    uint8_t packet[PACKET_BYTES];
    for (ssize_t bytes; (bytes = read(d->from, packet, sizeof packet)) > 0;) {
        fn_link_copy copies[FN_LINK_COPIES_MAX];
        if (fn_link_send(&d->link, bench_now_ns(), (size_t)bytes, copies) == 0) {
            continue;
        }
        if (d->count == PACKETS) {
            d->full++;
            continue;
        }
        uint32_t last = (d->first + d->count++) % PACKETS;
        d->at_ns[last] = copies[0].at_ns;
        d->bytes[last] = (uint16_t)bytes;
        memcpy(d->packets[last], packet, (size_t)bytes);
    }
}

/* Gives what is due; returns when the next one is. */
static uint64_t give(direction *d)
{
    while (d->count > 0 && d->at_ns[d->first] <= bench_now_ns()) {
        if (write(d->to, d->packets[d->first], d->bytes[d->first]) < 0) {
            d->full++;
        }
        d->first = (d->first + 1) % PACKETS;
        d->count--;
    }
    return d->count > 0 ? d->at_ns[d->first] : UINT64_MAX;
}

static void run(void)
{
    struct pollfd wanted[2] = {{.fd = directions[0].from, .events = POLLIN},
                               {.fd = directions[1].from, .events = POLLIN}};
    while (!bench_stopped()) {
        take(&directions[0]);
        take(&directions[1]);
        uint64_t first_ns = give(&directions[0]);
        uint64_t second_ns = give(&directions[1]);
        uint64_t due_ns = first_ns < second_ns ? first_ns : second_ns;
        uint64_t now_ns = bench_now_ns();
        uint64_t wait_ns = due_ns > now_ns ? due_ns - now_ns : 0;
        wait_ns = wait_ns < 100 * BENCH_NS_PER_MS ? wait_ns : 100 * BENCH_NS_PER_MS;
        if (wait_ns > SPIN_NS) { /* waking up takes about that long */
            struct timespec timeout = bench_timespec(wait_ns - SPIN_NS);
            ppoll(wanted, 2, &timeout, NULL);
        }
    }
}

static void report(void)
{
    static const char *const names[2][3] = {{"entered_a", "lost_a", "full_a"},
                                            {"entered_b", "lost_b", "full_b"}};
    bench_report_begin("tunnel");
    for (int i = 0; i < 2; i++) {
        const fn_link_counts *counts = &directions[i].link.counts;
        bench_report_count(names[i][0], counts->entered);
        bench_report_count(names[i][1], counts->lost);
        bench_report_count(names[i][2], counts->queue_full + directions[i].full);
    }
    bench_report_end();
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        bench_fail("usage: NAMESPACE_A NAMESPACE_B DELAY_MS LOSS_PERMILLE RATE_KBIT QUEUE_BYTES "
                   "SEED");
    }
    fn_link_config config = {
        .delay_ns = strtoull(argv[3], NULL, 10) * BENCH_NS_PER_MS,
        .loss_permille = (uint32_t)strtoul(argv[4], NULL, 10),
        .rate_bytes_per_s = strtoull(argv[5], NULL, 10) * 125,
        .queue_bytes_max = (uint32_t)strtoul(argv[6], NULL, 10),
    };
    uint64_t seed = strtoull(argv[7], NULL, 10);
    int a = open_device(argv[1]);
    int b = open_device(argv[2]);
    directions[0].from = directions[1].to = a;
    directions[1].from = directions[0].to = b;
    fn_link_init(&directions[0].link, &config, seed);
    fn_link_init(&directions[1].link, &config, seed + 1);
    bench_stop_on_signals();
    bench_report_begin("listening");
    bench_report_end();
    run();
    report();
    return 0;
}
