#include "netem/world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SAME_PORT_TRIES = 50 };

typedef struct forward {
    bool udp, tcp;
    netem_endpoint listen, target;
    int udp_fd, tcp_fd;
} forward;

static netem_result parse(netem_world *world, const char *text, forward *it)
{
    it->udp = strncmp(text, "tcp:", 4) != 0;
    it->tcp = strncmp(text, "udp:", 4) != 0;
    text += it->udp && it->tcp ? 0 : 4;
    const char *equals = strchr(text, '=');
    if (!equals) {
        return netem_say(world, NETEM_USAGE, "--forward '%s' is not [udp:|tcp:]HOST:PORT=HOST:PORT",
                         text);
    }
    if (!netem_endpoint_parse(world, text, (size_t)(equals - text), &it->listen) ||
        !netem_endpoint_parse(world, equals + 1, strlen(equals + 1), &it->target)) {
        return NETEM_USAGE;
    }
    if (netem_endpoint_port(&it->target) == 0) {
        return netem_say(world, NETEM_USAGE, "--forward to port 0 leads nowhere");
    }
    return NETEM_OK;
}

/* UDP chooses when the port is free to choose; TCP must then get the same one. */
static bool open_once(forward *it, const netem_endpoint *wanted)
{
    it->listen = *wanted;
    it->udp_fd = it->tcp_fd = -1;
    if (it->udp && (it->udp_fd = netem_listen(SOCK_DGRAM, &it->listen)) < 0) {
        return false;
    }
    if (it->tcp && (it->tcp_fd = netem_listen(SOCK_STREAM, &it->listen)) < 0) {
        int error = errno;
        if (it->udp_fd >= 0) {
            close(it->udp_fd);
        }
        errno = error;
        return false;
    }
    return true;
}

static netem_result open_sockets(netem_world *world, forward *it)
{
    netem_endpoint wanted = it->listen;
    int tries = netem_endpoint_port(&wanted) == 0 ? SAME_PORT_TRIES : 1;
    for (int i = 0; i < tries; i++) {
        if (open_once(it, &wanted)) {
            return NETEM_OK;
        }
    }
    char text[128];
    return netem_say(world, NETEM_SYSTEM, "cannot listen on %s: %s",
                     netem_endpoint_text(&wanted, text, sizeof text), strerror(errno));
}

static void announce(const forward *it)
{
    char listen[128], target[128];
    netem_endpoint_text(&it->listen, listen, sizeof listen);
    netem_endpoint_text(&it->target, target, sizeof target);
    printf("listening%s%s%s%s target=%s\n", it->udp ? " udp=" : "", it->udp ? listen : "",
           it->tcp ? " tcp=" : "", it->tcp ? listen : "", target);
}

netem_result netem_forwards_start(netem_world *world)
{
    for (uint32_t i = 0; i < world->config->forward_count; i++) {
        forward it;
        netem_result result = parse(world, world->config->forwards[i], &it);
        if (result == NETEM_OK) {
            result = open_sockets(world, &it);
        }
        if (result != NETEM_OK) {
            return result;
        }
        if (it.udp) {
            netem_udp_add_door(world, it.udp_fd, &it.target);
            world->forwards_udp = true;
        }
        if (it.tcp) {
            netem_tcp_add_door(world, it.tcp_fd, &it.target);
        }
        announce(&it);
    }
    return NETEM_OK;
}
