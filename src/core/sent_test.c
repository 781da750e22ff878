#include "core/sent.h"

#include "base/units.h"
#include "core/test_store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { STORE_BYTES = 4 << 20, RECORDS_MAX = 256 };

typedef struct stand {
    test_store memory;
    fn_sent sent;
} stand;

static void open_stand(stand *all)
{
    test_store_open(&all->memory, STORE_BYTES);
    fn_sent_init(&all->sent, RECORDS_MAX);
}

static void close_stand(stand *all)
{
    fn_sent_free(&all->sent, &all->memory.store);
    assert_int_equal(test_store_used(&all->memory), 0);
    test_store_close(&all->memory);
}

static fn_sent_packet *push(stand *all, bool eliciting)
{
    assert_true(fn_sent_reserve(&all->sent, &all->memory.store, 1));
    fn_sent_packet *packet = fn_sent_push(&all->sent);
    packet->eliciting = eliciting;
    packet->arms = eliciting;
    packet->arms = eliciting;
    fn_sent_left(&all->sent, packet);
    return packet;
}

static void records_are_found_by_number_while_the_ring_grows(void **state)
{
    (void)state;
    stand all;
    open_stand(&all);
    all.sent.base = all.sent.next = 1000;
    for (uint64_t i = 0; i < RECORDS_MAX; i++)
        push(&all, true)->time_ns = i;
    assert_false(fn_sent_reserve(&all.sent, &all.memory.store, 1));
    for (uint64_t i = 0; i < RECORDS_MAX; i++)
        assert_int_equal(fn_sent_at(&all.sent, 1000 + i)->time_ns, i);
    assert_null(fn_sent_at(&all.sent, 999));
    assert_null(fn_sent_at(&all.sent, 1000 + RECORDS_MAX));
    assert_null(fn_sent_at(&all.sent, UINT64_MAX));
    close_stand(&all);
}

static void a_packet_has_room_for_66_notes(void **state)
{
    (void)state;
    stand all;
    open_stand(&all);
    fn_sent_packet *packet = push(&all, true);
    for (uint64_t i = 0; i < FN_SENT_NOTES_MAX; i++)
        assert_true(fn_sent_note_add(packet, &all.memory.store, &(fn_sent_note){.value = i}));
    assert_false(fn_sent_note_add(packet, &all.memory.store, &(fn_sent_note){.value = 99}));
    for (uint32_t i = 0; i < FN_SENT_NOTES_MAX; i++)
        assert_int_equal(fn_sent_note_at(packet, i)->value, i);
    size_t used = test_store_used(&all.memory);
    fn_sent_finish(&all.sent, packet, FN_SENT_DONE, &all.memory.store);
    assert_true(test_store_used(&all.memory) < used);
    close_stand(&all);
}

static void two_notes_need_no_memory(void **state)
{
    (void)state;
    stand all;
    open_stand(&all);
    fn_sent_packet *packet = push(&all, true);
    test_store_deny(&all.memory);
    fn_sent_note note = {.value = 1};
    assert_true(fn_sent_note_add(packet, &all.memory.store, &note));
    assert_true(fn_sent_note_add(packet, &all.memory.store, &note));
    assert_false(fn_sent_note_add(packet, &all.memory.store, &note));
    assert_int_equal(packet->note_count, 2);
    test_store_allow(&all.memory);
    close_stand(&all);
}

/* Which state lets the front go, with and without a later acknowledgement. */
static void the_front_goes_when_nobody_waits_for_it(void **state)
{
    (void)state;
    static const struct {
        fn_sent_state state;
        bool eliciting;
        uint64_t acked_ahead; /* the largest acknowledged number above it */
        bool goes;
    } rows[] = {
        {FN_SENT_OUT, true, 0, false},      {FN_SENT_OUT, true, 100, false},
        {FN_SENT_OUT, false, 0, false},     {FN_SENT_OUT, false, 1, true},
        {FN_SENT_DONE, true, 0, true},      {FN_SENT_DONE, true, 1, true},
        {FN_SENT_SKIPPED, false, 0, false}, {FN_SENT_SKIPPED, false, 1, true},
        {FN_SENT_LOST, true, 1, false},     {FN_SENT_LOST, true, 32, false},
        {FN_SENT_LOST, true, 33, true},
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(rows); i++) {
        stand all;
        open_stand(&all);
        fn_sent_packet *packet = push(&all, rows[i].eliciting);
        if (rows[i].state != FN_SENT_OUT)
            fn_sent_finish(&all.sent, packet, rows[i].state, &all.memory.store);
        fn_sent_trim(&all.sent, rows[i].acked_ahead, &all.memory.store);
        assert_int_equal(all.sent.base, rows[i].goes);
        close_stand(&all);
    }
}

static void what_is_out_is_counted_once(void **state)
{
    (void)state;
    stand all;
    open_stand(&all);
    fn_sent_packet *packet = push(&all, true);
    push(&all, false);
    assert_int_equal(all.sent.out_eliciting, 1);
    fn_sent_finish(&all.sent, packet, FN_SENT_LOST, &all.memory.store);
    assert_int_equal(all.sent.out_eliciting, 0);
    fn_sent_finish(&all.sent, packet, FN_SENT_DONE, &all.memory.store);
    assert_int_equal(all.sent.out_eliciting, 0);
    assert_int_equal(all.sent.out_arming, 0);
    close_stand(&all);
}

static void an_undone_push_leaves_no_trace(void **state)
{
    (void)state;
    stand all;
    open_stand(&all);
    push(&all, true);
    size_t used = test_store_used(&all.memory);
    fn_sent_reserve(&all.sent, &all.memory.store, 1);
    fn_sent_packet *packet = fn_sent_push(&all.sent);
    for (int i = 0; i < 3; i++)
        fn_sent_note_add(packet, &all.memory.store, &(fn_sent_note){.value = 1});
    fn_sent_pop_back(&all.sent, &all.memory.store);
    assert_int_equal(all.sent.next, 1);
    assert_int_equal(test_store_used(&all.memory), used);
    close_stand(&all);
}

static void a_ring_that_was_large_shrinks(void **state)
{
    (void)state;
    stand all;
    open_stand(&all);
    for (int i = 0; i < RECORDS_MAX; i++)
        push(&all, true)->bytes = (uint16_t)i;
    for (uint64_t i = 0; i < RECORDS_MAX - 10; i++)
        fn_sent_finish(&all.sent, fn_sent_at(&all.sent, i), FN_SENT_DONE, &all.memory.store);
    fn_sent_trim(&all.sent, RECORDS_MAX - 11, &all.memory.store);
    assert_int_equal(all.sent.capacity, 64);
    for (uint64_t i = RECORDS_MAX - 10; i < RECORDS_MAX; i++)
        assert_int_equal(fn_sent_at(&all.sent, i)->bytes, i);
    close_stand(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_found_by_number_while_the_ring_grows),
        cmocka_unit_test(a_packet_has_room_for_66_notes),
        cmocka_unit_test(two_notes_need_no_memory),
        cmocka_unit_test(the_front_goes_when_nobody_waits_for_it),
        cmocka_unit_test(what_is_out_is_counted_once),
        cmocka_unit_test(an_undone_push_leaves_no_trace),
        cmocka_unit_test(a_ring_that_was_large_shrinks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
