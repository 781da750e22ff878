#include "backlog.h"

#include <stdlib.h>
#include <string.h>

struct backlog_item {
    backlog_item *next;
    uint32_t bytes;
    uint8_t channel;
    uint8_t data[];
};

bool backlog_add(backlog *waiting, uint8_t channel, const uint8_t *data, uint32_t bytes)
{
    backlog_item *item = malloc(sizeof *item + bytes);
    if (!item) {
        return false;
    }
    item->next = NULL;
    item->bytes = bytes;
    item->channel = channel;
    if (bytes > 0) {
        memcpy(item->data, data, bytes);
    }
    if (waiting->last) {
        waiting->last->next = item;
    } else {
        waiting->first = item;
    }
    waiting->last = item;
    waiting->bytes += bytes;
    return true;
}

static void drop_first(backlog *waiting)
{
    backlog_item *item = waiting->first;
    waiting->first = item->next;
    waiting->bytes -= item->bytes;
    if (!waiting->first) {
        waiting->last = NULL;
    }
    free(item);
}

uint32_t backlog_send(backlog *waiting, FastNetEndpoint *endpoint, FastNetPeerId peer)
{
    uint32_t sent = 0;
    while (waiting->first) {
        const backlog_item *item = waiting->first;
        if (fastnet_send(endpoint, peer, item->channel, item->data, item->bytes) ==
            FASTNET_ERR_BACKPRESSURE) {
            break;
        }
        drop_first(waiting);
        sent++;
    }
    return sent;
}

void backlog_clear(backlog *waiting)
{
    while (waiting->first) {
        drop_first(waiting);
    }
}
