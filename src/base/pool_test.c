#include "base/pool.h"

#include "base/bits.h"
#include "base/rng.h"
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { arena_bytes_max = 4 * 1024 * 1024, seats_max = 40, blocks_max = 4096 };

static _Alignas(4096) uint8_t arena[arena_bytes_max];
static _Alignas(8) uint8_t metadata[arena_bytes_max / 128 + seats_max * 4];

/* A holder that can give back what it put into `given`. */
typedef struct holder {
    fn_pool_account account;
    fn_pool *pool;
    void *given[blocks_max];
    uint32_t given_count;
    uint32_t asked;
} holder;

static holder holders[seats_max];

static void give_back(fn_pool_account *account)
{
    holder *who = FN_CONTAINER_OF(account, holder, account);
    who->asked++;
    while (who->given_count > 0)
        fn_pool_free(who->pool, account, who->given[--who->given_count]);
}

static void open_pool(fn_pool *pool, size_t arena_bytes, const fn_pool_shares *shares,
                      uint32_t count)
{
    assert_true(fn_pool_metadata_bytes(arena_bytes, shares->seats) <= sizeof metadata);
    fn_pool_init(pool, arena, arena_bytes, metadata, shares);
    memset(holders, 0, sizeof holders);
    for (uint32_t i = 0; i < count; i++) {
        holders[i].pool = pool;
        assert_true(fn_pool_account_open(pool, &holders[i].account, SIZE_MAX, give_back));
    }
}

static void *take(fn_pool *pool, uint32_t who, size_t bytes, fn_pool_claim claim)
{
    return fn_pool_alloc(pool, &holders[who].account, bytes, claim);
}

/* Returns how many bytes it got. */
static size_t take_all(fn_pool *pool, uint32_t who, size_t bytes, fn_pool_claim claim)
{
    size_t before = holders[who].account.used_bytes;
    while (take(pool, who, bytes, claim) != NULL) {
    }
    return holders[who].account.used_bytes - before;
}

static void offer(fn_pool *pool, uint32_t who, size_t bytes)
{
    holder *all = &holders[who];
    void *block = take(pool, who, bytes, FN_POOL_USUAL);
    assert_non_null(block);
    all->given[all->given_count++] = block;
    fn_pool_offer(pool, &all->account);
}

static void one_alone_gets_half_of_what_is_common(void **unused)
{
    (void)unused;
    fn_pool pool;
    const fn_pool_shares shares = {.seats = 2};
    open_pool(&pool, 1 << 20, &shares, 2);
    assert_int_equal(take_all(&pool, 0, 1024, FN_POOL_USUAL), 512 << 10);
    assert_int_equal(take_all(&pool, 1, 1024, FN_POOL_USUAL), 256 << 10);
}

/* All that can be done to the common part, by all but one: its home is untouched, and in one piece.
 */
static void a_home_is_there_in_one_piece_whatever_the_others_do(void **unused)
{
    (void)unused;
    fn_pool pool;
    const fn_pool_shares shares = {.seats = seats_max, .home_bytes = 32 << 10};
    open_pool(&pool, arena_bytes_max, &shares, seats_max - 1);
    static void *blocks[arena_bytes_max / 128];
    static uint32_t owners[arena_bytes_max / 128];
    uint32_t count = 0;
    for (uint32_t turn = 0, idle = 0; idle < seats_max; turn++) {
        uint32_t who = turn % (seats_max - 1);
        void *block = take(&pool, who, 128, FN_POOL_FIRST);
        idle = block != NULL ? 0 : idle + 1;
        if (block == NULL)
            continue;
        blocks[count] = block;
        owners[count++] = who;
    }
    assert_int_equal(fn_pool_free_bytes(&pool), 32 << 10);
    /* Crumbs: half of all is free again, in pieces of which nothing larger can be made. */
    for (uint32_t i = 0; i < count; i += 2)
        fn_pool_free(&pool, &holders[owners[i]].account, blocks[i]);
    assert_true(fn_pool_free_bytes(&pool) > arena_bytes_max / 2);
    assert_null(take(&pool, 0, 2048, FN_POOL_FIRST));
    assert_true(fn_pool_account_open(&pool, &holders[seats_max - 1].account, SIZE_MAX, NULL));
    assert_non_null(take(&pool, seats_max - 1, 32 << 10, FN_POOL_FIRST));
}

static void there_is_a_seat_for_everybody_and_for_nobody_else(void **unused)
{
    (void)unused;
    fn_pool pool;
    fn_pool_account one_more;
    const fn_pool_shares shares = {.seats = 3, .home_bytes = 1024};
    open_pool(&pool, 8192, &shares, 3);
    assert_false(fn_pool_account_open(&pool, &one_more, SIZE_MAX, NULL));
    for (int round = 0; round < 5; round++) {
        fn_pool_account_close(&pool, &holders[round % 3].account);
        assert_true(fn_pool_account_open(&pool, &holders[round % 3].account, SIZE_MAX, NULL));
        assert_false(fn_pool_account_open(&pool, &one_more, SIZE_MAX, NULL));
    }
    for (uint32_t i = 0; i < 3; i++) {
        void *home = fn_buddy_alloc(&holders[i].account.home, 1024);
        assert_non_null(home);
        for (uint32_t k = 0; k < i; k++)
            assert_false(fn_buddy_owns(&holders[k].account.home, home));
    }
}

static void what_comes_first_gets_the_last_room_and_all_of_the_home(void **unused)
{
    (void)unused;
    fn_pool pool;
    const fn_pool_shares shares = {.seats = 2, .home_bytes = 4096, .room_bytes = 16384};
    open_pool(&pool, 2 * 4096 + 65536, &shares, 2);
    assert_int_equal(take_all(&pool, 0, 1024, FN_POOL_LUXURY), 32768);
    assert_int_equal(take_all(&pool, 1, 1024, FN_POOL_LUXURY), 16384);
    assert_int_equal(take_all(&pool, 1, 128, FN_POOL_USUAL), 2048);
    assert_int_equal(take_all(&pool, 0, 128, FN_POOL_FIRST), 16384 + 4096);
    assert_int_equal(take_all(&pool, 1, 128, FN_POOL_FIRST), 2048);
    assert_int_equal(fn_pool_free_bytes(&pool), 0);
}

static void the_largest_holder_gives_back_first(void **unused)
{
    (void)unused;
    fn_pool pool;
    const fn_pool_shares shares = {.seats = 4};
    open_pool(&pool, 65536, &shares, 4);
    for (int i = 0; i < 7; i++)
        offer(&pool, 0, 4096);
    for (int i = 0; i < 4; i++)
        offer(&pool, 1, 4096);
    offer(&pool, 2, 1024);
    take(&pool, 3, 16384, FN_POOL_USUAL);
    assert_int_equal(fn_pool_free_bytes(&pool), 3072);
    assert_non_null(take(&pool, 2, 16384, FN_POOL_USUAL));
    assert_int_equal(holders[0].asked, 1);
    assert_int_equal(holders[1].asked, 0);
    assert_int_equal(holders[2].asked, 0);
}

static void who_holds_less_is_never_asked(void **unused)
{
    (void)unused;
    fn_pool pool;
    const fn_pool_shares shares = {.seats = 2};
    open_pool(&pool, 65536, &shares, 2);
    offer(&pool, 1, 8192);
    assert_int_equal(take_all(&pool, 0, 4096, FN_POOL_USUAL), 28672);
    assert_int_equal(holders[1].asked, 0);
    /* Its own offer is another matter, also where the cap is what stands in the way. */
    offer(&pool, 1, 8192);
    holders[1].account.cap_bytes = 16384;
    assert_non_null(take(&pool, 1, 16384, FN_POOL_USUAL));
    assert_int_equal(holders[1].asked, 1);
}

/* Whoever asks for what nobody can have takes nothing from anybody. */
static void an_impossible_wish_costs_nobody_anything(void **unused)
{
    (void)unused;
    fn_pool pool;
    const fn_pool_shares shares = {.seats = 2};
    open_pool(&pool, 65536, &shares, 2);
    offer(&pool, 0, 16384);
    assert_null(take(&pool, 1, 65537, FN_POOL_FIRST));
    assert_null(take(&pool, 1, SIZE_MAX, FN_POOL_FIRST));
    assert_null(take(&pool, 1, 65536, FN_POOL_LUXURY));
    assert_int_equal(holders[0].asked, 0);
}

/* However they grow, shrink and offer: the one that is asked holds at least half of the most. */
static void the_size_classes_follow_what_is_held(void **unused)
{
    (void)unused;
    enum { COUNT = 8 };
    static void *blocks[COUNT][blocks_max];
    uint32_t counts[COUNT] = {0};
    fn_pool pool;
    fn_rng rng;
    fn_rng_init(&rng, 7);
    const fn_pool_shares shares = {.seats = COUNT, .home_bytes = 1024};
    open_pool(&pool, 1 << 20, &shares, COUNT);
    for (int step = 0; step < 20000; step++) {
        uint32_t who = (uint32_t)fn_rng_below(&rng, COUNT);
        fn_pool_account *account = &holders[who].account;
        if (fn_rng_chance(&rng, 550) && counts[who] < blocks_max) {
            void *block =
                fn_pool_alloc(&pool, account, (size_t)fn_rng_below(&rng, 3000), FN_POOL_LUXURY);
            if (block != NULL)
                blocks[who][counts[who]++] = block;
        } else if (counts[who] > 0) {
            fn_pool_free(&pool, account, blocks[who][--counts[who]]);
        }
        if (fn_rng_chance(&rng, 300))
            fn_pool_offer(&pool, account);
        size_t most = 0;
        for (uint32_t i = 0; i < COUNT; i++) {
            bool offers = fn_list_linked(&holders[i].account.offer);
            most = offers ? fn_max_size(most, fn_pool_common_bytes(&holders[i].account)) : most;
            if (offers)
                assert_true((pool.offered >> holders[i].account.offer_class & 1) != 0);
        }
        if (most > 0)
            assert_in_range(most, (size_t)1 << fn_bits_highest(pool.offered),
                            ((size_t)2 << fn_bits_highest(pool.offered)) - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_alone_gets_half_of_what_is_common),
        cmocka_unit_test(a_home_is_there_in_one_piece_whatever_the_others_do),
        cmocka_unit_test(there_is_a_seat_for_everybody_and_for_nobody_else),
        cmocka_unit_test(what_comes_first_gets_the_last_room_and_all_of_the_home),
        cmocka_unit_test(the_largest_holder_gives_back_first),
        cmocka_unit_test(who_holds_less_is_never_asked),
        cmocka_unit_test(an_impossible_wish_costs_nobody_anything),
        cmocka_unit_test(the_size_classes_follow_what_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
