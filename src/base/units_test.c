#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void saturates_at_both_ends(void **unused)
{
    (void)unused;
    static const uint64_t values[] = {0, 1, 2, UINT64_MAX / 2, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < FN_ARRAY_COUNT(values); i++) {
        for (size_t j = 0; j < FN_ARRAY_COUNT(values); j++) {
            uint64_t a = values[i];
            uint64_t b = values[j];
            uint64_t sum = 0;
            uint64_t product = 0;
            assert_int_equal(fn_add_saturating(a, b),
                             __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum);
            assert_int_equal(fn_mul_saturating(a, b),
                             __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product);
            assert_int_equal(fn_sub_saturating(a, b), a < b ? 0 : a - b);
        }
    }
    assert_int_equal(fn_add_saturating(5 * FN_NS_PER_S, FN_NEVER), FN_NEVER);
}

static void orders_and_aligns(void **unused)
{
    (void)unused;
    assert_int_equal(fn_min_u64(3, 4), 3);
    assert_int_equal(fn_max_u64(3, 4), 4);
    assert_int_equal(fn_min_u32(4, 3), 3);
    assert_int_equal(fn_max_u32(4, 3), 4);
    assert_int_equal(fn_min_size(4, 3), 3);
    assert_int_equal(fn_max_size(3, 4), 4);
    assert_int_equal(fn_clamp_u64(1, 2, 5), 2);
    assert_int_equal(fn_clamp_u64(3, 2, 5), 3);
    assert_int_equal(fn_clamp_u64(9, 2, 5), 5);
    for (size_t value = 0; value < 300; value++) {
        size_t up = value;
        while (up % 64 != 0)
            up++;
        assert_int_equal(fn_align_up(value, 64), up);
    }
    assert_int_equal(FN_KIB(3), 3 * 1024);
    assert_int_equal(FN_MIB(5), 5 * 1024 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saturates_at_both_ends),
        cmocka_unit_test(orders_and_aligns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
