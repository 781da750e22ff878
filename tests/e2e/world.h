/*
 * A server and a client in one thread, over real sockets on this machine, and everything that
 * happened to them. Tests pump until what they wait for is there; nothing sleeps.
 */
#ifndef E2E_WORLD_H
#define E2E_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fastnet.h"
#include "fastnet/certificate.h"

/* A CA and a certificate in a directory of their own. */
typedef struct world_files {
    char directory[64];
    char ca[96];
    char certificate[96];
    char key[96];
} world_files;

/* For "localhost", 127.0.0.1 and ::1. */
void world_files_make(world_files *files);
void world_files_remove(const world_files *files);

/* One event with its own copy of the data, zero-terminated. */
typedef struct world_event {
    FastNetEvent event;
    uint8_t *data;
} world_event;

typedef struct world_log {
    world_event *items;
    size_t count;
    size_t capacity;
} world_log;

typedef struct world {
    world_files files;
    FastNetConfig server_config; /* change them between world_setup() and world_start() */
    FastNetConfig client_config;
    FastNetEndpoint *server;
    FastNetEndpoint *client;
    FastNetPeerId to_server; /* the client's peer */
    FastNetPeerId to_client; /* the server's peer, once connected */
    world_log at_server;
    world_log at_client;
} world;

/* cmocka's: *state becomes a world with certificate and default configs, and no endpoints yet. */
int world_setup(void **state);
int world_teardown(void **state);

/* Creates both endpoints. */
void world_start(world *w);

/* Starts to connect the client to the server by the name "localhost". */
void world_connect(world *w);

/* All three, and waits until both sides are connected. */
void world_join(world *w);

/* Polls both sides once and notes the events; waits at most 0.2 ms. */
void world_pump(world *w);

/* Destroys one side now, as a program's end would. */
void world_end_server(world *w);
void world_end_client(world *w);

#define WORLD_PATIENCE_NS 20000000000u

/* Pumps until the condition holds; fails here when it never does. */
#define world_pump_until(w, condition)                             \
    do {                                                           \
        uint64_t until_ns_ = fastnet_now_ns() + WORLD_PATIENCE_NS; \
        while (!(condition)) {                                     \
            if (fastnet_now_ns() > until_ns_) {                    \
                fail_msg("never came true: %s", #condition);       \
            }                                                      \
            world_pump(w);                                         \
        }                                                          \
    } while (0)

/* Pumps for a while, to see that something does not happen. */
void world_pump_for_ms(world *w, uint32_t ms);

size_t world_count(const world_log *log, int32_t type);

/* The n-th event of a type (0 = first), or NULL. */
const world_event *world_find(const world_log *log, int32_t type, size_t n);

/* Number of DATA events on a channel. */
size_t world_messages(const world_log *log, uint8_t channel);

void world_log_clear(world_log *log);

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

#endif
