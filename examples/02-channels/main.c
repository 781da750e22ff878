/*
 * 02-channels: what each of the four channels does on a bad link.
 *
 * Run it without arguments. A client sends the numbers 0 to 299 on every channel to a server in the
 * same program; one datagram in ten is lost and the delay varies, so some overtake others. Then it
 * prints what arrived, and in which order.
 */
#include <inttypes.h>

#include "../local.h"

#define MESSAGES      300
#define CHANNELS      4
#define FRAME_US      2000
#define TIME_LIMIT_NS 20000000000u

static const char *const promises[CHANNELS] = {
    "reliable ordered: everything, in order",
    "unreliable: what comes through, as it comes",
    "reliable: everything, in any order",
    "sequenced: never older than what came before",
};

typedef struct Arrivals {
    uint32_t received;
    uint32_t late; /* came after a message with a higher number */
    int64_t highest;
} Arrivals;

static void count(Arrivals *arrivals, const FastNetEvent *event)
{
    uint32_t number = 0;
    if (event->data_len != sizeof number) {
        return;
    }
    memcpy(&number, event->data, sizeof number);
    arrivals->received++;
    if (number < arrivals->highest) {
        arrivals->late++;
    } else {
        arrivals->highest = number;
    }
}

static void poll_server(FastNetEndpoint *server, Arrivals arrivals[CHANNELS])
{
    FastNetEvent events[32];
    int32_t got = fastnet_poll(server, events, 32, 0);
    for (int32_t i = 0; i < got; i++) {
        if (events[i].type == FASTNET_EVENT_DATA && events[i].channel < CHANNELS) {
            count(&arrivals[events[i].channel], &events[i]);
        }
    }
}

/* True once connected; ends the program when that fails. */
static bool poll_client(FastNetEndpoint *client, uint32_t timeout_us)
{
    FastNetEvent event;
    bool connected = false;
    while (fastnet_poll(client, &event, 1, timeout_us) == 1) {
        if (event.type == FASTNET_EVENT_ERROR) {
            fprintf(stderr, "no connection: %s\n", (const char *)event.data);
            exit(1);
        }
        connected = connected || event.type == FASTNET_EVENT_CONNECTED;
        timeout_us = 0;
    }
    return connected;
}

int main(void)
{
    Local local;
    Arrivals arrivals[CHANNELS] = {{0}};
    FastNetPeerId peer = 0;
    local_start(&local);
    FastNetEndpoint *server = local_server(&local);
    FastNetEndpoint *client = local_client(&local, server, &peer);

    while (!poll_client(client, FRAME_US)) {
        poll_server(server, arrivals);
    }
    fastnet_simulate_bad_link(client, 100, 0, 10, 20, 1); /* 10 % loss, 10 to 30 ms, each way */

    for (uint32_t number = 0; number < MESSAGES; number++) {
        for (uint8_t channel = 0; channel < CHANNELS; channel++) {
            fastnet_send(client, peer, channel, &number, sizeof number);
        }
        poll_client(client, FRAME_US);
        poll_server(server, arrivals);
    }
    /* Nothing more is sent: now the reliable channels repair what was lost. */
    uint64_t until_ns = fastnet_now_ns() + TIME_LIMIT_NS;
    while ((arrivals[0].received < MESSAGES || arrivals[2].received < MESSAGES) &&
           fastnet_now_ns() < until_ns) {
        poll_client(client, FRAME_US);
        poll_server(server, arrivals);
    }

    printf("%-46s %5s %9s %10s\n", "channel", "sent", "received", "late");
    for (int i = 0; i < CHANNELS; i++) {
        printf("%d %-44s %5d %9" PRIu32 " %10" PRIu32 "\n", i, promises[i], MESSAGES,
               arrivals[i].received, arrivals[i].late);
    }
    bool kept = arrivals[0].received == MESSAGES && arrivals[0].late == 0 &&
                arrivals[2].received == MESSAGES && arrivals[3].late == 0;
    fastnet_endpoint_destroy(client);
    fastnet_endpoint_destroy(server);
    local_stop(&local);
    return kept ? 0 : 1;
}
