/*
 * 01-echo: a server that sends every message back, and a client that says hello.
 *
 *   fastnet cert --out certs --name localhost
 *   01-echo server certs/cert.pem certs/key.pem
 *   FASTNET_CA_FILE=certs/ca.pem 01-echo client localhost
 *
 * The server takes two more arguments, its UDP and TLS ports (default 7777 and 7778; 0 = any free
 * one), and stops on Ctrl-C.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastnet.h"

#define TLS_PORT        7778
#define POLL_TIMEOUT_US 100000

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
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
        /* A game polls once per frame with a timeout of 0; here there is nothing else to do. */
        if (fastnet_poll(server, &event, 1, POLL_TIMEOUT_US) < 1) {
            continue;
        }
        switch (event.type) {
        case FASTNET_EVENT_CONNECTED:
            printf("peer %u connected\n", (unsigned)event.peer_id);
            break;
        case FASTNET_EVENT_DATA:
            fastnet_server_send(server, event.peer_id, event.channel, event.data, event.data_len);
            break;
        case FASTNET_EVENT_DISCONNECTED:
            printf("peer %u left: %s\n", (unsigned)event.peer_id,
                   fastnet_result_text(event.error_code));
            break;
        }
        fflush(stdout);
    }
    fastnet_server_destroy(server);
    return 0;
}

static int run_client(const char *host)
{
    FastNetClient client = fastnet_client_connect(host, TLS_PORT);
    if (!client) {
        fprintf(stderr, "no connection: %s\n", fastnet_connect_error_text());
        return 1;
    }
    const char *hello = "Hello, server!";
    fastnet_client_send(client, FASTNET_CHANNEL_RELIABLE_ORDERED, (const uint8_t *)hello,
                        (uint32_t)strlen(hello));

    bool answered = false;
    bool ended = false;
    while (!answered && !ended) {
        FastNetEvent event;
        if (fastnet_poll(client, &event, 1, POLL_TIMEOUT_US) < 1) {
            continue;
        }
        if (event.type == FASTNET_EVENT_DATA) {
            printf("received: %.*s\n", (int)event.data_len, (const char *)event.data);
            answered = true;
        } else if (event.type == FASTNET_EVENT_DISCONNECTED) {
            printf("disconnected: %s\n", fastnet_result_text(event.error_code));
            ended = true;
        }
    }
    fastnet_client_disconnect(client);
    return answered ? 0 : 1;
}

int main(int argc, char **argv)
{
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    if (argc == 3 && strcmp(argv[1], "client") == 0) {
        return run_client(argv[2]);
    }
    if ((argc == 4 || argc == 6) && strcmp(argv[1], "server") == 0) {
        uint16_t udp_port = argc == 6 ? (uint16_t)strtoul(argv[4], NULL, 10) : 7777;
        uint16_t tls_port = argc == 6 ? (uint16_t)strtoul(argv[5], NULL, 10) : TLS_PORT;
        return run_server(argv[2], argv[3], udp_port, tls_port);
    }
    fprintf(stderr, "usage: 01-echo server CERT KEY [UDP_PORT TLS_PORT]\n"
                    "       01-echo client HOST[:TLS_PORT]\n");
    return 2;
}
