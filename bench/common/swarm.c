/*
 * swarm.c: the main program of a fan-out benchmark. `serve`: from a peer's first input on it gets a
 * state every tick. `run`: connects all clients in waves, watches the idle server, then sends
 * inputs, spread evenly over the tick, and measures how long states took from the beginning of
 * their tick.
 */
#include "common/clock.h"
#include "common/process.h"
#include "common/report.h"
#include "fanout.h"

#include <pthread.h>
#include <string.h>

#define WAVE             64 /* connections under way at once */
#define CONNECT_LIMIT_NS (120 * BENCH_NS_PER_S)
#define SETTLE_NS        (1 * BENCH_NS_PER_S)
#define TIMERS_NS        (20 * BENCH_NS_PER_MS)
#define WAIT_NS          (1 * BENCH_NS_PER_MS)
#define SERVER_WAIT_NS   (500 * BENCH_NS_PER_MS) /* looking in vain is no cost of idle peers */

static struct {
    bench_options options;
    uint64_t tick_ns;
    uint32_t shard_count; /* server; 0 = it has one thread */
    void (*take_shard)(uint32_t number);
    uint64_t inputs, states; /* clients */
    uint32_t connected, failed;
    bool measuring;
    bench_histogram delays;
} swarm;

/* What a thread of the server knows. */
typedef struct serving {
    uint32_t number;
    pthread_t thread;
    uint32_t active_count;
    uint32_t active[FANOUT_PEERS_MAX];
    bool is_active[FANOUT_PEERS_MAX];
    uint64_t ticks, late_ticks, inputs, states;
} serving;

static serving servers[FANOUT_SHARDS_MAX];
static _Thread_local serving *self = &servers[0];

/* --- server ----------------------------------------------------------------------------------- */

void swarm_input(uint32_t peer, const uint8_t *input, size_t bytes)
{
    (void)input;
    (void)bytes;
    self->inputs++;
    if (!self->is_active[peer]) {
        self->is_active[peer] = true;
        self->active[self->active_count++] = peer;
    }
}

void swarm_shards(uint32_t count, void (*take)(uint32_t number))
{
    swarm.shard_count = count;
    swarm.take_shard = take;
}

static void tick(uint64_t due_ns)
{
    uint8_t state[FANOUT_STATE_BYTES] = {0};
    uint64_t now_ns = bench_now_ns();
    self->late_ticks += now_ns - due_ns > swarm.tick_ns / 2;
    self->ticks++;
    memcpy(state, &now_ns, sizeof now_ns);
    for (uint32_t i = 0; i < self->active_count; i++) {
        memcpy(state + sizeof now_ns, &i, sizeof i);
        fanout_send_state(self->active[i], state);
    }
    self->states += self->active_count;
    fanout_server_flush();
}

/* Until something comes, or as a game does: until the next frame,
 * which finds what came meanwhile. */
static void wait_and_step(uint64_t now_ns, uint64_t due_ns)
{
    uint64_t frame_ns = (uint64_t)swarm.options.frame_us * BENCH_NS_PER_US;
    if (frame_ns == 0) {
        fanout_server_step(due_ns - now_ns);
        return;
    }
    struct timespec pause = bench_timespec(frame_ns < due_ns - now_ns ? frame_ns : due_ns - now_ns);
    nanosleep(&pause, NULL);
    fanout_server_step(0);
}

static void *serve_shard(void *argument)
{
    self = argument;
    if (swarm.shard_count > 0) {
        swarm.take_shard(self->number);
    }
    uint64_t due_ns = bench_now_ns();
    while (!bench_stopped()) {
        uint64_t now_ns = bench_now_ns();
        if (self->active_count == 0) {
            fanout_server_step(SERVER_WAIT_NS);
            due_ns = bench_now_ns() + swarm.tick_ns;
        } else if (now_ns >= due_ns) {
            tick(due_ns);
            due_ns =
                now_ns - due_ns > swarm.tick_ns ? now_ns + swarm.tick_ns : due_ns + swarm.tick_ns;
        } else {
            wait_and_step(now_ns, due_ns);
        }
    }
    return NULL;
}

static void report_served(void)
{
    serving sum = {0};
    for (uint32_t i = 0; i < FANOUT_SHARDS_MAX; i++) {
        sum.ticks += servers[i].ticks;
        sum.late_ticks += servers[i].late_ticks;
        sum.inputs += servers[i].inputs;
        sum.states += servers[i].states;
    }
    bench_report_begin("server");
    bench_report_count("ticks", sum.ticks);
    bench_report_count("late_ticks", sum.late_ticks);
    bench_report_count("inputs", sum.inputs);
    bench_report_count("states", sum.states);
    fanout_report();
    bench_report_end();
}

static int serve(void)
{
    uint16_t port, tls_port;
    fanout_listen(&swarm.options, &port, &tls_port);
    bench_report_begin("listening");
    bench_report_count("port", port);
    bench_report_count("tls_port", tls_port);
    bench_report_end();
    for (uint32_t i = 1; i < swarm.shard_count; i++) {
        servers[i].number = i;
        if (pthread_create(&servers[i].thread, NULL, serve_shard, &servers[i]) != 0) {
            bench_fail("no thread for shard %u", (unsigned)i);
        }
    }
    serve_shard(&servers[0]);
    for (uint32_t i = 1; i < swarm.shard_count; i++) {
        pthread_join(servers[i].thread, NULL);
    }
    report_served();
    return 0;
}

/* --- clients ---------------------------------------------------------------------------------- */

void swarm_connected(uint32_t client)
{
    (void)client;
    swarm.connected++;
}

void swarm_failed(uint32_t client, const char *why)
{
    if (swarm.failed++ == 0) {
        bench_notice("client %u: %s", (unsigned)client, why);
    }
}

void swarm_state(uint32_t client, const uint8_t *state, size_t bytes)
{
    uint64_t sent_ns;
    (void)client;
    if (!swarm.measuring || bytes < sizeof sent_ns) {
        return;
    }
    memcpy(&sent_ns, state, sizeof sent_ns);
    swarm.states++;
    bench_histogram_add(&swarm.delays, bench_now_ns() - sent_ns);
}

static void run_for(uint64_t duration_ns)
{
    uint64_t begin_ns = bench_now_ns();
    uint64_t timers_ns = begin_ns;
    for (uint64_t now_ns = begin_ns; now_ns - begin_ns < duration_ns && !bench_stopped();
         now_ns = bench_now_ns()) {
        fanout_client_step(WAIT_NS);
        if (now_ns - timers_ns >= TIMERS_NS) {
            fanout_client_timers();
            timers_ns = now_ns;
        }
    }
}

static uint64_t connect_all(uint32_t clients)
{
    uint64_t begin_ns = bench_now_ns();
    uint64_t timers_ns = begin_ns;
    uint32_t begun = 0;
    while (swarm.connected + swarm.failed < clients && !bench_stopped()) {
        while (begun < clients && begun - swarm.connected - swarm.failed < WAVE) {
            fanout_connect(begun++);
        }
        fanout_client_step(WAIT_NS);
        uint64_t now_ns = bench_now_ns();
        if (now_ns - timers_ns >= TIMERS_NS) {
            fanout_client_timers();
            timers_ns = now_ns;
        }
        if (now_ns - begin_ns > CONNECT_LIMIT_NS) {
            bench_fail("%u of %u clients connected after 120 s", (unsigned)swarm.connected,
                       (unsigned)clients);
        }
    }
    if (swarm.connected == 0) {
        bench_fail("no client could connect");
    }
    return bench_now_ns() - begin_ns;
}

/* Client i sends its inputs at i / clients of every tick. */
static void play(uint32_t clients, uint64_t duration_ns)
{
    uint8_t input[FANOUT_INPUT_BYTES] = {0};
    uint64_t begin_ns = bench_now_ns();
    uint64_t sent = 0;
    for (uint64_t now_ns = begin_ns; now_ns - begin_ns < duration_ns && !bench_stopped();
         now_ns = bench_now_ns()) {
        uint64_t due = (uint64_t)((double)(now_ns - begin_ns) * clients / (double)swarm.tick_ns);
        for (uint32_t burst = 0; sent < due && burst < WAVE; burst++) {
            memcpy(input, &now_ns, sizeof now_ns);
            fanout_send_input((uint32_t)(sent++ % clients), input);
        }
        uint64_t next_ns = (uint64_t)((double)(sent + 1) * (double)swarm.tick_ns / clients);
        uint64_t past_ns = bench_now_ns() - begin_ns;
        fanout_client_step(next_ns > past_ns ? next_ns - past_ns : 0);
    }
    swarm.inputs = sent;
}

static int run(void)
{
    uint32_t clients = (uint32_t)swarm.options.clients;
    pid_t server = (pid_t)swarm.options.server_pid;
    fanout_open(&swarm.options);
    uint64_t resident_before = server ? bench_resident_bytes(server) : 0;
    uint64_t connect_cpu_ns = server ? bench_cpu_ns(server) : 0;
    uint64_t connect_ns = connect_all(clients);
    connect_cpu_ns = server ? bench_cpu_ns(server) - connect_cpu_ns : 0;
    run_for(SETTLE_NS);
    uint64_t resident_idle = server ? bench_resident_bytes(server) : 0;

    uint64_t idle_ns = (uint64_t)swarm.options.idle_seconds * BENCH_NS_PER_S;
    uint64_t idle_cpu_ns = server ? bench_cpu_ns(server) : 0;
    run_for(idle_ns);
    idle_cpu_ns = server ? bench_cpu_ns(server) - idle_cpu_ns : 0;

    play(clients, SETTLE_NS);
    swarm.measuring = true;
    uint64_t server_cpu_ns = server ? bench_cpu_ns(server) : 0;
    uint64_t cpu_ns = bench_cpu_ns(0);
    uint64_t wall_ns = bench_now_ns();
    play(clients, (uint64_t)swarm.options.seconds * BENCH_NS_PER_S);
    wall_ns = bench_now_ns() - wall_ns;
    cpu_ns = bench_cpu_ns(0) - cpu_ns;
    server_cpu_ns = server ? bench_cpu_ns(server) - server_cpu_ns : 0;

    bench_report_begin("client");
    bench_report_count("connected", swarm.connected);
    bench_report_count("failed", swarm.failed);
    bench_report_count("connect_ns", connect_ns);
    bench_report_count("connect_server_cpu_ns", connect_cpu_ns);
    bench_report_count("server_resident_before_bytes", resident_before);
    bench_report_count("server_resident_idle_bytes", resident_idle);
    bench_report_count("server_resident_active_bytes", server ? bench_resident_bytes(server) : 0);
    bench_report_count("idle_ns", idle_ns);
    bench_report_count("idle_server_cpu_ns", idle_cpu_ns);
    bench_report_count("wall_ns", wall_ns);
    bench_report_count("cpu_ns", cpu_ns);
    bench_report_count("server_cpu_ns", server_cpu_ns);
    bench_report_count("inputs", swarm.inputs);
    bench_report_count("states", swarm.states);
    bench_report_histogram("delay_ns", &swarm.delays);
    fanout_report();
    bench_report_end();
    return 0;
}

int main(int argc, char **argv)
{
    swarm.options = bench_options_read(argc, argv, "serve, run", "no channels");
    const bench_options *options = &swarm.options;
    if (options->clients < 1 || options->clients >= FANOUT_PEERS_MAX || options->hz < 1) {
        bench_fail("--clients must be 1 to %d, --hz at least 1", FANOUT_PEERS_MAX - 1);
    }
    swarm.tick_ns = BENCH_NS_PER_S / (uint64_t)options->hz;
    bench_stop_on_signals();
    bench_pin(options->cpu);
    return strcmp(options->mode, "serve") == 0 ? serve() : run();
}
