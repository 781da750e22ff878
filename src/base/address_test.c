#include "base/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static fn_address parsed(const char *text)
{
    fn_address address;
    assert_true(fn_address_parse_host(text, &address));
    return address;
}

static void valid_hosts_have_one_text_form(void **state)
{
    static const struct {
        const char *text, *canonical;
    } rows[] = {
        {"1.2.3.4", "1.2.3.4"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"0:0:0:0:0:0:0:1", "::1"},
        {"2001:DB8::00ab", "2001:db8::ab"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"::ffff:1.2.3.4", "1.2.3.4"},
        {"::ffff:102:304", "1.2.3.4"},
        {"64:ff9b::192.0.2.1", "64:ff9b::c000:201"},
        {"1:2:3:4:5:6:7.8.9.10", "1:2:3:4:5:6:708:90a"},
        {"fe80::1%7", "fe80::1%7"},
        {"2001:db8::1%7", "2001:db8::1"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[FN_ADDRESS_TEXT_BYTES];
        fn_address address = parsed(rows[i].text);
        assert_int_equal(fn_address_format_host(&address, text), strlen(rows[i].canonical));
        assert_string_equal(text, rows[i].canonical);
        fn_address again = parsed(text);
        assert_memory_equal(&address, &again, sizeof address);
    }
}

static void invalid_hosts_are_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "256.0.0.1",
        "01.2.3.4",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.",
        "1..2.3",
        "-1.2.3.4",
        "a.b.c.d",
        ":",
        ":::",
        "1::2::3",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8:",
        ":1:2:3:4:5:6:7:8",
        "12345::",
        "g::",
        "1.2.3.4::",
        "::1.2.3.4:5",
        "::1.2.3",
        "[::1]",
        "::1%",
        "::1%x",
        "fe80::1%4294967296",
        "1:2:3:4:5:6:7:1.2.3.4",
        "1:2:3:4:5:6:7:8::",
        "localhost",
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fn_address address, before;
        memset(&address, 0x5a, sizeof address);
        before = address;
        if (fn_address_parse_host(rows[i], &address))
            fail_msg("'%s' was accepted", rows[i]);
        assert_memory_equal(&address, &before, sizeof address);
    }
}

static void an_interface_may_be_named(void **state)
{
    static const struct {
        const char *text, *name; /* NULL: refused */
        uint32_t scope_id;
    } rows[] = {
        {"fe80::1%eth0", "eth0", 0},
        {"fe80::1%br-0.1_a", "br-0.1_a", 0},
        {"fe80::1%4g0", "4g0", 0},
        {"fe80::1%7", "", 7},
        {"fe80::1", "", 0},
        {"1.2.3.4", "", 0},
        {"fe80::1%", NULL, 0},
        {"fe80::1%eth0%1", NULL, 0},
        {"fe80::1%eth 0", NULL, 0},
        {"1.2.3.4%eth0", NULL, 0},
        {"fe80::1%a2345678901234567890123456789012", NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fn_address address;
        char name[FN_INTERFACE_NAME_BYTES];
        if (fn_address_parse_named(rows[i].text, &address, name) != (rows[i].name != NULL))
            fail_msg("'%s'", rows[i].text);
        if (rows[i].name == NULL)
            continue;
        assert_string_equal(name, rows[i].name);
        assert_int_equal(address.scope_id, rows[i].scope_id);
    }
}

static void a_port_may_stand_alone(void **state)
{
    (void)state;
    uint16_t port = 1;
    assert_int_equal(fn_address_parse_port("65535", &port), FN_ADDRESS_OK);
    assert_int_equal(port, 65535);
    static const char *const bad[] = {"", "0", "65536", "7x", "-1", " 7"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(fn_address_parse_port(bad[i], &port), FN_ADDRESS_PORT);
    assert_int_equal(port, 65535);
}

static void host_and_port_are_split(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t default_port, port;
        fn_address_error error;
    } rows[] = {
        {"play.example.com:7777", "play.example.com", 0, 7777, FN_ADDRESS_OK},
        {"play.example.com", "play.example.com", 7777, 7777, FN_ADDRESS_OK},
        {"play_1-2.example.", "play_1-2.example.", 1, 1, FN_ADDRESS_OK},
        {"1.2.3.4:1", "1.2.3.4", 9, 1, FN_ADDRESS_OK},
        {"::1", "::1", 9, 9, FN_ADDRESS_OK},
        {"[::1]", "::1", 9, 9, FN_ADDRESS_OK},
        {"[::1]:65535", "::1", 9, 65535, FN_ADDRESS_OK},
        {"[fe80::1%3]:5", "fe80::1%3", 9, 5, FN_ADDRESS_OK},
        {"[fe80::1%eth0]:5", "fe80::1%eth0", 9, 5, FN_ADDRESS_OK},
        {"fe80::1%eth0", "fe80::1%eth0", 9, 9, FN_ADDRESS_OK},
        {"[fe80::1%e h]:5", NULL, 9, 0, FN_ADDRESS_NOT_IPV6},
        {"[fe80::1%]:5", NULL, 9, 0, FN_ADDRESS_NOT_IPV6},
        {"a:0080", "a", 9, 80, FN_ADDRESS_OK},
        {"", NULL, 9, 0, FN_ADDRESS_EMPTY},
        {":80", NULL, 9, 0, FN_ADDRESS_EMPTY},
        {"host", NULL, 0, 0, FN_ADDRESS_NO_PORT},
        {"[::1]", NULL, 0, 0, FN_ADDRESS_NO_PORT},
        {"host:", NULL, 9, 0, FN_ADDRESS_PORT},
        {"host:0", NULL, 9, 0, FN_ADDRESS_PORT},
        {"host:65536", NULL, 9, 0, FN_ADDRESS_PORT},
        {"host:99999999999999999999", NULL, 9, 0, FN_ADDRESS_PORT},
        {"host:+1", NULL, 9, 0, FN_ADDRESS_PORT},
        {"host:80x", NULL, 9, 0, FN_ADDRESS_PORT},
        {"[::1", NULL, 9, 0, FN_ADDRESS_BRACKET},
        {"[::1]80", NULL, 9, 0, FN_ADDRESS_AFTER_BRACKET},
        {"[]:80", NULL, 9, 0, FN_ADDRESS_NOT_IPV6},
        {"[1.2.3.4]:80", NULL, 9, 0, FN_ADDRESS_NOT_IPV6},
        {"[host]:80", NULL, 9, 0, FN_ADDRESS_NOT_IPV6},
        {"a:b:c", NULL, 9, 0, FN_ADDRESS_NOT_IPV6},
        {"https://host", NULL, 9, 0, FN_ADDRESS_PORT},
        {"host/path", NULL, 9, 0, FN_ADDRESS_HOST},
        {"two words", NULL, 9, 0, FN_ADDRESS_HOST},
        {"line\n:80", NULL, 9, 0, FN_ADDRESS_HOST},
        {"a2345678901234567890123456789012", NULL, 9, 0, FN_ADDRESS_TOO_LONG},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char host[32] = "untouched";
        uint16_t port = 4242;
        fn_address_error error = fn_address_split_host_port(rows[i].text, rows[i].default_port,
                                                            host, sizeof host, &port);
        if (error != rows[i].error)
            fail_msg("'%s' %s", rows[i].text, fn_address_error_text(error));
        assert_string_equal(host, rows[i].host ? rows[i].host : "untouched");
        assert_int_equal(port, rows[i].host ? rows[i].port : 4242);
    }
}

static void numeric_endpoints_parse_and_format(void **state)
{
    static const char *const same[] = {"1.2.3.4:7777", "[::1]:7777", "[fe80::1%2]:1"};
    fn_address address;
    char text[FN_ADDRESS_TEXT_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_int_equal(fn_address_parse(same[i], 0, &address), FN_ADDRESS_OK);
        assert_int_equal(fn_address_format(&address, text), strlen(same[i]));
        assert_string_equal(text, same[i]);
    }
    assert_int_equal(fn_address_parse("localhost:1", 0, &address), FN_ADDRESS_NOT_NUMERIC);
    assert_int_equal(fn_address_parse("::1", 5, &address), FN_ADDRESS_OK);
    assert_int_equal(address.port, 5);
}

static void longest_text_fits(void **state)
{
    char text[FN_ADDRESS_TEXT_BYTES];
    fn_address address;
    (void)state;
    memset(&address, 0xff, sizeof address);
    address.ip[1] = 0x02;
    assert_int_equal(fn_address_format(&address, text), 58);
    assert_string_equal(text, "[ff02:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
}

static void mapped_and_plain_ipv4_are_the_same_value(void **state)
{
    fn_address plain = parsed("10.1.2.3"), mapped = parsed("::ffff:10.1.2.3");
    fn_address raw = fn_address_from_ipv6(plain.ip, 9, 0);
    (void)state;
    assert_true(fn_address_equal(&plain, &mapped));
    assert_true(fn_address_equal(&plain, &raw));
    assert_true(fn_address_is_v4(&mapped));
    assert_memory_equal(&plain, &raw, sizeof raw);
}

static void order_is_total(void **state)
{
    fn_address sorted[] = {parsed("::"),      parsed("1.2.3.4"),   parsed("1.2.3.4"),
                           parsed("1.2.3.5"), parsed("fe80::1%1"), parsed("fe80::1%2")};
    size_t count = sizeof sorted / sizeof sorted[0];
    (void)state;
    sorted[2].port = 1;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            int order = fn_address_compare(&sorted[i], &sorted[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
            assert_int_equal(fn_address_equal(&sorted[i], &sorted[j]), i == j);
        }
    assert_true(fn_address_same_host(&sorted[1], &sorted[2]));
    assert_false(fn_address_same_host(&sorted[4], &sorted[5]));
}

static void kinds_are_recognised(void **state)
{
    static const struct {
        const char *text;
        bool v4, loopback, any;
    } rows[] = {
        {"127.0.0.1", true, true, false},  {"127.255.0.9", true, true, false},
        {"128.0.0.1", true, false, false}, {"::1", false, true, false},
        {"::2", false, false, false},      {"0.0.0.0", true, false, true},
        {"::", false, false, true},        {"::127.0.0.1", false, false, false},
        {"1::1", false, false, false},     {"::1:1", false, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fn_address address = parsed(rows[i].text);
        assert_int_equal(fn_address_is_v4(&address), rows[i].v4);
        assert_int_equal(fn_address_is_loopback(&address), rows[i].loopback);
        assert_int_equal(fn_address_is_any(&address), rows[i].any);
    }
    fn_address v4 = fn_address_any(true, 5), v6 = fn_address_any(false, 5);
    assert_true(fn_address_is_any(&v4) && fn_address_is_v4(&v4) && v4.port == 5);
    assert_true(fn_address_is_any(&v6) && !fn_address_is_v4(&v6) && v6.port == 5);
}

static uint64_t prefix(const char *text)
{
    fn_address address = parsed(text);
    return fn_address_prefix(&address);
}

static void prefix_is_the_host_in_v4_and_the_64_in_v6(void **state)
{
    (void)state;
    assert_int_equal(prefix("1.2.3.4"), UINT64_C(0x0000ffff01020304));
    assert_int_equal(prefix("::ffff:1.2.3.4"), prefix("1.2.3.4"));
    assert_int_not_equal(prefix("1.2.3.5"), prefix("1.2.3.4"));
    assert_int_equal(prefix("2001:db8:1:2::1"), UINT64_C(0x20010db800010002));
    assert_int_equal(prefix("2001:db8:1:2:ffff::9"), prefix("2001:db8:1:2::1"));
    assert_int_not_equal(prefix("2001:db8:1:3::1"), prefix("2001:db8:1:2::1"));
    assert_int_not_equal(prefix("::1"), prefix("0.0.0.0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_hosts_have_one_text_form),
        cmocka_unit_test(invalid_hosts_are_refused),
        cmocka_unit_test(an_interface_may_be_named),
        cmocka_unit_test(a_port_may_stand_alone),
        cmocka_unit_test(host_and_port_are_split),
        cmocka_unit_test(numeric_endpoints_parse_and_format),
        cmocka_unit_test(longest_text_fits),
        cmocka_unit_test(mapped_and_plain_ipv4_are_the_same_value),
        cmocka_unit_test(order_is_total),
        cmocka_unit_test(kinds_are_recognised),
        cmocka_unit_test(prefix_is_the_host_in_v4_and_the_64_in_v6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
