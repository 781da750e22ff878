#include "core/ack.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS    FN_NS_PER_MS
#define SPACE 4000

/* The naive model: one flag for each number that the ledger should still report. */
typedef struct model {
    bool reported[SPACE];
    uint64_t unsent_lowest;
} model;

static void model_forget_below(model *m, uint64_t packet_number)
{
    uint64_t end = fn_min_u64(packet_number, SPACE);
    memset(m->reported, 0, end);
}

/* Keeps the newest FN_ACK_RANGES_MAX runs of flags. */
static void model_trim(model *m)
{
    uint32_t runs = 0;
    for (uint64_t i = SPACE; i-- > 0;) {
        bool run_ends_here = m->reported[i] && (i + 1 == SPACE || !m->reported[i + 1]);
        if (run_ends_here && ++runs > FN_ACK_RANGES_MAX) {
            model_forget_below(m, i + 1);
            return;
        }
    }
}

static void assert_matches(const fn_ack_ledger *ledger, const model *m)
{
    uint64_t next = SPACE;
    for (uint32_t i = 0; i < fn_ack_range_count(ledger); i++) {
        fn_ack_range range = fn_ack_range_at(ledger, i);
        assert_true(range.first <= range.last && range.last < next);
        for (uint64_t n = range.last + 1; n < next; n++)
            assert_false(m->reported[n]);
        for (uint64_t n = range.first; n <= range.last; n++)
            assert_true(m->reported[n]);
        next = range.first;
    }
    for (uint64_t n = 0; n < next; n++)
        assert_false(m->reported[n]);
}

/* A sender's packets arrive with loss and reordering; acknowledgements get lost as well. */
typedef struct link {
    fn_ack_ledger ledger;
    model m;
    fn_rng rng;
    uint32_t loss_permille;
    uint64_t highest_confirmed; /* + 1: of an ACK frame whose packet was itself acknowledged */
    bool arrived[SPACE];
    bool overtaken[SPACE];
    bool acknowledged[SPACE];
} link;

static void link_receive(link *l, uint64_t packet_number, uint64_t now_ns)
{
    l->arrived[packet_number] = true;
    l->m.reported[packet_number] = true;
    l->m.unsent_lowest = fn_min_u64(l->m.unsent_lowest, packet_number);
    model_trim(&l->m);
    fn_ack_received(&l->ledger, packet_number, now_ns, FN_ACK_USUAL);
    if (fn_rng_chance(&l->rng, 50))
        fn_ack_received(&l->ledger, packet_number, now_ns, FN_ACK_USUAL);
    assert_matches(&l->ledger, &l->m);
}

static void link_acknowledge(link *l)
{
    assert_true(fn_ack_wanted(&l->ledger));
    uint64_t end = fn_ack_range_at(&l->ledger, 0).last + 1;
    bool delivered = !fn_rng_chance(&l->rng, l->loss_permille);
    for (uint32_t i = 0; delivered && i < fn_ack_range_count(&l->ledger); i++) {
        fn_ack_range range = fn_ack_range_at(&l->ledger, i);
        memset(&l->acknowledged[range.first], 1, range.last - range.first + 1);
    }
    fn_ack_sent(&l->ledger);
    l->m.unsent_lowest = FN_NEVER;
    assert_false(fn_ack_wanted(&l->ledger));
    assert_int_equal(fn_ack_deadline(&l->ledger), FN_NEVER);
    if (delivered && fn_rng_chance(&l->rng, 300))
        l->highest_confirmed = end;
}

static void link_confirm(link *l)
{
    fn_ack_forget_below(&l->ledger, l->highest_confirmed);
    model_forget_below(&l->m, fn_min_u64(l->highest_confirmed, l->m.unsent_lowest));
    assert_matches(&l->ledger, &l->m);
}

static void link_run(link *l, uint32_t loss_permille, uint64_t seed)
{
    memset(l, 0, sizeof(*l));
    fn_ack_init(&l->ledger);
    fn_rng_init(&l->rng, seed);
    l->loss_permille = loss_permille;
    l->m.unsent_lowest = FN_NEVER;
    uint64_t late = SPACE;
    for (uint64_t n = 0; n < SPACE; n++) {
        uint64_t now_ns = n * MS;
        if (n == SPACE - 1)
            l->loss_permille = 0; /* the last acknowledgement arrives */
        if (late == SPACE && n < SPACE - 1 && fn_rng_chance(&l->rng, 50))
            late = n; /* overtaken by the next few */
        else if (!fn_rng_chance(&l->rng, l->loss_permille))
            link_receive(l, n, now_ns);
        if (late < n && fn_rng_chance(&l->rng, 300)) {
            l->overtaken[late] = true;
            link_receive(l, late, now_ns);
            late = SPACE;
        }
        if (fn_ack_is_due(&l->ledger, now_ns))
            link_acknowledge(l);
        if (fn_rng_chance(&l->rng, 100))
            link_confirm(l);
    }
    if (fn_ack_wanted(&l->ledger))
        link_acknowledge(l);
}

static void r5_ack_ranges_match_model(void **unused)
{
    (void)unused;
    static link l;
    for (uint32_t loss = 0; loss <= 300; loss += loss == 0 ? 10 : 29) {
        link_run(&l, loss, loss + 1);
        for (uint64_t n = 0; n < SPACE; n++) {
            assert_true(l.arrived[n] || !l.acknowledged[n]);
            /* The one frame that reported a straggler may be lost, and
             * the range forgotten after. */
            assert_true(l.acknowledged[n] || !l.arrived[n] || l.overtaken[n]);
        }
    }
}

static void r5_lost_packets_are_never_acknowledged_when_ranges_overflow(void **unused)
{
    (void)unused;
    fn_ack_ledger ledger;
    fn_ack_init(&ledger);
    for (uint64_t n = 0; n < 200; n += 2)
        fn_ack_received(&ledger, n, n, FN_ACK_USUAL);
    assert_int_equal(fn_ack_range_count(&ledger), FN_ACK_RANGES_MAX);
    for (uint32_t i = 0; i < FN_ACK_RANGES_MAX; i++) {
        assert_int_equal(fn_ack_range_at(&ledger, i).first, 198 - 2 * i);
        assert_int_equal(fn_ack_range_at(&ledger, i).last, 198 - 2 * i);
    }
    fn_ack_received(&ledger, 3, 300, FN_ACK_USUAL);
    assert_int_equal(fn_ack_range_at(&ledger, FN_ACK_RANGES_MAX - 1).first, 198 - 62);
}

static void ranges_work_at_the_top_of_the_number_space(void **unused)
{
    (void)unused;
    const uint64_t top = (UINT64_C(1) << 62) - 1;
    fn_ack_ledger ledger;
    fn_ack_init(&ledger);
    fn_ack_received(&ledger, 0, 1, FN_ACK_USUAL);
    fn_ack_received(&ledger, top, 2, FN_ACK_USUAL);
    fn_ack_received(&ledger, top - 2, 3, FN_ACK_USUAL);
    assert_int_equal(fn_ack_range_count(&ledger), 3);
    fn_ack_received(&ledger, top - 1, 4, FN_ACK_USUAL);
    assert_int_equal(fn_ack_range_count(&ledger), 2);
    assert_int_equal(fn_ack_range_at(&ledger, 0).first, top - 2);
    assert_int_equal(fn_ack_range_at(&ledger, 0).last, top);
    fn_ack_sent(&ledger);
    fn_ack_forget_below(&ledger, top);
    assert_int_equal(fn_ack_range_count(&ledger), 1);
    assert_int_equal(fn_ack_range_at(&ledger, 0).first, top);
}

/* Packets one millisecond apart from number 0 on; after which of them is one due, and when? */
typedef struct policy_case {
    const char *classes; /* S silent, L lazy, U usual, ! urgent, - lost */
    uint64_t due_ms;     /* UINT64_MAX = never */
    bool wanted;
} policy_case;

static const policy_case policy_cases[] = {
    {"", UINT64_MAX, false},
    {"S", UINT64_MAX, true},
    {"SSSSSSSSSSSSSSSSSSSS", UINT64_MAX, true},
    {"S-S-S", UINT64_MAX, true},
    {"U", 25, true},
    {"SU", 26, true},
    {"UU", 1, true},
    {"USSS", 25, true},
    {"USSU", 3, true},
    {"L", 25, true},
    {"LLLLLLLLL", 25, true},
    {"LLLLLLLLLL", 9, true},
    {"LLLLLLLLLLLL", 9, true},
    {"LU", 25, true},
    {"LULU", 3, true},
    {"!", 0, true},
    {"S!", 1, true},
    {"-U", 1, true},
    {"L-L", 2, true},
    {"S-L", 2, true},
    {"U-S", 25, true},
};

static fn_ack_class class_of(char letter)
{
    return letter == 'S'   ? FN_ACK_SILENT
           : letter == 'L' ? FN_ACK_LAZY
           : letter == 'U' ? FN_ACK_USUAL
                           : FN_ACK_URGENT;
}

static void r6_one_way_traffic_makes_an_acknowledgement_due(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < FN_ARRAY_COUNT(policy_cases); i++) {
        const policy_case *c = &policy_cases[i];
        fn_ack_ledger ledger;
        fn_ack_init(&ledger);
        for (uint64_t n = 0; c->classes[n] != 0; n++) {
            if (c->classes[n] != '-')
                fn_ack_received(&ledger, n, n * MS, class_of(c->classes[n]));
        }
        uint64_t due_ns = c->due_ms == UINT64_MAX ? FN_NEVER : c->due_ms * MS;
        assert_int_equal(fn_ack_deadline(&ledger), due_ns);
        assert_int_equal(fn_ack_wanted(&ledger), c->wanted);
        assert_true(fn_ack_is_due(&ledger, due_ns));
        assert_false(due_ns > 0 && fn_ack_is_due(&ledger, due_ns - 1));
    }
}

static void r6_acknowledgement_that_rode_is_not_due_again(void **unused)
{
    (void)unused;
    fn_ack_ledger ledger;
    fn_ack_init(&ledger);
    fn_ack_received(&ledger, 0, 0, FN_ACK_USUAL);
    fn_ack_sent(&ledger);
    assert_false(fn_ack_wanted(&ledger));
    assert_false(fn_ack_is_due(&ledger, 1000 * MS));
    fn_ack_received(&ledger, 1, 40 * MS, FN_ACK_USUAL);
    assert_int_equal(fn_ack_deadline(&ledger), 65 * MS);
}

static void r6_late_eliciting_packet_is_acknowledged_at_once(void **unused)
{
    (void)unused;
    fn_ack_ledger ledger;
    fn_ack_init(&ledger);
    fn_ack_received(&ledger, 0, 0, FN_ACK_USUAL);
    fn_ack_received(&ledger, 2, 1, FN_ACK_USUAL);
    fn_ack_sent(&ledger);
    fn_ack_received(&ledger, 1, 7 * MS, FN_ACK_LAZY);
    assert_int_equal(fn_ack_deadline(&ledger), 7 * MS);
}

static void delay_counts_from_the_highest_number(void **unused)
{
    (void)unused;
    fn_ack_ledger ledger;
    fn_ack_init(&ledger);
    fn_ack_received(&ledger, 5, 10 * MS, FN_ACK_USUAL);
    fn_ack_received(&ledger, 4, 14 * MS, FN_ACK_USUAL);
    assert_int_equal(fn_ack_delay_ns(&ledger, 17 * MS), 7 * MS);
    fn_ack_received(&ledger, 6, 18 * MS, FN_ACK_USUAL);
    assert_int_equal(fn_ack_delay_ns(&ledger, 20 * MS), 2 * MS);
}

static void forgetting_keeps_the_straggler_that_was_never_reported(void **unused)
{
    (void)unused;
    fn_ack_ledger ledger;
    fn_ack_init(&ledger);
    fn_ack_received(&ledger, 0, 0, FN_ACK_USUAL);
    fn_ack_received(&ledger, 2, 0, FN_ACK_USUAL);
    fn_ack_sent(&ledger);
    fn_ack_received(&ledger, 1, 1, FN_ACK_USUAL);
    fn_ack_forget_below(&ledger, 3);
    assert_true(fn_ack_wanted(&ledger));
    assert_int_equal(fn_ack_range_at(&ledger, 0).first, 1);
    fn_ack_sent(&ledger);
    fn_ack_forget_below(&ledger, 3);
    assert_int_equal(fn_ack_range_count(&ledger), 0);
    assert_false(fn_ack_wanted(&ledger));
    fn_ack_received(&ledger, 3, 2, FN_ACK_SILENT);
    assert_true(fn_ack_wanted(&ledger));
}

static void fresh_unreliable_packets_wait_for_company(void **state)
{
    (void)state;
    fn_ack_ledger ledger;
    fn_ack_init(&ledger);
    const uint64_t now_ns = FN_NS_PER_S;
    for (uint64_t number = 0; number < FN_ACK_LAZY_RIDES; number++) {
        assert_false(fn_ack_rides(&ledger, now_ns));
        fn_ack_received(&ledger, number, now_ns, FN_ACK_LAZY);
    }
    assert_true(fn_ack_rides(&ledger, now_ns));
    fn_ack_sent(&ledger);
    assert_false(fn_ack_rides(&ledger, now_ns));
}

static void at_game_rates_an_ack_rides_on_the_next_packet(void **state)
{
    (void)state;
    fn_ack_ledger ledger;
    fn_ack_init(&ledger);
    fn_ack_received(&ledger, 0, FN_NS_PER_S, FN_ACK_LAZY);
    assert_false(fn_ack_rides(&ledger, FN_NS_PER_S + FN_ACK_LAZY_FRESH_NS - 1));
    assert_true(fn_ack_rides(&ledger, FN_NS_PER_S + FN_ACK_LAZY_FRESH_NS));
    assert_true(fn_ack_rides(&ledger, FN_NS_PER_S + FN_ACK_DELAY_NS));
}

static void what_is_reliable_is_acknowledged_by_the_next_packet(void **state)
{
    (void)state;
    fn_ack_ledger ledger;
    fn_ack_init(&ledger);
    fn_ack_received(&ledger, 0, FN_NS_PER_S, FN_ACK_SILENT);
    assert_false(fn_ack_rides(&ledger, 2 * FN_NS_PER_S));
    fn_ack_received(&ledger, 1, FN_NS_PER_S, FN_ACK_USUAL);
    assert_true(fn_ack_rides(&ledger, FN_NS_PER_S));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(r5_ack_ranges_match_model),
        cmocka_unit_test(r5_lost_packets_are_never_acknowledged_when_ranges_overflow),
        cmocka_unit_test(ranges_work_at_the_top_of_the_number_space),
        cmocka_unit_test(r6_one_way_traffic_makes_an_acknowledgement_due),
        cmocka_unit_test(r6_acknowledgement_that_rode_is_not_due_again),
        cmocka_unit_test(r6_late_eliciting_packet_is_acknowledged_at_once),
        cmocka_unit_test(delay_counts_from_the_highest_number),
        cmocka_unit_test(forgetting_keeps_the_straggler_that_was_never_reported),
        cmocka_unit_test(fresh_unreliable_packets_wait_for_company),
        cmocka_unit_test(at_game_rates_an_ack_rides_on_the_next_packet),
        cmocka_unit_test(what_is_reliable_is_acknowledged_by_the_next_packet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
