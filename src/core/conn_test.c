#include "core/conn.h"

#include "core/test_conn_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct seen {
    uint32_t connected[2];
    uint32_t messages[2];
    uint64_t bytes[2];
    uint32_t closed[2];
    int32_t result;
    uint32_t code;
    char text[FN_CONN_TEXT_BYTES + 1];
} seen;

static void watch(void *context, int side, const fn_event *event)
{
    seen *all = context;
    all->connected[side] += event->type == FN_EVENT_CONNECTED;
    if (event->type == FN_EVENT_MESSAGE) {
        all->messages[side]++;
        all->bytes[side] += event->bytes;
    }
    if (event->type == FN_EVENT_CLOSED) {
        all->closed[side]++;
        all->result = event->result;
        all->code = event->code;
        memcpy(all->text, event->data, event->bytes + 1);
    }
}

static void connects_with_each_side_told_once(void **state)
{
    (void)state;
    conn_pair pair;
    seen all = {0};
    pair_open(&pair);
    pair_pump(&pair, watch, &all);
    assert_int_equal(all.connected[PAIR_CLIENT], 1);
    assert_int_equal(all.connected[PAIR_SERVER], 1);
    assert_int_equal(fn_conn_get_state(pair.sides[PAIR_SERVER].conn), FN_CONN_CONNECTED);
    pair_close(&pair);
}

static void carries_every_mode_both_ways(void **state)
{
    (void)state;
    static uint8_t data[256 << 10];
    static const size_t sizes[] = {0, 1, 1023, 1024, 1025, 5000, sizeof data};
    conn_pair pair;
    seen all = {0};
    pair_open(&pair);
    pair_pump(&pair, watch, &all);
    for (int side = 0; side < 2; side++)
        for (uint8_t channel = 0; channel < 4; channel++)
            for (size_t i = 0; i < FN_ARRAY_COUNT(sizes); i++) {
                int result = fn_conn_send(pair.sides[side].conn, channel, data, sizes[i], NULL);
                assert_int_equal(result, FASTNET_OK);
                pair_run(&pair, 2 * FN_NS_PER_S, watch, &all);
            }
    for (int side = 0; side < 2; side++)
        assert_int_equal(all.messages[side], 4 * FN_ARRAY_COUNT(sizes));
    pair_close(&pair);
}

static void f2_close_reaches_the_other_side_with_code_and_text(void **state)
{
    (void)state;
    conn_pair pair;
    seen all = {0};
    pair_open(&pair);
    pair_pump(&pair, watch, &all);
    fn_conn_close(pair.sides[PAIR_SERVER].conn, pair.now_ns, 42, "match over", 0);
    pair_run(&pair, 5 * FN_NS_PER_S, watch, &all);
    assert_int_equal(all.closed[PAIR_CLIENT], 1);
    assert_int_equal(all.closed[PAIR_SERVER], 0);
    assert_int_equal(all.result, FASTNET_ERR_CLOSED);
    assert_int_equal(all.code, 42);
    assert_string_equal(all.text, "match over");
    for (int side = 0; side < 2; side++)
        assert_int_equal(fn_conn_get_state(pair.sides[side].conn), FN_CONN_DEAD);
    pair_close(&pair);
}

static void lingering_delivers_what_was_queued(void **state)
{
    (void)state;
    static uint8_t data[100000];
    conn_pair pair;
    seen all = {0};
    pair_open(&pair);
    pair_pump(&pair, watch, &all);
    for (int i = 0; i < 5; i++)
        assert_int_equal(fn_conn_send(pair.sides[PAIR_CLIENT].conn, 0, data, sizeof data, NULL),
                         FASTNET_OK);
    fn_conn_close(pair.sides[PAIR_CLIENT].conn, pair.now_ns, 0, NULL, 10 * FN_NS_PER_S);
    pair_run(&pair, 12 * FN_NS_PER_S, watch, &all);
    assert_int_equal(all.messages[PAIR_SERVER], 5);
    assert_int_equal(all.closed[PAIR_SERVER], 1);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connects_with_each_side_told_once),
        cmocka_unit_test(carries_every_mode_both_ways),
        cmocka_unit_test(f2_close_reaches_the_other_side_with_code_and_text),
        cmocka_unit_test(lingering_delivers_what_was_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
