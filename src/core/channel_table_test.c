#include "core/channel_table.h"

#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void default_table_passes_its_own_check(void **state)
{
    (void)state;
    fn_failure failure;
    assert_int_equal(fn_channel_table_check(fn_channel_table_default, 4, &failure), FASTNET_OK);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(fn_channel_table_default[i].mode, i);
    assert_int_equal(fn_channel_table_check(&fn_channel_table_assets, 1, &failure), FASTNET_OK);
}

/* Expected value: Python's hashlib over the rows
 * 0 0 1 1 1 1MiB 0, 1 1 0 1 0 256KiB 500, 2 2 1 1 0 1MiB 0, 3 3 0 1 0 256KiB 500. */
static void hash_of_the_default_table(void **state)
{
    (void)state;
    static const uint8_t expected[FN_HASH_BYTES] = {0x4b, 0x29, 0x3e, 0x79, 0xfb, 0x2d, 0x9e, 0x60,
                                                    0xcd, 0x30, 0xc4, 0x14, 0xdc, 0x8a, 0x56, 0x71,
                                                    0xbe, 0xaf, 0xd3, 0x83, 0x6a, 0x3b, 0xd0, 0xe9,
                                                    0x2c, 0x57, 0x04, 0x15, 0x13, 0xdf, 0x98, 0xd5};
    uint8_t hash[FN_HASH_BYTES];
    fn_channel_table_hash(fn_channel_table_default, 4, hash);
    assert_memory_equal(hash, expected, sizeof hash);
}

static void hash_covers_every_field(void **state)
{
    (void)state;
    uint8_t before[FN_HASH_BYTES], after[FN_HASH_BYTES];
    FastNetChannelConfig table[4], changed[4];
    memcpy(table, fn_channel_table_default, sizeof table);
    fn_channel_table_hash(table, 4, before);
    for (size_t byte = 0; byte < sizeof table; byte++) {
        memcpy(changed, table, sizeof table);
        ((uint8_t *)changed)[byte] ^= 1;
        fn_channel_table_hash(changed, 4, after);
        assert_memory_not_equal(before, after, sizeof before);
    }
    fn_channel_table_hash(table, 3, after);
    assert_memory_not_equal(before, after, sizeof before);
}

typedef struct fault_case {
    FastNetChannelConfig channel;
    const char *names; /* NULL = good */
} fault_case;

static void check_names_channel_and_field(void **state)
{
    (void)state;
    static const fault_case cases[] = {
        {{0, 0, 1, 0, 1, 0}, NULL},
        {{1, 255, 255, 0, UINT32_MAX, UINT32_MAX}, NULL},
        {{4, 0, 1, 0, 1, 0}, "mode"},
        {{255, 0, 1, 0, 1, 0}, "mode"},
        {{0, 0, 0, 0, 1, 0}, "weight"},
        {{0, 0, 1, 2, 1, 0}, "real_time"},
        {{1, 0, 1, 1, 1, 0}, "real_time"},
        {{3, 0, 1, 1, 1, 0}, "real_time"},
        {{2, 0, 1, 1, 1, 0}, NULL},
        {{0, 0, 1, 0, 0, 0}, "queue_bytes_max"},
        {{0, 0, 1, 0, 1, 5}, "time_to_live_ms"},
        {{2, 0, 1, 0, 1, 5}, "time_to_live_ms"},
        {{3, 0, 1, 0, 1, 5}, NULL},
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(cases); i++) {
        FastNetChannelConfig table[2] = {fn_channel_table_default[0], cases[i].channel};
        fn_failure failure = {.code = FASTNET_OK};
        int code = fn_channel_table_check(table, 2, &failure);
        assert_int_equal(code, cases[i].names == NULL ? FASTNET_OK : FASTNET_ERR_ARGUMENT);
        if (cases[i].names != NULL) {
            assert_non_null(strstr(failure.text, cases[i].names));
            assert_non_null(strstr(failure.text, "channel 1"));
        }
    }
}

static void check_bounds_the_count(void **state)
{
    (void)state;
    FastNetChannelConfig table[241];
    fn_failure failure;
    for (uint32_t i = 0; i < 241; i++)
        table[i] = fn_channel_table_default[0];
    assert_int_equal(fn_channel_table_check(table, 240, &failure), FASTNET_OK);
    assert_int_equal(fn_channel_table_check(table, 241, &failure), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fn_channel_table_check(table, 0, &failure), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fn_channel_table_check(NULL, 4, &failure), FASTNET_ERR_ARGUMENT);
}

static void s7_only_channels_that_exist_are_found(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 4, 240};
    FastNetChannelConfig rows[240];
    static fn_channel_table table;
    for (uint32_t i = 0; i < 240; i++) {
        rows[i] = fn_channel_table_default[0];
        rows[i].queue_bytes_max = 1000 + i;
    }
    for (size_t c = 0; c < FN_ARRAY_COUNT(counts); c++) {
        fn_channel_table_init(&table, rows, counts[c]);
        assert_int_equal(fn_channel_table_count(&table), counts[c] + 1);
        for (unsigned number = 0; number <= 255; number++) {
            const FastNetChannelConfig *row = fn_channel_table_find(&table, (uint8_t)number);
            if (number < counts[c]) {
                assert_int_equal(row->queue_bytes_max, 1000 + number);
            } else if (number == 255) {
                assert_int_equal(row->priority, 255);
            } else {
                assert_null(row);
                continue;
            }
            uint32_t index = fn_channel_table_index(&table, (uint8_t)number);
            assert_true(index < fn_channel_table_count(&table));
            assert_int_equal(fn_channel_table_number(&table, index), number);
        }
    }
    fn_channel_table_init(&table, NULL, 0);
    assert_int_equal(table.application_count, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_table_passes_its_own_check),
        cmocka_unit_test(hash_of_the_default_table),
        cmocka_unit_test(hash_covers_every_field),
        cmocka_unit_test(check_names_channel_and_field),
        cmocka_unit_test(check_bounds_the_count),
        cmocka_unit_test(s7_only_channels_that_exist_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
