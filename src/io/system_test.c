/* The small ones: clock, entropy, environment. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/entropy.h"
#include "io/environment.h"
#include "io/test_support.h"

static void monotonic_time_advances_in_nanoseconds(void **state)
{
    struct timespec pause = {.tv_nsec = 2000000};
    uint64_t before = fn_clock_monotonic_ns(), last = before;
    (void)state;
    for (int i = 0; i < 10000; i++) {
        uint64_t now = fn_clock_monotonic_ns();
        assert_true(now >= last);
        last = now;
    }
    assert_int_equal(nanosleep(&pause, NULL), 0);
    assert_in_range(fn_clock_monotonic_ns() - before, 2000000, UINT64_C(60000000000));
}

static void wall_time_is_in_seconds(void **state)
{
    (void)state;
    uint64_t reference = (uint64_t)time(NULL);
    assert_in_range(fn_clock_unix_seconds(), reference, reference + 1);
}

static void random_bytes_fill_all_of_the_buffer_and_no_more(void **state)
{
    static const size_t lengths[] = {0, 1, 31, 255, 256, 257, 511, 1000};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        uint8_t seen[1001] = {0}, data[1001] = {0};
        for (int round = 0; round < 16; round++) { /* a byte stays 0 with a chance of 2^-128 */
            assert_int_equal(fn_entropy_fill(data, lengths[i], NULL), FASTNET_OK);
            for (size_t j = 0; j < sizeof data; j++)
                seen[j] |= data[j];
        }
        for (size_t j = 0; j < sizeof seen; j++)
            assert_int_equal(seen[j] != 0, j < lengths[i]);
    }
}

static void random_bytes_differ_each_time(void **state)
{
    uint8_t a[32], b[32];
    (void)state;
    assert_int_equal(fn_entropy_fill(a, sizeof a, NULL), FASTNET_OK);
    assert_int_equal(fn_entropy_fill(b, sizeof b, NULL), FASTNET_OK);
    assert_memory_not_equal(a, b, sizeof a);
}

static void empty_variables_count_as_unset(void **state)
{
    (void)state;
    setenv("FASTNET_TEST_VARIABLE", "value", 1);
    assert_string_equal(fn_environment_get("FASTNET_TEST_VARIABLE"), "value");
    setenv("FASTNET_TEST_VARIABLE", "", 1);
    assert_null(fn_environment_get("FASTNET_TEST_VARIABLE"));
    unsetenv("FASTNET_TEST_VARIABLE");
    assert_null(fn_environment_get("FASTNET_TEST_VARIABLE"));
}

static void raised_rights_ignore_the_environment(void **state)
{
    (void)state;
    if (getuid() != 0) {
        print_message("skipped: only root can take another identity\n");
        skip();
    }
    setenv("FASTNET_TEST_VARIABLE", "value", 1);
    assert_int_equal(seteuid(65534), 0);
    const char *value = fn_environment_get("FASTNET_TEST_VARIABLE");
    assert_int_equal(seteuid(0), 0);
    assert_null(value);
    unsetenv("FASTNET_TEST_VARIABLE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monotonic_time_advances_in_nanoseconds),
        cmocka_unit_test(wall_time_is_in_seconds),
        cmocka_unit_test(random_bytes_fill_all_of_the_buffer_and_no_more),
        cmocka_unit_test(random_bytes_differ_each_time),
        cmocka_unit_test(empty_variables_count_as_unset),
        cmocka_unit_test(raised_rights_ignore_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
