#include "base/bits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void finds_lowest_and_highest_of_every_bit_pair(void **unused)
{
    (void)unused;
    for (uint32_t low = 0; low < 64; low++) {
        for (uint32_t high = low; high < 64; high++) {
            uint64_t value = UINT64_C(1) << low | UINT64_C(1) << high;
            assert_int_equal(fn_bits_lowest(value), low);
            assert_int_equal(fn_bits_highest(value), high);
            assert_int_equal(fn_bits_count(value), low == high ? 1 : 2);
            assert_int_equal(fn_bits_power_of_two(value), low == high);
        }
    }
    assert_int_equal(fn_bits_count(0), 0);
    assert_false(fn_bits_power_of_two(0));
}

static void rounds_up_to_a_power_of_two(void **unused)
{
    (void)unused;
    uint64_t power = 1;
    for (uint64_t value = 0; value <= 5000; value++) {
        if (value > power)
            power *= 2;
        assert_int_equal(fn_bits_power_of_two_up(value), power);
    }
    assert_int_equal(fn_bits_power_of_two_up((UINT64_C(1) << 62) + 1), UINT64_C(1) << 63);
    assert_int_equal(fn_bits_power_of_two_up(UINT64_C(1) << 63), UINT64_C(1) << 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_lowest_and_highest_of_every_bit_pair),
        cmocka_unit_test(rounds_up_to_a_power_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
