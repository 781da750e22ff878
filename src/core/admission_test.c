#include "core/admission.h"

#include "base/rng.h"
#include "base/units.h"
#include "fastnet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND FN_NS_PER_S
#define START  (1000 * SECOND)

enum { ENTRIES = 512 };

static fn_admission admission;
static fn_admission_entry entries[ENTRIES];
static void *memory;

static void start(uint32_t handshakes_max, uint32_t requests_max, uint32_t per_s)
{
    static const uint8_t seed[16] = {1, 2, 3, 4, 5};
    fn_admission_config config = {handshakes_max, requests_max, per_s};
    free(memory);
    memory = malloc(fn_admission_memory_bytes());
    assert_non_null(memory);
    memset(entries, 0, sizeof entries);
    fn_admission_init(&admission, &config, memory, seed);
}

static int stop(void **state)
{
    (void)state;
    free(memory);
    memory = NULL;
    return 0;
}

static fn_address v4(uint32_t number)
{
    uint8_t ip[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                     (uint8_t)number};
    return fn_address_from_ipv4(ip, (uint16_t)(1000 + number));
}

static fn_address parse(const char *text)
{
    fn_address address;
    assert_true(fn_address_parse_host(text, &address));
    return address;
}

/* Admits without looking at whom it pushes out; the entry is free again at once. */
static bool knock(const fn_address *address, uint64_t now_ns)
{
    fn_admission_entry entry, *evicted;
    if (fn_admission_begin(&admission, now_ns, address, &entry, &evicted) != FN_ADMISSION_ADMITTED)
        return false;
    fn_admission_end(&admission, &entry);
    return true;
}

static fn_admission_entry *begin(uint32_t at)
{
    fn_admission_entry *evicted;
    fn_address address = v4(0x0a000000 + at);
    assert_int_equal(fn_admission_begin(&admission, START, &address, &entries[at], &evicted),
                     FN_ADMISSION_ADMITTED);
    return evicted;
}

/* --- half-open ------------------------------------------------------------------------- */

static void s6_newcomers_are_never_refused(void **state)
{
    (void)state;
    start(100, 10, 20);
    for (uint32_t i = 0; i < 100; i++)
        assert_null(begin(i));
    for (uint32_t i = 100; i < ENTRIES; i++) {
        assert_ptr_equal(begin(i), &entries[i - 100]);
        assert_int_equal(admission.half_open_count, 100);
    }
    assert_int_equal(admission.evicted_count, ENTRIES - 100);
}

static void s6_the_oldest_of_the_least_advanced_gives_way(void **state)
{
    (void)state;
    start(16, 10, 0);
    for (uint32_t i = 0; i < 16; i++)
        begin(i);
    fn_admission_advance(&admission, &entries[0], 2);
    fn_admission_advance(&admission, &entries[1], 1);
    fn_admission_advance(&admission, &entries[5], 1);
    assert_ptr_equal(begin(16), &entries[2]);
    assert_ptr_equal(begin(17), &entries[3]);
    assert_ptr_equal(begin(18), &entries[4]);
    assert_ptr_equal(begin(19), &entries[6]);
    assert_int_equal(admission.half_open_count, 16);
}

static void age_counts_from_admission_not_from_the_stage(void **state)
{
    (void)state;
    start(4, 10, 0);
    for (uint32_t i = 0; i < 4; i++)
        begin(i);
    fn_admission_advance(&admission, &entries[3], 1);
    fn_admission_advance(&admission, &entries[1], 1);
    fn_admission_advance(&admission, &entries[2], 1);
    fn_admission_advance(&admission, &entries[0], 1);
    assert_ptr_equal(begin(4), &entries[0]);
    fn_admission_advance(&admission, &entries[4], 1);
    assert_ptr_equal(begin(5), &entries[1]);
}

/* A crowd that stalls half-way leaves newcomers an eighth of the places, not one. */
static void s6_stalled_crowds_leave_room_to_newcomers(void **state)
{
    (void)state;
    start(256, 10, 0);
    for (uint32_t i = 0; i < 256; i++) {
        begin(i);
        fn_admission_advance(&admission, &entries[i], 2);
    }
    for (uint32_t i = 256; i < 288; i++)
        assert_ptr_equal(begin(i), &entries[i - 256]);
    assert_ptr_equal(begin(288), &entries[256]);
    assert_int_equal(admission.stage_counts[0], 32);
    assert_int_equal(admission.stage_counts[2], 224);
}

/* A plain model: a list of lives, searched from end to end. */
enum { MODEL_CAP = 24, MODEL_REQUESTS = 6, LIVES = 64 };

typedef struct life {
    bool in;
    bool decided;
    uint32_t stage;
    uint64_t order;
} life;

static life model[LIVES];

static uint32_t count_lives(bool decided, uint32_t first_stage, uint32_t last_stage)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < LIVES; i++)
        count += model[i].in && model[i].decided == decided && model[i].stage >= first_stage &&
                 model[i].stage <= last_stage;
    return count;
}

/* LIVES when nobody has to give way. */
static uint32_t find_victim(void)
{
    uint32_t stage = 0, victim = LIVES;
    if (count_lives(false, 0, 2) < MODEL_CAP)
        return LIVES;
    while (count_lives(false, stage, stage) < MODEL_CAP / 8)
        stage++;
    for (uint32_t i = 0; i < LIVES; i++) {
        if (model[i].in && !model[i].decided && model[i].stage == stage &&
            (victim == LIVES || model[i].order < model[victim].order))
            victim = i;
    }
    return victim;
}

static void live_a_turn(fn_rng *rng, uint64_t order)
{
    uint32_t at = (uint32_t)fn_rng_below(rng, LIVES);
    uint64_t what = fn_rng_below(rng, 4);
    bool half_open = model[at].in && !model[at].decided;
    if (what == 0 && !model[at].in) {
        uint32_t victim = find_victim();
        assert_ptr_equal(begin(at), victim == LIVES ? NULL : &entries[victim]);
        if (victim < LIVES)
            model[victim].in = false;
        model[at] = (life){.in = true, .order = order};
    } else if (what == 1 && half_open) {
        model[at].stage = (uint32_t)fn_rng_below(rng, 3);
        fn_admission_advance(&admission, &entries[at], model[at].stage);
    } else if (what == 2 && half_open) {
        model[at].decided = count_lives(true, 0, 2) < MODEL_REQUESTS;
        assert_int_equal(fn_admission_decide(&admission, &entries[at]), model[at].decided);
    } else if (what == 3) {
        fn_admission_end(&admission, &entries[at]);
        model[at].in = false;
    }
}

static void random_lives_agree_with_a_model(void **state)
{
    (void)state;
    fn_rng rng;
    fn_rng_init(&rng, 7);
    memset(model, 0, sizeof model);
    start(MODEL_CAP, MODEL_REQUESTS, 0);
    for (uint64_t turn = 0; turn < 20000; turn++) {
        live_a_turn(&rng, turn);
        assert_int_equal(admission.half_open_count, count_lives(false, 0, 2));
        assert_int_equal(admission.request_count, count_lives(true, 0, 2));
    }
    assert_true(admission.evicted_count > 100);
}

static void undecided_requests_have_their_own_cap(void **state)
{
    (void)state;
    start(4, 2, 0);
    for (uint32_t i = 0; i < 3; i++)
        begin(i);
    assert_true(fn_admission_decide(&admission, &entries[0]));
    assert_true(fn_admission_decide(&admission, &entries[1]));
    assert_false(fn_admission_decide(&admission, &entries[2]));
    assert_int_equal(admission.half_open_count, 1);
    assert_int_equal(admission.request_count, 2);
    /* They are not evicted by half-open ones. */
    for (uint32_t i = 3; i < 6; i++)
        assert_null(begin(i));
    assert_ptr_equal(begin(6), &entries[2]);
    fn_admission_advance(&admission, &entries[0], 1);
    fn_admission_end(&admission, &entries[0]);
    fn_admission_end(&admission, &entries[0]);
    assert_int_equal(admission.request_count, 1);
    assert_true(fn_admission_decide(&admission, &entries[6]));
}

/* --- rates ----------------------------------------------------------------------------- */

static void rate_is_a_burst_and_then_a_rhythm(void **state)
{
    (void)state;
    fn_address address = v4(0x7f000002);
    start(256, 10, 20);
    for (int i = 0; i < 20; i++)
        assert_true(knock(&address, START));
    assert_false(knock(&address, START));
    assert_false(knock(&address, START + SECOND / 20 - 1));
    assert_true(knock(&address, START + SECOND / 20));
    assert_false(knock(&address, START + SECOND / 20));
    assert_int_equal(admission.limited_count, 3);
    int admitted = 0;
    for (uint64_t ms = 0; ms < 10000; ms++)
        admitted += knock(&address, START + 100 * SECOND + ms * FN_NS_PER_MS);
    assert_int_equal(admitted, 20 + 199);
}

static void rate_of_one_and_none(void **state)
{
    (void)state;
    fn_address address = v4(0x7f000002);
    start(256, 10, 1);
    assert_true(knock(&address, 0));
    assert_false(knock(&address, SECOND - 1));
    assert_true(knock(&address, SECOND));
    start(256, 10, 0);
    for (int i = 0; i < 1000; i++)
        assert_true(knock(&address, START));
}

static bool exhausts(const char *one, const char *other)
{
    fn_address a = parse(one), b = parse(other);
    start(256, 10, 3);
    for (int i = 0; i < 3; i++)
        assert_true(knock(&a, START));
    return !knock(&b, START);
}

static void rate_counts_ipv4_hosts_and_ipv6_networks(void **state)
{
    (void)state;
    assert_true(exhausts("192.0.2.1", "192.0.2.1"));
    assert_false(exhausts("192.0.2.1", "192.0.2.2"));
    assert_true(exhausts("192.0.2.1", "::ffff:192.0.2.1"));
    assert_true(exhausts("2001:db8::1", "2001:db8::ffff:1"));
    assert_true(exhausts("2001:db8:0:5::1", "2001:db8:0:5:8000::1"));
    assert_false(exhausts("2001:db8:0:5::1", "2001:db8:0:6::1"));
    fn_address port = v4(0x01020304), other_port = port;
    other_port.port = 9;
    start(256, 10, 1);
    assert_true(knock(&port, START));
    assert_false(knock(&other_port, START));
}

/* 50,000 addresses a second: nobody else is refused, and the
 * flooder's table stays the size it is. */
static void s6_many_addresses_lock_nobody_out(void **state)
{
    (void)state;
    start(256, 10, 20);
    for (uint32_t i = 0; i < 50000; i++) {
        fn_address flood = v4(0x20000000 + i);
        uint64_t now_ns = START + i * (SECOND / 50000);
        assert_true(knock(&flood, now_ns));
        if (i % 1000 == 0) {
            fn_address player = v4(0xc0000000 + i);
            assert_true(knock(&player, now_ns));
        }
    }
}

/* An address at its limit stays limited while as many others as half the table are active. */
static void s6_many_addresses_do_not_lift_a_limit(void **state)
{
    (void)state;
    int lifted = 0;
    start(256, 10, 20);
    for (uint32_t i = 0; i < 100; i++) {
        fn_address limited = v4(0x30000000 + i);
        for (int k = 0; k < 20; k++)
            assert_true(knock(&limited, START));
    }
    for (uint32_t i = 0; i < 2048; i++) {
        fn_address flood = v4(0x20000000 + i);
        assert_true(knock(&flood, START));
    }
    for (uint32_t i = 0; i < 100; i++) {
        fn_address limited = v4(0x30000000 + i);
        lifted += knock(&limited, START);
    }
    assert_int_equal(lifted, 0);
}

/* --- bans, draining -------------------------------------------------------------------- */

static fn_admission_verdict verdict_of(const char *text)
{
    fn_admission_entry entry, *evicted;
    fn_address address = parse(text);
    fn_admission_verdict verdict =
        fn_admission_begin(&admission, START, &address, &entry, &evicted);
    if (verdict == FN_ADMISSION_ADMITTED)
        fn_admission_end(&admission, &entry);
    return verdict;
}

static void bans_name_hosts_and_ipv6_networks(void **state)
{
    (void)state;
    static const char *const banned[] = {"192.0.2.1", "2001:db8::1", "fe80::1", "::1"};
    start(256, 10, 0);
    for (size_t i = 0; i < FN_ARRAY_COUNT(banned); i++) {
        fn_address address = parse(banned[i]);
        assert_int_equal(fn_admission_ban(&admission, &address), FASTNET_OK);
        assert_int_equal(fn_admission_ban(&admission, &address), FASTNET_OK);
    }
    assert_int_equal(admission.ban_count, 4);
    assert_int_equal(verdict_of("192.0.2.1"), FN_ADMISSION_BANNED);
    assert_int_equal(verdict_of("::ffff:192.0.2.1"), FN_ADMISSION_BANNED);
    assert_int_equal(verdict_of("192.0.2.2"), FN_ADMISSION_ADMITTED);
    assert_int_equal(verdict_of("2001:db8::2"), FN_ADMISSION_BANNED);
    assert_int_equal(verdict_of("2001:db8:0:1::1"), FN_ADMISSION_ADMITTED);
    assert_int_equal(verdict_of("fe80::1"), FN_ADMISSION_BANNED);
    assert_int_equal(verdict_of("fe80::2"), FN_ADMISSION_ADMITTED);
    assert_int_equal(verdict_of("::1"), FN_ADMISSION_BANNED);
    fn_address address = parse("192.0.2.1");
    assert_true(fn_admission_unban(&admission, &address));
    assert_false(fn_admission_unban(&admission, &address));
    assert_int_equal(verdict_of("192.0.2.1"), FN_ADMISSION_ADMITTED);
    assert_int_equal(verdict_of("2001:db8::1"), FN_ADMISSION_BANNED);
}

static void bans_are_bounded_and_agree_with_a_model(void **state)
{
    (void)state;
    static bool banned[2048];
    uint32_t count = 0;
    fn_rng rng;
    fn_rng_init(&rng, 3);
    start(256, 10, 0);
    for (int turn = 0; turn < 20000; turn++) {
        uint32_t at = (uint32_t)fn_rng_below(&rng, 2048);
        fn_address address = v4(at * 2654435761u);
        assert_int_equal(fn_admission_banned(&admission, &address), banned[at]);
        if (fn_rng_chance(&rng, 600)) {
            int expected =
                banned[at] || count < FN_ADMISSION_BANS_MAX ? FASTNET_OK : FASTNET_ERR_LIMIT;
            assert_int_equal(fn_admission_ban(&admission, &address), expected);
            count += expected == FASTNET_OK && !banned[at];
            banned[at] = expected == FASTNET_OK;
        } else {
            assert_int_equal(fn_admission_unban(&admission, &address), banned[at]);
            count -= banned[at];
            banned[at] = false;
        }
    }
    for (uint32_t at = 0; at < 2048; at++) {
        fn_address address = v4(at * 2654435761u);
        assert_int_equal(fn_admission_banned(&admission, &address), banned[at]);
    }
    memset(banned, 0, sizeof banned);
}

static void draining_and_late_bans_are_answered_after_hello(void **state)
{
    (void)state;
    const char *text;
    fn_address address = v4(0x7f000001);
    start(256, 10, 0);
    assert_int_equal(fn_admission_judge(&admission, &address, &text), FASTNET_OK);
    admission.draining = true;
    assert_int_equal(fn_admission_judge(&admission, &address, &text), FASTNET_ERR_REJECTED);
    assert_string_equal(text, "server is draining");
    admission.draining = false;
    fn_admission_ban(&admission, &address);
    assert_int_equal(fn_admission_judge(&admission, &address, &text), FASTNET_ERR_REJECTED);
    assert_non_null(strstr(text, "banned"));
}

/* --- work ------------------------------------------------------------------------------ */

static void s6_work_is_two_milliseconds_and_one_signature(void **state)
{
    (void)state;
    fn_work_budget budget;
    fn_work_budget_begin(&budget, START);
    assert_true(fn_work_budget_may_step(&budget, START, true));
    fn_work_budget_charge(&budget, false);
    assert_true(fn_work_budget_may_step(&budget, START, true));
    fn_work_budget_charge(&budget, true);
    fn_work_budget_charge(&budget, false);
    assert_false(fn_work_budget_may_step(&budget, START, true));
    assert_true(fn_work_budget_may_step(&budget, START + 2 * FN_NS_PER_MS - 1, false));
    assert_false(fn_work_budget_may_step(&budget, START + 2 * FN_NS_PER_MS, false));
    fn_work_budget_begin(&budget, START);
    assert_true(fn_work_budget_may_step(&budget, START, true));
}

#define TEST(name) cmocka_unit_test_teardown(name, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(s6_newcomers_are_never_refused),
        TEST(s6_the_oldest_of_the_least_advanced_gives_way),
        TEST(age_counts_from_admission_not_from_the_stage),
        TEST(s6_stalled_crowds_leave_room_to_newcomers),
        TEST(random_lives_agree_with_a_model),
        TEST(undecided_requests_have_their_own_cap),
        TEST(rate_is_a_burst_and_then_a_rhythm),
        TEST(rate_of_one_and_none),
        TEST(rate_counts_ipv4_hosts_and_ipv6_networks),
        TEST(s6_many_addresses_lock_nobody_out),
        TEST(s6_many_addresses_do_not_lift_a_limit),
        TEST(bans_name_hosts_and_ipv6_networks),
        TEST(bans_are_bounded_and_agree_with_a_model),
        TEST(draining_and_late_bans_are_answered_after_hello),
        TEST(s6_work_is_two_milliseconds_and_one_signature),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
