#include "io/warm.h"

#include <string.h>

#include "io/test_support.h"

static uint8_t buffer[64];

static bool carries(fn_warm *warm, uint32_t from, const char *text)
{
    fn_datagram in = {.data = buffer, .capacity = sizeof buffer};
    uint32_t bytes = (uint32_t)strlen(text);
    return fn_warm_carry(warm, from, (const uint8_t *)text, bytes, &in) && in.length == bytes &&
           memcmp(buffer, text, bytes) == 0;
}

static void each_end_hears_the_other(void **state)
{
    fn_warm warm;
    (void)state;
    assert_int_equal(fn_warm_open(&warm, NULL), FASTNET_OK);
    for (int i = 0; i < 100; i++) {
        assert_true(carries(&warm, 0, "there"));
        assert_true(carries(&warm, 1, "and back"));
    }
    for (int end = 0; end < 2; end++) {
        assert_int_equal(warm.ends[end].counters.sent, 100);
        assert_int_equal(warm.ends[end].counters.received, 100);
    }
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
    assert_int_equal(fn_udp_local(&warm.ends[1], &datagram.address, NULL), FASTNET_OK);
    fn_udp_send(&stranger, &datagram, 1);
    assert_true(carries(&warm, 0, "x"));
    assert_false(fn_udp_receive_next(&warm.ends[1], &datagram));
    assert_int_equal(warm.ends[1].counters.received, 1);
    fn_udp_close(&stranger);
    fn_warm_close(&warm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_hears_the_other),
        cmocka_unit_test(strangers_are_not_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
