#include "core/send_queue.h"

#include "base/rng.h"
#include "core/test_store.h"
#include "core/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { STORE_BYTES = 8 << 20, WINDOW = 64 };

typedef struct stand {
    test_store memory;
    fn_send_queue queue;
    fn_list notices;
    uint64_t dropped;
    fn_send_outcome outcome;
} stand;

static void open_stand(stand *all, uint8_t mode)
{
    memset(all, 0, sizeof *all);
    test_store_open(&all->memory, STORE_BYTES);
    fn_send_queue_init(&all->queue, 2, mode);
    fn_list_init(&all->notices);
    all->outcome = (fn_send_outcome){.notices = &all->notices, .dropped = &all->dropped};
}

static uint32_t take_notices(stand *all, uint32_t *delivered)
{
    uint32_t count = 0;
    fn_list_node *node;
    while ((node = fn_list_pop_front(&all->notices)) != NULL) {
        fn_outbound *message = FN_CONTAINER_OF(node, fn_outbound, link);
        *delivered += message->delivered;
        count++;
        fn_store_free(&all->memory.store, message);
    }
    return count;
}

static void close_stand(stand *all)
{
    uint32_t delivered = 0;
    take_notices(all, &delivered);
    fn_send_queue_free(&all->queue, &all->memory.store);
    assert_true(fn_send_queue_empty(&all->queue));
    assert_int_equal(test_store_used(&all->memory), 0);
    test_store_close(&all->memory);
}

static void add(stand *all, uint32_t bytes, bool tagged, uint64_t live_ns)
{
    static uint8_t data[64 << 10];
    for (uint32_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)(i * 7 + i / 1024);
    fn_outbound like = {.tagged = tagged, .live_ns = live_ns};
    assert_true(fn_send_queue_add(&all->queue, &all->memory.store, data, bytes, &like));
}

static fn_send_run next(const stand *all)
{
    return fn_send_queue_next(&all->queue, WINDOW);
}

static void take(stand *all, fn_send_run run, uint32_t units)
{
    run.units = units;
    fn_send_queue_take(&all->queue, &all->memory.store, &run);
}

static void acked(stand *all, uint64_t id, uint32_t first, uint32_t units)
{
    fn_send_queue_on_acked(&all->queue, &all->memory.store, id, first, units, &all->outcome);
}

static void lost(stand *all, uint64_t id, uint32_t first, uint32_t units)
{
    fn_send_queue_on_lost(&all->queue, &all->memory.store, id, first, units, &all->outcome);
}

static void runs_are_cut_at_whole_units(void **state)
{
    (void)state;
    static const struct {
        uint32_t message;
        uint32_t first;
        size_t room;
        uint32_t units;
        uint32_t bytes;
    } rows[] = {
        {0, 0, 0, 1, 0},          {1, 0, 0, 0, 0},          {1, 0, 1, 1, 1},
        {1024, 0, 1023, 0, 0},    {1024, 0, 1024, 1, 1024}, {1025, 0, 1024, 1, 1024},
        {1025, 0, 1025, 2, 1025}, {1025, 1, 1, 1, 1},       {3000, 1, 2000, 2, 1976},
        {3000, 1, 1975, 1, 1024}, {3000, 2, 951, 0, 0},     {3000, 2, 952, 1, 952},
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(rows); i++) {
        fn_outbound message = {.bytes = rows[i].message, .units = fn_unit_count(rows[i].message)};
        fn_send_run run = {.message = &message,
                           .first_unit = rows[i].first,
                           .units = message.units - rows[i].first};
        uint32_t bytes = 99;
        assert_int_equal(fn_send_run_fit(&run, rows[i].room, &bytes), rows[i].units);
        assert_int_equal(bytes, rows[i].bytes);
    }
}

/* Random sizes, losses (also of what was acknowledged, or twice) and acknowledgements: in the end
 * every unit was acknowledged, lost ones went first, and nothing is held. */
static void r1_every_unit_is_sent_until_it_is_acknowledged(void **state)
{
    (void)state;
    enum { FLIGHT = 32 };
    struct {
        uint64_t id;
        uint32_t first;
        uint32_t units;
    } flight[FLIGHT];
    fn_rng rng;
    fn_rng_init(&rng, 3);
    for (int round = 0; round < 50; round++) {
        stand all;
        open_stand(&all, FASTNET_MODE_RELIABLE);
        uint32_t in_flight = 0, delivered = 0;
        for (int i = 0; i < 20; i++)
            add(&all, (uint32_t)fn_rng_below(&rng, 20000), true, FN_NEVER);
        for (int step = 0; !fn_send_queue_empty(&all.queue); step++) {
            assert_true(step < 100000);
            fn_send_run run = next(&all);
            if (run.message != NULL && in_flight < FLIGHT) {
                uint32_t units = 1 + (uint32_t)fn_rng_below(&rng, run.units);
                flight[in_flight].id = run.message->id;
                flight[in_flight].first = run.first_unit;
                flight[in_flight++].units = units;
                take(&all, run, units);
                continue;
            }
            assert_true(in_flight > 0);
            uint32_t at = (uint32_t)fn_rng_below(&rng, in_flight);
            if (fn_rng_below(&rng, 3) == 0)
                lost(&all, flight[at].id, flight[at].first, flight[at].units);
            else
                acked(&all, flight[at].id, flight[at].first, flight[at].units);
            if (fn_rng_below(&rng, 4) > 0)
                flight[at] = flight[--in_flight];
        }
        assert_int_equal(take_notices(&all, &delivered), 20);
        assert_int_equal(delivered, 20);
        close_stand(&all);
    }
}

static void what_was_lost_goes_before_what_is_new(void **state)
{
    (void)state;
    stand all;
    open_stand(&all, FASTNET_MODE_RELIABLE);
    add(&all, 3000, false, FN_NEVER);
    add(&all, 10, false, FN_NEVER);
    take(&all, next(&all), 3);
    lost(&all, 0, 1, 1);
    fn_send_run run = next(&all);
    assert_int_equal(run.message->id, 0);
    assert_int_equal(run.first_unit, 1);
    assert_int_equal(run.units, 1);
    assert_true(run.again);
    acked(&all, 0, 1, 1); /* it had arrived after all */
    run = next(&all);
    assert_int_equal(run.message->id, 1);
    assert_false(run.again);
    close_stand(&all);
}

static void no_id_begins_beyond_the_window(void **state)
{
    (void)state;
    stand all;
    open_stand(&all, FASTNET_MODE_RELIABLE_ORDERED);
    for (uint32_t i = 0; i < WINDOW + 5; i++)
        add(&all, i, false, FN_NEVER);
    for (uint32_t i = 0; i < WINDOW; i++)
        take(&all, next(&all), 1);
    assert_null(next(&all).message);
    acked(&all, 1, 0, 1);
    assert_null(next(&all).message);
    acked(&all, 0, 0, 1);
    take(&all, next(&all), 1);
    take(&all, next(&all), 1);
    assert_null(next(&all).message);
    close_stand(&all);
}

static void unreliable_messages_are_gone_when_they_left(void **state)
{
    (void)state;
    stand all;
    open_stand(&all, FASTNET_MODE_UNRELIABLE);
    add(&all, 3000, false, FN_NEVER);
    take(&all, next(&all), 1);
    assert_false(fn_send_queue_empty(&all.queue));
    take(&all, next(&all), 2);
    assert_true(fn_send_queue_empty(&all.queue));
    acked(&all, 0, 0, 1); /* of a message that nobody knows any more */
    lost(&all, 0, 1, 2);
    assert_null(next(&all).message);
    close_stand(&all);
}

/* All ways in which a tagged unreliable message of two units can end. */
static void a_tag_is_told_once(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++)
        for (int second = 0; second < 2; second++) {
            stand all;
            open_stand(&all, FASTNET_MODE_UNRELIABLE);
            add(&all, 2000, true, FN_NEVER);
            take(&all, next(&all), 1);
            take(&all, next(&all), 1);
            void (*ends[])(stand *, uint64_t, uint32_t, uint32_t) = {lost, acked};
            ends[first](&all, 0, 0, 1);
            ends[second](&all, 0, 1, 1);
            uint32_t delivered = 0;
            assert_int_equal(take_notices(&all, &delivered), 1);
            assert_int_equal(delivered, first == 1 && second == 1);
            close_stand(&all);
        }
    stand all;
    open_stand(&all, FASTNET_MODE_UNRELIABLE);
    add(&all, 2000, true, FN_NEVER);
    take(&all, next(&all), 1);
    assert_true(fn_send_queue_drop_partial(&all.queue, &all.memory.store, &all.outcome));
    acked(&all, 0, 0, 1);
    lost(&all, 0, 0, 1);
    uint32_t delivered = 0;
    assert_int_equal(take_notices(&all, &delivered), 1);
    assert_int_equal(delivered, 0);
    close_stand(&all);
}

#define START_NS UINT64_C(5000)

/* However long it took until somebody looked at the time: nothing dies before it could leave. */
static void a_life_begins_at_the_first_look(void **state)
{
    (void)state;
    stand all;
    open_stand(&all, FASTNET_MODE_UNRELIABLE);
    add(&all, 1, false, 100);
    fn_send_queue_expire(&all.queue, &all.memory.store, START_NS, &all.outcome);
    add(&all, 2, false, 100);
    fn_send_queue_expire(&all.queue, &all.memory.store, START_NS + 99, &all.outcome);
    assert_int_equal(next(&all).message->bytes, 1);
    fn_send_queue_expire(&all.queue, &all.memory.store, START_NS + 198, &all.outcome);
    assert_int_equal(next(&all).message->bytes, 2);
    fn_send_queue_expire(&all.queue, &all.memory.store, START_NS + 199, &all.outcome);
    assert_null(next(&all).message);
    assert_int_equal(all.dropped, 2);
    close_stand(&all);
}

static void the_oldest_goes_first_and_reliable_ones_never(void **state)
{
    (void)state;
    for (uint8_t mode = 0; mode < 4; mode++) {
        stand all;
        open_stand(&all, mode);
        for (uint32_t i = 1; i <= 3; i++)
            add(&all, i, false, i * 100);
        fn_send_queue_expire(&all.queue, &all.memory.store, START_NS, &all.outcome);
        assert_int_equal(next(&all).message->bytes, 1);
        fn_send_queue_expire(&all.queue, &all.memory.store, START_NS + 199, &all.outcome);
        bool reliable = mode == FASTNET_MODE_RELIABLE || mode == FASTNET_MODE_RELIABLE_ORDERED;
        assert_int_equal(next(&all).message->bytes, reliable ? 1 : 2);
        assert_int_equal(all.dropped, !reliable);
        assert_int_equal(fn_send_queue_drop_oldest(&all.queue, &all.memory.store, &all.outcome),
                         !reliable);
        assert_int_equal(next(&all).message->bytes, reliable ? 1 : 3);
        fn_send_queue_expire(&all.queue, &all.memory.store, FN_NEVER - 1, &all.outcome);
        assert_int_equal(next(&all).message == NULL, !reliable);
        assert_int_equal(fn_send_queue_drop_oldest(&all.queue, &all.memory.store, &all.outcome),
                         false);
        close_stand(&all);
    }
}

/* On a full line the oldest one has nearly always partly left: if that were dropped each time, no
 * message of two datagrams would ever arrive. */
static void what_has_partly_left_is_finished(void **state)
{
    (void)state;
    stand all;
    open_stand(&all, FASTNET_MODE_UNRELIABLE_SEQUENCED);
    fn_store *store = &all.memory.store;
    add(&all, 2000, false, 100);
    fn_send_queue_expire(&all.queue, store, START_NS, &all.outcome);
    take(&all, next(&all), 1);
    assert_false(fn_send_queue_drop_oldest(&all.queue, store, &all.outcome));
    for (uint32_t i = 1; i <= 1000; i++) {
        add(&all, i, false, FN_NEVER);
        assert_true(fn_send_queue_drop_oldest(&all.queue, store, &all.outcome));
        assert_false(fn_send_queue_drop_oldest(&all.queue, store, &all.outcome));
    }
    add(&all, 7, false, FN_NEVER);
    fn_send_queue_expire(&all.queue, store, START_NS + 199, &all.outcome);
    assert_int_equal(all.dropped, 1000);
    assert_int_equal(next(&all).message->bytes, 2000);
    assert_int_equal(next(&all).first_unit, 1);
    take(&all, next(&all), 1);
    assert_int_equal(next(&all).message->bytes, 7);
    assert_int_equal(all.queue.send_id, 1001); /* without looking at what was dropped */
    close_stand(&all);
}

static void what_has_partly_left_lives_twice_as_long(void **state)
{
    (void)state;
    stand all;
    open_stand(&all, FASTNET_MODE_UNRELIABLE);
    fn_store *store = &all.memory.store;
    add(&all, 2000, false, 100);
    add(&all, 1, false, 1000);
    fn_send_queue_expire(&all.queue, store, START_NS, &all.outcome);
    take(&all, next(&all), 1);
    fn_send_queue_expire(&all.queue, store, START_NS + 199, &all.outcome);
    assert_int_equal(next(&all).message->bytes, 2000);
    fn_send_queue_expire(&all.queue, store, START_NS + 200, &all.outcome);
    assert_int_equal(next(&all).message->bytes, 1);
    assert_false(fn_send_queue_drop_partial(&all.queue, store, &all.outcome));
    assert_int_equal(all.dropped, 1);
    close_stand(&all);
}

static void without_memory_nothing_is_queued(void **state)
{
    (void)state;
    stand all;
    open_stand(&all, FASTNET_MODE_RELIABLE);
    fn_outbound like = {.live_ns = FN_NEVER};
    add(&all, 100, false, FN_NEVER);
    test_store_deny(&all.memory);
    assert_false(fn_send_queue_add(&all.queue, &all.memory.store, "x", 1, &like));
    assert_int_equal(all.queue.queued_bytes, 164);
    assert_int_equal(all.queue.next_id, 1);
    test_store_allow(&all.memory);
    close_stand(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_are_cut_at_whole_units),
        cmocka_unit_test(r1_every_unit_is_sent_until_it_is_acknowledged),
        cmocka_unit_test(what_was_lost_goes_before_what_is_new),
        cmocka_unit_test(no_id_begins_beyond_the_window),
        cmocka_unit_test(unreliable_messages_are_gone_when_they_left),
        cmocka_unit_test(a_tag_is_told_once),
        cmocka_unit_test(a_life_begins_at_the_first_look),
        cmocka_unit_test(the_oldest_goes_first_and_reliable_ones_never),
        cmocka_unit_test(what_has_partly_left_is_finished),
        cmocka_unit_test(what_has_partly_left_lives_twice_as_long),
        cmocka_unit_test(without_memory_nothing_is_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
