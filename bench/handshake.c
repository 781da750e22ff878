/*
 * handshake.c: how many connections FastNet sets up, from TCP connect to CONNECTED (which includes
 * the first exchange over UDP). `serve` accepts; `run` keeps --clients connections under way until
 * --seconds have passed. With --resume 1 one endpoint connects again and again and may resume its
 * TLS sessions; without, each connection has an endpoint of its own that has never met the server.
 */
#include "common/clock.h"
#include "common/options.h"
#include "common/process.h"
#include "common/report.h"
#include "common/tuning.h"

#include "fastnet.h"

#include <string.h>

#define EVENTS     64
#define SLOTS_MAX  64
#define PEERS_MAX  1024
#define WAIT_US    20000
#define LATE_NS    (10 * BENCH_NS_PER_S)
#define FAILED_MAX 100

typedef struct slot {
    FastNetEndpoint *endpoint;
    FastNetPeerId peer;
    uint64_t begin_ns;
} slot;

static struct {
    bench_options options;
    slot slots[SLOTS_MAX];
    uint64_t completed, failed;
    bench_histogram times;
    FastNetEvent events[EVENTS];
} hands;

static FastNetEndpoint *create(const FastNetConfig *config)
{
    FastNetEndpoint *endpoint = NULL;
    if (fastnet_endpoint_create(config, &endpoint) != FASTNET_OK) {
        bench_fail("no endpoint: %s", fastnet_connect_error_text());
    }
    return endpoint;
}

static int serve(void)
{
    FastNetConfig config;
    fastnet_config_init(&config);
    config.listen = true;
    config.bind_address = hands.options.host;
    config.peers_max = PEERS_MAX;
    config.handshakes_per_address_per_s = 0;
    config.certificate_path = hands.options.certificate;
    config.private_key_path = hands.options.key;
    tuning_apply(&config, &hands.options);
    FastNetEndpoint *server = create(&config);
    bench_report_begin("listening");
    bench_report_count("port", fastnet_udp_port(server));
    bench_report_count("tls_port", fastnet_tls_port(server));
    bench_report_end();
    while (!bench_stopped()) {
        fastnet_poll(server, hands.events, EVENTS, WAIT_US);
    }
    FastNetEndpointStats stats = {.struct_size = sizeof stats};
    fastnet_endpoint_stats(server, &stats);
    bench_report_begin("server");
    bench_report_count("completed", stats.handshakes_completed);
    bench_report_count("failed", stats.handshakes_failed);
    bench_report_count("evicted", stats.handshakes_evicted);
    bench_report_end();
    fastnet_endpoint_destroy(server);
    return 0;
}

static void begin(slot *s)
{
    FastNetConnectOptions connecting;
    fastnet_connect_options_init(&connecting);
    connecting.server_name = "localhost";
    if (!s->endpoint) {
        FastNetConfig config;
        fastnet_config_init(&config);
        config.peers_max = 4;
        config.trusted_roots_path = hands.options.certificate;
        tuning_apply(&config, &hands.options);
        s->endpoint = create(&config);
    }
    s->begin_ns = bench_now_ns();
    if (fastnet_connect(s->endpoint, hands.options.host, (uint16_t)hands.options.tls_port,
                        &connecting, &s->peer) != FASTNET_OK) {
        bench_fail("no connection: %s", fastnet_last_error_text(s->endpoint));
    }
}

static void end(slot *s)
{
    fastnet_disconnect_now(s->endpoint, s->peer, 0, NULL);
    fastnet_poll(s->endpoint, hands.events, EVENTS, 0);
    if (!hands.options.resume) {
        fastnet_endpoint_destroy(s->endpoint);
        s->endpoint = NULL;
    }
    begin(s);
}

static void step(slot *s, uint32_t timeout_us)
{
    int32_t count = fastnet_poll(s->endpoint, hands.events, EVENTS, timeout_us);
    for (int32_t i = 0; i < count; i++) {
        const FastNetEvent *event = &hands.events[i];
        if (event->peer_id != s->peer) {
            continue;
        }
        if (event->type == FASTNET_EVENT_CONNECTED) {
            bench_histogram_add(&hands.times, bench_now_ns() - s->begin_ns);
            hands.completed++;
            end(s);
            return;
        }
        if (event->type == FASTNET_EVENT_ERROR) {
            if (hands.failed++ == 0) {
                bench_notice("no connection: %s", (const char *)event->data);
            }
            begin(s);
            return;
        }
    }
}

static int run(void)
{
    uint32_t slots = hands.options.clients > 0 ? (uint32_t)hands.options.clients : 1;
    pid_t server = (pid_t)hands.options.server_pid;
    slots = slots < SLOTS_MAX ? slots : SLOTS_MAX;
    for (uint32_t i = 0; i < slots; i++) {
        begin(&hands.slots[i]);
    }
    uint64_t duration_ns = (uint64_t)hands.options.seconds * BENCH_NS_PER_S;
    uint64_t server_cpu_ns = server ? bench_cpu_ns(server) : 0;
    uint64_t cpu_ns = bench_cpu_ns(0);
    uint64_t begin_ns = bench_now_ns();
    while (!bench_stopped() && bench_now_ns() - begin_ns < duration_ns &&
           hands.failed < FAILED_MAX) {
        for (uint32_t i = 0; i < slots; i++) {
            step(&hands.slots[i], slots == 1 ? WAIT_US : 0);
        }
    }
    uint64_t wall_ns = bench_now_ns() - begin_ns;
    bench_report_begin("client");
    bench_report_count("completed", hands.completed);
    bench_report_count("failed", hands.failed);
    bench_report_count("wall_ns", wall_ns);
    bench_report_count("cpu_ns", bench_cpu_ns(0) - cpu_ns);
    bench_report_count("server_cpu_ns", server ? bench_cpu_ns(server) - server_cpu_ns : 0);
    bench_report_histogram("connect_ns", &hands.times);
    bench_report_end();
    for (uint32_t i = 0; i < slots; i++) {
        fastnet_endpoint_destroy(hands.slots[i].endpoint);
    }
    return 0;
}

int main(int argc, char **argv)
{
    hands.options = bench_options_read(argc, argv, "serve, run", "no channels");
    bench_stop_on_signals();
    bench_pin(hands.options.cpu);
    return strcmp(hands.options.mode, "serve") == 0 ? serve() : run();
}
