#include "netem/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>

enum { PAYLOAD = 13, BYTES_MAX = 128 };

typedef struct sample {
    uint8_t data[BYTES_MAX];
    size_t bytes;
    size_t udp_offset;
} sample;

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

/* RFC 768 over the addresses (which lie together in both versions), from scratch. */
static uint16_t checksum_of(const sample *it)
{
    bool v6 = it->data[0] >> 4 == 6;
    size_t udp_bytes = it->bytes - it->udp_offset;
    uint32_t sum = IPPROTO_UDP + (uint32_t)udp_bytes;
    const uint8_t *addresses = it->data + (v6 ? 8 : 12);
    for (size_t i = 0; i < (v6 ? 32u : 8u); i += 2) {
        sum += get16(addresses + i);
    }
    for (size_t i = 0; i < udp_bytes; i++) {
        uint32_t byte = i == 6 || i == 7 ? 0 : it->data[it->udp_offset + i];
        sum += i % 2 == 0 ? byte << 8 : byte;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    uint16_t result = (uint16_t)~sum;
    return result == 0 ? 0xffff : result;
}

static sample make(bool v6, uint16_t source, uint16_t destination)
{
    sample it = {.udp_offset = v6 ? 40 : 24}; /* IPv4 with an option */
    it.bytes = it.udp_offset + 8 + PAYLOAD;
    for (size_t i = 0; i < it.bytes; i++) {
        it.data[i] = (uint8_t)(i * 37 + 11);
    }
    if (v6) {
        it.data[0] = 0x60;
        it.data[6] = IPPROTO_UDP;
    } else {
        it.data[0] = 0x46;
        put16(it.data + 6, 0);
        it.data[9] = IPPROTO_UDP;
    }
    put16(it.data + it.udp_offset, source);
    put16(it.data + it.udp_offset + 2, destination);
    put16(it.data + it.udp_offset + 4, 8 + PAYLOAD);
    put16(it.data + it.udp_offset + 6, checksum_of(&it));
    return it;
}

/* The port at the offset after translation; 0 when the packet was refused. */
static uint16_t translated(netem_ports *ports, bool v6, uint16_t source, uint16_t destination,
                           bool outwards)
{
    sample it = make(v6, source, destination);
    netem_packet packet = netem_packet_read(it.data, it.bytes);
    assert_int_equal(packet.protocol, IPPROTO_UDP);
    assert_ptr_equal(packet.udp, it.data + it.udp_offset);
    if (!netem_ports_translate(ports, &packet, outwards)) {
        return 0;
    }
    assert_int_equal(get16(it.data + it.udp_offset + 6), checksum_of(&it));
    assert_int_equal(get16(it.data + it.udp_offset + (outwards ? 2 : 0)),
                     outwards ? destination : source);
    return get16(it.data + it.udp_offset + (outwards ? 0 : 2));
}

static void ports_change_with_their_checksum_and_back(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        netem_ports ports;
        netem_ports_init(&ports, 5);
        assert_int_equal(translated(&ports, v6, 4000, 53, true), 4000);
        assert_int_equal(translated(&ports, v6, 53, 4000, false), 4000);
        uint16_t before = 4000;
        for (int i = 0; i < 1000; i++) {
            netem_ports_renew(&ports);
            uint16_t outer = translated(&ports, v6, 4000, 53, true);
            assert_true(outer != before && outer != 4000 && outer != 0);
            assert_int_equal(translated(&ports, v6, 4000, 53, true), outer);
            assert_int_equal(translated(&ports, v6, 53, outer, false), 4000);
            assert_int_equal(translated(&ports, v6, 53, before, false), 0);
            before = outer;
        }
        /* A port of the inner side that never spoke: a server there. */
        assert_int_equal(translated(&ports, v6, 53, 80, false), 80);
    }
}

static void many_ports_stay_apart_and_bounded(void **state)
{
    (void)state;
    netem_ports ports;
    netem_ports_init(&ports, 1);
    netem_ports_renew(&ports);
    uint16_t outer[2 * NETEM_PORTS_MAX];
    for (uint16_t i = 0; i < 2 * NETEM_PORTS_MAX; i++) {
        outer[i] = translated(&ports, false, (uint16_t)(1000 + i), 53, true);
        for (uint16_t k = 0; k < i; k++) {
            assert_int_not_equal(outer[k], outer[i]);
        }
    }
    for (uint16_t i = NETEM_PORTS_MAX; i < 2 * NETEM_PORTS_MAX; i++) {
        assert_int_equal(translated(&ports, false, 53, outer[i], false), 1000 + i);
    }
    assert_int_equal(ports.count, NETEM_PORTS_MAX);
}

static void a_zero_checksum_stays_zero(void **state)
{
    (void)state;
    netem_ports ports;
    netem_ports_init(&ports, 1);
    netem_ports_renew(&ports);
    sample it = make(false, 4000, 53);
    put16(it.data + it.udp_offset + 6, 0);
    netem_packet packet = netem_packet_read(it.data, it.bytes);
    assert_true(netem_ports_translate(&ports, &packet, true));
    assert_int_equal(get16(it.data + it.udp_offset + 6), 0);
}

/* Every prefix of both, byte by byte over the first header bytes: no read beyond the end (the
 * sanitizers watch), and never a pointer that does not hold a header. */
static void anything_can_be_read(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        sample whole = make(v6, 4000, 53);
        for (size_t bytes = 0; bytes <= whole.bytes; bytes++) {
            for (uint32_t first = 0; first < 256; first++) {
                uint8_t copy[BYTES_MAX];
                memcpy(copy, whole.data, bytes);
                copy[0] = (uint8_t)first;
                netem_packet packet = netem_packet_read(copy, bytes);
                assert_true(!packet.udp || packet.udp + 8 <= copy + bytes);
            }
        }
    }
}

static void later_fragments_have_no_ports(void **state)
{
    (void)state;
    sample it = make(false, 4000, 53);
    put16(it.data + 6, 0x2000);
    assert_non_null(netem_packet_read(it.data, it.bytes).udp);
    put16(it.data + 6, 0x2001);
    netem_packet packet = netem_packet_read(it.data, it.bytes);
    assert_null(packet.udp);
    assert_int_equal(packet.protocol, IPPROTO_UDP);
    it = make(true, 4000, 53);
    it.data[6] = IPPROTO_FRAGMENT;
    it.data[40] = IPPROTO_UDP;
    put16(it.data + 42, 8 << 3 | 1);
    packet = netem_packet_read(it.data, it.bytes);
    assert_null(packet.udp);
    assert_int_equal(packet.protocol, IPPROTO_UDP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_change_with_their_checksum_and_back),
        cmocka_unit_test(many_ports_stay_apart_and_bounded),
        cmocka_unit_test(a_zero_checksum_stays_zero),
        cmocka_unit_test(anything_can_be_read),
        cmocka_unit_test(later_fragments_have_no_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
