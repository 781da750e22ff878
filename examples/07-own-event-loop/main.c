/*
 * 07-own-event-loop: endpoints inside a loop that is not theirs, here one on epoll.
 *
 * Run it without arguments, or with the number of seconds (default 2). The loop waits for three
 * things at once: a server, a client, and a timer of its own that sends a message ten times a
 * second. An endpoint needs two calls for that: fastnet_endpoint_fd() says when there is something
 * to read, fastnet_next_deadline() when it wants to be polled although nothing came.
 */
#include <inttypes.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "../local.h"

#define TICK_NS 100000000

typedef struct Loop {
    FastNetEndpoint *server;
    FastNetEndpoint *client;
    FastNetPeerId peer; /* the server, seen from the client */
    bool connected;
    uint32_t ticks;
    uint32_t answers;
} Loop;

static void poll_server(Loop *loop)
{
    FastNetEvent event;
    while (fastnet_poll(loop->server, &event, 1, 0) == 1) {
        if (event.type == FASTNET_EVENT_DATA) {
            fastnet_send(loop->server, event.peer_id, event.channel, event.data, event.data_len);
        }
    }
    fastnet_flush(loop->server);
}

static void poll_client(Loop *loop)
{
    FastNetEvent event;
    while (fastnet_poll(loop->client, &event, 1, 0) == 1) {
        if (event.type == FASTNET_EVENT_CONNECTED) {
            loop->connected = true;
        } else if (event.type == FASTNET_EVENT_DATA) {
            loop->answers++;
        } else if (event.type == FASTNET_EVENT_ERROR) {
            fprintf(stderr, "no connection: %s\n", (const char *)event.data);
            exit(1);
        }
    }
}

static void tick(Loop *loop, int timer_fd)
{
    uint64_t expirations = 0;
    if (read(timer_fd, &expirations, sizeof expirations) != sizeof expirations) {
        return;
    }
    loop->ticks++;
    if (loop->connected) {
        fastnet_send(loop->client, loop->peer, FASTNET_CHANNEL_RELIABLE_ORDERED, "tick", 4);
        fastnet_flush(loop->client);
    }
}

static void watch(int epoll_fd, int fd)
{
    struct epoll_event interest = {.events = EPOLLIN, .data.fd = fd};
    if (fd < 0) {
        return; /* the portable build has no descriptor: it is polled often instead */
    }
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &interest) != 0) {
        perror("epoll_ctl");
        exit(1);
    }
}

/* For epoll_wait(): milliseconds, rounded up, so that waiting once is enough. */
static int wait_ms(const Loop *loop)
{
    uint64_t server_us = fastnet_next_deadline(loop->server);
    uint64_t client_us = fastnet_next_deadline(loop->client);
    uint64_t wait_us = server_us < client_us ? server_us : client_us;
    if (fastnet_endpoint_fd(loop->server) < 0 && wait_us > 2000) {
        return 2;
    }
    return wait_us > 1000000 ? 1000 : (int)((wait_us + 999) / 1000);
}

int main(int argc, char **argv)
{
    Local local;
    Loop loop = {0};
    uint32_t ticks_wanted = (uint32_t)(argc > 1 ? strtoul(argv[1], NULL, 10) : 2) * 10;
    local_start(&local);
    loop.server = local_server(&local);
    loop.client = local_client(&local, loop.server, &loop.peer);

    const struct itimerspec rhythm = {{0, TICK_NS}, {0, TICK_NS}};
    int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    timerfd_settime(timer_fd, 0, &rhythm, NULL);
    int epoll_fd = epoll_create1(0);
    watch(epoll_fd, timer_fd);
    watch(epoll_fd, fastnet_endpoint_fd(loop.server));
    watch(epoll_fd, fastnet_endpoint_fd(loop.client));

    uint32_t wakeups = 0;
    while (loop.ticks < ticks_wanted) {
        struct epoll_event ready[3];
        int count = epoll_wait(epoll_fd, ready, 3, wait_ms(&loop));
        for (int i = 0; i < count; i++) {
            if (ready[i].data.fd == timer_fd) {
                tick(&loop, timer_fd);
            }
        }
        /* Cheap when there is nothing to do, and right when only a deadline passed. */
        poll_server(&loop);
        poll_client(&loop);
        wakeups++;
    }
    printf("%" PRIu32 " ticks, %" PRIu32 " answers, %" PRIu32 " wake-ups\n", loop.ticks,
           loop.answers, wakeups);

    close(epoll_fd);
    close(timer_fd);
    fastnet_endpoint_destroy(loop.client);
    fastnet_endpoint_destroy(loop.server);
    local_stop(&local);
    return loop.answers > 0 ? 0 : 1;
}
