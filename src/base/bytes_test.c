#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void loads_and_stores_big_endian_at_any_alignment(void **unused)
{
    (void)unused;
    uint8_t buffer[32];
    for (size_t at = 0; at < 8; at++) {
        for (size_t i = 0; i < sizeof(buffer); i++)
            buffer[i] = 0xee;
        fn_store_be64(buffer + at, UINT64_C(0x8123456789abcdef));
        static const uint8_t expected[] = {0x81, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
        assert_memory_equal(buffer + at, expected, 8);
        assert_int_equal(buffer[at + 8], 0xee);
        assert_int_equal(fn_load_be64(buffer + at), UINT64_C(0x8123456789abcdef));
        assert_int_equal(fn_load_le64(buffer + at), UINT64_C(0xefcdab8967452381));
        assert_int_equal(fn_load_be32(buffer + at), UINT32_C(0x81234567));
        assert_int_equal(fn_load_be16(buffer + at), 0x8123);
        fn_store_be32(buffer + at, UINT32_C(0xf00df11d));
        assert_int_equal(fn_load_be64(buffer + at), UINT64_C(0xf00df11d89abcdef));
        fn_store_be16(buffer + at, 0xcafe);
        assert_int_equal(fn_load_be64(buffer + at), UINT64_C(0xcafef11d89abcdef));
    }
}

static void compares_every_single_bit_difference(void **unused)
{
    (void)unused;
    uint8_t a[33] = {0};
    uint8_t b[33] = {0};
    for (size_t i = 0; i < sizeof(a); i++)
        a[i] = b[i] = (uint8_t)(i * 7 + 1);
    assert_true(fn_bytes_equal_secret(a, b, sizeof(a)));
    assert_true(fn_bytes_equal_secret(a, b, 0));
    for (size_t bit = 0; bit < sizeof(a) * 8; bit++) {
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(fn_bytes_equal_secret(a, b, sizeof(a)));
        assert_true(fn_bytes_equal_secret(a, b, bit / 8));
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void wipes_exactly_the_range(void **unused)
{
    (void)unused;
    uint8_t secret[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const uint8_t expected[8] = {1, 2, 0, 0, 0, 0, 7, 8};
    fn_bytes_wipe(secret + 2, 4);
    assert_memory_equal(secret, expected, sizeof(secret));
    fn_bytes_wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_and_stores_big_endian_at_any_alignment),
        cmocka_unit_test(compares_every_single_bit_difference),
        cmocka_unit_test(wipes_exactly_the_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
