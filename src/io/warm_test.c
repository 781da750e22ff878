#include "io/warm.h"

#include "io/test_support.h"

static void beats_come_back(void **state)
{
    fn_warm warm;
    (void)state;
    assert_int_equal(fn_warm_open(&warm, NULL), FASTNET_OK);
    for (int i = 0; i < 100; i++)
        assert_true(fn_warm_beat(&warm));
    assert_int_equal(warm.from.counters.sent, 100);
    assert_int_equal(warm.to.counters.received, 100);
    fn_warm_close(&warm);
    fn_warm_close(&warm);
}

/* Nobody else can put anything into the sockets: what a stranger sends is not there. */
static void strangers_are_not_heard(void **state)
{
    fn_warm warm;
    fn_udp stranger;
    fn_udp_options options = {.local = test_address("127.0.0.1")};
    uint8_t byte = 1;
    (void)state;
    assert_int_equal(fn_warm_open(&warm, NULL), FASTNET_OK);
    assert_int_equal(fn_udp_open(&stranger, &options, NULL), FASTNET_OK);
    fn_datagram datagram = {.data = &byte, .length = 1, .capacity = 1};
    assert_int_equal(fn_udp_local(&warm.to, &datagram.address, NULL), FASTNET_OK);
    fn_udp_send(&stranger, &datagram, 1);
    assert_true(fn_warm_beat(&warm));
    assert_false(fn_udp_receive_next(&warm.to, &datagram));
    assert_int_equal(warm.to.counters.received, 1);
    fn_udp_close(&stranger);
    fn_warm_close(&warm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beats_come_back),
        cmocka_unit_test(strangers_are_not_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
