/*
 * peer.h: what each protocol under test implements (bench/peers/<protocol>.c), and what the driver
 * that is linked with it gives back. One program is one protocol, one process one end of one
 * connection, so there is no handle and no table of functions: a send is a plain call.
 */
#ifndef BENCH_COMMON_PEER_H
#define BENCH_COMMON_PEER_H

#include "common/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PEER_MESSAGE_BYTES_MAX = 16384,
    PEER_DEFAULT_SPIN_US =
        50, /* --wait default, of protocols that do not wait in a way of their own */
};

/* For the usage text and for checking --channel: "a, b"; the first is the default. */
extern const char *const peer_channels;

/* Server: binds and returns at once, telling its ports. options->channel is never empty. */
typedef struct peer_ports {
    uint16_t port;
    uint16_t tls_port; /* 0 = there is only one */
} peer_ports;

peer_ports peer_listen(const bench_options *options);

/* Client: returns when messages can be sent, or ends the program with a sentence. */
void peer_connect(const bench_options *options);

/* Sends one message to the other side (a server: to the client it last heard of); it leaves before
 * this returns or, inside driver_received(), before peer_step() does. False: queue full, later. */
bool peer_send(const void *message, size_t bytes);

/* Receives what is there, calling driver_received() for each message; when nothing is, waits at
 * most so long for something. With --wait spin it may return at once instead. */
void peer_step(uint64_t timeout_ns);

/* False once the other side said goodbye or the connection broke. */
bool peer_alive(void);

/* Adds the protocol's own counters to a line being written. */
void peer_report(void);

void peer_close(void);

/* The driver's side: one whole message. */
void driver_received(const uint8_t *message, size_t bytes);

#endif
