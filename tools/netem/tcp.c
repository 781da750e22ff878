/*
 * TCP connections, each taken from the client and made anew towards the target. Bytes are delayed
 * and paced; loss cannot happen to them here, for TCP on either side would not notice. A full queue
 * means not reading, so that the sender's window closes: that is how a slow path feels to TCP.
 */
#include "netem/world.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    CHUNK_BYTES_MAX = 16384,
    CHUNK_BYTES_MIN = 1448,
    STREAM_BYTES_MAX = 1 << 20, /* on the way and waiting for the receiver; more is not read */
};

typedef struct door {
    netem_watch watch;
    netem_endpoint target;
} door;

/* One direction of a connection. */
typedef struct stream {
    uint64_t last_at_ns; /* when the latest byte comes out of the line */
    size_t held_bytes;   /* in the line or in the list */
    size_t written;      /* of the first packet in the list */
    fn_packet *first;    /* came out of the line, waiting for the receiver */
    fn_packet *last;
    bool source_ended;
    bool done; /* the end reached the receiver */
} stream;

typedef struct connection {
    netem_watch
        sides[NETEM_DIRECTIONS];      /* [UP] the client, where up's bytes enter; [DOWN] target */
    stream streams[NETEM_DIRECTIONS]; /* streams[d] is from sides[d] to sides[1 - d] */
    uint32_t generation;
    uint32_t next_free; /* 1 + slot */
    bool used;
    bool connecting;
} connection;

typedef struct netem_tcp {
    door doors[NETEM_FORWARDS_MAX];
    uint32_t door_count;
    connection *connections;
    uint32_t connections_max;
    uint32_t connection_count;
    uint32_t slots_used; /* slots from here on were never used */
    uint32_t free_first;
    uint64_t deadline_ns;
    uint8_t chunk[CHUNK_BYTES_MAX];
} netem_tcp;

bool netem_tcp_start(netem_world *world)
{
    netem_tcp *tcp = calloc(1, sizeof *tcp);
    world->tcp = tcp;
    if (!tcp) {
        return false;
    }
    tcp->connections = calloc(world->config->clients_max, sizeof *tcp->connections);
    tcp->connections_max = tcp->connections ? world->config->clients_max : 0;
    tcp->deadline_ns = FN_NEVER;
    return tcp->connections != NULL;
}

static void drop_list(stream *it)
{
    while (it->first) {
        fn_packet *packet = it->first;
        it->first = packet->next;
        fn_packet_release(packet);
    }
    it->last = NULL;
}

static void release(netem_world *world, connection *gone)
{
    netem_tcp *tcp = world->tcp;
    for (int i = 0; i < NETEM_DIRECTIONS; i++) {
        netem_watch_close(world, &gone->sides[i]);
        drop_list(&gone->streams[i]);
    }
    gone->used = false;
    gone->generation++;
    gone->next_free = tcp->free_first;
    tcp->free_first = (uint32_t)(gone - tcp->connections) + 1;
    tcp->connection_count--;
}

static void make_close_reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static void reset(netem_world *world, connection *it)
{
    make_close_reset(it->sides[NETEM_UP].fd);
    make_close_reset(it->sides[NETEM_DOWN].fd);
    world->counts.resets++;
    release(world, it);
}

void netem_tcp_reset(netem_world *world)
{
    for (uint32_t i = 0; i < world->tcp->slots_used; i++) {
        if (world->tcp->connections[i].used) {
            reset(world, &world->tcp->connections[i]);
        }
    }
}

void netem_tcp_stop(netem_world *world)
{
    netem_tcp *tcp = world->tcp;
    if (!tcp) {
        return;
    }
    for (uint32_t i = 0; i < tcp->door_count; i++) {
        netem_watch_close(world, &tcp->doors[i].watch);
    }
    netem_tcp_reset(world);
    free(tcp->connections);
    free(tcp);
    world->tcp = NULL;
}

uint32_t netem_tcp_connections(const netem_world *world)
{
    return world->tcp->connection_count;
}

uint64_t netem_tcp_deadline_ns(const netem_world *world)
{
    return world->tcp->deadline_ns;
}

static uint64_t route_of(const netem_tcp *tcp, const connection *it)
{
    return netem_route(NETEM_KIND_TCP, (uint32_t)(it - tcp->connections), it->generation);
}

/* About a millisecond's worth, so that a slow line stays smooth. */
static size_t chunk_bytes(const fn_line *line)
{
    uint64_t rate = line->link.config.rate_bytes_per_s;
    return rate == 0 ? CHUNK_BYTES_MAX
                     : (size_t)fn_clamp_u64(rate / 1000, CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
}

static bool stalled(const netem_world *world, int direction)
{
    return world->switches.tcp_blocked[direction] || world->lines[direction].link.config.down;
}

/* Also notes when to look again, if only the line's queue stands against it. */
static bool may_read(netem_world *world, const connection *it, int direction)
{
    const stream *from = &it->streams[direction];
    const fn_line *line = &world->lines[direction];
    if (stalled(world, direction) || from->source_ended || from->held_bytes >= STREAM_BYTES_MAX ||
        (it->connecting && direction == NETEM_DOWN)) {
        return false;
    }
    uint64_t ready_ns = fn_link_stream_ready_ns(&line->link, world->now_ns);
    if (!fn_line_has_room(line, CHUNK_BYTES_MAX)) { /* as good as any time to look again */
        ready_ns = world->now_ns + FN_NS_PER_MS;
    }
    if (ready_ns <= world->now_ns) {
        return true;
    }
    world->tcp->deadline_ns = fn_min_u64(world->tcp->deadline_ns, ready_ns);
    return false;
}

/* Whom the loop watches for what. */
static void update(netem_world *world, connection *it)
{
    for (int i = 0; i < NETEM_DIRECTIONS; i++) {
        bool writes = it->streams[1 - i].first != NULL && !stalled(world, 1 - i);
        bool connects = it->connecting && i == NETEM_DOWN;
        uint32_t events = may_read(world, it, i) ? EPOLLIN : 0;
        events |= connects || writes ? EPOLLOUT : 0;
        netem_watch_set(world, &it->sides[i], events);
    }
}

/* False: the connection is broken. */
static bool read_chunk(netem_world *world, connection *it, int direction)
{
    stream *into = &it->streams[direction];
    fn_line *line = &world->lines[direction];
    ssize_t bytes = recv(it->sides[direction].fd, world->tcp->chunk, chunk_bytes(line), 0);
    if (bytes < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    into->source_ended = bytes == 0;
    into->held_bytes += (size_t)bytes;
    return fn_line_put_stream(line, netem_arrival_ns(world), world->tcp->chunk, (size_t)bytes,
                              route_of(world->tcp, it), &into->last_at_ns);
}

/* One packet of the list; false when the receiver takes no more now. */
static bool write_first(connection *it, int direction, bool *broken)
{
    stream *out = &it->streams[direction];
    int fd = it->sides[1 - direction].fd;
    fn_packet *packet = out->first;
    if (packet->bytes == 0) {
        shutdown(fd, SHUT_WR);
        out->done = true;
    }
    while (out->written < packet->bytes) {
        ssize_t sent = send(fd, packet->data + out->written, packet->bytes - out->written, 0);
        if (sent < 0) {
            *broken = errno != EAGAIN && errno != EINTR;
            return false;
        }
        out->written += (size_t)sent;
        out->held_bytes -= (size_t)sent;
    }
    out->written = 0;
    out->first = packet->next;
    out->last = out->first ? out->last : NULL;
    fn_packet_release(packet);
    return true;
}

/* Writes what it can. The connection may be gone afterwards. */
static void flush(netem_world *world, connection *it, int direction)
{
    bool broken = false;
    if (it->connecting || stalled(world, direction)) {
        return;
    }
    while (it->streams[direction].first && write_first(it, direction, &broken)) {
    }
    if (broken) {
        reset(world, it);
    } else if (it->streams[NETEM_UP].done && it->streams[NETEM_DOWN].done) {
        netem_note_past(world);
        release(world, it);
    } else {
        update(world, it);
    }
}

static bool finish_connecting(connection *it)
{
    int error = 0;
    socklen_t bytes = sizeof error;
    getsockopt(it->sides[NETEM_DOWN].fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
    it->connecting = false;
    return error == 0;
}

static void on_side(netem_world *world, netem_watch *watch, uint32_t events)
{
    connection *it = watch->owner;
    int side = watch == &it->sides[NETEM_UP] ? NETEM_UP : NETEM_DOWN;
    bool fine = (events & EPOLLERR) == 0;
    if (fine && it->connecting && side == NETEM_DOWN && (events & EPOLLOUT)) {
        fine = finish_connecting(it);
    }
    if (fine && (events & (EPOLLIN | EPOLLHUP)) && may_read(world, it, side)) {
        fine = read_chunk(world, it, side);
    }
    if (!fine) {
        reset(world, it);
    } else if (it->streams[1 - side].first) {
        flush(world, it, 1 - side);
    } else {
        update(world, it);
    }
}

static connection *take_slot(netem_tcp *tcp)
{
    uint32_t number = tcp->free_first;
    if (number != 0) {
        tcp->free_first = tcp->connections[number - 1].next_free;
    } else if (tcp->slots_used < tcp->connections_max) {
        number = ++tcp->slots_used;
    } else {
        return NULL;
    }
    tcp->connection_count++;
    return &tcp->connections[number - 1];
}

static int connect_towards(const netem_endpoint *target)
{
    int fd = socket(target->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&target->address, target->bytes) != 0 &&
        errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

static void refuse(netem_world *world, int fd)
{
    make_close_reset(fd);
    close(fd);
    world->counts.resets++;
}

static void take(netem_world *world, const door *from, int near)
{
    netem_tcp *tcp = world->tcp;
    int far = world->switches.tcp_refused ? -1 : connect_towards(&from->target);
    connection *it = far < 0 ? NULL : take_slot(tcp);
    if (!it) {
        if (far >= 0) {
            close(far);
        }
        refuse(world, near);
        return;
    }
    int one = 1;
    setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    *it = (connection){.generation = it->generation, .used = true, .connecting = true};
    it->sides[NETEM_UP] = (netem_watch){.fd = near, .ready = on_side, .owner = it};
    it->sides[NETEM_DOWN] = (netem_watch){.fd = far, .ready = on_side, .owner = it};
    world->counts.connections++;
    update(world, it);
}

static void on_door(netem_world *world, netem_watch *watch, uint32_t events)
{
    (void)events;
    for (int i = 0; i < NETEM_BATCH; i++) {
        int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        take(world, watch->owner, fd);
    }
}

void netem_tcp_add_door(netem_world *world, int fd, const netem_endpoint *target)
{
    door *added = &world->tcp->doors[world->tcp->door_count++];
    *added = (door){.watch = {.fd = fd, .ready = on_door, .owner = added}, .target = *target};
    netem_watch_set(world, &added->watch, EPOLLIN);
}

void netem_tcp_deliver(netem_world *world, int direction, fn_packet *packet)
{
    netem_tcp *tcp = world->tcp;
    connection *it = &tcp->connections[netem_route_slot(packet->route)];
    if (!it->used || route_of(tcp, it) != packet->route) {
        fn_packet_release(packet);
        return;
    }
    stream *out = &it->streams[direction];
    packet->next = NULL;
    if (out->last) {
        out->last->next = packet;
    } else {
        out->first = packet;
    }
    out->last = packet;
    flush(world, it, direction);
}

void netem_tcp_refresh(netem_world *world)
{
    netem_tcp *tcp = world->tcp;
    tcp->deadline_ns = FN_NEVER;
    for (uint32_t i = 0; i < tcp->slots_used; i++) {
        connection *it = &tcp->connections[i];
        if (it->used) {
            update(world, it);
        }
    }
    bool closed = world->switches.tcp_blocked[NETEM_UP] || world->lines[NETEM_UP].link.config.down;
    for (uint32_t i = 0; i < tcp->door_count; i++) {
        netem_watch_set(world, &tcp->doors[i].watch, closed ? 0 : EPOLLIN);
    }
}
