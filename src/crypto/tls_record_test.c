#include "crypto/tls_record.h"

#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { STREAM_BYTES = 64 * 1024 };

/* A ClientHello of message_bytes (with its own header), cut into records of record_bytes. */
static size_t make_hello(uint8_t *out, size_t message_bytes, size_t record_bytes)
{
    static uint8_t message[STREAM_BYTES];
    memset(message, 0x5a, sizeof message);
    fn_store_be32(message, (uint32_t)(message_bytes - 4));
    message[0] = 1;
    size_t bytes = 0;
    for (size_t at = 0; at < message_bytes; at += record_bytes) {
        size_t left = message_bytes - at;
        size_t taken = record_bytes < left ? record_bytes : left;
        const uint8_t header[5] = {22, 3, 1, (uint8_t)(taken >> 8), (uint8_t)taken};
        memcpy(out + bytes, header, sizeof header);
        memcpy(out + bytes + sizeof header, message + at, taken);
        bytes += sizeof header + taken;
    }
    return bytes;
}

static uint8_t stream[8 * STREAM_BYTES];

/* Every prefix says MORE, the whole and everything longer says COMPLETE. */
static void test_every_prefix(void **state)
{
    (void)state;
    const size_t cuts[] = {1, 2, 3, 4, 5, 7, 100, 300, 16384};
    for (size_t c = 0; c < sizeof cuts / sizeof cuts[0]; c++) {
        size_t whole = make_hello(stream, 300, cuts[c]);
        for (size_t bytes = 0; bytes < whole; bytes++)
            assert_int_equal(fn_tls_record_complete(stream, bytes), FN_TLS_RECORD_MORE);
        assert_int_equal(fn_tls_record_complete(stream, whole), FN_TLS_RECORD_COMPLETE);
        stream[whole] = 0xff;
        assert_int_equal(fn_tls_record_complete(stream, whole + 1), FN_TLS_RECORD_COMPLETE);
    }
}

static void test_limits(void **state)
{
    (void)state;
    size_t whole = make_hello(stream, FN_TLS_HELLO_BYTES_MAX - 5, 16384);
    assert_int_equal(whole, FN_TLS_HELLO_BYTES_MAX);
    assert_int_equal(fn_tls_record_complete(stream, whole), FN_TLS_RECORD_COMPLETE);
    /* One byte too long is known from the message header on. */
    make_hello(stream, FN_TLS_HELLO_BYTES_MAX - 4, 16384);
    assert_int_equal(fn_tls_record_complete(stream, 8), FN_TLS_RECORD_MORE);
    assert_int_equal(fn_tls_record_complete(stream, 9), FN_TLS_RECORD_GARBAGE);
    /* Tiny records: the wire bytes are bounded, so a buffer of the
     * maximum always gets an answer. */
    make_hello(stream, 8000, 1);
    assert_int_equal(fn_tls_record_complete(stream, FN_TLS_HELLO_BYTES_MAX - 1),
                     FN_TLS_RECORD_MORE);
    assert_int_equal(fn_tls_record_complete(stream, FN_TLS_HELLO_BYTES_MAX), FN_TLS_RECORD_GARBAGE);
}

static void test_garbage_is_known_at_the_first_wrong_byte(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *complaint;
    } rows[] = {
        {"GET / HTTP/1.1\r\n", 16, "HTTP"},
        {"POST /", 6, "HTTP"},
        {"\x15\x03\x03\x00\x02\x02\x28", 7, "alert"},
        {"\x17\x03\x03\x00\x20", 5, "no ClientHello"}, /* application data first */
        {"SSH-2.0-x", 9, "no ClientHello"},
        {"\x80\x2e\x01\x03\x01", 5, "no ClientHello"}, /* SSL 2 hello */
        {"\x16\x02", 2, "no ClientHello"},
        {"\x16\x03\x05", 3, "no ClientHello"},
        {"\x16\x03\x01\x00\x00", 5, "no ClientHello"},         /* empty record */
        {"\x16\x03\x01\x40\x01", 5, "no ClientHello"},         /* record above 2^14 */
        {"\x16\x03\x01\x00\x10\x02", 6, "malformed"},          /* a ServerHello */
        {"\x16\x03\x01\x00\x10\x01\x01\x00\x00", 9, "16 KiB"}, /* 64 KiB hello */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint8_t *bytes = (const uint8_t *)rows[i].bytes;
        assert_int_equal(fn_tls_record_complete(bytes, rows[i].count), FN_TLS_RECORD_GARBAGE);
        assert_non_null(strstr(fn_tls_record_complaint(bytes, rows[i].count), rows[i].complaint));
    }
    /* The type alone is enough: 255 of 256 first bytes end it at once. */
    for (unsigned first = 0; first < 256; first++) {
        const uint8_t byte = (uint8_t)first;
        assert_int_equal(fn_tls_record_complete(&byte, 1),
                         first == 22 ? FN_TLS_RECORD_MORE : FN_TLS_RECORD_GARBAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_garbage_is_known_at_the_first_wrong_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
