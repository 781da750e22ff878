/* fastnet ping: the round trip time to a server that echoes. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "fastnet.h"
#include "options.h"
#include "probe.h"
#include "session.h"

enum {
    WAIT_US_MAX = 100 * 1000,
    WAIT_FULL_QUEUE_US = 1000,
    LINE_INTERVAL_US_MIN = 10 * 1000, /* faster than this, one line a message is only noise */
};

typedef struct ping_options {
    session_options connect;
    const char *host;
    uint64_t channel, count, message_bytes, interval_us;
    bool spin, json, quiet;
} ping_options;

typedef struct ping_run {
    const ping_options *options;
    session link;
    probe messages;
    FastNetAddress address;
    const char *transport;
    uint64_t path_rtt_ns; /* the protocol's own measure */
    FastNetPeerInfo server;
    uint64_t start_ns, end_ns;
    uint64_t due_ns;      /* of the next message */
    uint64_t progress_ns; /* when something last left or came back */
    uint64_t shown_ns;    /* when the progress line was last written */
    bool queue_full;
} ping_run;

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    (void)number;
    stop_asked = 1;
}

static const char details[] =
    "HOST is a name, an IPv4 or [IPv6] address; the TLS port is 7778 unless given.\n"
    "With --interval-us 0 each message leaves when the one before came back (or timed out).\n"
    "\nExit codes: 0 connected, and on channels 0 and 2 everything came back; 1 something was "
    "lost\n"
    "or damaged, or nothing at all came back; 2 wrong usage; 3 could not connect.\n";

static int parse(ping_options *options, int argc, char **argv)
{
    const tool_option table[] = {
        SESSION_OPTION_ROWS(&options->connect),
        OPTION_NUMBER("--channel", "N", &options->channel, 0, 3,
                      "0 reliable ordered, 1 unreliable, 2 reliable, 3 sequenced; default 0"),
        OPTION_NUMBER("--count", "N", &options->count, 1, 100000000, "messages; default 10"),
        OPTION_NUMBER("--size", "BYTES", &options->message_bytes, PROBE_BYTES_MIN,
                      SESSION_MESSAGE_BYTES_MAX, "of each message; default 64"),
        OPTION_NUMBER("--interval-us", "N", &options->interval_us, 0, 3600000000u,
                      "microseconds between two messages; default 100000"),
        OPTION_FLAG("--spin", &options->spin, "poll without waiting: lowest latency"),
        OPTION_FLAG("--json", &options->json, "print one JSON object"),
        OPTION_FLAG("--quiet", &options->quiet, "print only the summary"),
    };
    const tool_usage usage = {
        .command = "ping",
        .positional = SESSION_HOST,
        .summary = "Measures the round trip to a server that echoes (fastnet echo).",
        .details = details,
        .options = table,
        .option_count = sizeof table / sizeof table[0],
    };
    int result = tool_options_parse(&usage, argc, argv, &options->host);
    if (result == TOOL_OK && !options->host) {
        return tool_usage_error(&usage, "a " SESSION_HOST " is needed");
    }
    return result;
}

static bool prints_lines(const ping_options *options)
{
    return !options->json && !options->quiet && options->interval_us >= LINE_INTERVAL_US_MIN;
}

static double in_ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static bool is_reliable(const ping_run *run)
{
    return run->messages.channel == FASTNET_CHANNEL_RELIABLE_ORDERED ||
           run->messages.channel == FASTNET_CHANNEL_RELIABLE;
}

static uint64_t outstanding(const ping_run *run)
{
    return run->messages.sent - run->messages.received;
}

static bool timed_out(const ping_run *run, uint64_t now_ns)
{
    return now_ns - run->progress_ns > run->options->connect.timeout_ms * 1000000u;
}

/* More than this on its way only waits in queues, here or there. */
static bool is_too_much(const ping_run *run)
{
    return is_reliable(run) &&
           outstanding(run) * run->options->message_bytes > 4u * SESSION_MESSAGE_BYTES_MAX;
}

static bool is_finished(const ping_run *run, uint64_t now_ns)
{
    if (run->link.ended) {
        return true;
    }
    if (run->messages.sent < run->options->count && !stop_asked) {
        return (run->queue_full || is_too_much(run)) && timed_out(run, now_ns);
    }
    return outstanding(run) == 0 || timed_out(run, now_ns);
}

static bool is_due(const ping_run *run, uint64_t now_ns)
{
    if (run->messages.sent == run->options->count || stop_asked || run->link.ended ||
        is_too_much(run)) {
        return false;
    }
    if (run->options->interval_us > 0) {
        return now_ns >= run->due_ns;
    }
    return outstanding(run) == 0 || timed_out(run, now_ns);
}

static void send_due(ping_run *run)
{
    uint64_t now_ns = fastnet_now_ns();
    run->queue_full = false;
    while (is_due(run, now_ns)) {
        FastNetResult result = probe_send(&run->messages, run->link.endpoint, run->link.peer);
        if (result != FASTNET_OK) {
            run->queue_full = true; /* or disconnected: the next poll says so */
            return;
        }
        run->due_ns += run->options->interval_us * 1000;
        run->progress_ns = now_ns;
    }
}

static void handle_event(ping_run *run, const FastNetEvent *event)
{
    uint64_t number = 0, rtt_ns = 0;
    if (event->type == FASTNET_EVENT_DISCONNECTED) {
        session_note_end(&run->link, event);
    }
    if (event->type != FASTNET_EVENT_DATA ||
        !probe_receive(&run->messages, event, &number, &rtt_ns)) {
        return;
    }
    run->progress_ns = fastnet_now_ns();
    if (prints_lines(run->options)) {
        printf("%" PRIu32 " bytes from %s: seq=%" PRIu64 " time=%.3f ms\n", event->data_len,
               run->address.text, number, in_ms(rtt_ns));
    }
}

static void show_progress(ping_run *run)
{
    uint64_t now_ns = fastnet_now_ns();
    if (run->options->json || prints_lines(run->options) || !isatty(STDERR_FILENO) ||
        now_ns - run->shown_ns < 1000000000u) {
        return;
    }
    run->shown_ns = now_ns;
    fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " sent, %" PRIu64 " received ", run->messages.sent,
            run->options->count, run->messages.received);
}

static uint32_t wait_us(const ping_run *run)
{
    uint64_t now_ns = fastnet_now_ns();
    if (run->options->spin) {
        return 0;
    }
    if (run->queue_full || is_too_much(run)) {
        return WAIT_FULL_QUEUE_US;
    }
    if (run->options->interval_us == 0 || run->messages.sent == run->options->count) {
        return WAIT_US_MAX;
    }
    uint64_t left_us = run->due_ns > now_ns ? (run->due_ns - now_ns) / 1000 : 0;
    return left_us < WAIT_US_MAX ? (uint32_t)left_us : WAIT_US_MAX;
}

static void run_messages(ping_run *run)
{
    FastNetEvent events[16];
    run->start_ns = run->due_ns = run->progress_ns = run->shown_ns = fastnet_now_ns();
    while (!is_finished(run, fastnet_now_ns())) {
        send_due(run);
        int32_t count = fastnet_poll(run->link.endpoint, events, 16, wait_us(run));
        for (int32_t i = 0; i < count; i++) {
            handle_event(run, &events[i]);
        }
        show_progress(run);
    }
    run->end_ns = fastnet_now_ns();
}

static void print_json_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char character = (unsigned char)*text;
        if (character == '"' || character == '\\') {
            printf("\\%c", character);
        } else if (character < 0x20) {
            printf("\\u%04x", character);
        } else {
            putchar(character);
        }
    }
    putchar('"');
}

static void print_json_rtt(const samples_summary *rtt, bool known)
{
    const struct {
        const char *name;
        uint64_t ns;
    } rows[] = {{"min", rtt->min_ns}, {"avg", rtt->avg_ns},   {"p50", rtt->p50_ns},
                {"p99", rtt->p99_ns}, {"p999", rtt->p999_ns}, {"max", rtt->max_ns}};
    printf("\"rtt_us\":{");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        printf("%s\"%s\":", i ? "," : "", rows[i].name);
        if (known) {
            printf("%.3f", (double)rows[i].ns / 1000.0);
        } else {
            printf("null");
        }
    }
    printf("}");
}

static void print_json(ping_run *run)
{
    const probe *messages = &run->messages;
    samples_summary rtt = samples_summarize(&run->messages.rtt);
    printf("{\"host\":");
    print_json_text(run->options->host);
    printf(",\"address\":");
    print_json_text(run->address.text);
    printf(",\"transport\":\"%s\",\"channel\":%" PRIu64 ",\"size\":%" PRIu64, run->transport,
           run->options->channel, run->options->message_bytes);
    printf(",\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"lost\":%" PRIu64
           ",\"damaged\":%" PRIu64 ",\"time_ms\":%.3f,",
           messages->sent, messages->received, outstanding(run), messages->damaged,
           in_ms(run->end_ns - run->start_ns));
    print_json_rtt(&rtt, messages->received > 0);
    printf(",\"answered_ms\":%.3f,\"path_rtt_us\":%.3f", in_ms(run->link.answered_ns),
           (double)run->path_rtt_ns / 1000.0);
    if (run->link.ended) {
        printf(",\"error\":{\"result\":\"%s\",\"text\":", fastnet_result_name(run->link.result));
        print_json_text(run->link.text);
        printf("}");
    }
    printf("}\n");
}

/* Any server can be asked that far, whether it echoes or not. */
static void print_what_is_known(const ping_run *run)
{
    printf(
        "nothing came back: the server does not echo, or all of it was lost\n"
        "known without: the certificate (%s) is accepted, connected over %s after %.3f ms, round "
        "trip %.3f ms by the protocol's own packets\n",
        run->server.certificate_subject, run->transport, in_ms(run->link.answered_ns),
        in_ms(run->path_rtt_ns));
}

static void print_summary(ping_run *run)
{
    const probe *messages = &run->messages;
    samples_summary rtt = samples_summarize(&run->messages.rtt);
    double lost = messages->sent ? 100.0 * (double)outstanding(run) / (double)messages->sent : 0;
    if (run->link.ended) {
        fprintf(stderr, "fastnet ping: the session ended: %s (%s)\n", run->link.text,
                fastnet_result_name(run->link.result));
    }
    printf("%s--- %s ping statistics ---\n", prints_lines(run->options) ? "\n" : "",
           run->options->host);
    printf("%" PRIu64 " sent, %" PRIu64 " received, %.4g%% lost, time %.0f ms\n", messages->sent,
           messages->received, lost, in_ms(run->end_ns - run->start_ns));
    if (messages->damaged > 0) {
        printf("%" PRIu64 " came back damaged\n", messages->damaged);
    }
    if (messages->received > 0) {
        printf("rtt min/avg/p50/p99/p999/max = %.3f/%.3f/%.3f/%.3f/%.3f/%.3f ms\n",
               in_ms(rtt.min_ns), in_ms(rtt.avg_ns), in_ms(rtt.p50_ns), in_ms(rtt.p99_ns),
               in_ms(rtt.p999_ns), in_ms(rtt.max_ns));
    } else {
        print_what_is_known(run);
    }
}

static int connect_failed(ping_run *run)
{
    run->transport = "none";
    if (run->options->json) {
        print_json(run);
    } else if (run->link.answered_ns > 0) {
        printf("%s answered over TLS after %.3f ms, and its certificate is %s; UDP was not tried: "
               "it gave us no session\n",
               run->options->host, in_ms(run->link.answered_ns),
               run->options->connect.insecure ? "not checked" : "accepted");
    }
    bool other = run->link.result == FASTNET_ERR_VERSION && run->link.answered_ns > 0;
    if (other) {
        fprintf(stderr,
                "fastnet ping: the server of a game has an application id: --application-id "
                "gives it\n");
    }
    return tool_fail(
        "ping", run->link.result == FASTNET_ERR_ARGUMENT ? TOOL_USAGE : TOOL_UNREACHABLE,
        "%s: %s (%s)", run->options->host, run->link.text, fastnet_result_name(run->link.result));
}

static int exit_code(const ping_run *run)
{
    const probe *messages = &run->messages;
    bool short_of = messages->sent < run->options->count && !stop_asked;
    if (messages->damaged > 0 || messages->received == 0 || run->link.ended || short_of) {
        return TOOL_LOST;
    }
    return is_reliable(run) && outstanding(run) > 0 ? TOOL_LOST : TOOL_OK;
}

static void note_path(ping_run *run)
{
    run->transport = session_transport(&run->link);
    fastnet_peer_address(run->link.endpoint, run->link.peer, &run->address);
    FastNetPeerStats stats = {.struct_size = sizeof stats};
    if (fastnet_peer_stats(run->link.endpoint, run->link.peer, &stats) == FASTNET_OK) {
        run->path_rtt_ns = stats.rtt_ns;
    }
    run->server.struct_size = sizeof run->server;
    fastnet_peer_info(run->link.endpoint, run->link.peer, &run->server);
}

static int ping(ping_run *run)
{
    const ping_options *options = run->options;
    if (session_open(&run->link, &options->connect, options->host) != FASTNET_OK) {
        return connect_failed(run);
    }
    note_path(run);
    if (!options->json) {
        printf("PING %s (%s, %s): %" PRIu64 " bytes on channel %" PRIu64 "\n", options->host,
               run->address.text, run->transport, options->message_bytes, options->channel);
    }
    run_messages(run);
    if (!run->link.ended) {
        note_path(run); /* it may be another by now: TCP, when UDP was blocked meanwhile */
    }
    if (options->json) {
        print_json(run);
    } else {
        print_summary(run);
    }
    return exit_code(run);
}

int tool_ping_main(int argc, char **argv)
{
    ping_options options = {.connect = {.timeout_ms = 5000},
                            .count = 10,
                            .message_bytes = 64,
                            .interval_us = 100 * 1000};
    ping_run run = {.options = &options};
    int result = parse(&options, argc, argv);
    if (result != TOOL_OK) {
        return result == TOOL_HELP ? TOOL_OK : result;
    }
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!probe_start(&run.messages, (uint8_t)options.channel, (uint32_t)options.message_bytes,
                     options.count)) {
        return tool_fail("ping", TOOL_UNREACHABLE, "out of memory");
    }
    result = ping(&run);
    session_close(&run.link);
    probe_stop(&run.messages);
    return result;
}
