/*
 * netem.h: a link emulator on real sockets and devices, in one thread.
 *
 * Two lines (link/line.h), one a direction: up is from clients to the target (or from the first
 * TUN side to the second), down is back. Everything shares them, as everything at home shares one
 * cable. Linux only: epoll, timerfd, TUN.
 */
#ifndef NETEM_NETEM_H
#define NETEM_NETEM_H

#include "link/link.h"

#include <stdbool.h>
#include <stdint.h>

enum { NETEM_UP, NETEM_DOWN, NETEM_DIRECTIONS };

enum {
    NETEM_TEXT_BYTES_MAX = 256,
    NETEM_FORWARDS_MAX = 32,
    NETEM_REPLY_BYTES_MAX = 4096,
    NETEM_PARAMETERS_MAX = 24,
};

typedef struct netem_config {
    const char *const *forwards; /* "[udp:|tcp:]HOST:PORT=HOST:PORT" */
    uint32_t forward_count;
    const char *const *tuns; /* none or two: "NAMESPACE=ADDRESS/BITS[,ADDRESS/BITS]" */
    uint32_t tun_count;
    const char *const *commands; /* run before the start; netem_command() */
    uint32_t command_count;
    const char *device; /* the TUN devices' name */
    uint32_t device_mtu_bytes;
    const char *control_path; /* a UNIX socket; NULL = none */
    bool control_stdin;
    bool json;     /* the statistics at the end as one line of JSON; else for a person */
    bool spin;     /* poll without sleeping */
    bool realtime; /* run before all ordinary processes */
    uint32_t clients_max;
    uint64_t seed;
    uint64_t memory_bytes_max; /* packets on their way, each direction */
} netem_config;

typedef enum netem_result {
    NETEM_OK,
    NETEM_USAGE,  /* something in the configuration is wrong */
    NETEM_SYSTEM, /* the system refused: permission, address in use */
} netem_result;

/* Runs until SIGINT, SIGTERM or the command "quit"; prints its addresses and then "ready" on
 * stdout, and the statistics at the end. On failure text says why. */
netem_result netem_run(const netem_config *config, char text[NETEM_TEXT_BYTES_MAX]);

/* Sends one command to a running emulator; reply gets its answer without the newline.
 * NETEM_USAGE: it refused the command, NETEM_SYSTEM: nobody there; reply is the sentence. */
netem_result netem_tell(const char *control_path, const char *command,
                        char reply[NETEM_REPLY_BYTES_MAX]);

/* A parameter of a line: the same name in a command ("loss 5") and as an option ("--loss 5"). */
typedef struct netem_parameter {
    const char *option; /* "--loss" */
    const char *value;  /* "PERCENT" */
    const char *help;   /* one line */
} netem_parameter;

extern const netem_parameter netem_parameters[];
extern const uint32_t netem_parameter_count;

/* The commands, one a line, for help texts. */
extern const char netem_commands_help[];

#endif
