#include "core/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void pauses_double_up_to_the_longest_and_differ(void **state)
{
    (void)state;
    static const uint8_t seed[FN_RANDOM_SEED_BYTES] = {1};
    static const uint64_t lengths_ms[] = {100, 200, 400, 400, 400};
    fn_random random;
    uint64_t first_ns[64];
    fn_random_start(&random, seed);
    for (int i = 0; i < 64; i++) {
        fn_backoff backoff = {0};
        for (size_t k = 0; k < FN_ARRAY_COUNT(lengths_ms); k++) {
            uint64_t pause_ns = fn_backoff_next_ns(&backoff, &random);
            uint64_t length_ns = lengths_ms[k] * FN_NS_PER_MS;
            assert_in_range(pause_ns, length_ns / 2, length_ns / 2 * 3);
            first_ns[i] = k == 0 ? pause_ns : first_ns[i];
        }
        assert_int_equal(backoff.count, FN_ARRAY_COUNT(lengths_ms));
        for (int other = 0; other < i; other++)
            assert_true(first_ns[i] != first_ns[other]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_double_up_to_the_longest_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
