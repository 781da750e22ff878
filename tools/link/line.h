/*
 * line.h: one direction of a bad network with the packets that are on their way.
 *
 * fn_link decides, the line holds: packets go in with a route, which is the caller's note of where
 * they go, and come out when it is their time, damaged or doubled if it so happened. Memory is
 * bounded: what does not fit is dropped and counted, and streams are told to wait.
 */
#ifndef FN_LINK_LINE_H
#define FN_LINK_LINE_H

#include "base/heap.h"
#include "link/link.h"

/* A packet that came out is the caller's, who gives it to fn_packet_release(). */
typedef struct fn_packet {
    fn_heap_node timer;
    struct fn_packet *next; /* the caller's, for a list */
    uint64_t due_ns;        /* when it had to come out */
    uint64_t route;
    size_t bytes;
    uint8_t data[];
} fn_packet;

typedef struct fn_line {
    fn_link link;
    fn_heap heap;
    size_t held_bytes; /* with the packets' own overhead */
    size_t held_bytes_max;
    uint64_t entered_bytes;
    uint64_t delivered;
    uint64_t delivered_bytes;
    uint64_t no_room; /* dropped because the line's memory was full */
} fn_line;

/* Allocates room for packets_max pointers; false when memory is out. */
bool fn_line_start(fn_line *line, const fn_link_config *config, uint64_t seed, uint32_t packets_max,
                   size_t held_bytes_max);

/* Releases all it holds. */
void fn_line_stop(fn_line *line);

/* A datagram enters; data is copied. */
void fn_line_put(fn_line *line, uint64_t now_ns, const void *data, size_t bytes, uint64_t route);

/* Whether a stream may send that many bytes now as far as memory goes; see also
 * fn_link_stream_ready_ns(). */
bool fn_line_has_room(const fn_line *line, size_t bytes);

/* Bytes of a stream enter; none (an end mark) is fine. False: no room, nothing was taken. */
bool fn_line_put_stream(fn_line *line, uint64_t now_ns, const void *data, size_t bytes,
                        uint64_t route, uint64_t *last_at_ns);

/* When the next packet comes out; FN_NEVER when the line is empty. */
static inline uint64_t fn_line_due_ns(const fn_line *line)
{
    return fn_heap_deadline_ns(&line->heap);
}

/* Takes out the earliest packet that is due; NULL when there is none. */
fn_packet *fn_line_take(fn_line *line, uint64_t now_ns);

void fn_packet_release(fn_packet *packet);

#endif
