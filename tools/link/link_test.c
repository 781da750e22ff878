#include "link/link.h"

#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { DATAGRAMS = 20000, BYTES = 1000 };

typedef struct link_totals {
    uint64_t copies;
    uint64_t corrupt;
    uint64_t twice;
    uint64_t overtaken; /* arrived before the one sent before it */
    uint64_t first_ns;
    uint64_t last_ns;
    uint64_t lost_runs; /* losses that follow a loss */
} link_totals;

/* One datagram every interval. */
static link_totals feed(const fn_link_config *config, uint64_t interval_ns)
{
    fn_link link;
    fn_link_init(&link, config, 7);
    link_totals totals = {.first_ns = FN_NEVER};
    uint64_t before_ns = 0;
    bool lost_before = false;
    for (uint64_t i = 0; i < DATAGRAMS; i++) {
        fn_link_copy copies[FN_LINK_COPIES_MAX];
        uint64_t now_ns = i * interval_ns;
        uint32_t count = fn_link_send(&link, now_ns, BYTES, copies);
        totals.lost_runs += count == 0 && lost_before;
        lost_before = count == 0;
        totals.twice += count == 2;
        for (uint32_t k = 0; k < count; k++) {
            assert_true(copies[k].at_ns >= now_ns);
            totals.copies++;
            totals.corrupt += copies[k].corrupt;
            totals.overtaken += copies[k].at_ns < before_ns;
            before_ns = copies[k].at_ns;
            totals.first_ns = fn_min_u64(totals.first_ns, copies[k].at_ns);
            totals.last_ns = fn_max_u64(totals.last_ns, copies[k].at_ns);
        }
    }
    return totals;
}

static void assert_about(uint64_t value, uint64_t expected)
{
    assert_in_range(value, expected - expected / 5, expected + expected / 5);
}

static void a_perfect_link_delays_and_keeps_order(void **state)
{
    (void)state;
    link_totals totals = feed(&(fn_link_config){.delay_ns = 5 * FN_NS_PER_MS}, 0);
    assert_int_equal(totals.copies, DATAGRAMS);
    assert_int_equal(totals.overtaken, 0);
    assert_int_equal(totals.corrupt + totals.twice, 0);
    assert_in_range(totals.first_ns, 5 * FN_NS_PER_MS, 5 * FN_NS_PER_MS + 1);
    assert_in_range(totals.last_ns, 5 * FN_NS_PER_MS, 5 * FN_NS_PER_MS + DATAGRAMS);
}

static void random_loss_duplicates_and_damage_have_their_rates(void **state)
{
    (void)state;
    fn_link_config config = {.loss_permille = 100};
    link_totals lossy = feed(&config, FN_NS_PER_MS);
    assert_about(DATAGRAMS - lossy.copies, DATAGRAMS / 10);
    assert_about(lossy.lost_runs, DATAGRAMS / 100);
    config = (fn_link_config){.duplicate_permille = 200};
    assert_about(feed(&config, FN_NS_PER_MS).twice, DATAGRAMS / 5);
    config = (fn_link_config){.corrupt_permille = 50};
    assert_about(feed(&config, FN_NS_PER_MS).corrupt, DATAGRAMS / 20);
}

/* Mean burst: 1000/100 = 10 datagrams; part of the time in bursts: 10/(10+90) = 1/10. */
static void bursts_lose_in_a_row(void **state)
{
    (void)state;
    fn_link_config config = {
        .burst_start_permille = 11, .burst_end_permille = 100, .burst_loss_permille = 1000};
    link_totals totals = feed(&config, FN_NS_PER_MS);
    uint64_t lost = DATAGRAMS - totals.copies;
    assert_about(lost, DATAGRAMS / 10);
    assert_true(totals.lost_runs * 10 > lost * 8);
}

static void jitter_and_holding_back_reorder(void **state)
{
    (void)state;
    fn_link_config config = {.jitter_ns = 10 * FN_NS_PER_MS};
    assert_true(feed(&config, FN_NS_PER_MS).overtaken > DATAGRAMS / 4);
    config = (fn_link_config){.reorder_permille = 50, .reorder_delay_ns = 3 * FN_NS_PER_MS};
    assert_about(feed(&config, FN_NS_PER_MS).overtaken, DATAGRAMS / 20);
}

/* 1000 bytes each 1 ms into 500,000 bytes/s: half is too much, the queue stays full. */
static void the_rate_holds_and_the_queue_is_finite(void **state)
{
    (void)state;
    fn_link_config config = {.rate_bytes_per_s = 500000, .queue_bytes_max = 10000};
    link_totals totals = feed(&config, FN_NS_PER_MS);
    assert_int_equal(totals.overtaken, 0);
    assert_about(totals.copies, DATAGRAMS / 2);
    /* Nobody waits longer than the queue takes to drain: 20 ms, and itself. */
    assert_true(totals.last_ns <= DATAGRAMS * FN_NS_PER_MS + 23 * FN_NS_PER_MS);
}

static void jitter_that_keeps_order_only_delays(void **state)
{
    (void)state;
    fn_link_config config = {.jitter_ns = 10 * FN_NS_PER_MS, .keep_order = true};
    link_totals totals = feed(&config, FN_NS_PER_MS);
    assert_int_equal(totals.overtaken, 0);
    assert_int_equal(totals.copies, DATAGRAMS);
    assert_true(totals.last_ns <= DATAGRAMS * FN_NS_PER_MS + 10 * FN_NS_PER_MS);
    config.reorder_permille = 50;
    config.reorder_delay_ns = 20 * FN_NS_PER_MS;
    assert_about(feed(&config, FN_NS_PER_MS).overtaken, DATAGRAMS / 20);
}

/* Evenly spread: as many in each tenth of the jitter, nothing outside. */
static void the_delay_has_its_distribution(void **state)
{
    (void)state;
    fn_link link;
    fn_link_init(&link, &(fn_link_config){.delay_ns = 20000, .jitter_ns = 9999}, 3);
    uint64_t tenths[10] = {0};
    for (uint64_t i = 0; i < DATAGRAMS; i++) {
        fn_link_copy copies[FN_LINK_COPIES_MAX];
        uint64_t now_ns = i * FN_NS_PER_MS;
        assert_int_equal(fn_link_send(&link, now_ns, BYTES, copies), 1);
        uint64_t took_ns = copies[0].at_ns - now_ns;
        assert_in_range(took_ns, 20001, 30000);
        tenths[(took_ns - 20001) / 1000]++;
    }
    for (size_t i = 0; i < FN_ARRAY_COUNT(tenths); i++)
        assert_about(tenths[i], DATAGRAMS / 10);
}

/* A burst ends with 1 chance in 4 per datagram: runs of losses are 4 long on average. */
static void bursts_have_their_length(void **state)
{
    (void)state;
    fn_link link;
    fn_link_config config = {
        .burst_start_permille = 20, .burst_end_permille = 250, .burst_loss_permille = 1000};
    fn_link_init(&link, &config, 11);
    uint64_t lost = 0, runs = 0;
    bool lost_before = false;
    for (uint64_t i = 0; i < 5 * DATAGRAMS; i++) {
        fn_link_copy copies[FN_LINK_COPIES_MAX];
        bool is_lost = fn_link_send(&link, i, BYTES, copies) == 0;
        lost += is_lost;
        runs += is_lost && !lost_before;
        lost_before = is_lost;
    }
    assert_about(lost * 10 / runs, 40);
}

static void a_stream_loses_nothing_and_waits_for_the_rate(void **state)
{
    (void)state;
    fn_link link;
    fn_link_config config = {.delay_ns = 5 * FN_NS_PER_MS,
                             .jitter_ns = 3 * FN_NS_PER_MS,
                             .loss_permille = 500,
                             .reorder_permille = 500,
                             .reorder_delay_ns = FN_NS_PER_S,
                             .duplicate_permille = 500,
                             .rate_bytes_per_s = 100000,
                             .queue_bytes_max = 20000};
    fn_link_init(&link, &config, 5);
    uint64_t now_ns = 0, last_ns = 0, before_ns = 0;
    for (uint64_t sent = 0; sent < 1000000; sent += BYTES) {
        now_ns = fn_link_stream_ready_ns(&link, now_ns);
        uint64_t at_ns = fn_link_send_stream(&link, now_ns, BYTES, &last_ns);
        assert_true(at_ns > before_ns && at_ns >= now_ns + config.delay_ns);
        /* Half of the queue, itself, the delay and the jitter. */
        assert_true(at_ns <= now_ns + (100 + 10 + 5 + 3 + 1) * FN_NS_PER_MS);
        before_ns = at_ns;
    }
    assert_in_range(before_ns, 10 * FN_NS_PER_S, 10 * FN_NS_PER_S + 10 * FN_NS_PER_MS);
    fn_link_copy copies[FN_LINK_COPIES_MAX];
    link.config.loss_permille = 0;
    assert_true(fn_link_send(&link, now_ns, BYTES, copies) > 0); /* the other half is free */
}

static void large_and_down_vanish(void **state)
{
    (void)state;
    fn_link_config config = {.mtu_bytes = BYTES};
    assert_int_equal(feed(&config, 1).copies, DATAGRAMS);
    config.mtu_bytes = BYTES - 1;
    assert_int_equal(feed(&config, 1).copies, 0);
    config = (fn_link_config){.down = true};
    assert_int_equal(feed(&config, 1).copies, 0);
}

static void damage_always_changes_something(void **state)
{
    (void)state;
    fn_link link;
    fn_link_init(&link, &(fn_link_config){0}, 1);
    for (size_t bytes = 1; bytes < 60; bytes++) {
        uint8_t datagram[60] = {0};
        static const uint8_t clean[60] = {0};
        fn_link_damage(&link, datagram, bytes);
        assert_memory_not_equal(datagram, clean, bytes);
        assert_memory_equal(datagram + bytes, clean, sizeof datagram - bytes);
    }
}

static void the_same_seed_gives_the_same_answers(void **state)
{
    (void)state;
    fn_link_config config = {.loss_permille = 100, .jitter_ns = 1000, .duplicate_permille = 50};
    link_totals first = feed(&config, 1000);
    link_totals second = feed(&config, 1000);
    assert_memory_equal(&first, &second, sizeof first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_perfect_link_delays_and_keeps_order),
        cmocka_unit_test(random_loss_duplicates_and_damage_have_their_rates),
        cmocka_unit_test(bursts_lose_in_a_row),
        cmocka_unit_test(jitter_and_holding_back_reorder),
        cmocka_unit_test(the_rate_holds_and_the_queue_is_finite),
        cmocka_unit_test(jitter_that_keeps_order_only_delays),
        cmocka_unit_test(the_delay_has_its_distribution),
        cmocka_unit_test(bursts_have_their_length),
        cmocka_unit_test(a_stream_loses_nothing_and_waits_for_the_rate),
        cmocka_unit_test(large_and_down_vanish),
        cmocka_unit_test(damage_always_changes_something),
        cmocka_unit_test(the_same_seed_gives_the_same_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
