/*
 * 03-chat: a chat server, and a client that reads lines from the terminal.
 *
 *   03-chat server certs/cert.pem certs/key.pem [UDP_PORT TLS_PORT]
 *   FASTNET_CA_FILE=certs/ca.pem 03-chat client localhost[:TLS_PORT] NAME
 *
 * Lines travel on the reliable, ordered channel. The first message of a client is its name. The
 * client ends with its input (Ctrl-D), the server on Ctrl-C.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fastnet.h"

#define CHAT       FASTNET_CHANNEL_RELIABLE_ORDERED
#define LINE_BYTES 512
#define NAME_BYTES 32

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static void tell_all(FastNetServer server, const char *name, const char *verb, const uint8_t *text,
                     uint32_t text_bytes)
{
    char line[LINE_BYTES + NAME_BYTES + 32];
    int bytes = snprintf(line, sizeof line, "%s%s%.*s", name, verb, (int)text_bytes,
                         text ? (const char *)text : "");
    if (bytes >= (int)sizeof line) {
        bytes = (int)sizeof line - 1;
    }
    fastnet_broadcast(server, 0, CHAT, line, (uint32_t)bytes);
}

/* A peer's user pointer is its name; it comes with each of its events. */
static void server_event(FastNetServer server, const FastNetEvent *event)
{
    char *name = event->user;
    if (event->type == FASTNET_EVENT_DATA && !name) {
        name = calloc(1, NAME_BYTES);
        if (!name) {
            fastnet_disconnect_now(server, event->peer_id, 0, "out of memory");
            return;
        }
        snprintf(name, NAME_BYTES, "%.*s", (int)event->data_len, (const char *)event->data);
        fastnet_peer_set_user(server, event->peer_id, name);
        tell_all(server, name, " joined", NULL, 0);
    } else if (event->type == FASTNET_EVENT_DATA) {
        tell_all(server, name, ": ", event->data, event->data_len);
    } else if (event->type == FASTNET_EVENT_DISCONNECTED && name) {
        tell_all(server, name, " left", NULL, 0);
        free(name);
    }
}

static int run_server(const char *cert, const char *key, uint16_t udp_port, uint16_t tls_port)
{
    FastNetServer server = fastnet_server_create(udp_port, tls_port, cert, key);
    if (!server) {
        fprintf(stderr, "no server: %s\n", fastnet_connect_error_text());
        return 1;
    }
    printf("listening udp=%u tls=%u\n", fastnet_udp_port(server), fastnet_tls_port(server));
    fflush(stdout);
    while (!stop) {
        FastNetEvent event;
        if (fastnet_poll(server, &event, 1, 100000) == 1) {
            server_event(server, &event);
        }
    }
    fastnet_server_destroy(server);
    return 0;
}

/* Prints what came; false once the server is gone. */
static bool show_messages(FastNetClient client)
{
    FastNetEvent event;
    while (fastnet_client_poll(client, &event)) {
        if (event.type == FASTNET_EVENT_DATA) {
            printf("%.*s\n", (int)event.data_len, (const char *)event.data);
        } else if (event.type == FASTNET_EVENT_DISCONNECTED) {
            printf("disconnected: %s\n", (const char *)event.data);
            return false;
        }
    }
    fflush(stdout);
    return true;
}

/* Sends what was typed; false at the end of input. */
static bool send_input(FastNetClient client)
{
    static char typed[LINE_BYTES];
    static size_t length;
    ssize_t got = read(STDIN_FILENO, typed + length, sizeof typed - length);
    if (got <= 0) {
        return false;
    }
    length += (size_t)got;
    for (;;) {
        char *newline = memchr(typed, '\n', length);
        size_t line = newline ? (size_t)(newline - typed) : length;
        if (!newline && length < sizeof typed) {
            return true;
        }
        fastnet_client_send(client, CHAT, (const uint8_t *)typed, (uint32_t)line);
        length -= newline ? line + 1 : line;
        memmove(typed, typed + (newline ? line + 1 : line), length);
    }
}

static int run_client(const char *host, const char *name)
{
    FastNetClient client = fastnet_client_connect(host, 7778);
    if (!client) {
        fprintf(stderr, "no connection: %s\n", fastnet_connect_error_text());
        return 1;
    }
    fastnet_client_send(client, CHAT, (const uint8_t *)name, (uint32_t)strlen(name));
    struct pollfd waits[] = {{STDIN_FILENO, POLLIN, 0}, {fastnet_endpoint_fd(client), POLLIN, 0}};
    bool going_on = true;
    while (going_on && !stop) {
        uint64_t wait_us = fastnet_next_deadline(client);
        /* Without a descriptor (the portable build) it is polled often instead. */
        uint64_t longest_us = waits[1].fd < 0 ? 5000 : 100000;
        poll(waits, 2, (int)((wait_us < longest_us ? wait_us : longest_us) / 1000));
        going_on = show_messages(client);
        if (going_on && waits[0].revents) {
            going_on = send_input(client);
        }
    }
    fastnet_client_disconnect(client);
    return 0;
}

int main(int argc, char **argv)
{
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    if (argc == 4 && strcmp(argv[1], "client") == 0) {
        return run_client(argv[2], argv[3]);
    }
    if ((argc == 4 || argc == 6) && strcmp(argv[1], "server") == 0) {
        uint16_t udp_port = argc == 6 ? (uint16_t)strtoul(argv[4], NULL, 10) : 7777;
        uint16_t tls_port = argc == 6 ? (uint16_t)strtoul(argv[5], NULL, 10) : 7778;
        return run_server(argv[2], argv[3], udp_port, tls_port);
    }
    fprintf(stderr, "usage: 03-chat server CERT KEY [UDP_PORT TLS_PORT]\n"
                    "       03-chat client HOST[:TLS_PORT] NAME\n");
    return 2;
}
