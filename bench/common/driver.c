/*
 * driver.c: the main program of every peer: `serve` answers or counts, `run` sends and measures.
 * The workloads are the same code for all protocols, so like is compared with like.
 */
#include "common/clock.h"
#include "common/peer.h"
#include "common/process.h"
#include "common/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOST_AFTER_NS  (100 * BENCH_NS_PER_MS) /* an answer that takes longer does not come */
#define GRACE_NS       (500 * BENCH_NS_PER_MS) /* for what is under way when the last was sent */
#define GRACE_LINK_NS  (4 * BENCH_NS_PER_S)    /* the same, for retransmissions over a bad link */
#define WAIT_NS        (20 * BENCH_NS_PER_MS)
#define BULK_WAIT_NS   (1 * BENCH_NS_PER_MS)
#define CLOCK_INTERVAL 256 /* empty steps between looks at the clock */
#define BULK_BURST     64

/* Every message begins with this. */
typedef struct stamp {
    uint64_t sent_ns;
    uint64_t number;
} stamp;

static struct {
    bench_options options;
    bool serving, echoing, spinning;
    uint64_t sent, received, refused, lost; /* measured messages, without the warm-up */
    uint64_t received_bytes;
    uint64_t awaited;               /* ping-pong: the number that may come now */
    uint64_t first_ns, last_ns;     /* of the measured messages */
    uint64_t allocations_at_warmup; /* a server's */
    uint64_t warmup;
    uint8_t message[PEER_MESSAGE_BYTES_MAX];
    bench_histogram delays;
} driver;

static void count_received(const stamp *head, size_t bytes)
{
    if (head->number < driver.warmup) {
        driver.allocations_at_warmup = bench_allocations();
        return;
    }
    driver.last_ns = bench_now_ns();
    if (driver.received++ == 0) {
        driver.first_ns = head->sent_ns; /* so that a stall at the beginning counts */
    }
    driver.received_bytes += bytes;
    bench_histogram_add(&driver.delays, driver.last_ns - head->sent_ns);
}

void driver_received(const uint8_t *message, size_t bytes)
{
    stamp head;
    if (bytes < sizeof head) {
        return;
    }
    memcpy(&head, message, sizeof head);
    if (driver.serving) {
        if (driver.echoing && !peer_send(message, bytes)) {
            driver.refused++;
        }
        if (!driver.echoing || head.number < driver.warmup) {
            count_received(&head, bytes);
        }
        return;
    }
    if (head.number == driver.awaited) {
        driver.awaited++;
    }
    count_received(&head, bytes);
}

static bool send_number(uint64_t number)
{
    stamp head = {.sent_ns = bench_now_ns(), .number = number};
    memcpy(driver.message, &head, sizeof head);
    if (!peer_send(driver.message, (size_t)driver.options.bytes)) {
        driver.refused++;
        return false;
    }
    driver.sent += number >= driver.warmup;
    return true;
}

static bool time_is_up(uint64_t begin_ns)
{
    uint64_t limit_ns = (uint64_t)driver.options.seconds * BENCH_NS_PER_S;
    return bench_stopped() || !peer_alive() || (limit_ns && bench_now_ns() - begin_ns >= limit_ns);
}

/* --- workloads: each sends the messages [from, to) -------------------------------------------- */

static void pingpong(uint64_t from, uint64_t to)
{
    uint64_t begin_ns = bench_now_ns();
    for (uint64_t number = from; number < to && !time_is_up(begin_ns); number++) {
        driver.awaited = number;
        uint64_t sent_ns = bench_now_ns();
        send_number(number);
        for (uint32_t steps = 1; driver.awaited == number; steps++) {
            peer_step(LOST_AFTER_NS);
            bool look = steps % CLOCK_INTERVAL == 0 || !driver.spinning;
            if (look && driver.awaited == number && bench_now_ns() - sent_ns >= LOST_AFTER_NS) {
                driver.lost++;
                break;
            }
        }
    }
}

/* Sends at a rate, whatever comes back; oneway is the same with a server that only counts. */
static void paced(uint64_t from, uint64_t to)
{
    uint64_t rate = driver.options.rate > 0 ? (uint64_t)driver.options.rate : 1000;
    uint64_t begin_ns = bench_now_ns();
    for (uint64_t number = from; number < to && !time_is_up(begin_ns);) {
        uint64_t due_ns = begin_ns + (number - from) * BENCH_NS_PER_S / rate;
        uint64_t now_ns = bench_now_ns();
        if (now_ns < due_ns) {
            peer_step(due_ns - now_ns);
        } else if (send_number(number)) {
            number++;
        } else {
            peer_step(BULK_WAIT_NS);
        }
    }
}

/* As much as the protocol takes, for --seconds. */
static void bulk(uint64_t from, uint64_t to)
{
    uint64_t begin_ns = bench_now_ns();
    uint64_t number = from;
    while (number < to && !time_is_up(begin_ns)) {
        uint32_t burst = 0;
        while (burst < BULK_BURST && number < to && send_number(number)) {
            burst++;
            number++;
        }
        peer_step(burst ? 0 : BULK_WAIT_NS);
    }
}

static void settle(uint64_t grace_ns, bool expect_answers)
{
    uint64_t begin_ns = bench_now_ns();
    while (!bench_stopped() && peer_alive() && bench_now_ns() - begin_ns < grace_ns) {
        if (expect_answers && driver.received >= driver.sent) {
            break;
        }
        peer_step(WAIT_NS);
    }
}

typedef struct workload {
    const char *name;
    void (*run)(uint64_t from, uint64_t to);
    bool answered;
} workload;

static const workload workloads[] = {
    {"pingpong", pingpong, true},
    {"paced", paced, true},
    {"oneway", paced, false},
    {"bulk", bulk, false},
};

static const workload *find_workload(const char *name)
{
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        if (strcmp(workloads[i].name, name) == 0) {
            return &workloads[i];
        }
    }
    bench_fail("no workload '%s': pingpong, paced, oneway or bulk", name);
}

/* --- the two ends ----------------------------------------------------------------------------- */

static void report_delays(void)
{
    bench_report_count("received", driver.received);
    bench_report_count("received_bytes", driver.received_bytes);
    bench_report_count("refused", driver.refused);
    bench_report_count("elapsed_ns", driver.last_ns - driver.first_ns);
    bench_report_histogram("delay_ns", &driver.delays);
}

static int serve(void)
{
    peer_ports ports = peer_listen(&driver.options);
    bench_report_begin("listening");
    bench_report_count("port", ports.port);
    bench_report_count("tls_port", ports.tls_port);
    bench_report_end();
    while (!bench_stopped()) {
        peer_step(WAIT_NS);
    }
    bench_report_begin("server");
    report_delays();
    bench_report_count("allocations", bench_allocations() - driver.allocations_at_warmup);
    peer_report();
    bench_report_end();
    peer_close();
    return 0;
}

static int run(void)
{
    const workload *work = find_workload(driver.options.workload);
    uint64_t count = driver.options.count > 0 ? (uint64_t)driver.options.count : UINT64_MAX / 4;
    pid_t server = (pid_t)driver.options.server_pid;
    uint64_t connect_ns = bench_now_ns();
    peer_connect(&driver.options);
    connect_ns = bench_now_ns() - connect_ns;
    if (driver.warmup) {
        work->run(0, driver.warmup);
    }
    uint64_t lost_before = driver.lost;
    uint64_t cpu_ns = bench_cpu_ns(0);
    uint64_t server_cpu_ns = server ? bench_cpu_ns(server) : 0;
    uint64_t allocations = bench_allocations();
    uint64_t begin_ns = bench_now_ns();
    work->run(driver.warmup, driver.warmup + count);
    uint64_t wall_ns = bench_now_ns() - begin_ns;
    cpu_ns = bench_cpu_ns(0) - cpu_ns;
    server_cpu_ns = server ? bench_cpu_ns(server) - server_cpu_ns : 0;
    allocations = bench_allocations() - allocations;
    settle(work->run == paced && !work->answered ? GRACE_LINK_NS : GRACE_NS, work->answered);

    bench_report_begin("client");
    bench_report_count("connect_ns", connect_ns);
    bench_report_count("wall_ns", wall_ns);
    bench_report_count("cpu_ns", cpu_ns);
    bench_report_count("server_cpu_ns", server_cpu_ns);
    bench_report_count("allocations", allocations);
    bench_report_count("sent", driver.sent);
    bench_report_count("lost", driver.lost - lost_before);
    bench_report_text("alive", peer_alive() ? "yes" : "no");
    report_delays();
    peer_report();
    bench_report_end();
    peer_close();
    return 0;
}

int main(int argc, char **argv)
{
    char what[256];
    snprintf(what, sizeof what, "channels: %s", peer_channels);
    driver.options = bench_options_read(argc, argv, "serve, run", what);
    bench_options *options = &driver.options;
    if (!*options->channel) {
        static char first[32];
        snprintf(first, sizeof first, "%.*s", (int)strcspn(peer_channels, ","), peer_channels);
        options->channel = first;
    }
    if (!bench_listed(peer_channels, options->channel)) {
        bench_fail("no channel '%s' here; there is: %s", options->channel, peer_channels);
    }
    if (options->bytes < (int64_t)sizeof(stamp) || options->bytes > PEER_MESSAGE_BYTES_MAX) {
        bench_fail("--bytes must be %zu to %d", sizeof(stamp), PEER_MESSAGE_BYTES_MAX);
    }
    driver.serving = strcmp(options->mode, "serve") == 0;
    driver.echoing = strcmp(options->role, "echo") == 0;
    driver.spinning = strcmp(options->wait, "spin") == 0;
    driver.warmup = options->warmup > 0 ? (uint64_t)options->warmup : 0;
    bench_stop_on_signals();
    bench_pin(options->cpu);
    return driver.serving ? serve() : run();
}
