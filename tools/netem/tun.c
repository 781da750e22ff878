/*
 * A cable between two network namespaces: a TUN device in each, joined by the lines. Whatever IP
 * carries passes: it is the real stack that meets the loss.
 */
#include "netem/world.h"

#include "netem/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct side {
    netem_watch watch;
    ino_t namespace_id;
} side;

typedef struct netem_tun {
    side sides[NETEM_DIRECTIONS];
    netem_ports ports;
    int home_fd; /* the namespace we were started in */
    uint8_t packet[NETEM_DATAGRAM_BYTES_MAX];
} netem_tun;

/* linux/ipv6.h has it too, but does not agree with netinet/in.h. */
typedef struct ipv6_request {
    struct in6_addr address;
    uint32_t prefix_bits;
    int interface_index;
} ipv6_request;

static netem_result cannot(netem_world *world, const char *what)
{
    int error = errno;
    if (error == EPERM || error == EACCES) {
        return netem_say(world, NETEM_SYSTEM,
                         "no permission %s: --tun needs root, or CAP_NET_ADMIN and CAP_SYS_ADMIN",
                         what);
    }
    return netem_say(world, NETEM_SYSTEM, "cannot %s: %s", what + 3, strerror(error));
}

/* "." is ours, a number a process's, a path itself, a name one of `ip netns`. */
static void namespace_path(const char *name, char *path, size_t path_bytes)
{
    if (strcmp(name, ".") == 0) {
        snprintf(path, path_bytes, "/proc/self/ns/net");
    } else if (name[strspn(name, "0123456789")] == '\0') {
        snprintf(path, path_bytes, "/proc/%s/ns/net", name);
    } else if (strchr(name, '/')) {
        snprintf(path, path_bytes, "%s", name);
    } else {
        snprintf(path, path_bytes, "/run/netns/%s", name);
    }
}

static netem_result enter_namespace(netem_world *world, const char *name, ino_t *id)
{
    char path[NETEM_TEXT_BYTES_MAX + 32];
    struct stat status;
    namespace_path(name, path, sizeof path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return netem_say(world, NETEM_SYSTEM, "there is no network namespace '%s' (no %s)", name,
                         path);
    }
    if (fd < 0 || fstat(fd, &status) != 0) {
        return cannot(world, "to open the namespace");
    }
    *id = status.st_ino;
    netem_result result =
        setns(fd, CLONE_NEWNET) == 0 ? NETEM_OK : cannot(world, "to enter the namespace");
    close(fd);
    return result;
}

/* The device lives as long as the descriptor. */
static netem_result open_device(netem_world *world, side *it)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", world->config->device);
    it->watch.fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (it->watch.fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO)) {
        return netem_say(world, NETEM_SYSTEM, "there is no /dev/net/tun here (modprobe tun)");
    }
    if (it->watch.fd < 0) {
        return cannot(world, "to open /dev/net/tun");
    }
    if (ioctl(it->watch.fd, TUNSETIFF, &request) != 0) {
        return cannot(world, "to create the TUN device");
    }
    return NETEM_OK;
}

static bool add_ipv4(int fd, struct ifreq *request, const char *address, uint32_t bits)
{
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)&request->ifr_addr;
    *in = (struct sockaddr_in){.sin_family = AF_INET};
    if (bits > 32 || inet_pton(AF_INET, address, &in->sin_addr) != 1) {
        errno = EINVAL;
        return false;
    }
    if (ioctl(fd, SIOCSIFADDR, request) != 0) {
        return false;
    }
    in->sin_addr.s_addr = htonl(bits == 0 ? 0 : UINT32_MAX << (32 - bits));
    return ioctl(fd, SIOCSIFNETMASK, request) == 0;
}

static bool add_ipv6(struct ifreq *request, const char *address, uint32_t bits)
{
    ipv6_request ipv6 = {.prefix_bits = bits};
    if (bits > 128 || inet_pton(AF_INET6, address, &ipv6.address) != 1) {
        errno = EINVAL;
        return false;
    }
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool fine = fd >= 0 && ioctl(fd, SIOCGIFINDEX, request) == 0;
    ipv6.interface_index = request->ifr_ifindex;
    fine = fine && ioctl(fd, SIOCSIFADDR, &ipv6) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return fine;
}

/* "10.9.0.1/24" */
static bool add_address(int fd, struct ifreq *request, const char *text)
{
    char address[64] = "";
    const char *slash = strchr(text, '/');
    char *end = NULL;
    unsigned long bits = slash ? strtoul(slash + 1, &end, 10) : 0;
    if (!slash || end == slash + 1 || *end != '\0' || bits > 128 ||
        (size_t)(slash - text) >= sizeof address) {
        errno = EINVAL;
        return false;
    }
    memcpy(address, text, (size_t)(slash - text));
    return strchr(address, ':') ? add_ipv6(request, address, (uint32_t)bits)
                                : add_ipv4(fd, request, address, (uint32_t)bits);
}

static netem_result configure(netem_world *world, int fd, char *addresses)
{
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", world->config->device);
    request.ifr_mtu = (int)world->config->device_mtu_bytes;
    if (ioctl(fd, SIOCSIFMTU, &request) != 0) {
        return cannot(world, "to set the device's MTU");
    }
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) {
        return cannot(world, "to bring the device up");
    }
    char *rest = addresses;
    for (char *address; (address = strsep(&rest, ",")) != NULL;) {
        if (!add_address(fd, &request, address)) {
            return netem_say(world, errno == EINVAL ? NETEM_USAGE : NETEM_SYSTEM,
                             "cannot use the address '%s' (as in 10.9.0.1/24): %s", address,
                             strerror(errno));
        }
    }
    return NETEM_OK;
}

static netem_result build_side(netem_world *world, side *it, const char *text)
{
    char copy[NETEM_TEXT_BYTES_MAX];
    snprintf(copy, sizeof copy, "%s", text);
    char *equals = strchr(copy, '=');
    if (!equals || equals == copy) {
        return netem_say(world, NETEM_USAGE, "--tun '%s' is not NAMESPACE=ADDRESS/BITS", text);
    }
    *equals = '\0';
    netem_result result = enter_namespace(world, copy, &it->namespace_id);
    side *other = &world->tun->sides[it == &world->tun->sides[0] ? 1 : 0];
    if (result == NETEM_OK && it->namespace_id == other->namespace_id) {
        return netem_say(world, NETEM_USAGE,
                         "both --tun name the same namespace: its traffic would never leave it");
    }
    result = result == NETEM_OK ? open_device(world, it) : result;
    if (result != NETEM_OK) {
        return result;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    result = fd >= 0 ? configure(world, fd, equals + 1) : cannot(world, "to open a socket");
    if (fd >= 0) {
        close(fd);
    }
    return result;
}

static void on_packet(netem_world *world, netem_watch *watch, uint32_t events)
{
    (void)events;
    netem_tun *tun = world->tun;
    int direction = watch == &tun->sides[NETEM_UP].watch ? NETEM_UP : NETEM_DOWN;
    const netem_switches *switches = &world->switches;
    for (int i = 0; i < NETEM_BATCH; i++) {
        ssize_t bytes = read(watch->fd, tun->packet, sizeof tun->packet);
        if (bytes <= 0) {
            return;
        }
        netem_packet packet = netem_packet_read(tun->packet, (size_t)bytes);
        bool udp = packet.protocol == IPPROTO_UDP, tcp = packet.protocol == IPPROTO_TCP;
        if ((udp && switches->udp_blocked[direction]) ||
            (tcp && switches->tcp_blocked[direction]) ||
            !netem_ports_translate(&tun->ports, &packet, direction == NETEM_UP)) {
            world->counts.blocked[direction]++;
            continue;
        }
        fn_line_put(&world->lines[direction], netem_arrival_ns(world), tun->packet, (size_t)bytes,
                    netem_route(NETEM_KIND_TUN, 0, 0));
    }
}

static netem_result build(netem_world *world)
{
    netem_tun *tun = world->tun;
    for (int i = 0; i < NETEM_DIRECTIONS; i++) {
        netem_result result = build_side(world, &tun->sides[i], world->config->tuns[i]);
        /* Back home in any case: sockets and paths that follow are meant to be here. */
        if (setns(tun->home_fd, CLONE_NEWNET) != 0 && result == NETEM_OK) {
            result = cannot(world, "to return to the own namespace");
        }
        if (result != NETEM_OK) {
            return result;
        }
    }
    return NETEM_OK;
}

netem_result netem_tun_start(netem_world *world)
{
    if (world->config->tun_count == 0) {
        return NETEM_OK;
    }
    if (world->config->tun_count != NETEM_DIRECTIONS) {
        return netem_say(world, NETEM_USAGE, "--tun is needed twice, once for each side");
    }
    netem_tun *tun = calloc(1, sizeof *tun);
    if (!tun) {
        return netem_say(world, NETEM_SYSTEM, "out of memory");
    }
    world->tun = tun;
    netem_ports_init(&tun->ports, world->config->seed);
    for (int i = 0; i < NETEM_DIRECTIONS; i++) {
        tun->sides[i].watch = (netem_watch){.fd = -1, .ready = on_packet};
    }
    tun->home_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (tun->home_fd < 0) {
        return cannot(world, "to open the own namespace");
    }
    netem_result result = build(world);
    for (int i = 0; i < NETEM_DIRECTIONS && result == NETEM_OK; i++) {
        netem_watch_set(world, &tun->sides[i].watch, EPOLLIN);
        printf("device %s in %s\n", world->config->device, world->config->tuns[i]);
    }
    return result;
}

void netem_tun_stop(netem_world *world)
{
    netem_tun *tun = world->tun;
    if (!tun) {
        return;
    }
    netem_watch_close(world, &tun->sides[NETEM_UP].watch);
    netem_watch_close(world, &tun->sides[NETEM_DOWN].watch);
    if (tun->home_fd >= 0) {
        close(tun->home_fd);
    }
    free(tun);
    world->tun = NULL;
}

/* What the other side's stack refuses (a damaged header) is lost, as on a cable. */
void netem_tun_deliver(netem_world *world, int direction, const fn_packet *packet)
{
    ssize_t written = write(world->tun->sides[1 - direction].watch.fd, packet->data, packet->bytes);
    (void)written;
}

void netem_tun_rebind(netem_world *world)
{
    netem_ports_renew(&world->tun->ports);
    world->counts.rebinds++;
}
