#include "base/cursor.h"

#include "base/rng.h"
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void reads_the_varint_examples_of_rfc_9000(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t bytes[8];
        size_t count;
        uint64_t value;
    } rows[] = {
        {{0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c}, 8, UINT64_C(151288809941952652)},
        {{0x9d, 0x7f, 0x3e, 0x7d}, 4, 494878333},
        {{0x7b, 0xbd}, 2, 15293},
        {{0x25}, 1, 37},
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(rows); i++) {
        fn_reader reader = fn_reader_make(rows[i].bytes, rows[i].count);
        assert_int_equal(fn_read_varint(&reader), rows[i].value);
        assert_true(fn_reader_done(&reader));
        uint8_t out[8];
        fn_writer writer = fn_writer_make(out, sizeof(out));
        fn_write_varint(&writer, rows[i].value);
        assert_int_equal(fn_writer_bytes(&writer), rows[i].count);
        assert_memory_equal(out, rows[i].bytes, rows[i].count);
    }
}

static void keeps_varints_at_every_boundary(void **unused)
{
    (void)unused;
    static const struct {
        uint64_t value;
        size_t bytes;
    } rows[] = {
        {0, 1},
        {63, 1},
        {64, 2},
        {16383, 2},
        {16384, 4},
        {(UINT64_C(1) << 30) - 1, 4},
        {UINT64_C(1) << 30, 8},
        {FN_VARINT_MAX, 8},
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(rows); i++) {
        uint8_t out[8];
        fn_writer writer = fn_writer_make(out, sizeof(out));
        fn_write_varint(&writer, rows[i].value);
        assert_false(writer.failed);
        assert_int_equal(fn_varint_bytes(rows[i].value), rows[i].bytes);
        assert_int_equal(fn_writer_bytes(&writer), rows[i].bytes);
        fn_reader reader = fn_reader_make(out, fn_writer_bytes(&writer));
        assert_int_equal(fn_read_varint(&reader), rows[i].value);
        assert_true(fn_reader_done(&reader));
    }
    uint8_t out[8];
    fn_writer writer = fn_writer_make(out, sizeof(out));
    fn_write_varint(&writer, FN_VARINT_MAX + 1);
    assert_true(writer.failed);
    assert_int_equal(fn_writer_bytes(&writer), 0);
}

/* Every 1- and 2-byte input: exactly one encoding per value is accepted. */
static void refuses_every_longer_encoding_than_needed(void **unused)
{
    (void)unused;
    for (uint32_t input = 0; input < 65536; input++) {
        uint8_t bytes[2] = {(uint8_t)(input >> 8), (uint8_t)input};
        fn_reader reader = fn_reader_make(bytes, 2);
        uint64_t value = fn_read_varint(&reader);
        uint32_t kind = bytes[0] >> 6;
        bool accepted = kind == 0 || (kind == 1 && (input & 0x3fff) >= 64);
        assert_int_equal(reader.failed, !accepted);
        uint64_t expected = !accepted ? 0 : kind == 0 ? bytes[0] : input & 0x3fff;
        assert_int_equal(value, expected);
        assert_int_equal(fn_reader_left(&reader), !accepted ? 2 : kind == 0 ? 1 : 0);
    }
    static const uint8_t long_forms[][8] = {
        {0x80, 0, 0x3f, 0xff},                   /* 16383 in 4 */
        {0xc0, 0, 0, 0, 0x3f, 0xff, 0xff, 0xff}, /* 2^30 - 1 in 8 */
        {0xc0, 0, 0, 0, 0, 0, 0, 0},             /* 0 in 8 */
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(long_forms); i++) {
        fn_reader reader = fn_reader_make(long_forms[i], 8);
        assert_int_equal(fn_read_varint(&reader), 0);
        assert_true(reader.failed);
    }
}

static void fails_for_good_at_the_first_read_that_does_not_fit(void **unused)
{
    (void)unused;
    static const uint8_t bytes[15] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        fn_reader reader = fn_reader_make(bytes, size);
        uint8_t a = fn_read_u8(&reader);
        uint16_t b = fn_read_u16(&reader);
        uint32_t c = fn_read_u32(&reader);
        uint64_t d = fn_read_u64(&reader);
        assert_int_equal(a, size >= 1 ? 0x01 : 0);
        assert_int_equal(b, size >= 3 ? 0x0203 : 0);
        assert_int_equal(c, size >= 7 ? 0x04050607 : 0);
        assert_int_equal(d, size >= 15 ? UINT64_C(0x08090a0b0c0d0e0f) : 0);
        assert_int_equal(fn_reader_done(&reader), size == 15);
        assert_int_equal(reader.failed, size < 15);
        if (reader.failed) {
            size_t left = fn_reader_left(&reader);
            assert_int_equal(fn_read_u8(&reader), 0);
            assert_null(fn_read_bytes(&reader, 0));
            assert_int_equal(fn_read_varint(&reader), 0);
            assert_int_equal(fn_reader_left(&reader), left);
        }
    }
}

/* Every truncation of every varint length fails and moves nothing. */
static void refuses_truncated_varints(void **unused)
{
    (void)unused;
    for (uint32_t kind = 0; kind < 4; kind++) {
        uint8_t bytes[8] = {(uint8_t)(kind << 6 | 0x21), 1, 1, 1, 1, 1, 1, 1};
        for (size_t size = 0; size < (size_t)1 << kind; size++) {
            fn_reader reader = fn_reader_make(bytes, size);
            assert_int_equal(fn_read_varint(&reader), 0);
            assert_true(reader.failed);
            assert_int_equal(fn_reader_left(&reader), size);
        }
    }
}

static void takes_no_bytes_from_nothing(void **unused)
{
    (void)unused;
    fn_reader reader = fn_reader_make(NULL, 0);
    assert_non_null(fn_read_bytes(&reader, 0));
    assert_true(fn_reader_done(&reader));
    assert_null(fn_read_bytes(&reader, SIZE_MAX));
    assert_true(reader.failed);
    fn_writer writer = fn_writer_make(NULL, 0);
    fn_write_bytes(&writer, NULL, 0);
    assert_false(writer.failed);
    fn_write_u8(&writer, 1);
    assert_true(writer.failed);
    assert_null(fn_write_reserve(&writer, SIZE_MAX));
}

static void write_all(fn_writer *writer)
{
    fn_write_u8(writer, 1);
    fn_write_u16(writer, 0x0203);
    fn_write_u32(writer, 0x04050607);
    fn_write_u64(writer, UINT64_C(0x08090a0b0c0d0e0f));
    fn_write_varint(writer, 16);
    fn_write_bytes(writer, "\x11\x12", 2);
}

static void writes_into_every_size_of_space_and_never_past_it(void **unused)
{
    (void)unused;
    static const size_t ends[] = {0, 1, 3, 7, 15, 16, 18};
    for (size_t size = 0; size <= 20; size++) {
        uint8_t out[24];
        memset(out, 0xee, sizeof(out));
        fn_writer writer = fn_writer_make(out, size);
        write_all(&writer);
        size_t written = 0;
        for (size_t i = 0; i < FN_ARRAY_COUNT(ends); i++)
            written = ends[i] <= size ? ends[i] : written;
        assert_int_equal(fn_writer_bytes(&writer), written);
        assert_int_equal(fn_writer_left(&writer), size - written);
        assert_int_equal(writer.failed, size < 18);
        for (size_t i = 0; i < sizeof(out); i++)
            assert_int_equal(out[i], i < written ? i + 1 : 0xee);
    }
}

/* Random values through random operations come back, whatever they are. */
static void gives_back_what_was_written(void **unused)
{
    (void)unused;
    fn_rng rng;
    fn_rng_init(&rng, 1);
    for (int round = 0; round < 2000; round++) {
        uint8_t out[512];
        uint64_t values[40];
        uint32_t kinds[40];
        fn_writer writer = fn_writer_make(out, sizeof(out));
        for (size_t i = 0; i < FN_ARRAY_COUNT(values); i++) {
            kinds[i] = (uint32_t)fn_rng_below(&rng, 3);
            values[i] = fn_rng_u64(&rng) >> fn_rng_between(&rng, 2, 63);
            if (kinds[i] == 0)
                fn_write_varint(&writer, values[i]);
            else if (kinds[i] == 1)
                fn_write_u64(&writer, values[i]);
            else
                fn_write_u32(&writer, (uint32_t)values[i]);
        }
        assert_false(writer.failed);
        fn_reader reader = fn_reader_make(out, fn_writer_bytes(&writer));
        for (size_t i = 0; i < FN_ARRAY_COUNT(values); i++) {
            uint64_t got = kinds[i] == 0   ? fn_read_varint(&reader)
                           : kinds[i] == 1 ? fn_read_u64(&reader)
                                           : fn_read_u32(&reader);
            assert_int_equal(got, kinds[i] == 2 ? (uint32_t)values[i] : values[i]);
        }
        assert_true(fn_reader_done(&reader));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_varint_examples_of_rfc_9000),
        cmocka_unit_test(keeps_varints_at_every_boundary),
        cmocka_unit_test(refuses_every_longer_encoding_than_needed),
        cmocka_unit_test(fails_for_good_at_the_first_read_that_does_not_fit),
        cmocka_unit_test(refuses_truncated_varints),
        cmocka_unit_test(takes_no_bytes_from_nothing),
        cmocka_unit_test(writes_into_every_size_of_space_and_never_past_it),
        cmocka_unit_test(gives_back_what_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
