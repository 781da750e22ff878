/* Numbered messages on one channel, matched when an echo brings them back. */
#ifndef TOOL_PROBE_H
#define TOOL_PROBE_H

#include "fastnet.h"
#include "samples.h"

#define PROBE_BYTES_MIN 8 /* the message's number */

typedef struct probe {
    uint8_t channel;
    uint32_t message_bytes;
    uint64_t count; /* how many will be sent at most */
    uint64_t sent;
    uint64_t received;
    uint64_t damaged;  /* came back with another length or content */
    uint64_t *sent_ns; /* by number; 0 = came back, or never sent */
    uint8_t *message;
    samples rtt;
} probe;

/* False when memory is out. */
bool probe_start(probe *self, uint8_t channel, uint32_t message_bytes, uint64_t count);

/* Sends the next message and puts it on the wire. Returns as fastnet_send(). */
FastNetResult probe_send(probe *self, FastNetEndpoint *endpoint, FastNetPeerId peer);

/* Takes a DATA event. False: damaged, or came back before. */
bool probe_receive(probe *self, const FastNetEvent *event, uint64_t *number, uint64_t *rtt_ns);

void probe_stop(probe *self);

#endif
