/* The judge is judged: each broken promise must be seen, and nothing else. */
#include "stream.h"

#include "base/result.h"
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MESSAGES = 6, BYTES = 40 };

static void make(fn_stream *stream, uint8_t mode, size_t bytes)
{
    fn_stream_init(stream, 42, mode);
    for (int i = 0; i < MESSAGES; i++)
        fn_stream_sent(stream, 0, bytes, true);
}

static const char *receive(fn_stream *stream, uint64_t id, size_t bytes)
{
    uint8_t data[BYTES];
    fn_stream_content(stream, id, data, bytes);
    return fn_stream_receive(stream, 1, data, bytes);
}

static void order_counts_on_the_ordered_channel_only(void **state)
{
    (void)state;
    static const struct {
        uint8_t mode;
        bool back_is_fine;
        bool gap_is_fine;
    } rows[] = {
        {FASTNET_MODE_RELIABLE_ORDERED, false, false},
        {FASTNET_MODE_UNRELIABLE, true, true},
        {FASTNET_MODE_RELIABLE, true, true},
        {FASTNET_MODE_UNRELIABLE_SEQUENCED, false, true},
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(rows); i++) {
        fn_stream stream;
        make(&stream, rows[i].mode, BYTES);
        assert_null(receive(&stream, 0, BYTES));
        assert_int_equal(receive(&stream, 2, BYTES) == NULL, rows[i].gap_is_fine);
        assert_int_equal(receive(&stream, 1, BYTES) == NULL,
                         rows[i].back_is_fine || !rows[i].gap_is_fine);
        fn_stream_free(&stream);
    }
}

static void a_second_copy_is_seen(void **state)
{
    (void)state;
    for (uint8_t mode = 0; mode < 4; mode++) {
        for (size_t bytes = 1; bytes < BYTES; bytes += 6) {
            fn_stream stream;
            make(&stream, mode, bytes);
            assert_null(receive(&stream, 0, bytes));
            if (bytes >= 8)
                assert_non_null(receive(&stream, 0, bytes));
            fn_stream_free(&stream);
        }
    }
}

static void empty_messages_are_counted(void **state)
{
    (void)state;
    fn_stream stream;
    make(&stream, FASTNET_MODE_RELIABLE, 0);
    for (int i = 0; i < MESSAGES; i++)
        assert_null(receive(&stream, 0, 0));
    assert_non_null(receive(&stream, 0, 0));
    fn_stream_free(&stream);
}

static void other_content_is_seen(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < BYTES * 8; bit++) {
        fn_stream stream;
        make(&stream, FASTNET_MODE_UNRELIABLE, BYTES);
        uint8_t data[BYTES];
        fn_stream_content(&stream, 3, data, BYTES);
        data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_non_null(fn_stream_receive(&stream, 1, data, BYTES));
        fn_stream_free(&stream);
    }
}

static void what_was_not_sent_or_is_shorter_is_seen(void **state)
{
    (void)state;
    fn_stream stream;
    make(&stream, FASTNET_MODE_RELIABLE, BYTES);
    assert_non_null(receive(&stream, MESSAGES, BYTES));
    assert_non_null(receive(&stream, 1, BYTES - 1));
    assert_non_null(receive(&stream, 1, 3));
    fn_stream_free(&stream);
}

static void fates_are_told_once_and_complete_at_the_end(void **state)
{
    (void)state;
    fn_stream stream;
    make(&stream, FASTNET_MODE_RELIABLE, BYTES);
    assert_non_null(fn_stream_tell(&stream, 0, true)); /* it never left */
    for (uint64_t id = 0; id < MESSAGES; id++) {
        assert_false(fn_stream_complete(&stream));
        stream.messages[id].left = true;
        assert_null(receive(&stream, id, BYTES));
        assert_null(fn_stream_tell(&stream, id, true));
        assert_non_null(fn_stream_tell(&stream, id, true));
    }
    assert_true(fn_stream_complete(&stream));
    fn_stream_free(&stream);
    make(&stream, FASTNET_MODE_RELIABLE_ORDERED, BYTES);
    assert_false(fn_stream_all_told(&stream));
    for (uint64_t id = 0; id < MESSAGES; id++)
        assert_null(fn_stream_tell(&stream, id, false)); /* the session ends */
    assert_true(fn_stream_all_told(&stream));
    assert_false(fn_stream_complete(&stream));
    fn_stream_free(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_counts_on_the_ordered_channel_only),
        cmocka_unit_test(a_second_copy_is_seen),
        cmocka_unit_test(empty_messages_are_counted),
        cmocka_unit_test(other_content_is_seen),
        cmocka_unit_test(what_was_not_sent_or_is_shorter_is_seen),
        cmocka_unit_test(fates_are_told_once_and_complete_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
