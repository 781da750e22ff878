#include "crypto/random.h"

#include "crypto/test_hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static fn_random make(uint8_t first)
{
    uint8_t seed[FN_RANDOM_SEED_BYTES] = {first};
    fn_random random;
    fn_random_start(&random, seed);
    return random;
}

/* RFC 8439 appendix A.1: the first 32 bytes of keystream for the zero key become the next key, what
 * follows is handed out. */
static void test_known_stream(void **state)
{
    (void)state;
    uint8_t expected[32], key[32], out[32];
    test_hex("da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586", expected, 32);
    test_hex("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7", key, 32);
    fn_random random = make(0);
    fn_random_fill(&random, out, sizeof out);
    assert_memory_equal(out, expected, sizeof out);
    assert_memory_equal(random.key, key, sizeof key);
}

/* However the requests are cut, the stream is the same; across several refills. */
static void test_cuts_do_not_matter(void **state)
{
    (void)state;
    uint8_t whole[1000], pieces[1000];
    fn_random random = make(1);
    fn_random_fill(&random, whole, sizeof whole);
    for (size_t step = 1; step < 300; step += 7) {
        fn_random again = make(1);
        for (size_t at = 0; at < sizeof pieces; at += step) {
            size_t left = sizeof pieces - at;
            fn_random_fill(&again, pieces + at, step < left ? step : left);
        }
        assert_memory_equal(pieces, whole, sizeof whole);
    }
}

static void test_seeds_and_forks_differ(void **state)
{
    (void)state;
    fn_random a = make(1), b = make(2), child;
    assert_true(fn_random_u64(&a) != fn_random_u64(&b));
    fn_random_fork(&a, &child);
    assert_true(fn_random_u64(&a) != fn_random_u64(&child));
}

static void test_given_bytes_are_erased(void **state)
{
    (void)state;
    uint8_t out[FN_RANDOM_POOL_BYTES], zero[FN_RANDOM_POOL_BYTES] = {0};
    fn_random random = make(3);
    fn_random_fill(&random, out, sizeof out);
    assert_memory_equal(random.pool, zero, sizeof zero);
    fn_random_wipe(&random);
    assert_memory_equal(random.key, zero, sizeof random.key);
}

static void test_below_is_in_range_and_even(void **state)
{
    (void)state;
    enum { DRAWS = 30000, SIDES = 6 };
    fn_random random = make(4);
    unsigned counts[SIDES] = {0};
    for (int i = 0; i < DRAWS; i++)
        counts[fn_random_below(&random, SIDES)]++;
    for (int i = 0; i < SIDES; i++)
        assert_in_range(counts[i], DRAWS / SIDES * 9 / 10, DRAWS / SIDES * 11 / 10);
    /* With two thirds of 2^32 as bound, a plain remainder would favour the lower half 2 : 1. */
    unsigned low = 0;
    for (int i = 0; i < DRAWS; i++)
        low += fn_random_below(&random, 0xaaaaaaab) < 0x55555555;
    assert_in_range(low, DRAWS / 2 * 95 / 100, DRAWS / 2 * 105 / 100);
    assert_int_equal(fn_random_below(&random, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_stream),
        cmocka_unit_test(test_cuts_do_not_matter),
        cmocka_unit_test(test_seeds_and_forks_differ),
        cmocka_unit_test(test_given_bytes_are_erased),
        cmocka_unit_test(test_below_is_in_range_and_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
