#include "base/seq.h"

#include "base/rng.h"
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void encodes_the_examples_of_rfc_9000_a2(void **unused)
{
    (void)unused;
    assert_int_equal(fn_seq_truncated_bytes(0xac5c02, 0xabe8b3), 2);
    assert_int_equal(fn_seq_truncated_bytes(0xace8fe, 0xabe8b3), 3);
    assert_int_equal(fn_seq_truncate(0xac5c02, 2), 0x5c02);
}

static void decodes_the_example_of_rfc_9000_a3(void **unused)
{
    (void)unused;
    assert_int_equal(fn_seq_expand(UINT64_C(0xa82f30eb), 0x9b32, 2), UINT64_C(0xa82f9b32));
}

/* Section 17.1: a range more than twice as large as the distance. */
static void sends_the_fewest_bytes_with_twice_the_range(void **unused)
{
    (void)unused;
    static const uint64_t distances[] = {1,     2,     127,     128,     129,       32767,
                                         32768, 32769, 8388607, 8388608, 2147483647};
    for (size_t i = 0; i < FN_ARRAY_COUNT(distances); i++) {
        uint32_t bytes = 1;
        while (2 * distances[i] >= UINT64_C(1) << 8 * bytes)
            bytes++;
        assert_int_equal(fn_seq_truncated_bytes(distances[i] - 1, FN_SEQ_NONE), bytes);
        assert_int_equal(fn_seq_truncated_bytes(1000 + distances[i], 1000), bytes);
        assert_int_equal(fn_seq_truncated_bytes(FN_SEQ_MAX, FN_SEQ_MAX - distances[i]), bytes);
    }
    assert_int_equal(fn_seq_truncated_bytes(FN_SEQ_MAX, FN_SEQ_NONE), 4);
}

static uint64_t distance_between(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* The oracle: of the number with these low bytes around expected, the closest; the later of two. */
static uint64_t closest(uint64_t expected, uint32_t truncated, uint32_t bytes)
{
    uint64_t window = UINT64_C(1) << 8 * bytes;
    uint64_t base = expected - expected % window + truncated;
    uint64_t best = UINT64_MAX;
    for (int step = -1; step <= 1; step++) {
        if (step < 0 && base < window)
            continue;
        uint64_t number = base + (uint64_t)step * window;
        if (number > FN_SEQ_MAX)
            continue;
        if (best == UINT64_MAX ||
            distance_between(number, expected) <= distance_between(best, expected))
            best = number;
    }
    return best;
}

static void expands_every_byte_to_the_closest_number(void **unused)
{
    (void)unused;
    static const uint64_t starts[] = {0, UINT64_C(0xfffffe00), FN_SEQ_MAX + 1 - 1100};
    for (size_t i = 0; i < FN_ARRAY_COUNT(starts); i++) {
        for (uint64_t expected = starts[i]; expected <= starts[i] + 1100; expected++) {
            for (uint32_t truncated = 0; truncated < 256; truncated++) {
                assert_int_equal(fn_seq_expand(expected, truncated, 1),
                                 closest(expected, truncated, 1));
            }
        }
    }
}

static void expands_wider_numbers_to_the_closest_one(void **unused)
{
    (void)unused;
    fn_rng rng;
    fn_rng_init(&rng, 2);
    for (int i = 0; i < 300000; i++) {
        uint32_t bytes = (uint32_t)fn_rng_between(&rng, 2, 4);
        uint64_t window = UINT64_C(1) << 8 * bytes;
        uint64_t expected = fn_rng_u64(&rng) >> fn_rng_between(&rng, 2, 62);
        if (fn_rng_chance(&rng, 300))
            expected = FN_SEQ_MAX + 1 - fn_rng_below(&rng, 3 * window);
        uint32_t truncated = (uint32_t)fn_rng_below(&rng, window);
        assert_int_equal(fn_seq_expand(expected, truncated, bytes),
                         closest(expected, truncated, bytes));
    }
}

/* What is sent comes back, for a receiver that saw anything from the acknowledged number on to as
 * far beyond this one as the same distance again (reordering). */
static void s3_packet_numbers_survive_the_wire_at_both_ends_of_their_range(void **unused)
{
    (void)unused;
    fn_rng rng;
    fn_rng_init(&rng, 3);
    for (int i = 0; i < 300000; i++) {
        uint64_t distance =
            fn_rng_between(&rng, 1, (UINT64_C(1) << fn_rng_between(&rng, 1, 31)) - 1);
        uint64_t number = fn_rng_chance(&rng, 500) ? FN_SEQ_MAX - fn_rng_below(&rng, 1000)
                                                   : distance - 1 + fn_rng_below(&rng, 1000);
        uint64_t acked = number >= distance ? number - distance : FN_SEQ_NONE;
        uint32_t bytes = fn_seq_truncated_bytes(number, acked);
        uint64_t first = acked == FN_SEQ_NONE ? 0 : acked + 1;
        uint64_t last = fn_min_u64(number + distance, FN_SEQ_MAX + 1);
        uint64_t expected = fn_rng_between(&rng, first, last);
        assert_int_equal(fn_seq_expand(expected, fn_seq_truncate(number, bytes), bytes), number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_the_examples_of_rfc_9000_a2),
        cmocka_unit_test(decodes_the_example_of_rfc_9000_a3),
        cmocka_unit_test(sends_the_fewest_bytes_with_twice_the_range),
        cmocka_unit_test(expands_every_byte_to_the_closest_number),
        cmocka_unit_test(expands_wider_numbers_to_the_closest_one),
        cmocka_unit_test(s3_packet_numbers_survive_the_wire_at_both_ends_of_their_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
