/*
 * attach.h: what api/rejoin and api/stream do, for a simulated world: a client whose UDP is silent
 * opens a TCP connection (pipe.h), joins its session with the real TLS handshake and ATTACH
 * (core/handshake), and the session's datagrams go over it, each as `length u16, datagram`.
 *
 * Attempts fail when TCP is refused or silent, and follow each other with pauses of 0.5 to 2 s. A
 * stream that brings nothing is dropped for another; two seconds after the session went back to UDP
 * it is closed.
 */
#ifndef FN_SIM_ATTACH_H
#define FN_SIM_ATTACH_H

#include "core/handshake.h"
#include "pipe.h"
#include "world.h"

enum { FN_ATTACH_FRAME_BYTES = 2 + 9000 };

/* One end of the TCP connection. */
typedef struct fn_attach_side {
    fn_timer timer; /* the handshake's deadline */
    struct fn_attach *attach;
    fn_handshake handshake;
    fn_end *end;    /* whose stream it is; NULL = nobody's */
    fn_list frames; /* of fn_datagram: what this side sent and the other has not read */
    bool alive;     /* there is a handshake */
    bool heard_end;
    bool idle; /* nothing waits to be sent */
    uint8_t path;
    uint32_t weight_bytes; /* of what is written next */
    uint32_t in_bytes;
    uint32_t out_bytes;
    uint32_t out_sent_bytes;
    uint8_t in[FN_ATTACH_FRAME_BYTES];
    uint8_t out[FN_ATTACH_FRAME_BYTES];
} fn_attach_side;

typedef struct fn_attach {
    fn_timer timer; /* TCP is open, or has given up */
    fn_list_node link;
    fn_pipe pipe;
    fn_attach_side sides[FN_PIPE_SIDES];
    uint64_t began_ns;
    uint32_t session;
    uint32_t stalled_for_good; /* bit per way */
    bool refused;
    bool over; /* to be freed */
} fn_attach;

/* The client's state may have changed: gets a stream, or closes the one that is not needed. True:
 * the connection may have something to send. */
bool fn_attach_look(fn_world *world, fn_end *client);

/* One datagram goes over the end's stream. Takes it over. */
void fn_attach_send(fn_world *world, fn_end *end, fn_datagram *datagram);

/* What a host's poll does with its TCP connections. */
void fn_attach_work(fn_world *world, const fn_host *host);

/* Frees what is over. Not from within the others. */
void fn_attach_sweep(fn_world *world);

/* The server's process dies: its kernel resets the connections. */
void fn_attach_server_dies(fn_world *world, uint32_t session);

/* All connections of a session end without a word, and the client's attempts with them. */
void fn_attach_forget(fn_world *world, uint32_t session);

#endif
