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
    memory = malloc(fn_admission_memory_bytes(&config));
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

static bool knock(const fn_address *address, uint64_t now_ns)
{
    return fn_admission_knock(&admission, now_ns, address) == FN_ADMISSION_ADMITTED;
}

/* Who gave way, when it was admitted. */
static fn_admission_verdict try_begin(uint32_t at, uint32_t from, uint64_t now_ns,
                                      fn_admission_entry **evicted)
{
    fn_address address = v4(from);
    fn_admission_verdict verdict = fn_admission_place(&admission, now_ns, &address, evicted);
    if (verdict == FN_ADMISSION_ADMITTED)
        fn_admission_enter(&admission, now_ns, &entries[at], &address);
    return verdict;
}

static fn_admission_entry *begin_from(uint32_t at, uint32_t from, uint64_t now_ns)
{
    fn_admission_entry *evicted;
    assert_int_equal(try_begin(at, from, now_ns, &evicted), FN_ADMISSION_ADMITTED);
    return evicted;
}

static void assert_refused(uint32_t from, uint64_t now_ns, fn_admission_verdict expected)
{
    fn_admission_entry *evicted;
    assert_int_equal(try_begin(ENTRIES - 1, from, now_ns, &evicted), expected);
    assert_null(evicted);
}

static void advance(uint32_t at, uint64_t now_ns, fn_admission_stage stage)
{
    fn_admission_advance(&admission, now_ns, &entries[at], stage);
}

/* Everybody from another address. */
static fn_admission_entry *begin(uint32_t at)
{
    return begin_from(at, 0x0a000000 + at, START);
}

/* --- half-open ------------------------------------------------------------------------- */

/* A crowd of players is no attack: whoever is being served is served to its end. */
static void newcomers_wait_while_all_make_progress(void **state)
{
    (void)state;
    start(100, 10, 0);
    for (uint32_t i = 0; i < 100; i++) {
        assert_true(fn_admission_has_room(&admission, START));
        assert_null(begin(i));
    }
    for (uint32_t i = 0; i < 50; i++)
        advance(i, START, FN_ADMISSION_OURS);
    for (uint32_t i = 0; i < 25; i++)
        advance(i, START, FN_ADMISSION_ANSWERED);
    assert_false(fn_admission_has_room(&admission, START + 499 * FN_NS_PER_MS));
    assert_refused(0x0b000000, START + 499 * FN_NS_PER_MS, FN_ADMISSION_WAIT);
    assert_int_equal(admission.evicted_count, 0);
    fn_admission_end(&admission, &entries[99]);
    assert_true(fn_admission_has_room(&admission, START));
    assert_null(begin_from(99, 0x0b000000, START));
}

/* 500 ms to a whole ClientHello, 2 s to HELLO after our answer, and none while it is our turn. */
static void who_overran_gives_way_in_that_order(void **state)
{
    (void)state;
    const uint64_t ms = FN_NS_PER_MS;
    start(6, 10, 0);
    for (uint32_t i = 0; i < 6; i++)
        begin(i);
    advance(0, START + 1 * ms, FN_ADMISSION_OURS);
    advance(1, START + 2 * ms, FN_ADMISSION_OURS);
    advance(1, START + 3 * ms, FN_ADMISSION_ANSWERED);
    advance(2, START + 600 * ms, FN_ADMISSION_OURS);
    advance(2, START + 700 * ms, FN_ADMISSION_ANSWERED);
    assert_int_equal(fn_admission_room_ns(&admission), START + 500 * ms);
    /* A byte now and then is no progress. */
    for (uint32_t i = 3; i < 6; i++)
        advance(i, START + 400 * ms, FN_ADMISSION_SILENT);
    assert_refused(100, START + 500 * ms - 1, FN_ADMISSION_WAIT);
    assert_ptr_equal(begin_from(10, 100, START + 500 * ms), &entries[3]);
    assert_ptr_equal(begin_from(11, 101, START + 600 * ms), &entries[4]);
    assert_ptr_equal(begin_from(12, 102, START + 600 * ms), &entries[5]);
    for (uint32_t i = 10; i < 13; i++)
        advance(i, START + 601 * ms, FN_ADMISSION_OURS);
    assert_int_equal(fn_admission_room_ns(&admission), START + 2003 * ms);
    assert_refused(100, START + 2003 * ms - 1, FN_ADMISSION_WAIT);
    assert_ptr_equal(begin_from(13, 103, START + 2003 * ms), &entries[1]);
    /* Of a silent one and one that owes HELLO it is the one that overran first. */
    assert_ptr_equal(begin_from(14, 104, START + 2700 * ms), &entries[13]);
    assert_ptr_equal(begin_from(15, 105, START + 2700 * ms), &entries[2]);
    /* What waits for us never overruns. */
    fn_admission_end(&admission, &entries[14]);
    fn_admission_end(&admission, &entries[15]);
    assert_int_equal(fn_admission_room_ns(&admission), FN_NEVER);
}

/* Connections that say nothing, or a byte now and then, from a few addresses: they replace one
 * another, and nobody who has said its ClientHello pays for them. */
static void silent_crowds_make_room_for_everybody(void **state)
{
    (void)state;
    fn_admission_entry *evicted;
    start(256, 10, 0);
    for (uint32_t i = 0; i < 256; i++)
        begin_from(i, i % 8, START);
    for (uint32_t i = 256; i < 256 + 192; i++) {
        assert_int_equal(try_begin(i, 1000, START, &evicted), FN_ADMISSION_ADMITTED);
        assert_true(evicted < &entries[256] && evicted->silent.crowd == NULL);
        advance(i, START, FN_ADMISSION_OURS);
    }
    /* Eight of each address are left, which are no crowd any more. */
    assert_int_equal(admission.stage_counts[FN_ADMISSION_SILENT], 64);
    assert_refused(1000, START, FN_ADMISSION_WAIT);
    /* One more of them takes the place of one who works, and is the first to lose it. */
    assert_non_null(begin_from(448, 0, START));
    evicted = begin_from(449, 1000, START);
    assert_true(evicted == &entries[448] || evicted < &entries[256]);
}

/* A crowd that says its ClientHello and nothing more leaves room to others, not to itself. */
static void crowd_gives_way_to_others_and_turns_its_own_away(void **state)
{
    (void)state;
    start(16, 10, 0);
    for (uint32_t i = 0; i < 16; i++) {
        begin_from(i, i < 12 ? 7 : 100 + i, START);
        advance(i, START, FN_ADMISSION_OURS);
    }
    assert_refused(7, START, FN_ADMISSION_WAIT); /* it is our turn */
    for (uint32_t i = 0; i < 16; i++)
        advance(i, START, FN_ADMISSION_ANSWERED);
    uint64_t later_ns = START + FN_ADMISSION_SILENT_NS;
    assert_refused(7, later_ns - 1, FN_ADMISSION_WAIT); /* it gets on */
    assert_refused(7, later_ns, FN_ADMISSION_CROWDED);
    fn_admission_pass(&admission, later_ns, &entries[0]);
    fn_admission_end(&admission, &entries[0]);
    assert_null(begin_from(0, 7, later_ns));
    advance(0, later_ns, FN_ADMISSION_OURS);
    advance(0, later_ns, FN_ADMISSION_ANSWERED);
    assert_refused(7, later_ns + 1, FN_ADMISSION_WAIT);
    assert_refused(7, later_ns + FN_ADMISSION_SILENT_NS, FN_ADMISSION_CROWDED);
    assert_int_equal(admission.evicted_count, 2);
    assert_ptr_equal(begin_from(16, 50, later_ns), &entries[0]); /* the last one that came */
    assert_ptr_equal(begin_from(17, 51, later_ns), &entries[11]);
    assert_ptr_equal(begin_from(18, 52, later_ns), &entries[10]);
    assert_ptr_equal(begin_from(19, 53, later_ns), &entries[9]);
    assert_refused(54, later_ns, FN_ADMISSION_WAIT); /* eight are no crowd */
}

static void two_crowds_do_not_throw_each_other_out(void **state)
{
    (void)state;
    start(32, 10, 0);
    for (uint32_t i = 0; i < 32; i++) {
        begin_from(i, i < 17 ? 1 : 2, START);
        advance(i, START, FN_ADMISSION_OURS);
    }
    assert_ptr_equal(begin_from(32, 2, START), &entries[16]);
    advance(32, START, FN_ADMISSION_OURS);
    assert_refused(1, START, FN_ADMISSION_WAIT);
    assert_refused(2, START, FN_ADMISSION_WAIT);
}

static void small_cap_is_not_one_address(void **state)
{
    (void)state;
    start(4, 10, 0);
    for (uint32_t i = 0; i < 4; i++)
        begin_from(i, 7, START);
    assert_ptr_equal(begin_from(4, 8, START), &entries[0]);
    assert_ptr_equal(begin_from(5, 9, START), &entries[1]);
    assert_refused(10, START, FN_ADMISSION_WAIT);
}

/* A plain model: a list of lives, searched from end to end. */
enum { MODEL_CAP = 40, MODEL_REQUESTS = 6, LIVES = 96, SOURCES = 5 };

typedef struct life {
    bool in;
    bool decided;
    fn_admission_stage stage;
    uint64_t order;
    uint64_t due_ns;
    uint32_t from;
} life;

static life model[LIVES];

static uint32_t count_lives(bool decided)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < LIVES; i++)
        count += model[i].in && model[i].decided == decided;
    return count;
}

static uint32_t count_from(uint32_t from, bool silent)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < LIVES; i++)
        count += model[i].in && !model[i].decided && model[i].from == from &&
                 (!silent || model[i].stage == FN_ADMISSION_SILENT);
    return count;
}

static uint32_t most_from(bool silent)
{
    uint32_t most = 0;
    for (uint32_t from = 0; from < SOURCES; from++)
        most = fn_max_u32(most, count_from(from, silent));
    return most;
}

/* What the victim must be like; several addresses may have the most. */
static void assert_victim(const life *victim, uint32_t newcomer, uint64_t now_ns)
{
    bool overruns = false;
    for (uint32_t i = 0; i < LIVES; i++) {
        const life *other = &model[i];
        bool over = other->in && !other->decided && other->due_ns <= now_ns;
        overruns = overruns || over;
        assert_false(over && other->due_ns < victim->due_ns);
    }
    assert_true(victim->in && !victim->decided);
    if (overruns) {
        assert_true(victim->due_ns <= now_ns);
    } else if (most_from(true) > FN_ADMISSION_CROWD) {
        assert_int_equal(victim->stage, FN_ADMISSION_SILENT);
        assert_int_equal(count_from(victim->from, true), most_from(true));
    } else {
        assert_int_equal(count_from(victim->from, false), most_from(false));
        assert_true(most_from(false) > FN_ADMISSION_CROWD);
        assert_true(most_from(false) > count_from(newcomer, false) + 1);
    }
}

static void begin_a_life(fn_rng *rng, uint32_t at, uint64_t order, uint64_t now_ns)
{
    fn_admission_entry *evicted;
    uint32_t from = (uint32_t)fn_rng_below(rng, 1 + fn_rng_below(rng, SOURCES));
    fn_admission_verdict verdict = try_begin(at, from, now_ns, &evicted);
    if (count_lives(false) < MODEL_CAP)
        assert_true(verdict == FN_ADMISSION_ADMITTED && evicted == NULL);
    else if (verdict != FN_ADMISSION_ADMITTED)
        assert_true(most_from(true) <= FN_ADMISSION_CROWD);
    else
        assert_victim(&model[evicted - entries], from, now_ns);
    if (evicted != NULL)
        model[evicted - entries].in = false;
    if (verdict == FN_ADMISSION_ADMITTED)
        model[at] = (life){
            .in = true, .order = order, .from = from, .due_ns = now_ns + FN_ADMISSION_SILENT_NS};
}

static void live_a_turn(fn_rng *rng, uint64_t order, uint64_t now_ns)
{
    uint32_t at = (uint32_t)fn_rng_below(rng, LIVES);
    uint64_t what = fn_rng_below(rng, 8);
    life *self = &model[at];
    bool half_open = self->in && !self->decided;
    if (what < 5 && !self->in) {
        begin_a_life(rng, at, order, now_ns);
    } else if (what == 5 && half_open && self->stage < FN_ADMISSION_ANSWERED) {
        self->stage++;
        self->due_ns = self->stage == FN_ADMISSION_OURS ? FN_NEVER : now_ns + FN_ADMISSION_HELLO_NS;
        advance(at, now_ns, self->stage);
    } else if (what == 6 && half_open) {
        self->decided = count_lives(true) < MODEL_REQUESTS;
        assert_int_equal(fn_admission_decide(&admission, &entries[at]), self->decided);
    } else if (what == 7 && fn_rng_chance(rng, 300)) {
        fn_admission_end(&admission, &entries[at]);
        self->in = false;
    }
}

static void random_lives_agree_with_a_model(void **state)
{
    (void)state;
    fn_rng rng;
    uint64_t now_ns = START;
    fn_rng_init(&rng, 7);
    memset(model, 0, sizeof model);
    start(MODEL_CAP, MODEL_REQUESTS, 0);
    for (uint64_t turn = 0; turn < 40000; turn++) {
        now_ns += fn_rng_below(&rng, 20 * FN_NS_PER_MS);
        live_a_turn(&rng, turn, now_ns);
        assert_int_equal(admission.half_open_count, count_lives(false));
        assert_int_equal(admission.request_count, count_lives(true));
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
    assert_ptr_equal(begin_from(6, 6, START + SECOND), &entries[2]);
    advance(0, START, FN_ADMISSION_OURS);
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
    fn_address address = parse(text);
    return fn_admission_knock(&admission, START, &address);
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
        TEST(newcomers_wait_while_all_make_progress),
        TEST(who_overran_gives_way_in_that_order),
        TEST(silent_crowds_make_room_for_everybody),
        TEST(crowd_gives_way_to_others_and_turns_its_own_away),
        TEST(two_crowds_do_not_throw_each_other_out),
        TEST(small_cap_is_not_one_address),
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
