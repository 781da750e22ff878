/*
 * pipe.h: one TCP connection between a client host and the server: bytes in order, or none.
 *
 * What is written waits at its sender (when FN_PIPE_UNSENT_BYTES wait it takes no more, like
 * TCP_NOTSENT_LOWAT), goes out when the link's queue and the window have room, and arrives after
 * the link's delay. What the network loses arrives when TCP has noticed, and all that is behind it
 * waits for it. A stalled way brings nothing: a window of zero, or a firewall.
 *
 * Times and draws follow what its owner says that a write weighs, never its length: TLS's own
 * messages differ by a byte from run to run, and the same seed has to give the same trace.
 */
#ifndef FN_SIM_PIPE_H
#define FN_SIM_PIPE_H

#include "internet.h"

enum {
    FN_PIPE_UNSENT_BYTES = 32 * 1024,
    FN_PIPE_WINDOW_BYTES = 64 * 1024, /* on the wire, or not read yet */
    FN_PIPE_SIDES = 2                 /* 0 = client, 1 = server */
};

typedef struct fn_pipe fn_pipe;

/* What one side wrote, on its way to the other. */
typedef struct fn_pipe_way {
    fn_net_timer timer; /* pump, or release what is held */
    fn_list waiting;    /* of segments: not on the wire yet */
    fn_list flying;
    fn_list held;    /* came while the way was stalled, or behind what did */
    fn_list arrived; /* to be read */
    fn_pipe *pipe;
    uint64_t last_at_ns;
    uint64_t resume_ns;
    uint32_t unsent_bytes;
    uint32_t flight_bytes;
    bool stalled;
    bool ended;   /* its sender has closed */
    bool end_due; /* … and that has arrived */
} fn_pipe_way;

struct fn_pipe {
    fn_pipe_way ways[FN_PIPE_SIDES]; /* by sender */
    fn_link *links[FN_PIPE_SIDES];
    uint32_t loss_permille;
    bool reset;
    /* Something came for that side, or it may write again. */
    void (*notify)(fn_internet *internet, fn_pipe *pipe, uint32_t side);
};

void fn_pipe_open(fn_pipe *pipe, fn_link *to_server, fn_link *to_client);
void fn_pipe_free(fn_internet *internet, fn_pipe *pipe);

bool fn_pipe_has_room(const fn_pipe *pipe, uint32_t side);
void fn_pipe_write(fn_internet *internet, fn_pipe *pipe, uint32_t side, const uint8_t *data,
                   size_t bytes, uint32_t weight_bytes);

/* Nothing more is written; the other side learns it after all that was. */
void fn_pipe_end(fn_internet *internet, fn_pipe *pipe, uint32_t side);

/* Whether something has arrived for that side. */
bool fn_pipe_readable(const fn_pipe *pipe, uint32_t side);

/* What arrived for that side; 0 = nothing now, or nothing ever: see fn_pipe_ended(). */
size_t fn_pipe_read(fn_internet *internet, fn_pipe *pipe, uint32_t side, uint8_t *out,
                    size_t capacity);
bool fn_pipe_ended(const fn_pipe *pipe, uint32_t side);

/* Both sides lose what is under way, but for half of the oldest segment each. */
void fn_pipe_reset(fn_internet *internet, fn_pipe *pipe);

/* What `side` wrote does not arrive until resumed. */
void fn_pipe_stall(fn_pipe *pipe, uint32_t side);
void fn_pipe_resume(fn_internet *internet, fn_pipe *pipe, uint32_t side, uint64_t after_ns);

#endif
