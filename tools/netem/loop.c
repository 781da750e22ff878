#include "netem/world.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { EVENTS_MAX = 64 };

static void on_timer(netem_world *world, netem_watch *watch, uint32_t events)
{
    (void)events;
    uint64_t expirations;
    if (read(watch->fd, &expirations, sizeof expirations) > 0) {
        world->armed_ns = FN_NEVER;
    }
}

static void on_signal(netem_world *world, netem_watch *watch, uint32_t events)
{
    (void)events;
    struct signalfd_siginfo info;
    if (read(watch->fd, &info, sizeof info) > 0) {
        world->stop = true;
    }
}

bool netem_loop_start(netem_world *world)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    world->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    world->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    world->timer.ready = on_timer;
    world->signals.fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    world->signals.ready = on_signal;
    world->armed_ns = FN_NEVER;
    netem_watch_set(world, &world->timer, EPOLLIN);
    netem_watch_set(world, &world->signals, EPOLLIN);
    return world->epoll_fd >= 0 && world->timer.fd >= 0 && world->signals.fd >= 0;
}

void netem_loop_stop(netem_world *world)
{
    netem_watch_close(world, &world->timer);
    netem_watch_close(world, &world->signals);
    if (world->epoll_fd >= 0) {
        close(world->epoll_fd);
    }
}

static void note_lateness(netem_counts *counts, uint64_t late_ns)
{
    counts->late_packets++;
    counts->late_ns_sum += late_ns;
    counts->late_ns_max = fn_max_u64(counts->late_ns_max, late_ns);
}

static void deliver(netem_world *world, int direction, fn_packet *packet)
{
    note_lateness(&world->counts, world->now_ns - packet->due_ns);
    netem_kind kind = netem_route_kind(packet->route);
    if (kind == NETEM_KIND_TCP) {
        netem_tcp_deliver(world, direction, packet);
        return;
    }
    if (kind == NETEM_KIND_UDP) {
        netem_udp_deliver(world, direction, packet);
    } else {
        netem_tun_deliver(world, direction, packet);
    }
    fn_packet_release(packet);
}

static void deliver_due(netem_world *world)
{
    for (int direction = 0; direction < NETEM_DIRECTIONS; direction++) {
        fn_packet *packet;
        world->now_ns = netem_now_ns();
        while ((packet = fn_line_take(&world->lines[direction], world->now_ns)) != NULL) {
            deliver(world, direction, packet);
        }
    }
}

static void arm(netem_world *world)
{
    uint64_t due_ns = fn_min_u64(fn_line_due_ns(&world->lines[NETEM_UP]),
                                 fn_line_due_ns(&world->lines[NETEM_DOWN]));
    due_ns = fn_min_u64(due_ns, netem_tcp_deadline_ns(world));
    if (due_ns == world->armed_ns || world->config->spin) {
        return;
    }
    struct itimerspec when = {0};
    if (due_ns != FN_NEVER) {
        when.it_value.tv_sec = (time_t)(due_ns / FN_NS_PER_S);
        when.it_value.tv_nsec = (long)(due_ns % FN_NS_PER_S);
    }
    timerfd_settime(world->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
    world->armed_ns = due_ns;
}

void netem_loop_run(netem_world *world)
{
    struct epoll_event events[EVENTS_MAX];
    int timeout_ms = world->config->spin ? 0 : -1;
    while (!world->stop) {
        arm(world);
        int count = epoll_wait(world->epoll_fd, events, EVENTS_MAX, timeout_ms);
        world->now_ns = netem_now_ns();
        for (int i = 0; i < count; i++) {
            netem_watch *watch = events[i].data.ptr;
            if (watch->fd >= 0) { /* an earlier event may have closed it */
                watch->ready(world, watch, events[i].events);
            }
        }
        deliver_due(world);
        if (netem_tcp_deadline_ns(world) <= world->now_ns) {
            netem_tcp_refresh(world);
        }
    }
}
