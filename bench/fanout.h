/*
 * fanout.h: one server, many clients in one other process: 200 bytes of state to each client every
 * tick, an input from each client every tick. The driver (common/swarm.c) is the same for FastNet
 * (fanout.c) and for the floor (floor/fanout.c); what differs stands behind the functions below.
 * Peers and clients are small numbers from 0.
 */
#ifndef BENCH_FANOUT_H
#define BENCH_FANOUT_H

#include "common/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FANOUT_PEERS_MAX = 65536,
    FANOUT_STATE_BYTES = 200,
    FANOUT_INPUT_BYTES = 64,
    FANOUT_SHARDS_MAX = 8,
};

/* --- what FastNet and the floor implement: the server --------------------------------------- */

void fanout_listen(const bench_options *options, uint16_t *port, uint16_t *tls_port);

/* Receives, calling swarm_input() for each input; when there is nothing, waits at most so long. */
void fanout_server_step(uint64_t timeout_ns);

/* Queues a state for a peer; fanout_server_flush() puts them on the wire. */
void fanout_send_state(uint32_t peer, const uint8_t *state);
void fanout_server_flush(void);

/* --- the clients ---------------------------------------------------------------------------- */

void fanout_open(const bench_options *options);

/* Begins to connect one client; swarm_connected() follows from a step. */
void fanout_connect(uint32_t client);

/* Receives on all clients, calling swarm_state() for each state. */
void fanout_client_step(uint64_t timeout_ns);

/* Runs the timers of all clients. */
void fanout_client_timers(void);

void fanout_send_input(uint32_t client, const uint8_t *input);

/* Adds counters to a line being written. */
void fanout_report(void);

/* --- what the driver implements ------------------------------------------------------------- */

/* From within fanout_listen(): the server runs as so many threads. Each calls take(its number)
 * before all else; peers are numbered within their thread. */
void swarm_shards(uint32_t count, void (*take)(uint32_t number));

void swarm_input(uint32_t peer, const uint8_t *input, size_t bytes);
void swarm_connected(uint32_t client);
void swarm_failed(uint32_t client, const char *why);
void swarm_state(uint32_t client, const uint8_t *state, size_t bytes);

#endif
