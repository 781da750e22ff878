/* Messages that one peer's full send queue did not take yet, in order. */
#ifndef TOOL_BACKLOG_H
#define TOOL_BACKLOG_H

#include "fastnet.h"

typedef struct backlog_item backlog_item;

typedef struct backlog {
    backlog_item *first;
    backlog_item *last;
    uint64_t bytes;
} backlog;

/* Copies a message to the end; false when memory is out. */
bool backlog_add(backlog *waiting, uint8_t channel, const uint8_t *data, uint32_t bytes);

/* Sends from the front until the queue is full again. Returns how many were sent. */
uint32_t backlog_send(backlog *waiting, FastNetEndpoint *endpoint, FastNetPeerId peer);

void backlog_clear(backlog *waiting);

#endif
