/*
 * world.h: the inside of the emulator: the loop, the lines, and what moves packets through them.
 *
 * A packet's route says who takes it when it comes out: kind, slot and the slot's generation, so
 * that a packet for a connection that has gone finds nobody instead of the slot's next user.
 */
#ifndef NETEM_WORLD_H
#define NETEM_WORLD_H

#include "link/line.h"
#include "netem/netem.h"

#include <stddef.h>
#include <sys/socket.h>

typedef struct netem_world netem_world;
typedef struct netem_watch netem_watch;

typedef void netem_ready(netem_world *world, netem_watch *watch, uint32_t events);

/* A descriptor in the loop; memory that lives as long as the world. */
struct netem_watch {
    int fd; /* -1 = none */
    uint32_t events;
    netem_ready *ready;
    void *owner;
};

typedef enum netem_kind { NETEM_KIND_UDP, NETEM_KIND_TCP, NETEM_KIND_TUN } netem_kind;

enum {
    NETEM_DATAGRAM_BYTES_MAX = 65536,
    NETEM_BATCH = 64, /* packets from one descriptor before others get their turn */
};

typedef struct netem_endpoint {
    struct sockaddr_storage address;
    socklen_t bytes;
} netem_endpoint;

typedef struct netem_switches {
    bool udp_blocked[NETEM_DIRECTIONS];
    bool tcp_blocked[NETEM_DIRECTIONS];
    bool tcp_refused; /* new connections are reset */
} netem_switches;

typedef struct netem_counts {
    uint64_t blocked[NETEM_DIRECTIONS]; /* dropped by a switch */
    uint64_t clients;                   /* UDP clients seen */
    uint64_t evicted;                   /* UDP clients forgotten because there were too many */
    uint64_t rebinds;                   /* source ports changed */
    uint64_t connections;               /* TCP connections taken */
    uint64_t resets;                    /* TCP connections reset, whoever did it */
    uint64_t late_packets;              /* what the following two are about: all that came out */
    uint64_t late_ns_sum;
    uint64_t late_ns_max;
} netem_counts;

struct netem_world {
    const netem_config *config;
    fn_line lines[NETEM_DIRECTIONS];
    netem_switches switches;
    netem_counts counts;
    uint64_t start_ns;
    uint64_t now_ns;   /* read once per turn of the loop, and again before packets leave */
    uint64_t armed_ns; /* what the timer is set to; FN_NEVER = not at all */
    int epoll_fd;
    netem_watch timer;
    netem_watch signals;
    bool stop;
    bool forwards_udp;
    bool told_past;
    bool output_lost; /* an answer on stdout could not be written */
    struct netem_udp *udp;
    struct netem_tcp *tcp;
    struct netem_tun *tun;
    struct netem_control *control;
    char *text; /* where a failure of starting is told */
};

/* --- world.c: what all of them use --- */

uint64_t netem_now_ns(void);

/* The time of what was just read. Not that of the batch: what came in while it was worked off would
 * leave too early. */
uint64_t netem_arrival_ns(netem_world *world);
/* Starts or changes the watch of watch->fd; no events = ignored, even if it was closed. */
void netem_watch_set(netem_world *world, netem_watch *watch, uint32_t events);

/* Closes the descriptor. */
void netem_watch_close(netem_world *world, netem_watch *watch);

/* Writes a sentence about what went wrong in starting; returns the code it is given. */
netem_result netem_say(netem_world *world, netem_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Says once, on stderr, that clients come through TCP and their UDP goes elsewhere: their server
 * names its own address and not the emulator's. Called when a connection ends, and at the end. */
void netem_note_past(netem_world *world);

static inline uint64_t netem_route(netem_kind kind, uint32_t slot, uint32_t generation)
{
    return (uint64_t)kind << 56 | (uint64_t)(generation & 0xffffff) << 32 | slot;
}

static inline netem_kind netem_route_kind(uint64_t route)
{
    return (netem_kind)(route >> 56);
}

static inline uint32_t netem_route_slot(uint64_t route)
{
    return (uint32_t)route;
}

/* --- loop.c: uses all that moves packets, and none of it uses the loop --- */

bool netem_loop_start(netem_world *world);
void netem_loop_run(netem_world *world);
void netem_loop_stop(netem_world *world);

/* --- endpoint.c: HOST:PORT --- */

/* Resolves "HOST:PORT", "[V6]:PORT"; false with a sentence in world->text. */
bool netem_endpoint_parse(netem_world *world, const char *text, size_t bytes,
                          netem_endpoint *endpoint);

/* "127.0.0.1:7777" */
const char *netem_endpoint_text(const netem_endpoint *endpoint, char *text, size_t text_bytes);

uint16_t netem_endpoint_port(const netem_endpoint *endpoint);
void netem_endpoint_set_port(netem_endpoint *endpoint, uint16_t port);
bool netem_endpoint_equal(const netem_endpoint *a, const netem_endpoint *b);

/* Room for what arrives while the emulator waits for its turn; beyond the system's limit as root */
void netem_enlarge_buffer(int fd);

/* A non-blocking socket bound to the address, whose port is filled in; -1 with errno. */
int netem_listen(int type, netem_endpoint *endpoint);

/* --- forward.c: the --forward options --- */

netem_result netem_forwards_start(netem_world *world);

/* --- udp.c --- */

bool netem_udp_start(netem_world *world);
void netem_udp_stop(netem_world *world);
void netem_udp_add_door(netem_world *world, int fd, const netem_endpoint *target);
void netem_udp_deliver(netem_world *world, int direction, const fn_packet *packet);
uint32_t netem_udp_clients(const netem_world *world);

/* Every client's datagrams come from another port from now on; false: there was no client. */
bool netem_udp_rebind(netem_world *world);

/* The address that the sockets towards targets use from now on; NULL = the system chooses. */
void netem_udp_set_source(netem_world *world, const netem_endpoint *source);

/* --- tcp.c --- */

bool netem_tcp_start(netem_world *world);
void netem_tcp_stop(netem_world *world);
void netem_tcp_add_door(netem_world *world, int fd, const netem_endpoint *target);

/* Takes the packet. */
void netem_tcp_deliver(netem_world *world, int direction, fn_packet *packet);
uint32_t netem_tcp_connections(const netem_world *world);

/* Looks again at who may be read and written: time has passed or a switch was flipped. */
void netem_tcp_refresh(netem_world *world);

/* When netem_tcp_refresh() is due because a stream found the queue full; FN_NEVER = not. */
uint64_t netem_tcp_deadline_ns(const netem_world *world);

/* Resets all connections. */
void netem_tcp_reset(netem_world *world);

/* --- tun.c --- */

netem_result netem_tun_start(netem_world *world);
void netem_tun_stop(netem_world *world);
void netem_tun_deliver(netem_world *world, int direction, const fn_packet *packet);

/* UDP from the first side comes from other ports from now on. */
void netem_tun_rebind(netem_world *world);

/* --- settings.c: parameters of a line, from and to text --- */

/* Where all parameters start: nothing bad, and sizes that make sense once a rate or burst is set */
void netem_settings_init(fn_link_config *config);

/* False with a sentence in error. */
bool netem_settings_set(fn_link_config *config, const char *name, const char *value, char *error,
                        size_t error_bytes);

/* "\"delay\": 20, \"loss\": 5" */
int netem_settings_print(const fn_link_config *config, char *text, size_t text_bytes);

/* --- control.c --- */

netem_result netem_control_start(netem_world *world);
void netem_control_stop(netem_world *world);

/* --- command.c --- */

/* Runs one command; reply gets "ok", a JSON object, or "error: ..." and then it is false. */
bool netem_command(netem_world *world, const char *command, char *reply, size_t reply_bytes);

/* --- report.c --- */

/* The parameters and what happened, as one line of JSON. */
void netem_report(const netem_world *world, char *text, size_t text_bytes);

/* What happened, for a person: a few lines. */
void netem_summary(const netem_world *world, char *text, size_t text_bytes);

#endif
