#include "core/rate_floor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS   FN_NS_PER_MS
#define S    FN_NS_PER_S
#define TICK (S / 60)

typedef struct floor_row {
    uint32_t message_bytes;
    bool stalls; /* 100 ms without a tick in each second: the missed messages go together after */
} floor_row;

static const floor_row floor_rows[] = {{200, false}, {200, true}, {1000, false}, {1000, true}};

/* 1000 bytes at 60 Hz is 60000 bytes/s, just below the default of 65536. */
static void stream_of_60_hz_is_never_held_back(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < FN_ARRAY_COUNT(floor_rows); i++) {
        fn_rate_floor floor;
        fn_rate_floor_init(&floor, FN_RATE_FLOOR_BYTES_PER_S_DEFAULT, 0);
        uint32_t waiting = 0;
        for (uint32_t tick = 0; tick < 60 * 60; tick++) {
            waiting++;
            if (floor_rows[i].stalls && tick % 60 < 6)
                continue;
            for (; waiting > 0; waiting--)
                assert_true(fn_rate_floor_take(&floor, floor_rows[i].message_bytes, tick * TICK));
        }
    }
}

static void above_the_rate_only_the_rate_is_granted(void **unused)
{
    (void)unused;
    const uint64_t rates[] = {1000, 65536, 1000000};
    for (size_t i = 0; i < FN_ARRAY_COUNT(rates); i++) {
        fn_rate_floor floor;
        fn_rate_floor_init(&floor, rates[i], 0);
        uint64_t granted = 0;
        for (uint64_t now = 0; now < 100 * S; now += MS) {
            while (fn_rate_floor_take(&floor, 1400, now))
                granted += 1400;
        }
        uint64_t burst = fn_max_u64(rates[i] / 8, 3000);
        assert_in_range(granted, 99 * rates[i], 100 * rates[i] + burst);
    }
}

static void refusal_takes_nothing_and_names_the_time(void **unused)
{
    (void)unused;
    fn_rate_floor floor;
    fn_rate_floor_init(&floor, 8000, 0);
    assert_int_equal(fn_rate_floor_available(&floor, 0), 3000);
    assert_true(fn_rate_floor_take(&floor, 2500, 0));
    for (int i = 0; i < 100; i++)
        assert_false(fn_rate_floor_take(&floor, 1300, 0));
    assert_int_equal(fn_rate_floor_available(&floor, 0), 500);
    assert_int_equal(fn_rate_floor_deadline(&floor, 1300, 0), 100 * MS);
    assert_false(fn_rate_floor_allows(&floor, 1300, 100 * MS - 1));
    assert_true(fn_rate_floor_take(&floor, 1300, 100 * MS));
}

static void zero_means_no_floor(void **unused)
{
    (void)unused;
    fn_rate_floor floor;
    fn_rate_floor_init(&floor, 0, 0);
    assert_false(fn_rate_floor_take(&floor, 1, 0));
    assert_false(fn_rate_floor_take(&floor, 0, 100 * S));
    assert_int_equal(fn_rate_floor_available(&floor, 100 * S), 0);
    assert_int_equal(fn_rate_floor_deadline(&floor, 1, S), FN_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream_of_60_hz_is_never_held_back),
        cmocka_unit_test(above_the_rate_only_the_rate_is_granted),
        cmocka_unit_test(refusal_takes_nothing_and_names_the_time),
        cmocka_unit_test(zero_means_no_floor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
