#include "core/keys.h"

#include "base/rng.h"
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SETTLE (150 * FN_NS_PER_MS)

enum { TEXT_BYTES = 24, SEALED_BYTES = TEXT_BYTES + 16, HEADER_BYTES = 6 };

static const uint8_t secret[FN_KDF_SECRET_BYTES] = {7, 7, 7};
static const uint8_t header[HEADER_BYTES] = {0xc0, 1, 2, 3, 4, 5};

typedef struct sealed {
    uint64_t number;
    uint8_t phase;
    uint8_t bytes[SEALED_BYTES];
} sealed;

static sealed seal(fn_send_keys *keys, uint64_t number)
{
    sealed packet = {.number = number, .phase = keys->phase};
    memset(packet.bytes, (int)number & 0xff, TEXT_BYTES);
    fn_send_keys_seal(keys, number, header, HEADER_BYTES, packet.bytes, TEXT_BYTES);
    return packet;
}

static fn_keys_opened open_packet(fn_receive_keys *keys, const sealed *packet)
{
    uint8_t bytes[SEALED_BYTES];
    memcpy(bytes, packet->bytes, sizeof bytes);
    fn_keys_opened opened = fn_receive_keys_open(keys, packet->phase, packet->number, header,
                                                 HEADER_BYTES, bytes, SEALED_BYTES);
    if (opened != FN_KEYS_FAILED)
        assert_int_equal(bytes[0], packet->number & 0xff);
    return opened;
}

static void start(fn_send_keys *send, fn_receive_keys *receive)
{
    fn_send_keys_init(send, secret, 0);
    fn_receive_keys_init(receive, secret);
}

/* Receives a packet of the present phase, acknowledges it, and lets the sender know. */
static void confirm(fn_send_keys *send, fn_receive_keys *receive, uint64_t number)
{
    sealed packet = seal(send, number);
    assert_int_equal(open_packet(receive, &packet), FN_KEYS_OPENED);
    fn_receive_keys_on_ack_sent(receive, number);
    fn_send_keys_on_acked(send, number);
}

static void s4_key_update_agrees_over_many_phases(void **state)
{
    (void)state;
    fn_send_keys send;
    fn_receive_keys receive;
    start(&send, &receive);
    uint64_t number = 0;
    for (int phase = 0; phase < 20; phase++) {
        confirm(&send, &receive, number++);
        sealed late = seal(&send, number++);
        fn_send_keys_update(&send, number, 0);
        sealed first = seal(&send, number++);
        assert_int_not_equal(first.phase, late.phase);
        assert_int_equal(open_packet(&receive, &first), FN_KEYS_OPENED_NEXT);
        assert_true(fn_receive_keys_advance(&receive, first.number, 0, SETTLE));
        assert_int_equal(open_packet(&receive, &late), FN_KEYS_OPENED);
        assert_int_equal(open_packet(&receive, &first), FN_KEYS_OPENED);
    }
    assert_int_equal(receive.failed_opens, 0);
}

/* The packets around a flip, in any order: all open, each at the first try. */
static void packets_around_a_flip_open_in_any_order(void **state)
{
    (void)state;
    fn_rng rng;
    fn_rng_init(&rng, 1);
    for (int round = 0; round < 500; round++) {
        fn_send_keys send;
        fn_receive_keys receive;
        start(&send, &receive);
        confirm(&send, &receive, 0);
        sealed packets[12];
        for (uint64_t i = 0; i < 12; i++) {
            if (i == 6)
                fn_send_keys_update(&send, i + 1, 0);
            packets[i] = seal(&send, i + 1);
        }
        for (uint64_t i = 11; i > 0; i--) {
            uint64_t other = fn_rng_below(&rng, i + 1);
            sealed swap = packets[i];
            packets[i] = packets[other];
            packets[other] = swap;
        }
        int advanced = 0;
        for (int i = 0; i < 12; i++) {
            fn_keys_opened opened = open_packet(&receive, &packets[i]);
            assert_int_not_equal(opened, FN_KEYS_FAILED);
            if (opened == FN_KEYS_OPENED_NEXT) {
                assert_true(fn_receive_keys_advance(&receive, packets[i].number, 0, SETTLE));
                advanced++;
            }
        }
        assert_int_equal(advanced, 1);
        assert_int_equal(receive.failed_opens, 0);
    }
}

static void a_flip_before_anything_was_acknowledged_is_refused(void **state)
{
    (void)state;
    fn_send_keys send;
    fn_receive_keys receive;
    start(&send, &receive);
    sealed packet = seal(&send, 0);
    open_packet(&receive, &packet);
    fn_send_keys_update(&send, 1, 0);
    packet = seal(&send, 1);
    assert_int_equal(open_packet(&receive, &packet), FN_KEYS_OPENED_NEXT);
    assert_false(fn_receive_keys_advance(&receive, 1, 0, SETTLE));

    start(&send, &receive);
    confirm(&send, &receive, 0);
    fn_send_keys_update(&send, 1, 0);
    packet = seal(&send, 1);
    open_packet(&receive, &packet);
    assert_true(fn_receive_keys_advance(&receive, 1, 0, SETTLE));
    fn_receive_keys_on_ack_sent(&receive, 0); /* says nothing of the new phase */
    fn_send_keys_update(&send, 2, 0);
    packet = seal(&send, 2);
    open_packet(&receive, &packet);
    assert_false(fn_receive_keys_advance(&receive, 2, 0, SETTLE));
}

/* Both phase bits, numbers below, at and above the border: nothing but the count of failures moves,
 * and each costs one open. */
static void forged_flips_change_nothing(void **state)
{
    (void)state;
    fn_send_keys send;
    fn_receive_keys receive;
    start(&send, &receive);
    confirm(&send, &receive, 5);
    fn_send_keys_update(&send, 10, 0);
    sealed packet = seal(&send, 10);
    open_packet(&receive, &packet);
    assert_true(fn_receive_keys_advance(&receive, 10, 0, SETTLE));
    static const uint64_t numbers[] = {0, 5, 9, 10, 11, 1000};
    for (uint8_t phase = 0; phase < 2; phase++)
        for (size_t i = 0; i < FN_ARRAY_COUNT(numbers); i++) {
            fn_receive_keys before = receive;
            sealed forged = {.number = numbers[i], .phase = phase};
            assert_int_equal(open_packet(&receive, &forged), FN_KEYS_FAILED);
            before.failed_opens++;
            assert_memory_equal(&before, &receive, sizeof receive);
        }
}

static void the_previous_key_is_erased_in_time(void **state)
{
    (void)state;
    fn_send_keys send;
    fn_receive_keys receive;
    start(&send, &receive);
    confirm(&send, &receive, 0);
    sealed late = seal(&send, 1);
    fn_send_keys_update(&send, 2, 0);
    sealed first = seal(&send, 2);
    open_packet(&receive, &first);
    fn_receive_keys_advance(&receive, 2, 1000, SETTLE);
    assert_int_equal(receive.previous_until_ns, 1000 + SETTLE);
    fn_receive_keys_tick(&receive, 1000 + SETTLE - 1);
    assert_int_equal(open_packet(&receive, &late), FN_KEYS_OPENED);
    fn_receive_keys_tick(&receive, 1000 + SETTLE);
    assert_int_equal(receive.previous_until_ns, FN_NEVER);
    assert_int_equal(open_packet(&receive, &late), FN_KEYS_FAILED);
    static const uint8_t nothing[sizeof receive.previous];
    assert_memory_equal(&receive.previous, nothing, sizeof nothing);
}

static void a_sender_flips_when_it_may_and_has_to(void **state)
{
    (void)state;
    static const struct {
        uint64_t sealed;
        uint64_t flips;
        uint64_t age_ns;
        bool confirmed;
        bool wants;
    } rows[] = {
        {100, 0, 0, true, true},
        {99, 0, 0, true, false},
        {100, 0, 0, false, false},
        {1, 0, FN_NS_PER_S, true, true},
        {1, 0, FN_NS_PER_S - 1, true, false},
        {0, 0, FN_NS_PER_S, true, false},
        {100, 1, SETTLE, true, true},
        {100, 1, SETTLE - 1, true, false},
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(rows); i++) {
        fn_send_keys keys = {.sealed = rows[i].sealed,
                             .flips = rows[i].flips,
                             .since_ns = 50,
                             .confirmed = rows[i].confirmed};
        bool wants =
            fn_send_keys_wants_update(&keys, 100, FN_NS_PER_S, SETTLE, 50 + rows[i].age_ns);
        assert_int_equal(wants, rows[i].wants);
    }
}

static void only_its_own_phase_confirms_a_flip(void **state)
{
    (void)state;
    fn_send_keys keys;
    fn_send_keys_init(&keys, secret, 0);
    fn_send_keys_on_acked(&keys, 3);
    assert_true(keys.confirmed);
    fn_send_keys_update(&keys, 10, 0);
    assert_false(keys.confirmed);
    fn_send_keys_on_acked(&keys, 9);
    assert_false(keys.confirmed);
    fn_send_keys_on_acked(&keys, 10);
    assert_true(keys.confirmed);
}

static void wiped_keys_hold_no_secret(void **state)
{
    (void)state;
    fn_send_keys send;
    fn_receive_keys receive;
    start(&send, &receive);
    fn_send_keys_wipe(&send);
    fn_receive_keys_wipe(&receive);
    static const uint8_t nothing[sizeof receive + sizeof send];
    assert_memory_equal(&send, nothing, sizeof send);
    assert_memory_equal(&receive, nothing, sizeof receive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s4_key_update_agrees_over_many_phases),
        cmocka_unit_test(packets_around_a_flip_open_in_any_order),
        cmocka_unit_test(a_flip_before_anything_was_acknowledged_is_refused),
        cmocka_unit_test(forged_flips_change_nothing),
        cmocka_unit_test(the_previous_key_is_erased_in_time),
        cmocka_unit_test(a_sender_flips_when_it_may_and_has_to),
        cmocka_unit_test(only_its_own_phase_confirms_a_flip),
        cmocka_unit_test(wiped_keys_hold_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
