#include "probe.h"

#include <stdlib.h>
#include <string.h>

bool probe_start(probe *self, uint8_t channel, uint32_t message_bytes, uint64_t count)
{
    *self = (probe){.channel = channel, .message_bytes = message_bytes, .count = count};
    self->sent_ns = calloc(count, sizeof(uint64_t));
    self->message = malloc(message_bytes);
    if (!samples_start(&self->rtt, count) || !self->sent_ns || !self->message) {
        probe_stop(self);
        return false;
    }
    for (uint32_t i = 0; i < message_bytes; i++) {
        self->message[i] = (uint8_t)i;
    }
    return true;
}

FastNetResult probe_send(probe *self, FastNetEndpoint *endpoint, FastNetPeerId peer)
{
    uint64_t number = self->sent;
    uint64_t now_ns = fastnet_now_ns();
    memcpy(self->message, &number, sizeof number);
    FastNetResult result =
        fastnet_send(endpoint, peer, self->channel, self->message, self->message_bytes);
    if (result == FASTNET_OK) {
        self->sent_ns[number] = now_ns;
        self->sent++;
        fastnet_flush(endpoint);
    }
    return result;
}

bool probe_receive(probe *self, const FastNetEvent *event, uint64_t *number, uint64_t *rtt_ns)
{
    uint64_t now_ns = fastnet_now_ns();
    if (event->data_len != self->message_bytes) {
        self->damaged++;
        return false;
    }
    memcpy(number, event->data, sizeof *number);
    if (*number >= self->sent ||
        memcmp(event->data + sizeof *number, self->message + sizeof *number,
               self->message_bytes - sizeof *number) != 0) {
        self->damaged++;
        return false;
    }
    if (self->sent_ns[*number] == 0) {
        return false;
    }
    *rtt_ns = now_ns - self->sent_ns[*number];
    self->sent_ns[*number] = 0;
    self->received++;
    samples_add(&self->rtt, *rtt_ns);
    return true;
}

void probe_stop(probe *self)
{
    samples_stop(&self->rtt);
    free(self->sent_ns);
    free(self->message);
    *self = (probe){0};
}
