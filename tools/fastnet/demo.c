/* fastnet demo: messages on all four channels to a server that echoes, and one table. */
#include <inttypes.h>
#include <stdio.h>

#include "commands.h"
#include "fastnet.h"
#include "options.h"
#include "probe.h"
#include "session.h"

enum {
    CHANNELS = 4,
    INTERVAL_NS = 2 * 1000 * 1000,
    GRACE_NS = 300 * 1000 * 1000, /* for stragglers on the unreliable channels */
};

typedef struct demo_options {
    session_options connect;
    const char *host;
    uint64_t count, message_bytes;
} demo_options;

typedef struct demo_run {
    const demo_options *options;
    session link;
    probe channels[CHANNELS];
} demo_run;

static const char *const channel_names[CHANNELS] = {"reliable ordered", "unreliable", "reliable",
                                                    "unreliable sequenced"};

static int parse(demo_options *options, int argc, char **argv)
{
    const tool_option table[] = {
        SESSION_OPTION_ROWS(&options->connect),
        OPTION_NUMBER("--count", "N", &options->count, 1, 100000,
                      "messages on each channel; default 500"),
        OPTION_NUMBER("--size", "BYTES", &options->message_bytes, PROBE_BYTES_MIN,
                      SESSION_MESSAGE_BYTES_MAX, "of each message; default 64"),
    };
    const tool_usage usage = {
        .command = "demo",
        .positional = SESSION_HOST,
        .summary = "Exchanges messages with an echo server on all four channels.",
        .details = "Exit codes: 0 all went well; 1 something was lost; 3 could not connect.\n",
        .options = table,
        .option_count = sizeof table / sizeof table[0],
    };
    int result = tool_options_parse(&usage, argc, argv, &options->host);
    if (result == TOOL_OK && !options->host) {
        return tool_usage_error(&usage, "a " SESSION_HOST " is needed");
    }
    return result;
}

static bool is_reliable(int channel)
{
    return channel == FASTNET_CHANNEL_RELIABLE_ORDERED || channel == FASTNET_CHANNEL_RELIABLE;
}

static bool came_back(const demo_run *run, bool reliable_only)
{
    for (int i = 0; i < CHANNELS; i++) {
        if (run->channels[i].received < run->options->count && (is_reliable(i) || !reliable_only)) {
            return false;
        }
    }
    return true;
}

/* Until then, or until everything (or everything reliable) came back. */
static void poll_until(demo_run *run, uint64_t until_ns, bool reliable_only)
{
    FastNetEvent events[16];
    uint64_t number = 0, rtt_ns = 0;
    uint64_t now_ns = fastnet_now_ns();
    while (now_ns < until_ns && !run->link.ended && !came_back(run, reliable_only)) {
        int32_t count = fastnet_poll(run->link.endpoint, events, 16,
                                     (uint32_t)((until_ns - now_ns + 999) / 1000));
        for (int32_t i = 0; i < count; i++) {
            if (events[i].type == FASTNET_EVENT_DATA && events[i].channel < CHANNELS) {
                probe_receive(&run->channels[events[i].channel], &events[i], &number, &rtt_ns);
            } else if (events[i].type == FASTNET_EVENT_DISCONNECTED) {
                session_note_end(&run->link, &events[i]);
            }
        }
        now_ns = fastnet_now_ns();
    }
}

/* One message on every channel each 2 ms; then up to the timeout for what is still on its way. */
static void exchange(demo_run *run)
{
    uint64_t due_ns = fastnet_now_ns();
    for (uint64_t round = 0; round < run->options->count && !run->link.ended; round++) {
        for (int i = 0; i < CHANNELS; i++) {
            while (probe_send(&run->channels[i], run->link.endpoint, run->link.peer) ==
                       FASTNET_ERR_BACKPRESSURE &&
                   !run->link.ended) {
                poll_until(run, fastnet_now_ns() + INTERVAL_NS, false);
            }
        }
        due_ns += INTERVAL_NS;
        poll_until(run, due_ns, false);
    }
    poll_until(run, fastnet_now_ns() + GRACE_NS, false);
    poll_until(run, fastnet_now_ns() + run->options->connect.timeout_ms * 1000000u, true);
}

static void print_table(demo_run *run)
{
    printf("\n%-25s %8s %9s %10s %10s %10s\n", "channel", "sent", "received", "p50", "p99", "max");
    for (int i = 0; i < CHANNELS; i++) {
        samples_summary rtt = samples_summarize(&run->channels[i].rtt);
        printf("%d  %-22s %8" PRIu64 " %9" PRIu64 " %7.0f us %7.0f us %7.0f us\n", i,
               channel_names[i], run->channels[i].sent, run->channels[i].received,
               (double)rtt.p50_ns / 1e3, (double)rtt.p99_ns / 1e3, (double)rtt.max_ns / 1e3);
    }
    printf("\nUnreliable sequenced: of several messages in one tick only the latest counts.\n"
           "Round trips of %" PRIu64 "-byte messages, sealed, over %s.\n",
           run->options->message_bytes, session_transport(&run->link));
}

static bool went_well(const demo_run *run)
{
    for (int i = 0; i < CHANNELS; i++) {
        const probe *channel = &run->channels[i];
        if (channel->damaged > 0 || channel->received == 0 ||
            (is_reliable(i) && channel->received < run->options->count)) {
            return false;
        }
    }
    return true;
}

static int demo(demo_run *run)
{
    const demo_options *options = run->options;
    for (int i = 0; i < CHANNELS; i++) {
        if (!probe_start(&run->channels[i], (uint8_t)i, (uint32_t)options->message_bytes,
                         options->count)) {
            return tool_fail("demo", TOOL_UNREACHABLE, "out of memory");
        }
    }
    if (session_open(&run->link, &options->connect, options->host) != FASTNET_OK) {
        return tool_fail("demo", TOOL_UNREACHABLE, "%s: %s (%s)", options->host, run->link.text,
                         fastnet_result_name(run->link.result));
    }
    FastNetPeerInfo info = {.struct_size = sizeof info};
    fastnet_peer_info(run->link.endpoint, run->link.peer, &info);
    printf("Connected to %s, certificate %s.\n", options->host,
           info.certificate_subject[0] ? info.certificate_subject : "(unknown)");
    exchange(run);
    print_table(run);
    return went_well(run) ? TOOL_OK : TOOL_LOST;
}

int tool_demo_main(int argc, char **argv)
{
    demo_options options = {.connect = {.timeout_ms = 5000}, .count = 500, .message_bytes = 64};
    demo_run run = {.options = &options};
    int result = parse(&options, argc, argv);
    if (result != TOOL_OK) {
        return result == TOOL_HELP ? TOOL_OK : result;
    }
    result = demo(&run);
    session_close(&run.link);
    for (int i = 0; i < CHANNELS; i++) {
        probe_stop(&run.channels[i]);
    }
    return result;
}
