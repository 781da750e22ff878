/*
 * handshake.c: how many connections FastNet sets up, from TCP connect to CONNECTED (which includes
 * the first exchange over UDP). `serve` accepts; `run` keeps --clients connections under way until
 * --seconds have passed, all of one endpoint, as the floor's are of one process. With --resume 1
 * they resume the TLS sessions that the endpoint knows; without, each handshake is a full one.
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
    FastNetPeerId peer;
    uint64_t begin_ns;
} slot;

static struct {
    bench_options options;
    FastNetEndpoint *client;
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
    connecting.full_handshake = !hands.options.resume;
    connecting.user = s;
    s->begin_ns = bench_now_ns();
    if (fastnet_connect(hands.client, hands.options.host, (uint16_t)hands.options.tls_port,
                        &connecting, &s->peer) != FASTNET_OK) {
        bench_fail("no connection: %s", fastnet_last_error_text(hands.client));
    }
}

static void use(const FastNetEvent *event)
{
    slot *s = event->user;
    if (!s || event->peer_id != s->peer) {
        return;
    }
    if (event->type == FASTNET_EVENT_CONNECTED) {
        bench_histogram_add(&hands.times, bench_now_ns() - s->begin_ns);
        hands.completed++;
        fastnet_disconnect_now(hands.client, s->peer, 0, NULL);
        begin(s);
    } else if (event->type == FASTNET_EVENT_ERROR) {
        if (hands.failed++ == 0) {
            bench_notice("no connection: %s", (const char *)event->data);
        }
        begin(s);
    }
}

static void step(void)
{
    int32_t count = fastnet_poll(hands.client, hands.events, EVENTS, WAIT_US);
    for (int32_t i = 0; i < count; i++) {
        use(&hands.events[i]);
    }
}

static void open_client(void)
{
    FastNetConfig config;
    fastnet_config_init(&config);
    config.peers_max = 4 * SLOTS_MAX;
    config.trusted_roots_path = hands.options.certificate;
    tuning_apply(&config, &hands.options);
    hands.client = create(&config);
}

static int run(void)
{
    uint32_t slots = hands.options.clients > 0 ? (uint32_t)hands.options.clients : 1;
    pid_t server = (pid_t)hands.options.server_pid;
    slots = slots < SLOTS_MAX ? slots : SLOTS_MAX;
    open_client();
    for (uint32_t i = 0; i < slots; i++) {
        begin(&hands.slots[i]);
    }
    uint64_t duration_ns = (uint64_t)hands.options.seconds * BENCH_NS_PER_S;
    uint64_t server_cpu_ns = server ? bench_cpu_ns(server) : 0;
    uint64_t cpu_ns = bench_cpu_ns(0);
    uint64_t begin_ns = bench_now_ns();
    while (!bench_stopped() && bench_now_ns() - begin_ns < duration_ns &&
           hands.failed < FAILED_MAX) {
        step();
    }
    uint64_t wall_ns = bench_now_ns() - begin_ns;
    FastNetEndpointStats stats = {.struct_size = sizeof stats};
    fastnet_endpoint_stats(hands.client, &stats);
    bench_report_begin("client");
    bench_report_count("completed", hands.completed);
    bench_report_count("resumed", stats.handshakes_resumed);
    bench_report_count("failed", hands.failed);
    bench_report_count("wall_ns", wall_ns);
    bench_report_count("cpu_ns", bench_cpu_ns(0) - cpu_ns);
    bench_report_count("server_cpu_ns", server ? bench_cpu_ns(server) - server_cpu_ns : 0);
    bench_report_histogram("connect_ns", &hands.times);
    bench_report_end();
    fastnet_endpoint_destroy(hands.client);
    return 0;
}

int main(int argc, char **argv)
{
    hands.options = bench_options_read(argc, argv, "serve, run", "no channels");
    bench_stop_on_signals();
    bench_pin(hands.options.cpu);
    return strcmp(hands.options.mode, "serve") == 0 ? serve() : run();
}
