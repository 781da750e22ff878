#include "core/replay.h"

#include "base/rng.h"
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define WINDOW_MAX 4096
#define SPACE      65536

/* The naive model: every number of a stretch of 65536, and the highest accepted one. */
typedef struct model {
    uint64_t base;
    uint64_t largest;
    uint32_t window;
    bool any;
    bool seen[SPACE];
} model;

static bool model_check(const model *m, uint64_t packet_number)
{
    if (m->seen[packet_number - m->base])
        return false;
    return !m->any || packet_number > m->largest || m->largest - packet_number < m->window;
}

static void model_accept(model *m, uint64_t packet_number)
{
    m->seen[packet_number - m->base] = true;
    if (!m->any || packet_number > m->largest)
        m->largest = packet_number;
    m->any = true;
}

/* Mostly near the newest number, on both edges of the window and beyond; now and then anywhere. */
static uint64_t pick(const model *m, fn_rng *rng)
{
    if (!m->any || fn_rng_chance(rng, 5))
        return m->base + fn_rng_below(rng, fn_rng_chance(rng, 100) ? SPACE : SPACE / 2);
    uint64_t offset = m->largest - m->base;
    uint64_t span = fn_rng_chance(rng, 500) ? 8 : m->window + 8;
    uint64_t low = fn_sub_saturating(offset, span);
    uint64_t high = fn_min_u64(offset + (fn_rng_chance(rng, 20) ? span : 4), SPACE - 1);
    return m->base + fn_rng_between(rng, low, high);
}

static void compare_with_model(uint64_t base, uint32_t window, uint64_t seed)
{
    static model m;
    memset(&m, 0, sizeof(m));
    m.base = base;
    m.window = window;
    uint64_t words[WINDOW_MAX / 64];
    memset(words, 0xa5, sizeof(words));
    fn_replay replay;
    fn_replay_init(&replay, words, window);
    fn_rng rng;
    fn_rng_init(&rng, seed);
    for (uint32_t step = 0; step < 40000; step++) {
        uint64_t packet_number = pick(&m, &rng);
        bool fresh = fn_replay_check(&replay, packet_number);
        assert_int_equal(fresh, model_check(&m, packet_number));
        if (!fresh || fn_rng_chance(&rng, 200))
            continue; /* replayed, or did not authenticate */
        fn_replay_accept(&replay, packet_number);
        model_accept(&m, packet_number);
    }
}

static void s3_replay_window_matches_model(void **unused)
{
    (void)unused;
    const uint64_t bases[] = {0, (UINT64_C(1) << 32) - 5000, (UINT64_C(1) << 62) - SPACE,
                              (UINT64_C(1) << 62) - SPACE / 2, UINT64_MAX - (SPACE - 1)};
    for (size_t i = 0; i < FN_ARRAY_COUNT(bases); i++) {
        compare_with_model(bases[i], 1024, i + 1);
        compare_with_model(bases[i], 4096, i + 100);
    }
}

static void s3_replay_window_rejects_every_replay_after_any_jump(void **unused)
{
    (void)unused;
    const uint32_t window = 1024;
    for (uint32_t jump = 1; jump <= 2 * window + 2; jump += jump < 130 ? 1 : 61) {
        uint64_t words[1024 / 64];
        fn_replay replay;
        fn_replay_init(&replay, words, window);
        for (uint32_t i = 0; i < window; i++)
            fn_replay_accept(&replay, i);
        uint64_t newest = window - 1 + jump;
        fn_replay_accept(&replay, newest);
        for (uint64_t i = 0; i <= newest; i++) {
            bool skipped = i >= window && i < newest;
            assert_int_equal(fn_replay_check(&replay, i), skipped && newest - i < window);
        }
    }
}

static void s3_replay_window_stays_until_authenticated(void **unused)
{
    (void)unused;
    uint64_t words[1024 / 64];
    fn_replay replay;
    fn_replay_init(&replay, words, 1024);
    for (uint32_t i = 0; i < 2000; i += 3)
        fn_replay_accept(&replay, i);
    uint64_t before[1024 / 64];
    memcpy(before, words, sizeof(words));
    uint64_t largest = replay.largest;
    const uint64_t forged[] = {0, 1999, 5000, UINT64_C(1) << 62, UINT64_MAX};
    for (size_t i = 0; i < FN_ARRAY_COUNT(forged); i++)
        (void)fn_replay_check(&replay, forged[i]);
    assert_memory_equal(before, words, sizeof(words));
    assert_int_equal(replay.largest, largest);
    assert_true(fn_replay_check(&replay, 1997));
}

static void s3_replay_window_is_at_least_1024(void **unused)
{
    (void)unused;
    assert_true(FN_REPLAY_WINDOW_MIN >= 1024);
    assert_true(FN_REPLAY_WINDOW_DEFAULT >= FN_REPLAY_WINDOW_MIN);
    uint64_t words[1024 / 64];
    fn_replay replay;
    fn_replay_init(&replay, words, FN_REPLAY_WINDOW_MIN);
    fn_replay_accept(&replay, UINT64_C(5000));
    assert_true(fn_replay_check(&replay, 5000 - 1023));
    assert_false(fn_replay_check(&replay, 5000 - 1024));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s3_replay_window_matches_model),
        cmocka_unit_test(s3_replay_window_rejects_every_replay_after_any_jump),
        cmocka_unit_test(s3_replay_window_stays_until_authenticated),
        cmocka_unit_test(s3_replay_window_is_at_least_1024),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
