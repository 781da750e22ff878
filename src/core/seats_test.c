#include "core/seats.h"

#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEATS = 64 };

#define START    (1000 * FN_NS_PER_S)
#define PROVE_NS (3500 * FN_NS_PER_MS)

static fn_seats seats;
static fn_seat seat[SEATS];
static void *memory;

static void start(uint32_t seats_max, uint32_t per_address_max)
{
    static const uint8_t seed[FN_MAP_SEED_BYTES] = {1, 2, 3};
    fn_seats_config config = {seats_max, per_address_max, PROVE_NS};
    free(memory);
    memory = malloc(fn_seats_memory_bytes(seats_max));
    assert_non_null(memory);
    memset(seat, 0, sizeof seat);
    fn_seats_init(&seats, &config, memory, seed);
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
    const uint8_t ip[4] = {10, 1, (uint8_t)(number >> 8), (uint8_t)number};
    return fn_address_from_ipv4(ip, 7);
}

static void sit(uint32_t at, uint32_t from, uint64_t now_ns)
{
    fn_address address = v4(from);
    fn_seats_take(&seats, &seat[at], &address);
    fn_seats_doubt(&seats, &seat[at], now_ns);
}

static fn_seat *give_way(uint32_t newcomer, uint64_t now_ns)
{
    fn_address address = v4(newcomer);
    return fn_seats_give_way(&seats, now_ns, &address);
}

/* --- giving way ------------------------------------------------------------------------ */

static void who_is_about_to_come_keeps_its_seat(void **state)
{
    (void)state;
    start(4, 0);
    for (uint32_t i = 0; i < 4; i++)
        sit(i, i, START + i * FN_NS_PER_MS);
    assert_null(give_way(100, START + PROVE_NS - 1));
    assert_ptr_equal(give_way(100, START + PROVE_NS), &seat[0]);
    /* Also for a neighbour: the time is over. */
    assert_ptr_equal(give_way(0, START + PROVE_NS), &seat[0]);
}

static void who_has_come_keeps_its_seat(void **state)
{
    (void)state;
    start(4, 0);
    for (uint32_t i = 0; i < 4; i++)
        sit(i, 1, START);
    for (uint32_t i = 0; i < 4; i++)
        fn_seats_prove(&seats, &seat[i]);
    assert_null(give_way(100, START + 10 * PROVE_NS));
    fn_seats_prove(&seats, &seat[0]);
    fn_seats_leave(&seats, &seat[0]);
    fn_seats_leave(&seats, &seat[0]);
    assert_null(give_way(100, START + 10 * PROVE_NS));
}

static void unfair_share_makes_room_for_others_only(void **state)
{
    (void)state;
    start(SEATS, 0);
    for (uint32_t i = 0; i < SEATS; i++)
        sit(i, i < 9 ? 7 : 100 + i, START);
    assert_ptr_equal(give_way(500, START), &seat[0]);
    assert_null(give_way(7, START));
    fn_seats_leave(&seats, &seat[0]); /* an eighth is left: that is no unfair share */
    assert_null(give_way(500, START));
    /* With few places two are. */
    start(4, 0);
    for (uint32_t i = 0; i < 4; i++)
        sit(i, i < 3 ? 7 : 100, START);
    assert_ptr_equal(give_way(500, START), &seat[0]);
    fn_seats_leave(&seats, &seat[0]);
    assert_null(give_way(500, START));
}

/* --- how many -------------------------------------------------------------------------- */

static uint32_t most_of(uint32_t seats_max, uint32_t per_address_max, const char *text)
{
    fn_address address;
    assert_true(fn_address_parse_host(text, &address));
    start(seats_max, per_address_max);
    return fn_seats_per_address(&seats, &address);
}

static void one_address_may_not_have_every_seat(void **state)
{
    (void)state;
    assert_int_equal(most_of(64, 0, "192.0.2.1"), 48);
    assert_int_equal(most_of(1000, 0, "2001:db8::1"), 750);
    assert_int_equal(most_of(9, 0, "192.0.2.1"), 8);
    assert_int_equal(most_of(8, 0, "192.0.2.1"), 8);
    assert_int_equal(most_of(1, 0, "192.0.2.1"), 1);
    assert_int_equal(most_of(64, 0, "127.0.0.1"), 64);
    assert_int_equal(most_of(64, 0, "::1"), 64);
    assert_int_equal(most_of(64, 3, "127.0.0.1"), 3);
    assert_int_equal(most_of(64, 65535, "192.0.2.1"), 65535);
}

static void seats_count_per_address_until_they_are_free(void **state)
{
    (void)state;
    fn_address crowded = v4(1), other = v4(2);
    start(SEATS, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(fn_seats_allows(&seats, &crowded));
        sit(i, 1, START);
        fn_seats_prove(&seats, &seat[i]);
    }
    assert_false(fn_seats_allows(&seats, &crowded));
    assert_true(fn_seats_allows(&seats, &other));
    fn_seats_leave(&seats, &seat[1]);
    assert_true(fn_seats_allows(&seats, &crowded));
    /* Who may have all of a full server is not over its limit. */
    start(3, 0);
    for (uint32_t i = 0; i < 3; i++)
        sit(i, 1, START);
    assert_true(fn_seats_allows(&seats, &crowded));
}

#define TEST(name) cmocka_unit_test_teardown(name, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_about_to_come_keeps_its_seat),
        TEST(who_has_come_keeps_its_seat),
        TEST(unfair_share_makes_room_for_others_only),
        TEST(one_address_may_not_have_every_seat),
        TEST(seats_count_per_address_until_they_are_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
