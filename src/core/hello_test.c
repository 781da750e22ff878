#include "core/hello.h"

#include "base/bytes.h"
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const fn_limits limits = {.message_bytes_max = 262144,
                                 .receive_window_bytes = 1048576,
                                 .replay_window_packets = 4096,
                                 .message_window = 1024,
                                 .idle_timeout_ms = 30000,
                                 .datagram_bytes_max = 1452};

/* The limits above as PROTOCOL.md section 3 lays them out. */
static const uint8_t limits_bytes[24] = {0, 4, 0, 0, 0, 0x10, 0,    0,    0, 0, 0x10, 0,
                                         0, 0, 4, 0, 0, 0,    0x75, 0x30, 0, 0, 0x05, 0xac};

static fn_hello make_hello(void)
{
    fn_hello hello = {.versions = {1, 0x0203},
                      .version_count = 2,
                      .application_id = (const uint8_t *)"game",
                      .application_id_bytes = 4,
                      .application_build = 0x01020304,
                      .receiver_id = 0xa1a2a3a4,
                      .limits = limits,
                      .token = (const uint8_t *)"tok",
                      .token_bytes = 3};
    memset(hello.channel_table_hash, 0xcc, sizeof hello.channel_table_hash);
    return hello;
}

/* Written by hand from the table in PROTOCOL.md. */
static size_t make_hello_bytes(uint8_t out[256])
{
    static const uint8_t start[] = {2,   0, 1, 2, 3, 4,    'g',  'a',  'm',
                                    'e', 1, 2, 3, 4, 0xa1, 0xa2, 0xa3, 0xa4};
    static const uint8_t end[] = {0, 3, 't', 'o', 'k'};
    memcpy(out, start, sizeof start);
    memcpy(out + sizeof start, limits_bytes, 24);
    memset(out + sizeof start + 24, 0xcc, 32);
    memcpy(out + sizeof start + 56, end, sizeof end);
    return sizeof start + 56 + sizeof end;
}

static void hello_is_the_table_of_the_protocol(void **state)
{
    (void)state;
    uint8_t expected[256], out[256];
    size_t expected_bytes = make_hello_bytes(expected);
    fn_hello hello = make_hello();
    fn_writer writer = fn_writer_make(out, sizeof out);
    fn_hello_encode(&writer, &hello);
    assert_false(writer.failed);
    assert_int_equal(fn_writer_bytes(&writer), expected_bytes);
    assert_memory_equal(out, expected, expected_bytes);

    fn_hello back;
    fn_failure failure;
    assert_int_equal(fn_hello_decode(expected, expected_bytes, &back, &failure), FASTNET_OK);
    assert_int_equal(back.version_count, 2);
    assert_int_equal(back.versions[1], 0x0203);
    assert_int_equal(back.application_id_bytes, 4);
    assert_memory_equal(back.application_id, "game", 4);
    assert_int_equal(back.application_build, 0x01020304);
    assert_int_equal(back.receiver_id, 0xa1a2a3a4);
    assert_memory_equal(&back.limits, &limits, sizeof limits);
    assert_int_equal(back.token_bytes, 3);
    assert_ptr_equal(back.token, expected + expected_bytes - 3);
    assert_true(fn_hello_offers(&back, 0x0203));
    assert_false(fn_hello_offers(&back, 2));
}

typedef int (*decode_any)(const uint8_t *, size_t, fn_failure *);

static int decode_hello(const uint8_t *body, size_t bytes, fn_failure *failure)
{
    fn_hello out;
    return fn_hello_decode(body, bytes, &out, failure);
}

static int decode_welcome(const uint8_t *body, size_t bytes, fn_failure *failure)
{
    fn_welcome out;
    return fn_welcome_decode(body, bytes, &out, failure);
}

static int decode_reject(const uint8_t *body, size_t bytes, fn_failure *failure)
{
    fn_reject out;
    return fn_reject_decode(body, bytes, &out, failure);
}

static void assert_malformed(decode_any decode, const uint8_t *body, size_t bytes)
{
    /* On the heap and exactly as long as it says, so that ASan sees every step too far. */
    uint8_t *copy = test_malloc(bytes > 0 ? bytes : 1);
    fn_failure failure = {.code = FASTNET_OK};
    memcpy(copy, body, bytes);
    assert_int_equal(decode(copy, bytes, &failure), FASTNET_ERR_PROTOCOL);
    assert_int_equal(failure.code, FASTNET_ERR_PROTOCOL);
    assert_true(strlen(failure.text) > 0);
    test_free(copy);
}

static void assert_good(decode_any decode, const uint8_t *body, size_t bytes)
{
    fn_failure failure = {.code = FASTNET_OK};
    assert_int_equal(decode(body, bytes, &failure), FASTNET_OK);
}

/* All prefixes, and 1 to 3 bytes too many (too few for an extension's head). */
static void assert_exact(decode_any decode, const uint8_t *body, size_t bytes)
{
    uint8_t longer[4096] = {0};
    assert_good(decode, body, bytes);
    for (size_t cut = 0; cut < bytes; cut++)
        assert_malformed(decode, body, cut);
    memcpy(longer, body, bytes);
    for (size_t extra = 1; extra < 4; extra++)
        assert_malformed(decode, longer, bytes + extra);
}

static size_t make_welcome_bytes(uint8_t out[256])
{
    static const uint8_t start[] = {0,    1,    0,    1,    0, 7,   0xb1, 0xb2,
                                    0xb3, 0xb4, 0x1e, 0x61, 3, 'h', '.',  'x'};
    memcpy(out, start, sizeof start);
    memcpy(out + sizeof start, limits_bytes, 24);
    return sizeof start + 24;
}

static void welcome_is_the_table_of_the_protocol(void **state)
{
    (void)state;
    uint8_t expected[256], out[256];
    size_t expected_bytes = make_welcome_bytes(expected);
    fn_welcome welcome = {.version = 1,
                          .peer_id = 0x00010007,
                          .receiver_id = 0xb1b2b3b4,
                          .udp_port = 7777,
                          .udp_host = (const uint8_t *)"h.x",
                          .udp_host_bytes = 3,
                          .limits = limits};
    fn_writer writer = fn_writer_make(out, sizeof out);
    fn_welcome_encode(&writer, &welcome);
    assert_int_equal(fn_writer_bytes(&writer), expected_bytes);
    assert_memory_equal(out, expected, expected_bytes);

    fn_welcome back;
    assert_int_equal(fn_welcome_decode(out, expected_bytes, &back, NULL), FASTNET_OK);
    assert_int_equal(back.peer_id, 0x00010007);
    assert_int_equal(back.receiver_id, 0xb1b2b3b4);
    assert_int_equal(back.udp_port, 7777);
    assert_int_equal(back.udp_host_bytes, 3);
    assert_memory_equal(&back.limits, &limits, sizeof limits);
}

static void reject_is_the_table_of_the_protocol(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0, 0, 0, 12, 0xde, 0xad, 0xbe, 0xef, 0, 2, 'n', 'o'};
    uint8_t out[64];
    fn_reject reject = {
        .result = 12, .app_code = 0xdeadbeef, .text = (const uint8_t *)"no", .text_bytes = 2};
    fn_writer writer = fn_writer_make(out, sizeof out);
    fn_reject_encode(&writer, &reject);
    assert_int_equal(fn_writer_bytes(&writer), sizeof expected);
    assert_memory_equal(out, expected, sizeof expected);
    fn_reject back;
    assert_int_equal(fn_reject_decode(out, sizeof expected, &back, NULL), FASTNET_OK);
    assert_int_equal(back.app_code, 0xdeadbeef);
    assert_int_equal(fn_reject_code(&back), FASTNET_ERR_REJECTED);
}

static void s7_every_cut_and_every_extra_byte_is_refused(void **state)
{
    (void)state;
    uint8_t body[256];
    size_t bytes = make_hello_bytes(body);
    assert_exact(decode_hello, body, bytes);
    bytes = make_welcome_bytes(body);
    assert_exact(decode_welcome, body, bytes);
    static const uint8_t reject[] = {0, 0, 0, 13, 0, 0, 0, 0, 0, 1, 'x'};
    assert_exact(decode_reject, reject, sizeof reject);
}

static void s7_hello_version_count(void **state)
{
    (void)state;
    for (unsigned count = 0; count <= 255; count++) {
        uint8_t body[1024] = {0}, tail[256];
        size_t tail_bytes = make_hello_bytes(tail) - 5; /* without count and versions */
        body[0] = (uint8_t)count;
        memcpy(body + 1 + 2 * count, tail + 5, tail_bytes);
        if (count >= 1 && count <= 8)
            assert_good(decode_hello, body, 1 + 2 * count + tail_bytes);
        else
            assert_malformed(decode_hello, body, 1 + 2 * count + tail_bytes);
    }
}

static void s7_hello_application_id_length(void **state)
{
    (void)state;
    for (unsigned bytes = 0; bytes <= 255; bytes++) {
        uint8_t body[1024] = {1, 0, 1, (uint8_t)bytes}, hello[256];
        size_t rest = make_hello_bytes(hello) - 10;
        memcpy(body + 4 + bytes, hello + 10, rest);
        if (bytes <= 64)
            assert_good(decode_hello, body, 4 + bytes + rest);
        else
            assert_malformed(decode_hello, body, 4 + bytes + rest);
    }
}

static void s7_hello_token_length(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 2047, 2048, 2049, 2050, 3000};
    uint8_t body[4096];
    for (size_t i = 0; i < FN_ARRAY_COUNT(lengths); i++) {
        memset(body, 0, sizeof body);
        size_t at = make_hello_bytes(body) - 5;
        fn_store_be16(body + at, (uint16_t)lengths[i]);
        if (lengths[i] <= 2048)
            assert_good(decode_hello, body, at + 2 + lengths[i]);
        else
            assert_malformed(decode_hello, body, at + 2 + lengths[i]);
    }
    /* A length that points beyond the end. */
    memset(body, 0, sizeof body);
    size_t at = make_hello_bytes(body) - 5;
    fn_store_be16(body + at, 0xffff);
    assert_malformed(decode_hello, body, at + 2 + 100);
}

static void s7_welcome_host_length_and_bytes(void **state)
{
    (void)state;
    for (unsigned bytes = 0; bytes <= 255; bytes++) {
        uint8_t body[512], welcome[256];
        make_welcome_bytes(welcome);
        memcpy(body, welcome, 12);
        body[12] = (uint8_t)bytes;
        memset(body + 13, 'a', bytes);
        memcpy(body + 13 + bytes, limits_bytes, 24);
        assert_good(decode_welcome, body, 13 + bytes + 24);
        assert_malformed(decode_welcome, body, 13 + bytes + 23);
    }
    uint8_t body[256];
    size_t bytes = make_welcome_bytes(body);
    for (unsigned value = 0; value <= 255; value++) {
        body[14] = (uint8_t)value;
        if (value > 0x20 && value < 0x7f)
            assert_good(decode_welcome, body, bytes);
        else
            assert_malformed(decode_welcome, body, bytes);
    }
}

static void s7_reject_text_length(void **state)
{
    (void)state;
    uint8_t body[1024] = {0};
    for (unsigned bytes = 0; bytes <= 600; bytes++) {
        fn_store_be16(body + 8, (uint16_t)bytes);
        if (bytes <= 256)
            assert_good(decode_reject, body, 10 + bytes);
        else
            assert_malformed(decode_reject, body, 10 + bytes);
    }
}

static void s7_extension_length(void **state)
{
    (void)state;
    uint8_t body[512] = {0};
    size_t bytes = make_hello_bytes(body);
    /* Unknown type 0xabcd with 3 bytes, then type 0 with none. */
    static const uint8_t extensions[] = {0xab, 0xcd, 0, 3, 1, 2, 3, 0, 0, 0, 0};
    memcpy(body + bytes, extensions, sizeof extensions);
    for (size_t extra = 0; extra <= sizeof extensions; extra++) {
        if (extra == 0 || extra == 7 || extra == 11)
            assert_good(decode_hello, body, bytes + extra);
        else
            assert_malformed(decode_hello, body, bytes + extra);
    }
    bytes = make_welcome_bytes(body);
    memcpy(body + bytes, extensions, sizeof extensions);
    assert_good(decode_welcome, body, bytes + sizeof extensions);
    fn_store_be16(body + bytes + 2, 0xffff);
    assert_malformed(decode_welcome, body, bytes + sizeof extensions);
}

static void s7_frame_length_and_type(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 1, 4095, 4096, 4097, 65536, 0x7fffffff, 0xffffffff};
    for (unsigned type = 0; type <= 255; type++) {
        for (size_t i = 0; i < FN_ARRAY_COUNT(lengths); i++) {
            uint8_t header[5] = {(uint8_t)type};
            fn_hello_type found;
            size_t body_bytes;
            fn_failure failure;
            fn_store_be32(header + 1, lengths[i]);
            int code = fn_hello_frame_decode(header, &found, &body_bytes, &failure);
            bool good = type >= 1 && type <= 6 && lengths[i] <= 4096;
            assert_int_equal(code, good ? FASTNET_OK : FASTNET_ERR_PROTOCOL);
            if (good) {
                assert_int_equal(found, type);
                assert_int_equal(body_bytes, lengths[i]);
            }
        }
    }
}

static void welcome_without_a_port_is_refused(void **state)
{
    (void)state;
    uint8_t body[256];
    size_t bytes = make_welcome_bytes(body);
    body[10] = body[11] = 0;
    assert_malformed(decode_welcome, body, bytes);
}

static void frames_carry_type_and_length(void **state)
{
    (void)state;
    uint8_t out[16];
    static const uint8_t expected[] = {3, 0, 0, 0, 2, 0xaa, 0xbb};
    fn_writer writer = fn_writer_make(out, sizeof out);
    fn_hello_frame_begin(&writer);
    fn_write_u16(&writer, 0xaabb);
    fn_hello_frame_end(&writer, FN_HELLO_TYPE_REJECT);
    assert_int_equal(fn_writer_bytes(&writer), sizeof expected);
    assert_memory_equal(out, expected, sizeof expected);
}

static void reject_numbers_map_to_results(void **state)
{
    (void)state;
    for (uint32_t number = 0; number < 40; number++) {
        fn_reject reject = {.result = number};
        bool known = number == 10 || (number >= 13 && number <= 15) || number == 18;
        int expected = known ? -(int)number : -12;
        assert_int_equal(fn_reject_code(&reject), expected);
    }
    fn_reject reject = {.result = UINT32_MAX};
    assert_int_equal(fn_reject_code(&reject), FASTNET_ERR_REJECTED);
}

static void long_reject_text_is_cut_at_a_character(void **state)
{
    (void)state;
    uint8_t text[300], out[512];
    memset(text, 'a', sizeof text);
    memcpy(text + 254, "\xe2\x82\xac", 3); /* the euro sign would end at 257 */
    fn_reject reject = {.result = 12, .text = text, .text_bytes = sizeof text};
    fn_writer writer = fn_writer_make(out, sizeof out);
    fn_reject_encode(&writer, &reject);
    fn_reject back;
    assert_int_equal(fn_reject_decode(out, fn_writer_bytes(&writer), &back, NULL), FASTNET_OK);
    assert_int_equal(back.text_bytes, 254);
    memset(text, 'a', sizeof text);
    memcpy(text + 253, "\xe2\x82\xac", 3);
    assert_int_equal(fn_text_cut(text, sizeof text, 256), 256);
}

typedef struct limits_case {
    fn_limits limits;
    const char *field;
} limits_case;

static void limits_have_ranges(void **state)
{
    (void)state;
    static const limits_case cases[] = {
        {{262144, 1048576, 4096, 1024, 30000, 1452}, NULL},
        {{1, 65, 1024, 64, 0, 1200}, NULL},
        {{1u << 24, UINT32_MAX, 65536, 65536, UINT32_MAX, 65535}, NULL},
        {{0, 65, 1024, 64, 0, 1200}, "message_bytes_max"},
        {{(1u << 24) + 1, UINT32_MAX, 1024, 64, 0, 1200}, "message_bytes_max"},
        {{1, 64, 1024, 64, 0, 1200}, "receive_window_bytes"},
        {{1000, 1063, 1024, 64, 0, 1200}, "receive_window_bytes"},
        {{1000, 1064, 1024, 64, 0, 1200}, NULL},
        {{1, 0, 1024, 64, 0, 1200}, "receive_window_bytes"},
        {{1, 65, 512, 64, 0, 1200}, "replay_window_packets"},
        {{1, 65, 1025, 64, 0, 1200}, "replay_window_packets"},
        {{1, 65, 131072, 64, 0, 1200}, "replay_window_packets"},
        {{1, 65, 0, 64, 0, 1200}, "replay_window_packets"},
        {{1, 65, 1024, 63, 0, 1200}, "message_window"},
        {{1, 65, 1024, 65537, 0, 1200}, "message_window"},
        {{1, 65, 1024, 64, 0, 1199}, "datagram_bytes_max"},
        {{1, 65, 1024, 64, 0, 65536}, "datagram_bytes_max"},
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(cases); i++) {
        const char *field = fn_limits_check(&cases[i].limits);
        if (cases[i].field == NULL)
            assert_null(field);
        else
            assert_string_equal(field, cases[i].field);
    }
}

static void limits_agree_on_both_sides(void **state)
{
    (void)state;
    fn_limits a = {1000, 5000, 1024, 64, 0, 1200};
    fn_limits b = {2000, 9000, 8192, 512, 7000, 1452};
    fn_limits_agreed at_a = fn_limits_agree(&a, &b);
    fn_limits_agreed at_b = fn_limits_agree(&b, &a);
    assert_int_equal(at_a.message_bytes_max, 1000);
    assert_int_equal(at_b.message_bytes_max, 1000);
    assert_int_equal(at_a.idle_timeout_ms, 7000);
    assert_int_equal(at_b.idle_timeout_ms, 7000);
    assert_int_equal(at_a.send_window_bytes, 9000);
    assert_int_equal(at_b.receive_window_bytes, 9000);
    assert_int_equal(at_a.send_packets_max, 4096);
    assert_int_equal(at_b.send_packets_max, 512);
    assert_int_equal(at_b.receive_replay_window_packets, 8192);
    assert_int_equal(at_a.send_message_window, 512);
    assert_int_equal(at_a.receive_message_window, 64);
    assert_int_equal(at_a.send_datagram_bytes_max, 1452);
    assert_int_equal(at_a.receive_datagram_bytes_max, 1200);
    a.idle_timeout_ms = 6000;
    assert_int_equal(fn_limits_agree(&a, &b).idle_timeout_ms, 6000);
    a.idle_timeout_ms = b.idle_timeout_ms = 0;
    assert_int_equal(fn_limits_agree(&a, &b).idle_timeout_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_is_the_table_of_the_protocol),
        cmocka_unit_test(welcome_is_the_table_of_the_protocol),
        cmocka_unit_test(reject_is_the_table_of_the_protocol),
        cmocka_unit_test(s7_every_cut_and_every_extra_byte_is_refused),
        cmocka_unit_test(s7_hello_version_count),
        cmocka_unit_test(s7_hello_application_id_length),
        cmocka_unit_test(s7_hello_token_length),
        cmocka_unit_test(s7_welcome_host_length_and_bytes),
        cmocka_unit_test(s7_reject_text_length),
        cmocka_unit_test(s7_extension_length),
        cmocka_unit_test(s7_frame_length_and_type),
        cmocka_unit_test(welcome_without_a_port_is_refused),
        cmocka_unit_test(frames_carry_type_and_length),
        cmocka_unit_test(reject_numbers_map_to_results),
        cmocka_unit_test(long_reject_text_is_cut_at_a_character),
        cmocka_unit_test(limits_have_ranges),
        cmocka_unit_test(limits_agree_on_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
