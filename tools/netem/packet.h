/*
 * packet.h: IP packets as far as the emulator looks into them, and the source ports of a NAT that
 * can be told to forget them.
 */
#ifndef NETEM_PACKET_H
#define NETEM_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct netem_packet {
    uint8_t protocol;   /* IPPROTO_UDP, ...; 255 = could not be read */
    uint8_t *udp;       /* the UDP header with all 8 bytes, or NULL (also in later fragments) */
    bool checksum_zero; /* IPv4 allows UDP without one */
} netem_packet;

/* Keeps pointers into data. Anything is fine as input. */
netem_packet netem_packet_read(uint8_t *data, size_t bytes);

enum { NETEM_PORTS_MAX = 256 };

/* Ports of the inner side as the outer side sees them. Does nothing before the first renewal. */
typedef struct netem_ports {
    struct {
        uint16_t inner, outer, retired; /* 0 = none; retired: what outer was before */
    } entries[NETEM_PORTS_MAX];
    uint32_t count;
    uint32_t replace_next; /* when full, the oldest goes */
    uint64_t state;
    bool active;
} netem_ports;

void netem_ports_init(netem_ports *ports, uint64_t seed);

/* From now on every inner port appears as another one than before. */
void netem_ports_renew(netem_ports *ports);

/* Changes source (outwards) or destination (inwards) and the checksum. False: for a port that was
 * given up; a NAT has nobody to give it to. */
bool netem_ports_translate(netem_ports *ports, const netem_packet *packet, bool outwards);

#endif
