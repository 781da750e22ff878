#include "io/shard_steering.h"

#include <stdio.h>

#include "base/bytes.h"
#include "io/tcp.h"
#include "io/test_support.h"

enum {
    SOCKETS_MAX = 8,
    NUMBER_AT = 1,
    LONG_ENOUGH = 30,
};

typedef struct group {
    fn_udp sockets[SOCKETS_MAX];
    uint32_t count;
    uint32_t bits;
    fn_udp sender;
    fn_address target;
} group;

static const fn_address any;

static uint32_t bits_for(uint32_t count)
{
    uint32_t bits = 1;
    while (UINT32_C(1) << bits < count)
        bits++;
    return bits;
}

static void open_sockets(group *all, const char *host, uint32_t count)
{
    fn_udp_options options = {.local = test_address(host)};
    all->count = count;
    for (uint32_t i = 0; i < count; i++) {
        options.port_use = i == 0 ? FN_PORT_FIRST : FN_PORT_JOIN;
        assert_int_equal(fn_udp_open(&all->sockets[i], &options, NULL), FASTNET_OK);
        fn_address local;
        assert_int_equal(fn_udp_local(&all->sockets[i], &local, NULL), FASTNET_OK);
        options.local.port = local.port;
    }
}

/* Sockets bound to `bound`, and a sender to `target` on their port. */
static group open_group(const char *bound, const char *target, uint32_t count)
{
    group all = {.bits = bits_for(count), .target = test_address(target)};
    fn_udp_options options = {.local = test_address(bound)};
    fn_address local;
    open_sockets(&all, bound, count);
    assert_int_equal(fn_udp_open(&all.sender, &options, NULL), FASTNET_OK);
    assert_int_equal(fn_udp_local(&all.sockets[0], &local, NULL), FASTNET_OK);
    all.target.port = local.port;
    fn_steering steering = {.sockets = count,
                            .bits = all.bits,
                            .offset = NUMBER_AT,
                            .first_mask = 0xf0,
                            .first_value = 0xc0};
    fn_io_error error = {0};
    if (fn_steering_attach(&all.sockets[count / 2], &steering, &error) != FASTNET_OK)
        fail_msg("%s", error.text);
    return all;
}

static void close_group(group *all)
{
    for (uint32_t i = 0; i < all->count; i++)
        fn_udp_close(&all->sockets[i]);
    fn_udp_close(&all->sender);
}

/* On loopback a datagram has arrived when the call that sent it returns. */
static uint32_t where_it_goes(group *all, uint8_t *data, uint32_t bytes)
{
    fn_datagram datagram = {.address = all->target, .data = data, .length = bytes};
    uint32_t found = UINT32_MAX;
    assert_int_equal(fn_udp_send(&all->sender, &datagram, 1), 1);
    for (uint32_t i = 0; i < all->count; i++) {
        uint8_t buffer[64];
        fn_datagram received = {.data = buffer, .capacity = sizeof buffer};
        if (!fn_udp_receive_next(&all->sockets[i], &received))
            continue;
        assert_int_equal(found, UINT32_MAX);
        assert_int_equal(received.length, bytes);
        found = i;
    }
    return found;
}

static uint32_t expected(const group *all, uint32_t first, uint32_t number, uint32_t bytes)
{
    uint32_t top = number >> (32 - all->bits);
    bool meant = (first & 0xf0) == 0xc0 && bytes >= NUMBER_AT + sizeof number;
    return meant && top < all->count ? top : 0;
}

static void check(group *all, uint32_t first, uint32_t number, uint32_t bytes)
{
    uint8_t data[LONG_ENOUGH] = {0};
    data[0] = (uint8_t)first;
    fn_store_be32(data + NUMBER_AT, number);
    uint32_t found = where_it_goes(all, data, bytes);
    if (found != expected(all, first, number, bytes))
        fail_msg("%u sockets: first byte %02x, number %08x, %u bytes went to %d, not to %u",
                 (unsigned)all->count, (unsigned)first, (unsigned)number, (unsigned)bytes,
                 (int)found, (unsigned)expected(all, first, number, bytes));
}

static bool supported(void)
{
    if (!fn_steering_supported())
        print_message("this backend steers nothing\n");
    return fn_steering_supported();
}

static void numbers_name_sockets(void **state)
{
    static const char *const hosts[][2] = {
        {"127.0.0.1", "127.0.0.1"},
        {"127.9.0.1", "127.9.0.1"},
        {"0.0.0.0", "127.3.2.1"},
        {"::", "127.0.0.1"},
        {"::", "::1"},
    };
    (void)state;
    for (size_t host = 0; supported() && host < COUNT_OF(hosts); host++) {
        for (uint32_t count = 2; count <= SOCKETS_MAX; count++) {
            group all = open_group(hosts[host][0], hosts[host][1], count);
            for (uint32_t top = 0; top < UINT32_C(1) << all.bits; top++) {
                uint32_t lowest = top << (32 - all.bits);
                check(&all, 0xc0, lowest, LONG_ENOUGH);
                check(&all, 0xcf, lowest | (UINT32_MAX >> all.bits), LONG_ENOUGH);
            }
            close_group(&all);
        }
    }
}

static void all_else_goes_to_the_first(void **state)
{
    (void)state;
    if (!supported())
        return;
    group all = open_group("127.0.0.1", "127.0.0.1", 4);
    for (uint32_t first = 0; first < 256; first++)
        check(&all, first, UINT32_C(2) << 30, LONG_ENOUGH);
    for (uint32_t bytes = 0; bytes <= LONG_ENOUGH; bytes++)
        check(&all, 0xc4, UINT32_C(3) << 30, bytes);
    close_group(&all);
}

static void a_missing_program_is_said(void **state)
{
    (void)state;
    fn_io_error error = {0};
    fn_udp alone;
    fn_udp_options options = {.local = test_address("127.0.0.1")};
    fn_steering steering = {.sockets = 2, .bits = 1, .offset = 1};
    assert_int_equal(fn_udp_open(&alone, &options, NULL), FASTNET_OK);
    int code = fn_steering_attach(&alone, &steering, &error);
    assert_int_equal(code, fn_steering_supported() ? FASTNET_ERR_SYSTEM : FASTNET_ERR_UNSUPPORTED);
    assert_true(error.text[0] != '\0');
    fn_udp_close(&alone);
}

static void listeners_share_a_port(void **state)
{
    enum { CLIENTS = 64 };
    (void)state;
    fn_tcp_listener listeners[2], third;
    fn_address local;
    fn_tcp_listen_options options = {.local = test_address("127.4.0.1"), .port_use = FN_PORT_FIRST};
    uint32_t accepted[2] = {0};
    assert_int_equal(fn_tcp_listen(&listeners[0], &options, NULL), FASTNET_OK);
    assert_int_equal(fn_tcp_listener_local(&listeners[0], &local, NULL), FASTNET_OK);
    options.local.port = local.port;
    assert_int_equal(fn_tcp_listen(&third, &options, NULL), FASTNET_ERR_ADDRESS);
    options.port_use = FN_PORT_JOIN;
    assert_int_equal(fn_tcp_listen(&listeners[1], &options, NULL), FASTNET_OK);
    for (int i = 0; i < CLIENTS; i++) {
        fn_tcp client, server;
        fn_address peer;
        assert_int_equal(fn_tcp_connect(&client, &local, &any, NULL), FASTNET_OK);
        test_wait(client.handle, POLLOUT);
        for (int which = 0; which < 2; which++) {
            if (fn_tcp_accept(&listeners[which], &server, &peer) != FN_TCP_OK)
                continue;
            accepted[which]++;
            fn_tcp_abort(&server);
        }
        fn_tcp_abort(&client);
    }
    assert_int_equal(accepted[0] + accepted[1], CLIENTS);
    /* One in 2^63 runs gives all to one of them. */
    if (fn_steering_supported())
        assert_true(accepted[0] > 0 && accepted[1] > 0);
    fn_tcp_listener_close(&listeners[0]);
    fn_tcp_listener_close(&listeners[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_name_sockets),
        cmocka_unit_test(all_else_goes_to_the_first),
        cmocka_unit_test(a_missing_program_is_said),
        cmocka_unit_test(listeners_share_a_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
