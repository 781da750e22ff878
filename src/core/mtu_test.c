#include "core/mtu.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S FN_NS_PER_S

/* A path of a given size; what it carries is acknowledged a second later, the rest is lost. */
typedef struct road {
    fn_mtu mtu;
    uint32_t carries;
    uint64_t next_number;
    uint64_t now_ns;
    uint32_t probes;
} road;

static void road_probe(road *r)
{
    uint32_t bytes = fn_mtu_probe_due(&r->mtu, r->now_ns);
    assert_int_not_equal(bytes, 0);
    uint64_t number = r->next_number++;
    fn_mtu_probe_sent(&r->mtu, number, bytes);
    assert_true(fn_mtu_is_probe(&r->mtu, number));
    assert_int_equal(fn_mtu_deadline(&r->mtu), FN_NEVER);
    assert_int_equal(fn_mtu_probe_due(&r->mtu, r->now_ns), 0);
    r->probes++;
    r->now_ns += S;
    if (bytes <= r->carries)
        assert_true(fn_mtu_on_acked(&r->mtu, number, bytes, r->now_ns));
    else
        assert_false(fn_mtu_on_lost(&r->mtu, number, bytes, r->now_ns));
    assert_true(fn_mtu_current(&r->mtu) <= fn_max_u32(r->carries, FN_MTU_BASE_BYTES));
}

static void road_search(road *r)
{
    while (fn_mtu_deadline(&r->mtu) <= r->now_ns)
        road_probe(r);
}

static void road_init(road *r, uint32_t carries, uint32_t bytes_max)
{
    memset(r, 0, sizeof(*r));
    r->carries = carries;
    r->now_ns = S;
    fn_mtu_init(&r->mtu, bytes_max, r->now_ns);
}

static void assert_found(const road *r, uint32_t bytes_max)
{
    uint32_t best = fn_max_u32(fn_min_u32(r->carries, bytes_max), FN_MTU_BASE_BYTES);
    assert_in_range(fn_mtu_current(&r->mtu), best - fn_min_u32(best - 1200, FN_MTU_STEP_BYTES),
                    best);
}

static void search_finds_every_size(void **unused)
{
    (void)unused;
    for (uint32_t carries = 1100; carries <= 1520; carries++) {
        road r;
        road_init(&r, carries, FN_MTU_BYTES_MAX);
        assert_int_equal(fn_mtu_current(&r.mtu), FN_MTU_BASE_BYTES);
        road_search(&r);
        assert_found(&r, FN_MTU_BYTES_MAX);
        assert_true(r.probes <= 6 * FN_MTU_PROBES_MAX);
    }
}

static void maximum_is_tried_first(void **unused)
{
    (void)unused;
    const uint32_t maxima[] = {1201, 1210, 1452, 8952, 65507, 1000000};
    for (size_t i = 0; i < FN_ARRAY_COUNT(maxima); i++) {
        road r;
        road_init(&r, 65507, maxima[i]);
        road_search(&r);
        assert_int_equal(fn_mtu_current(&r.mtu), fn_min_u32(maxima[i], 65507));
        assert_int_equal(r.probes, 1);
        assert_int_equal(fn_mtu_deadline(&r.mtu), FN_NEVER);
    }
}

static void no_search_at_or_below_the_base(void **unused)
{
    (void)unused;
    const uint32_t maxima[] = {0, 500, 1200};
    for (size_t i = 0; i < FN_ARRAY_COUNT(maxima); i++) {
        fn_mtu mtu;
        fn_mtu_init(&mtu, maxima[i], 0);
        assert_int_equal(fn_mtu_current(&mtu), 1200);
        assert_int_equal(fn_mtu_deadline(&mtu), FN_NEVER);
    }
}

static void a_size_needs_three_losses(void **unused)
{
    (void)unused;
    road r;
    road_init(&r, 1200, 1452);
    road_probe(&r);
    road_probe(&r);
    r.carries = 1452;
    road_probe(&r);
    assert_int_equal(fn_mtu_current(&r.mtu), 1452);
}

static void another_search_begins_after_ten_minutes(void **unused)
{
    (void)unused;
    road r;
    road_init(&r, 1300, 1452);
    road_search(&r);
    assert_int_equal(fn_mtu_deadline(&r.mtu), r.now_ns + FN_MTU_RAISE_NS);
    r.now_ns += FN_MTU_RAISE_NS;
    r.carries = 1400;
    road_search(&r);
    assert_found(&r, 1452);
    r.now_ns += FN_MTU_RAISE_NS;
    r.carries = 1500;
    road_search(&r);
    assert_int_equal(fn_mtu_current(&r.mtu), 1452);
    assert_int_equal(fn_mtu_deadline(&r.mtu), FN_NEVER);
}

/* Full-size packets and one small in ten, in the order in which a sender learns of their fate: an
 * ACK first acknowledges the newer, then the older ones are declared lost. */
static uint32_t road_traffic(road *r, uint32_t packets, uint32_t loss_permille, fn_rng *rng)
{
    uint32_t changes = 0;
    uint64_t lost_number[4] = {0};
    uint32_t lost_bytes[4] = {0};
    for (uint32_t i = 0; i < packets; i++) {
        uint32_t bytes = i % 10 == 9 ? 100 : fn_mtu_current(&r->mtu);
        uint64_t number = r->next_number++;
        bool lost = bytes > r->carries || fn_rng_chance(rng, loss_permille);
        if (!lost)
            changes += fn_mtu_on_acked(&r->mtu, number, bytes, r->now_ns);
        if (lost_bytes[i % 4] != 0)
            changes += fn_mtu_on_lost(&r->mtu, lost_number[i % 4], lost_bytes[i % 4], r->now_ns);
        lost_number[i % 4] = number;
        lost_bytes[i % 4] = lost ? bytes : 0;
    }
    return changes;
}

static void black_hole_falls_back_to_the_base_and_searches_below(void **unused)
{
    (void)unused;
    for (uint32_t carries = 1200; carries < 1430; carries += 17) {
        fn_rng rng;
        fn_rng_init(&rng, carries);
        road r;
        road_init(&r, 1500, 1452);
        road_search(&r);
        r.carries = carries;
        assert_int_equal(road_traffic(&r, 30, 0, &rng), 1);
        assert_int_equal(fn_mtu_current(&r.mtu), FN_MTU_BASE_BYTES);
        road_search(&r);
        assert_found(&r, 1452);
    }
}

static void only_a_later_small_packet_reveals_a_black_hole(void **unused)
{
    (void)unused;
    road r;
    road_init(&r, 1500, 1452);
    road_search(&r);
    assert_false(fn_mtu_on_acked(&r.mtu, 9, 1000, r.now_ns));
    for (uint64_t number = 10; number < 40; number++)
        assert_false(
            fn_mtu_on_lost(&r.mtu, number, 1452, r.now_ns));  /* all is dead, not only large */
    assert_true(fn_mtu_on_acked(&r.mtu, 40, 1200, r.now_ns)); /* the probe timeout's packet */
    assert_int_equal(fn_mtu_current(&r.mtu), FN_MTU_BASE_BYTES);
}

static void random_loss_is_no_black_hole(void **unused)
{
    (void)unused;
    const uint32_t losses[] = {10, 50, 100};
    for (size_t i = 0; i < FN_ARRAY_COUNT(losses); i++) {
        fn_rng rng;
        fn_rng_init(&rng, losses[i]);
        road r;
        road_init(&r, 1500, 1452);
        road_search(&r);
        assert_int_equal(road_traffic(&r, 20000, losses[i], &rng), 0);
        assert_int_equal(fn_mtu_current(&r.mtu), 1452);
    }
}

static void a_large_packet_that_got_through_disproves_a_black_hole(void **unused)
{
    (void)unused;
    road r;
    road_init(&r, 1500, 1452);
    road_search(&r);
    for (uint64_t number = 10; number < 200; number += 4) {
        assert_false(fn_mtu_on_lost(&r.mtu, number, 1452, r.now_ns));
        assert_false(fn_mtu_on_acked(&r.mtu, number + 1, 100, r.now_ns));
        assert_false(fn_mtu_on_acked(&r.mtu, number + 2, 1452, r.now_ns));
    }
    assert_false(fn_mtu_on_acked(&r.mtu, 300, 1452, r.now_ns));
    assert_false(fn_mtu_on_acked(&r.mtu, 301, 100, r.now_ns));
    for (uint64_t number = 200; number < 230; number++)
        assert_false(fn_mtu_on_lost(&r.mtu, number, 1452, r.now_ns)); /* sent before number 300 */
    assert_int_equal(fn_mtu_current(&r.mtu), 1452);
}

static void refusal_by_the_socket_counts_at_once(void **unused)
{
    (void)unused;
    road r;
    road_init(&r, 1500, 1452);
    road_search(&r);
    assert_true(fn_mtu_on_too_large(&r.mtu, 1400, r.now_ns));
    assert_int_equal(fn_mtu_current(&r.mtu), FN_MTU_BASE_BYTES);
    r.carries = 1399;
    uint32_t before = r.probes;
    road_search(&r);
    assert_found(&r, 1452);
    assert_true(r.probes - before <= 4 * FN_MTU_PROBES_MAX);
    assert_false(fn_mtu_on_too_large(&r.mtu, 60000, r.now_ns));
}

static void refused_probe_is_not_tried_again(void **unused)
{
    (void)unused;
    road r;
    road_init(&r, 1500, 1452);
    assert_int_equal(fn_mtu_probe_due(&r.mtu, r.now_ns), 1452);
    fn_mtu_probe_sent(&r.mtu, 0, 1452);
    assert_false(fn_mtu_on_too_large(&r.mtu, 1452, r.now_ns));
    assert_false(fn_mtu_on_lost(&r.mtu, 0, 1452, r.now_ns));
    assert_in_range(fn_mtu_probe_due(&r.mtu, r.now_ns), 1201, 1451);
    assert_int_equal(fn_mtu_current(&r.mtu), FN_MTU_BASE_BYTES);
}

static void refusal_below_the_base_ends_the_search(void **unused)
{
    (void)unused;
    const uint32_t sizes[] = {0, 1, 600, 1200};
    for (size_t i = 0; i < FN_ARRAY_COUNT(sizes); i++) {
        fn_mtu mtu;
        fn_mtu_init(&mtu, 1452, 0);
        assert_false(fn_mtu_on_too_large(&mtu, sizes[i], 0));
        assert_int_equal(fn_mtu_current(&mtu), 1200);
        assert_int_equal(fn_mtu_deadline(&mtu), FN_MTU_RAISE_NS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_finds_every_size),
        cmocka_unit_test(maximum_is_tried_first),
        cmocka_unit_test(no_search_at_or_below_the_base),
        cmocka_unit_test(a_size_needs_three_losses),
        cmocka_unit_test(another_search_begins_after_ten_minutes),
        cmocka_unit_test(black_hole_falls_back_to_the_base_and_searches_below),
        cmocka_unit_test(only_a_later_small_packet_reveals_a_black_hole),
        cmocka_unit_test(random_loss_is_no_black_hole),
        cmocka_unit_test(a_large_packet_that_got_through_disproves_a_black_hole),
        cmocka_unit_test(refusal_by_the_socket_counts_at_once),
        cmocka_unit_test(refused_probe_is_not_tried_again),
        cmocka_unit_test(refusal_below_the_base_ends_the_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
