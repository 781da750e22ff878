#include "netem/world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Cuts "host:port" or "[host]:port" in place. */
static bool split(char *text, char **host, char **port)
{
    char *colon = strrchr(text, ':');
    if (!colon || colon == text || colon[1] == '\0') {
        return false;
    }
    *colon = '\0';
    *port = colon + 1;
    *host = text;
    size_t length = strlen(text);
    if (text[0] == '[' && text[length - 1] == ']') {
        text[length - 1] = '\0';
        *host = text + 1;
        return true;
    }
    return strchr(text, ':') == NULL; /* a bare IPv6 address needs its brackets */
}

bool netem_endpoint_parse(netem_world *world, const char *text, size_t bytes,
                          netem_endpoint *endpoint)
{
    char copy[NETEM_TEXT_BYTES_MAX], *host, *port;
    if (bytes >= sizeof copy) {
        return netem_say(world, NETEM_USAGE, "an address is too long"), false;
    }
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    if (!split(copy, &host, &port)) {
        netem_say(world, NETEM_USAGE, "'%.*s' is not HOST:PORT (IPv6: [HOST]:PORT)", (int)bytes,
                  text);
        return false;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV}, *found;
    int error = getaddrinfo(host, port, &hints, &found);
    if (error != 0) {
        netem_say(world, NETEM_USAGE, "cannot resolve '%s' port '%s': %s", host, port,
                  gai_strerror(error));
        return false;
    }
    memcpy(&endpoint->address, found->ai_addr, found->ai_addrlen);
    endpoint->bytes = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

const char *netem_endpoint_text(const netem_endpoint *endpoint, char *text, size_t text_bytes)
{
    char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
    getnameinfo((const struct sockaddr *)&endpoint->address, endpoint->bytes, host, sizeof host,
                port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    bool brackets = endpoint->address.ss_family == AF_INET6;
    snprintf(text, text_bytes, brackets ? "[%s]:%s" : "%s:%s", host, port);
    return text;
}

static in_port_t *port_of(netem_endpoint *endpoint)
{
    if (endpoint->address.ss_family == AF_INET6) {
        return &((struct sockaddr_in6 *)&endpoint->address)->sin6_port;
    }
    return &((struct sockaddr_in *)&endpoint->address)->sin_port;
}

uint16_t netem_endpoint_port(const netem_endpoint *endpoint)
{
    netem_endpoint copy = *endpoint;
    return ntohs(*port_of(&copy));
}

void netem_endpoint_set_port(netem_endpoint *endpoint, uint16_t port)
{
    *port_of(endpoint) = htons(port);
}

bool netem_endpoint_equal(const netem_endpoint *a, const netem_endpoint *b)
{
    return a->bytes == b->bytes && memcmp(&a->address, &b->address, a->bytes) == 0;
}

void netem_enlarge_buffer(int fd)
{
    int bytes = 4 << 20;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    }
}

int netem_listen(int type, netem_endpoint *endpoint)
{
    int family = endpoint->address.ss_family;
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    int one = 1;
    if (type == SOCK_STREAM) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    } else {
        netem_enlarge_buffer(fd);
    }
    if (bind(fd, (struct sockaddr *)&endpoint->address, endpoint->bytes) != 0 ||
        (type == SOCK_STREAM && listen(fd, 512) != 0) ||
        getsockname(fd, (struct sockaddr *)&endpoint->address, &endpoint->bytes) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}
