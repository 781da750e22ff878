#include "core/crowds.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MEMBERS = 200, ADDRESSES = 24, TURNS = 40000 };

static const uint8_t seed[FN_MAP_SEED_BYTES] = {3, 1, 4};

static fn_address v4(uint32_t number)
{
    const uint8_t ip[4] = {10, 0, (uint8_t)(number >> 8), (uint8_t)number};
    return fn_address_from_ipv4(ip, (uint16_t)number);
}

typedef struct world {
    fn_crowds crowds;
    fn_crowd_member members[MEMBERS];
    uint32_t of[MEMBERS]; /* address + 1; 0 = in none */
    uint32_t sizes[ADDRESSES];
    void *memory;
} world;

static world *start(void)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->memory = malloc(fn_crowds_memory_bytes(MEMBERS));
    assert_non_null(w->memory);
    fn_crowds_init(&w->crowds, w->memory, MEMBERS, seed);
    return w;
}

static void stop(world *w)
{
    free(w->memory);
    free(w);
}

static void agree(const world *w)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < ADDRESSES; i++) {
        fn_address address = v4(i);
        assert_int_equal(fn_crowds_size(&w->crowds, &address), w->sizes[i]);
        most = w->sizes[i] > most ? w->sizes[i] : most;
    }
    const fn_crowd *largest = fn_crowds_largest(&w->crowds);
    if (most == 0)
        assert_null(largest);
    else
        assert_int_equal(largest->size, most);
}

static void random_lives_agree_with_a_model(void **state)
{
    (void)state;
    world *w = start();
    fn_rng rng;
    fn_rng_init(&rng, 11);
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        uint32_t at = (uint32_t)fn_rng_below(&rng, MEMBERS);
        if (w->of[at] != 0) {
            fn_crowds_leave(&w->crowds, &w->members[at]);
            fn_crowds_leave(&w->crowds, &w->members[at]); /* once is enough */
            w->sizes[w->of[at] - 1]--;
            w->of[at] = 0;
        } else {
            /* Some addresses are busier than others. */
            uint32_t which = (uint32_t)fn_rng_below(&rng, 1 + fn_rng_below(&rng, ADDRESSES));
            fn_address address = v4(which);
            fn_crowds_enter(&w->crowds, &w->members[at], &address);
            w->sizes[which]++;
            w->of[at] = which + 1;
        }
        agree(w);
    }
    stop(w);
}

static void as_many_addresses_as_members_fit(void **state)
{
    (void)state;
    world *w = start();
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < MEMBERS; i++) {
            fn_address address = v4(1000 * (uint32_t)round + i);
            fn_crowds_enter(&w->crowds, &w->members[i], &address);
        }
        assert_int_equal(fn_crowds_largest(&w->crowds)->size, 1);
        for (uint32_t i = 0; i < MEMBERS; i++)
            fn_crowds_leave(&w->crowds, &w->members[i]);
        assert_null(fn_crowds_largest(&w->crowds));
    }
    stop(w);
}

static void members_keep_the_order_in_which_they_came(void **state)
{
    (void)state;
    world *w = start();
    fn_address crowded = v4(1), other = v4(2);
    for (uint32_t i = 0; i < 5; i++)
        fn_crowds_enter(&w->crowds, &w->members[i], i == 2 ? &other : &crowded);
    fn_crowd *largest = fn_crowds_largest(&w->crowds);
    assert_int_equal(largest->size, 4);
    assert_ptr_equal(fn_crowd_oldest(largest), &w->members[0]);
    assert_ptr_equal(fn_crowd_youngest(largest), &w->members[4]);
    fn_crowds_leave(&w->crowds, &w->members[0]);
    fn_crowds_leave(&w->crowds, &w->members[4]);
    assert_ptr_equal(fn_crowd_oldest(largest), &w->members[1]);
    assert_ptr_equal(fn_crowd_youngest(largest), &w->members[3]);
    stop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_lives_agree_with_a_model),
        cmocka_unit_test(as_many_addresses_as_members_fit),
        cmocka_unit_test(members_keep_the_order_in_which_they_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
