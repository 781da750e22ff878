#include "netem/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

uint64_t netem_arrival_ns(netem_world *world)
{
    return world->now_ns = netem_now_ns();
}

uint64_t netem_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * FN_NS_PER_S + (uint64_t)now.tv_nsec;
}

netem_result netem_say(netem_world *world, netem_result result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(world->text, NETEM_TEXT_BYTES_MAX, format, arguments);
    va_end(arguments);
    return result;
}

void netem_watch_set(netem_world *world, netem_watch *watch, uint32_t events)
{
    if (watch->fd < 0 || watch->events == events) {
        return;
    }
    struct epoll_event event = {.events = events, .data.ptr = watch};
    int what = events == 0 ? EPOLL_CTL_DEL : watch->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    epoll_ctl(world->epoll_fd, what, watch->fd, &event);
    watch->events = events;
}

void netem_watch_close(netem_world *world, netem_watch *watch)
{
    if (watch->fd < 0) {
        return;
    }
    netem_watch_set(world, watch, 0);
    close(watch->fd);
    watch->fd = -1;
}

void netem_note_past(netem_world *world)
{
    const netem_switches *switches = &world->switches;
    if (world->told_past || !world->forwards_udp || world->counts.clients > 0 ||
        world->counts.connections == 0 || switches->udp_blocked[NETEM_UP]) {
        return;
    }
    world->told_past = true;
    fprintf(stderr,
            "fastnet netem: TCP came through here, and no UDP datagram at all: what a FastNet "
            "client measures goes past this emulator. The server must tell its clients the UDP "
            "address here (fastnet echo --advertise HOST:PORT, advertised_address)\n");
}
