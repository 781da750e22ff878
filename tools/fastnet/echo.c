/* fastnet echo: a server that sends every message back on the channel it came from. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backlog.h"
#include "commands.h"
#include "fastnet.h"
#include "options.h"

enum {
    EVENTS_A_POLL = 64,
    BACKLOG_BYTES_MAX = 8 << 20, /* a peer that lets more pile up is sent away */
    WAIT_US = 1000 * 1000,
    WAIT_WITH_BACKLOG_US = 1000, /* acknowledgements free queue space without an event */
};

typedef struct echo_options {
    uint64_t udp_port, tls_port, peers_max, joins_per_address;
    const char *certificate, *key, *bind, *advertise, *application_id;
    bool print, verbose, quiet, spin;
} echo_options;

typedef struct echo_peer {
    struct echo_peer *next;
    FastNetPeerId id;
    bool leaving; /* freed after the batch: later events of it may still point here */
    backlog waiting;
} echo_peer;

typedef struct echo_server {
    const echo_options *options;
    FastNetEndpoint *endpoint;
    echo_peer *peers;
    uint64_t connections, messages, bytes;
} echo_server;

static volatile sig_atomic_t stop_asked;
static volatile sig_atomic_t reload_asked;
static FastNetEndpoint *signalled_endpoint;

static void on_signal(int number)
{
    if (number == SIGHUP) {
        reload_asked = 1;
    } else {
        stop_asked = 1;
    }
    fastnet_wake(signalled_endpoint);
}

static void install_signals(FastNetEndpoint *endpoint)
{
    const struct sigaction action = {.sa_handler = on_signal};
    signalled_endpoint = endpoint;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static const char details[] =
    "Once it listens it prints one line: listening udp=PORT tls=PORT\n"
    "SIGHUP loads certificate and key again; SIGINT and SIGTERM stop it (exit code 0).\n"
    "With --print every message is a line: message peer=N channel=N bytes=N hex=...\n";

static int parse(echo_options *options, int argc, char **argv)
{
    const tool_option table[] = {
        OPTION_NUMBER("--udp", "PORT", &options->udp_port, 0, 65535,
                      "UDP port; 0 = any free one; default 7777"),
        OPTION_NUMBER("--tls", "PORT", &options->tls_port, 0, 65535,
                      "TLS (TCP) port; 0 = any free one; default 7778"),
        OPTION_TEXT("--cert", "FILE", &options->certificate, "PEM certificate chain, leaf first"),
        OPTION_TEXT("--key", "FILE", &options->key, "PEM private key"),
        OPTION_TEXT("--bind", "ADDRESS", &options->bind,
                    "listen on this address only; default: all"),
        OPTION_TEXT("--advertise", "HOST[:PORT]", &options->advertise,
                    "UDP address told to clients, behind a port forwarding"),
        OPTION_TEXT("--application-id", "ID", &options->application_id,
                    "clients must have the same; default: none"),
        OPTION_NUMBER("--peers-max", "N", &options->peers_max, 1, 65535,
                      "how many clients at once; default 1024"),
        OPTION_NUMBER("--joins-per-address", "N", &options->joins_per_address, 0, 1000000,
                      "handshakes a second from one address; 0 = no limit; default 20"),
        OPTION_FLAG("--spin", &options->spin, "poll without waiting: lowest latency"),
        OPTION_FLAG("--print", &options->print, "print each message in hexadecimal"),
        OPTION_FLAG("--verbose", &options->verbose, "print who comes and goes, and why"),
        OPTION_FLAG("--quiet", &options->quiet, "print only the line with the ports"),
    };
    const tool_usage usage = {
        .command = "echo",
        .summary = "Runs a server that sends every message back on its channel.",
        .details = details,
        .options = table,
        .option_count = sizeof table / sizeof table[0],
    };
    int result = tool_options_parse(&usage, argc, argv, NULL);
    if (result != TOOL_OK) {
        return result;
    }
    if (!options->certificate || !options->key) {
        return tool_usage_error(&usage,
                                "--cert FILE and --key FILE are needed (fastnet cert makes both)");
    }
    return TOOL_OK;
}

static void print_log(void *user, int32_t level, const char *line)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    (void)user;
    fprintf(stderr, "%s: %s\n", level >= 0 && level <= 3 ? names[level] : "log", line);
}

static FastNetResult create_endpoint(const echo_options *options, FastNetEndpoint **out)
{
    FastNetConfig config;
    fastnet_config_init(&config);
    config.listen = true;
    config.udp_port = (uint16_t)options->udp_port;
    config.tls_port = (uint16_t)options->tls_port;
    config.certificate_path = options->certificate;
    config.private_key_path = options->key;
    config.bind_address = options->bind;
    config.advertised_address = options->advertise;
    config.application_id = options->application_id;
    config.peers_max = (uint32_t)options->peers_max;
    config.handshakes_per_address_per_s = (uint32_t)options->joins_per_address;
    config.message_bytes_max = 1 << 20;
    config.send_queue_bytes_max = 4 << 20;
    config.receive_window_bytes = 4 << 20;
    config.memory_bytes_max = 256 << 20;
    config.log = print_log;
    config.log_level = options->verbose ? FASTNET_LOG_INFO : FASTNET_LOG_WARNING;
    return fastnet_endpoint_create(&config, out);
}

static void add_peer(echo_server *server, const FastNetEvent *event)
{
    FastNetAddress address = {{0}};
    echo_peer *peer = calloc(1, sizeof *peer);
    server->connections++;
    if (!peer || fastnet_peer_set_user(server->endpoint, event->peer_id, peer) != FASTNET_OK) {
        free(peer);
        fastnet_disconnect_now(server->endpoint, event->peer_id, 0, "out of memory");
        return;
    }
    peer->id = event->peer_id;
    peer->next = server->peers;
    server->peers = peer;
    if (server->options->verbose) {
        fastnet_peer_address(server->endpoint, event->peer_id, &address);
        printf("connected peer=%" PRIu32 " address=%s\n", event->peer_id, address.text);
    }
}

static void remove_leaving_peers(echo_server *server)
{
    for (echo_peer **link = &server->peers; *link;) {
        echo_peer *peer = *link;
        if (!peer->leaving) {
            link = &peer->next;
            continue;
        }
        *link = peer->next;
        backlog_clear(&peer->waiting);
        free(peer);
    }
}

static void send_away(echo_server *server, echo_peer *peer)
{
    fastnet_disconnect_now(server->endpoint, peer->id, 0, "you do not read your echoes");
    peer->leaving = true;
}

static void print_departure(const FastNetEvent *event)
{
    printf("disconnected peer=%" PRIu32 " result=%s code=%" PRIu32 " text=%.*s\n", event->peer_id,
           fastnet_result_name(event->error_code), event->app_code, (int)event->data_len,
           event->data ? (const char *)event->data : "");
}

static bool is_reliable(uint8_t channel)
{
    return channel == FASTNET_CHANNEL_RELIABLE_ORDERED || channel == FASTNET_CHANNEL_RELIABLE;
}

static void print_message(const FastNetEvent *event)
{
    printf("message peer=%" PRIu32 " channel=%u bytes=%" PRIu32 " hex=", event->peer_id,
           event->channel, event->data_len);
    for (uint32_t i = 0; i < event->data_len; i++) {
        printf("%02x", event->data[i]);
    }
    printf("\n");
}

/* A message that came in one batch with CONNECTED was delivered before the peer had its pointer. */
static echo_peer *peer_of(const echo_server *server, const FastNetEvent *event)
{
    echo_peer *peer = event->user;
    if (!peer) {
        for (peer = server->peers; peer && peer->id != event->peer_id; peer = peer->next) {
        }
    }
    return peer;
}

static void echo_message(echo_server *server, const FastNetEvent *event)
{
    echo_peer *peer = peer_of(server, event);
    FastNetResult result = FASTNET_ERR_BACKPRESSURE;
    server->messages++;
    server->bytes += event->data_len;
    if (server->options->print) {
        print_message(event);
    }
    if (!peer || peer->leaving) {
        return;
    }
    if (!peer->waiting.first || !is_reliable(event->channel)) {
        result = fastnet_send(server->endpoint, event->peer_id, event->channel, event->data,
                              event->data_len);
    }
    if (result != FASTNET_ERR_BACKPRESSURE) {
        return;
    }
    if (peer->waiting.bytes > BACKLOG_BYTES_MAX ||
        !backlog_add(&peer->waiting, event->channel, event->data, event->data_len)) {
        send_away(server, peer);
    }
}

static void mark_leaving(echo_peer *peer)
{
    if (peer) {
        peer->leaving = true;
    }
}

static void handle_event(echo_server *server, const FastNetEvent *event)
{
    switch (event->type) {
    case FASTNET_EVENT_CONNECTED:
        add_peer(server, event);
        break;
    case FASTNET_EVENT_DATA:
        echo_message(server, event);
        break;
    case FASTNET_EVENT_DISCONNECTED:
        if (server->options->verbose) {
            print_departure(event);
        }
        mark_leaving(peer_of(server, event));
        break;
    default:
        break;
    }
}

static bool send_backlogs(echo_server *server)
{
    bool waiting = false;
    for (echo_peer *peer = server->peers; peer; peer = peer->next) {
        backlog_send(&peer->waiting, server->endpoint, peer->id);
        waiting = waiting || peer->waiting.first;
    }
    return waiting;
}

static void reload(echo_server *server)
{
    reload_asked = 0;
    FastNetResult result = fastnet_certificate_reload(
        server->endpoint, server->options->certificate, server->options->key);
    if (result != FASTNET_OK) {
        fprintf(stderr, "fastnet echo: certificate not reloaded: %s\n",
                fastnet_last_error_text(server->endpoint));
    } else if (!server->options->quiet) {
        printf("certificate reloaded\n");
    }
}

static void serve(echo_server *server)
{
    FastNetEvent events[EVENTS_A_POLL];
    bool waiting = false;
    while (!stop_asked) {
        uint32_t timeout_us = waiting ? WAIT_WITH_BACKLOG_US : WAIT_US;
        int32_t count = fastnet_poll(server->endpoint, events, EVENTS_A_POLL,
                                     server->options->spin ? 0 : timeout_us);
        for (int32_t i = 0; i < count; i++) {
            handle_event(server, &events[i]);
        }
        remove_leaving_peers(server);
        waiting = send_backlogs(server);
        if (count > 0) {
            fastnet_flush(server->endpoint);
        }
        if (reload_asked) {
            reload(server);
        }
    }
}

int tool_echo_main(int argc, char **argv)
{
    echo_options options = {
        .udp_port = 7777, .tls_port = 7778, .peers_max = 1024, .joins_per_address = 20};
    echo_server server = {.options = &options};
    int result = parse(&options, argc, argv);
    if (result != TOOL_OK) {
        return result == TOOL_HELP ? TOOL_OK : result;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (create_endpoint(&options, &server.endpoint) != FASTNET_OK) {
        return tool_fail("echo", TOOL_UNREACHABLE, "%s", fastnet_connect_error_text());
    }
    install_signals(server.endpoint);
    printf("listening udp=%u tls=%u\n", fastnet_udp_port(server.endpoint),
           fastnet_tls_port(server.endpoint));
    serve(&server);
    if (!options.quiet) {
        printf("stopped after %" PRIu64 " connections, %" PRIu64 " messages, %" PRIu64 " bytes\n",
               server.connections, server.messages, server.bytes);
    }
    fastnet_endpoint_destroy(server.endpoint);
    for (echo_peer *peer = server.peers; peer; peer = peer->next) {
        peer->leaving = true;
    }
    remove_leaving_peers(&server);
    return TOOL_OK;
}
