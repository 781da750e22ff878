#include "netem/packet.h"

#include <netinet/in.h>

enum { IPV4_BYTES_MIN = 20, IPV6_BYTES = 40, IPV6_FRAGMENT_BYTES = 8, UDP_BYTES = 8 };
enum { OUTER_PORT_MIN = 20000, OUTER_PORT_COUNT = 40000 };

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static netem_packet make(uint8_t protocol, uint8_t *data, size_t offset, size_t bytes, bool first)
{
    netem_packet packet = {.protocol = protocol};
    if (protocol == IPPROTO_UDP && first && bytes >= offset + UDP_BYTES) {
        packet.udp = data + offset;
        packet.checksum_zero = get16(packet.udp + 6) == 0;
    }
    return packet;
}

netem_packet netem_packet_read(uint8_t *data, size_t bytes)
{
    if (bytes >= IPV4_BYTES_MIN && data[0] >> 4 == 4) {
        bool first = (get16(data + 6) & 0x1fff) == 0;
        return make(data[9], data, (size_t)(data[0] & 15) * 4, bytes, first);
    }
    if (bytes < IPV6_BYTES || data[0] >> 4 != 6) {
        return (netem_packet){.protocol = 255};
    }
    if (data[6] != IPPROTO_FRAGMENT || bytes < IPV6_BYTES + IPV6_FRAGMENT_BYTES) {
        return make(data[6], data, IPV6_BYTES, bytes, true);
    }
    bool first = (get16(data + IPV6_BYTES + 2) & 0xfff8) == 0;
    return make(data[IPV6_BYTES], data, IPV6_BYTES + IPV6_FRAGMENT_BYTES, bytes, first);
}

void netem_ports_init(netem_ports *ports, uint64_t seed)
{
    *ports = (netem_ports){.state = seed};
}

static bool is_taken(const netem_ports *ports, uint16_t port)
{
    for (uint32_t i = 0; i < ports->count; i++) {
        if (ports->entries[i].inner == port || ports->entries[i].outer == port ||
            ports->entries[i].retired == port) {
            return true;
        }
    }
    return false;
}

/* A linear congruence with an odd step visits every port before one comes again. */
static uint16_t draw(netem_ports *ports)
{
    uint16_t port;
    do {
        ports->state += 7919;
        port = (uint16_t)(OUTER_PORT_MIN + ports->state % OUTER_PORT_COUNT);
    } while (is_taken(ports, port));
    return port;
}

void netem_ports_renew(netem_ports *ports)
{
    ports->active = true;
    for (uint32_t i = 0; i < ports->count; i++) {
        ports->entries[i].retired = ports->entries[i].outer;
        ports->entries[i].outer = draw(ports);
    }
}

static uint16_t outer_of(netem_ports *ports, uint16_t inner)
{
    for (uint32_t i = 0; i < ports->count; i++) {
        if (ports->entries[i].inner == inner) {
            return ports->entries[i].outer;
        }
    }
    uint16_t outer = draw(ports);
    uint32_t at = ports->count;
    if (at == NETEM_PORTS_MAX) {
        at = ports->replace_next;
        ports->replace_next = (at + 1) % NETEM_PORTS_MAX;
    } else {
        ports->count++;
    }
    ports->entries[at].inner = inner;
    ports->entries[at].outer = outer;
    ports->entries[at].retired = inner;
    return outer;
}

/* RFC 1624: the checksum follows a changed word without the rest of the packet. */
static void change(const netem_packet *packet, uint8_t *at, uint16_t value)
{
    uint8_t *checksum = packet->udp + 6;
    uint32_t sum = (uint32_t)(uint16_t)~get16(checksum) + (uint16_t)~get16(at) + value;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    put16(at, value);
    if (!packet->checksum_zero) {
        uint16_t result = (uint16_t)~sum;
        put16(checksum, result == 0 ? 0xffff : result);
    }
}

bool netem_ports_translate(netem_ports *ports, const netem_packet *packet, bool outwards)
{
    if (!ports->active || !packet->udp) {
        return true;
    }
    if (outwards) {
        change(packet, packet->udp, outer_of(ports, get16(packet->udp)));
        return true;
    }
    uint16_t port = get16(packet->udp + 2);
    for (uint32_t i = 0; i < ports->count; i++) {
        if (ports->entries[i].outer == port) {
            change(packet, packet->udp + 2, ports->entries[i].inner);
            return true;
        }
    }
    return !is_taken(ports, port);
}
