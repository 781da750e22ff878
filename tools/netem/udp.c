/* Datagrams between clients and a target: every client has a socket of its own towards it. */
#include "netem/world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

typedef struct door {
    netem_watch watch; /* where clients send to */
    netem_endpoint target;
} door;

typedef struct client {
    netem_watch watch; /* towards the target; fd < 0 = a free slot */
    netem_endpoint address;
    door *door;
    uint64_t heard_ns;
    uint32_t generation;
    uint32_t next; /* 1 + slot, in its bucket or in the list of free slots; 0 = the last */
} client;

typedef struct netem_udp {
    door doors[NETEM_FORWARDS_MAX];
    uint32_t door_count;
    client *clients;
    uint32_t *buckets; /* 1 + slot; as many as clients */
    uint32_t clients_max;
    uint32_t client_count;
    uint32_t free_first;
    bool has_source;
    netem_endpoint source;
    uint8_t datagram[NETEM_DATAGRAM_BYTES_MAX];
} netem_udp;

bool netem_udp_start(netem_world *world)
{
    netem_udp *udp = calloc(1, sizeof *udp);
    world->udp = udp;
    if (!udp) {
        return false;
    }
    uint32_t count = world->config->clients_max;
    udp->clients = calloc(count, sizeof *udp->clients);
    udp->buckets = calloc(count, sizeof *udp->buckets);
    udp->clients_max = udp->clients && udp->buckets ? count : 0;
    for (uint32_t i = 0; i < udp->clients_max; i++) {
        udp->clients[i].watch.fd = -1;
        udp->clients[i].next = i + 1 < count ? i + 2 : 0;
    }
    udp->free_first = 1;
    return udp->clients_max > 0;
}

void netem_udp_stop(netem_world *world)
{
    netem_udp *udp = world->udp;
    if (!udp) {
        return;
    }
    for (uint32_t i = 0; i < udp->door_count; i++) {
        netem_watch_close(world, &udp->doors[i].watch);
    }
    for (uint32_t i = 0; i < udp->clients_max; i++) {
        netem_watch_close(world, &udp->clients[i].watch);
    }
    free(udp->clients);
    free(udp->buckets);
    free(udp);
    world->udp = NULL;
}

uint32_t netem_udp_clients(const netem_world *world)
{
    return world->udp->client_count;
}

/* FNV-1a over the address. */
static uint32_t *bucket_of(netem_udp *udp, const netem_endpoint *address)
{
    const uint8_t *bytes = (const uint8_t *)&address->address;
    uint32_t hash = 2166136261u;
    for (socklen_t i = 0; i < address->bytes; i++) {
        hash = (hash ^ bytes[i]) * 16777619u;
    }
    return &udp->buckets[hash % udp->clients_max];
}

static client *find(netem_udp *udp, const door *from, const netem_endpoint *address)
{
    for (uint32_t at = *bucket_of(udp, address); at != 0; at = udp->clients[at - 1].next) {
        client *it = &udp->clients[at - 1];
        if (it->door == from && netem_endpoint_equal(&it->address, address)) {
            return it;
        }
    }
    return NULL;
}

static void forget(netem_world *world, client *gone)
{
    netem_udp *udp = world->udp;
    uint32_t number = (uint32_t)(gone - udp->clients) + 1;
    uint32_t *link = bucket_of(udp, &gone->address);
    while (*link != number) {
        link = &udp->clients[*link - 1].next;
    }
    *link = gone->next;
    netem_watch_close(world, &gone->watch);
    gone->generation++;
    gone->next = udp->free_first;
    udp->free_first = number;
    udp->client_count--;
}

static void forget_longest_silent(netem_world *world)
{
    netem_udp *udp = world->udp;
    client *oldest = &udp->clients[0];
    for (uint32_t i = 1; i < udp->clients_max; i++) {
        if (udp->clients[i].heard_ns < oldest->heard_ns) {
            oldest = &udp->clients[i];
        }
    }
    world->counts.evicted++;
    forget(world, oldest);
}

/* A socket towards the target, with a port that no other socket has now; -1 with errno. */
static int open_towards(const netem_udp *udp, const netem_endpoint *target)
{
    int family = target->address.ss_family;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    netem_enlarge_buffer(fd);
    bool use_source = udp->has_source && udp->source.address.ss_family == family;
    if ((use_source &&
         bind(fd, (const struct sockaddr *)&udp->source.address, udp->source.bytes) != 0) ||
        connect(fd, (const struct sockaddr *)&target->address, target->bytes) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static uint64_t route_of(const netem_udp *udp, const client *it)
{
    return netem_route(NETEM_KIND_UDP, (uint32_t)(it - udp->clients), it->generation);
}

static void enter(netem_world *world, int direction, size_t bytes, const client *it)
{
    netem_udp *udp = world->udp;
    if (world->switches.udp_blocked[direction]) {
        world->counts.blocked[direction]++;
        return;
    }
    fn_line_put(&world->lines[direction], netem_arrival_ns(world), udp->datagram, bytes,
                route_of(udp, it));
}

static void on_answer(netem_world *world, netem_watch *watch, uint32_t events)
{
    (void)events;
    client *it = watch->owner;
    for (int i = 0; i < NETEM_BATCH; i++) {
        ssize_t bytes = recv(watch->fd, world->udp->datagram, NETEM_DATAGRAM_BYTES_MAX, 0);
        if (bytes >= 0) {
            enter(world, NETEM_DOWN, (size_t)bytes, it);
        } else if (errno != ECONNREFUSED) { /* nobody at the target: as on a real network */
            return;
        }
    }
}

static client *welcome(netem_world *world, door *from, const netem_endpoint *address)
{
    netem_udp *udp = world->udp;
    int fd = open_towards(udp, &from->target);
    if (fd < 0) {
        return NULL;
    }
    if (udp->free_first == 0) {
        forget_longest_silent(world);
    }
    uint32_t number = udp->free_first;
    client *it = &udp->clients[number - 1];
    uint32_t *bucket = bucket_of(udp, address);
    udp->free_first = it->next;
    *it = (client){.watch = {.fd = fd, .ready = on_answer, .owner = it},
                   .address = *address,
                   .door = from,
                   .generation = it->generation,
                   .next = *bucket};
    *bucket = number;
    udp->client_count++;
    world->counts.clients++;
    netem_watch_set(world, &it->watch, EPOLLIN);
    return it;
}

static void on_datagram(netem_world *world, netem_watch *watch, uint32_t events)
{
    (void)events;
    door *at = watch->owner;
    for (int i = 0; i < NETEM_BATCH; i++) {
        netem_endpoint from = {.bytes = sizeof from.address};
        ssize_t bytes = recvfrom(watch->fd, world->udp->datagram, NETEM_DATAGRAM_BYTES_MAX, 0,
                                 (struct sockaddr *)&from.address, &from.bytes);
        if (bytes < 0) {
            return;
        }
        client *it = find(world->udp, at, &from);
        it = it ? it : welcome(world, at, &from);
        if (it) {
            it->heard_ns = world->now_ns;
            enter(world, NETEM_UP, (size_t)bytes, it);
        }
    }
}

void netem_udp_add_door(netem_world *world, int fd, const netem_endpoint *target)
{
    door *added = &world->udp->doors[world->udp->door_count++];
    *added = (door){.watch = {.fd = fd, .ready = on_datagram, .owner = added}, .target = *target};
    netem_watch_set(world, &added->watch, EPOLLIN);
}

/* What the system refuses to send is lost, as on a network. */
void netem_udp_deliver(netem_world *world, int direction, const fn_packet *packet)
{
    netem_udp *udp = world->udp;
    const client *it = &udp->clients[netem_route_slot(packet->route)];
    if (it->watch.fd < 0 || route_of(udp, it) != packet->route) {
        return;
    }
    ssize_t sent;
    if (direction == NETEM_UP) {
        sent = send(it->watch.fd, packet->data, packet->bytes, 0);
        if (sent < 0 && errno == ECONNREFUSED) { /* told of an earlier one; this one did not go */
            sent = send(it->watch.fd, packet->data, packet->bytes, 0);
        }
    } else {
        sent = sendto(it->door->watch.fd, packet->data, packet->bytes, 0,
                      (const struct sockaddr *)&it->address.address, it->address.bytes);
    }
    (void)sent;
}

bool netem_udp_rebind(netem_world *world)
{
    netem_udp *udp = world->udp;
    for (uint32_t i = 0; i < udp->clients_max; i++) {
        client *it = &udp->clients[i];
        int fd = it->watch.fd < 0 ? -1 : open_towards(udp, &it->door->target);
        if (fd < 0) {
            continue;
        }
        netem_watch_close(world, &it->watch); /* after the new one exists: the port must differ */
        it->watch.fd = fd;
        netem_watch_set(world, &it->watch, EPOLLIN);
        world->counts.rebinds++;
    }
    return udp->client_count > 0;
}

void netem_udp_set_source(netem_world *world, const netem_endpoint *source)
{
    world->udp->has_source = source != NULL;
    if (source) {
        world->udp->source = *source;
        netem_endpoint_set_port(&world->udp->source, 0);
    }
}
