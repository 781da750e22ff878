#include "host/peer_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* In one life: a row that is free begins another. */
static bool reaches(fn_peer_state from, fn_peer_state to, fn_peer_state without)
{
    bool seen[FN_PEER_STATES] = {false};
    seen[from] = true;
    for (int round = 0; round < FN_PEER_STATES; round++)
        for (int a = 0; a < FN_PEER_STATES; a++)
            for (int b = FN_PEER_FREE + 1; b < FN_PEER_STATES; b++)
                if (seen[a] && a != (int)without && b != (int)without &&
                    fn_peer_state_may_follow((fn_peer_state)a, (fn_peer_state)b))
                    seen[b] = true;
    return seen[to];
}

static void every_life_can_end_from_everywhere_and_frees_its_row(void **state)
{
    (void)state;
    for (int at = FN_PEER_RESOLVING; at < FN_PEER_RETIRED; at++)
        assert_true(fn_peer_state_may_follow((fn_peer_state)at, FN_PEER_RETIRED));
    for (int next = 0; next < FN_PEER_STATES; next++)
        assert_int_equal(fn_peer_state_may_follow(FN_PEER_RETIRED, (fn_peer_state)next),
                         next == FN_PEER_FREE);
    for (int at = 0; at < FN_PEER_STATES; at++)
        assert_int_equal(fn_peer_state_may_follow((fn_peer_state)at, FN_PEER_FREE),
                         at == FN_PEER_RETIRED);
}

/* Keys begin once: there is no way back to a handshake, and none past it. */
static void a_session_comes_from_a_handshake_and_goes_back_to_none(void **state)
{
    (void)state;
    for (int next = 0; next < FN_PEER_STATES; next++)
        assert_int_equal(fn_peer_state_may_follow(FN_PEER_SESSION, (fn_peer_state)next),
                         next == FN_PEER_RETIRED);
    assert_false(fn_peer_state_may_follow(FN_PEER_FREE, FN_PEER_SESSION));
    assert_false(fn_peer_state_may_follow(FN_PEER_RESOLVING, FN_PEER_SESSION));
    assert_false(fn_peer_state_may_follow(FN_PEER_CONNECTING, FN_PEER_SESSION));
    assert_false(reaches(FN_PEER_RESOLVING, FN_PEER_SESSION, FN_PEER_SHAKING));
    assert_true(reaches(FN_PEER_RESOLVING, FN_PEER_SESSION, FN_PEER_LOCATING));
    assert_true(reaches(FN_PEER_DECIDING, FN_PEER_SESSION, FN_PEER_SHAKING));
}

static void an_incoming_peer_is_never_an_outgoing_one(void **state)
{
    (void)state;
    static const fn_peer_state outgoing[] = {FN_PEER_RESOLVING, FN_PEER_CONNECTING, FN_PEER_SHAKING,
                                             FN_PEER_LOCATING};
    for (size_t i = 0; i < sizeof outgoing / sizeof *outgoing; i++) {
        assert_false(reaches(FN_PEER_DECIDING, outgoing[i], FN_PEER_RETIRED));
        assert_false(reaches(outgoing[i], FN_PEER_DECIDING, FN_PEER_RETIRED));
    }
}

static void what_failed_comes_back_only_as_another_peer(void **state)
{
    (void)state;
    for (int next = 0; next < FN_PEER_STATES; next++)
        assert_int_equal(fn_peer_state_may_follow(FN_PEER_FAILED, (fn_peer_state)next),
                         next == FN_PEER_RETIRED);
    assert_true(fn_peer_state_may_follow(FN_PEER_SHAKING, FN_PEER_CONNECTING)); /* once more */
    assert_false(fn_peer_state_may_follow(FN_PEER_LOCATING, FN_PEER_CONNECTING));
}

static void every_state_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < FN_PEER_STATES; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(fn_peer_state_text((fn_peer_state)a),
                                    fn_peer_state_text((fn_peer_state)b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_life_can_end_from_everywhere_and_frees_its_row),
        cmocka_unit_test(a_session_comes_from_a_handshake_and_goes_back_to_none),
        cmocka_unit_test(an_incoming_peer_is_never_an_outgoing_one),
        cmocka_unit_test(what_failed_comes_back_only_as_another_peer),
        cmocka_unit_test(every_state_has_a_text_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
