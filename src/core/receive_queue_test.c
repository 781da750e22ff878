#include "core/receive_queue.h"

#include "base/rng.h"
#include "core/test_store.h"
#include "fastnet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { STORE_BYTES = 16 << 20, WINDOW = 64, MESSAGES = 40, CREDIT = 1 << 20 };

typedef struct stand {
    test_store memory;
    fn_flow flow;
    fn_receive_queue queue;
    fn_receive_context context;
    fn_unfinished unfinished;
    uint32_t delivered[MESSAGES];
    uint64_t last_id;
    bool disordered;
    uint32_t pieces_dropped;
} stand;

static uint8_t payload_of(uint64_t id, uint32_t at)
{
    return (uint8_t)(id * 13 + at * 7 + at / 1024);
}

static void open_stand(stand *all, uint8_t mode, bool direct)
{
    memset(all, 0, sizeof *all);
    test_store_open(&all->memory, STORE_BYTES);
    fn_flow_init(&all->flow, CREDIT, CREDIT);
    fn_receive_queue_init(&all->queue, 2, mode);
    fn_unfinished_init(&all->unfinished);
    all->context = (fn_receive_context){.store = &all->memory.store,
                                        .flow = &all->flow,
                                        .unfinished = &all->unfinished,
                                        .message_window = WINDOW,
                                        .direct = direct};
    all->last_id = UINT64_MAX;
}

static void close_stand(stand *all)
{
    fn_receive_queue_free(&all->queue, &all->memory.store, &all->unfinished);
    assert_int_equal(all->unfinished.count, 0);
    assert_int_equal(test_store_used(&all->memory), 0);
    test_store_close(&all->memory);
}

static void deliver(stand *all, uint64_t id, const uint8_t *payload, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        assert_int_equal(payload[i], payload_of(id, i));
    assert_true(id < MESSAGES);
    all->delivered[id]++;
    all->disordered |= all->last_id != UINT64_MAX && id < all->last_id;
    all->last_id = id;
}

/* One frame with that run of units of a message; its outcome, after what can be delivered was. */
static fn_receive_outcome feed(stand *all, uint64_t id, uint32_t total, uint32_t first,
                               uint32_t units)
{
    static uint8_t payload[64 << 10];
    uint32_t start = first * FN_UNIT_BYTES;
    uint32_t bytes = fn_min_u32(units * FN_UNIT_BYTES, total - start);
    for (uint32_t i = 0; i < bytes; i++)
        payload[i] = payload_of(id, start + i);
    fn_message_frame frame = {.id = id,
                              .payload = payload,
                              .bytes = bytes,
                              .first_unit = first,
                              .total_bytes = total,
                              .fragment = total > FN_UNIT_BYTES,
                              .channel = 2};
    fn_inbound *whole;
    fn_receive_outcome outcome = fn_receive_queue_frame(&all->queue, &all->context, &frame, &whole);
    all->pieces_dropped += outcome == FN_RECEIVE_DROPPED || outcome == FN_RECEIVE_LOST;
    if (outcome == FN_RECEIVE_DIRECT) {
        deliver(all, id, payload, bytes);
        whole = fn_receive_queue_next_ready(&all->queue, &all->memory.store);
    }
    while (whole != NULL) {
        deliver(all, whole->id, fn_inbound_payload(whole), whole->bytes);
        fn_store_free(&all->memory.store, whole);
        whole = fn_receive_queue_next_ready(&all->queue, &all->memory.store);
    }
    return outcome;
}

/* Units of all messages in any order, some of them twice and in runs of another length. */
static void r3_r4_each_message_is_delivered_once_whatever_the_order(void **state)
{
    (void)state;
    fn_rng rng;
    fn_rng_init(&rng, 9);
    for (int round = 0; round < 100; round++) {
        stand all;
        uint8_t mode = round % 2 == 0 ? FASTNET_MODE_RELIABLE : FASTNET_MODE_RELIABLE_ORDERED;
        open_stand(&all, mode, round % 3 != 0);
        uint32_t totals[MESSAGES], left = 0;
        bool sent[MESSAGES][20] = {{false}};
        for (int id = 0; id < MESSAGES; id++) {
            totals[id] = (uint32_t)fn_rng_below(&rng, id % 3 == 0 ? 15000 : 1500);
            left += fn_unit_count(totals[id]);
        }
        while (left > 0) {
            uint64_t id = fn_rng_below(&rng, MESSAGES);
            uint32_t count = fn_unit_count(totals[id]);
            uint32_t first = (uint32_t)fn_rng_below(&rng, count);
            uint32_t units = 1 + (uint32_t)fn_rng_below(&rng, count - first);
            for (uint32_t i = first; i < first + units; i++) {
                left -= !sent[id][i];
                sent[id][i] = true;
            }
            fn_receive_outcome outcome = feed(&all, id, totals[id], first, units);
            assert_true(outcome <= FN_RECEIVE_WHOLE);
        }
        for (int id = 0; id < MESSAGES; id++)
            assert_int_equal(all.delivered[id], 1);
        assert_false(mode == FASTNET_MODE_RELIABLE_ORDERED && all.disordered);
        assert_int_equal(all.queue.ring.base, MESSAGES);
        close_stand(&all);
    }
}

static void what_fits_one_datagram_needs_no_memory_in_order(void **state)
{
    (void)state;
    for (uint8_t mode = 0; mode < 4; mode++) {
        stand all;
        open_stand(&all, mode, true);
        test_store_deny(&all.memory);
        for (uint64_t id = 0; id < 10; id++)
            assert_int_equal(feed(&all, id, (uint32_t)id * 100, 0, 1), FN_RECEIVE_DIRECT);
        test_store_allow(&all.memory);
        close_stand(&all);
    }
}

static void without_memory_a_frame_can_come_again(void **state)
{
    (void)state;
    stand all;
    open_stand(&all, FASTNET_MODE_RELIABLE_ORDERED, true);
    test_store_deny(&all.memory);
    assert_int_equal(feed(&all, 0, 2000, 0, 1), FN_RECEIVE_MEMORY);
    assert_int_equal(feed(&all, 1, 10, 0, 1), FN_RECEIVE_MEMORY);
    test_store_allow(&all.memory);
    assert_int_equal(all.flow.received, 0);
    feed(&all, 1, 10, 0, 1);
    feed(&all, 0, 2000, 1, 1);
    feed(&all, 0, 2000, 0, 1);
    assert_int_equal(all.delivered[0] + all.delivered[1], 2);
    assert_int_equal(all.flow.received, 2000 + 64 + 10 + 64);
    close_stand(&all);

    open_stand(&all, FASTNET_MODE_UNRELIABLE, true);
    test_store_deny(&all.memory);
    assert_int_equal(feed(&all, 0, 2000, 0, 1), FN_RECEIVE_LOST);
    test_store_allow(&all.memory);
    close_stand(&all);
}

static void limits_are_enforced(void **state)
{
    (void)state;
    static const struct {
        uint8_t mode;
        uint64_t id;
        uint32_t total;
        fn_receive_outcome outcome;
    } rows[] = {
        {FASTNET_MODE_RELIABLE, WINDOW - 1, 10, FN_RECEIVE_DIRECT},
        {FASTNET_MODE_RELIABLE, WINDOW, 10, FN_RECEIVE_BAD_LIMIT},
        {FASTNET_MODE_RELIABLE_ORDERED, WINDOW, 10, FN_RECEIVE_BAD_LIMIT},
        {FASTNET_MODE_RELIABLE, UINT64_MAX >> 2, 10, FN_RECEIVE_BAD_LIMIT},
        {FASTNET_MODE_RELIABLE, 0, CREDIT - 64, FN_RECEIVE_NOTHING},
        {FASTNET_MODE_RELIABLE, 0, CREDIT - 63, FN_RECEIVE_BAD_FLOW},
        {FASTNET_MODE_UNRELIABLE, UINT64_MAX >> 2, CREDIT + 1, FN_RECEIVE_NOTHING},
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(rows); i++) {
        stand all;
        open_stand(&all, rows[i].mode, true);
        all.queue.channel = 2;
        fn_message_frame frame = {.id = rows[i].id,
                                  .payload = (const uint8_t[FN_UNIT_BYTES]){0},
                                  .bytes = fn_min_u32(rows[i].total, FN_UNIT_BYTES),
                                  .total_bytes = rows[i].total,
                                  .fragment = rows[i].total > FN_UNIT_BYTES};
        fn_inbound *whole;
        assert_int_equal(fn_receive_queue_frame(&all.queue, &all.context, &frame, &whole),
                         rows[i].outcome);
        close_stand(&all);
    }
}

static void a_changed_length_is_refused_in_every_mode(void **state)
{
    (void)state;
    for (uint8_t mode = 0; mode < 4; mode++) {
        stand all;
        open_stand(&all, mode, true);
        feed(&all, 0, 3000, 0, 1);
        assert_int_equal(feed(&all, 0, 3001, 1, 1), FN_RECEIVE_BAD_MESSAGE);
        assert_int_equal(feed(&all, 0, 2999, 1, 1), FN_RECEIVE_BAD_MESSAGE);
        close_stand(&all);
    }
}

static void sequenced_delivers_only_what_is_newer(void **state)
{
    (void)state;
    stand all;
    open_stand(&all, FASTNET_MODE_UNRELIABLE_SEQUENCED, true);
    feed(&all, 3, 2000, 0, 1); /* begun, then overtaken */
    feed(&all, 7, 2000, 0, 1);
    feed(&all, 5, 100, 0, 1);
    feed(&all, 4, 100, 0, 1);
    feed(&all, 3, 2000, 1, 1);
    feed(&all, 5, 100, 0, 1);
    feed(&all, 7, 2000, 1, 1);
    for (uint64_t id = 0; id < 10; id++)
        assert_int_equal(all.delivered[id], id == 5 || id == 7);
    assert_int_equal(all.pieces_dropped, 3);
    close_stand(&all);
}

static void at_most_eight_partial_messages_are_kept_for_two_seconds(void **state)
{
    (void)state;
    stand all;
    open_stand(&all, FASTNET_MODE_UNRELIABLE, true);
    assert_int_equal(fn_receive_queue_deadline(&all.queue), FN_NEVER);
    for (uint64_t id = 0; id < 12; id++) {
        all.context.now_ns = id * 100;
        feed(&all, id, 2000, 0, 1);
        assert_true(all.queue.partial_count <= FN_PARTIALS_MAX);
    }
    assert_int_equal(fn_receive_queue_deadline(&all.queue), 400 + FN_PARTIAL_TIMEOUT_NS);
    for (uint64_t id = 0; id < 4; id++)
        assert_int_equal(all.delivered[id], 0);
    feed(&all, 4, 2000, 1, 1);
    assert_int_equal(all.delivered[4], 1);
    uint64_t at_ns = 600 + FN_PARTIAL_TIMEOUT_NS;
    assert_int_equal(fn_receive_queue_expire(&all.queue, &all.memory.store, at_ns), 2);
    feed(&all, 7, 2000, 1, 1);
    assert_int_equal(all.delivered[7], 1);
    close_stand(&all);
}

/* 1200 bytes are two units, and one frame: nothing is copied for it, unless a piece came before. */
static void several_units_in_one_frame_need_no_memory(void **state)
{
    (void)state;
    for (uint8_t mode = 0; mode < 4; mode++) {
        stand all;
        open_stand(&all, mode, true);
        assert_int_equal(feed(&all, 0, 1200, 0, 2), FN_RECEIVE_DIRECT);
        assert_int_equal(test_store_used(&all.memory), 0);
        assert_int_equal(feed(&all, 1, 1200, 1, 1), FN_RECEIVE_NOTHING);
        assert_true(test_store_used(&all.memory) > 0);
        assert_int_equal(feed(&all, 1, 1200, 0, 2), FN_RECEIVE_WHOLE);
        assert_int_equal(all.delivered[0], 1);
        assert_int_equal(all.delivered[1], 1);
        close_stand(&all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(r3_r4_each_message_is_delivered_once_whatever_the_order),
        cmocka_unit_test(what_fits_one_datagram_needs_no_memory_in_order),
        cmocka_unit_test(several_units_in_one_frame_need_no_memory),
        cmocka_unit_test(without_memory_a_frame_can_come_again),
        cmocka_unit_test(limits_are_enforced),
        cmocka_unit_test(a_changed_length_is_refused_in_every_mode),
        cmocka_unit_test(sequenced_delivers_only_what_is_newer),
        cmocka_unit_test(at_most_eight_partial_messages_are_kept_for_two_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
