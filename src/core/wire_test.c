#include "core/wire.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- section 5: datagrams --- */

static void every_first_byte_is_judged_as_the_protocol_says(void **state)
{
    (void)state;
    uint8_t datagram[64] = {0, 0x11, 0x22, 0x33, 0x44, 1, 2, 3, 4};
    for (unsigned first = 0; first < 256; first++) {
        datagram[0] = (uint8_t)first;
        fn_header header;
        bool session = first >> 6 == 3 && (first >> 4 & 3) == 0 && (first >> 2 & 1) == 0;
        assert_int_equal(fn_header_decode(datagram, sizeof datagram, &header), session);
        if (!session)
            continue;
        assert_int_equal(header.receiver_id, 0x11223344);
        assert_int_equal(header.phase, first >> 3 & 1);
        assert_int_equal(header.number_bytes, (first & 3) + 1);
        assert_int_equal(header.bytes, 6 + (first & 3));
        static const uint32_t numbers[] = {1, 0x0102, 0x010203, 0x01020304};
        assert_int_equal(header.truncated, numbers[first & 3]);
    }
}

static void lengths_are_checked_before_anything_is_read(void **state)
{
    (void)state;
    for (uint8_t number_bytes = 1; number_bytes <= 4; number_bytes++)
        for (size_t bytes = 0; bytes < 40; bytes++) {
            uint8_t *datagram = calloc(1, bytes + (bytes == 0));
            fn_header header;
            datagram[0] = (uint8_t)(0xc0 | (number_bytes - 1));
            bool good = bytes >= 5u + number_bytes + 16;
            assert_int_equal(fn_header_decode(datagram, bytes, &header), good);
            free(datagram);
        }
    uint8_t *datagram = calloc(1, 65536);
    datagram[0] = 0xc0;
    fn_header header;
    assert_true(fn_header_decode(datagram, 65535, &header));
    assert_false(fn_header_decode(datagram, 65536, &header));
    free(datagram);
}

static void headers_are_read_as_they_were_written(void **state)
{
    (void)state;
    fn_rng rng;
    fn_rng_init(&rng, 1);
    for (int i = 0; i < 1000; i++) {
        uint8_t datagram[40] = {0};
        uint32_t number_bytes = 1 + i % 4;
        uint64_t number = fn_rng_below(&rng, UINT64_C(1) << 62);
        uint32_t id = (uint32_t)fn_rng_below(&rng, UINT64_C(1) << 32);
        size_t bytes = fn_header_encode(datagram, id, (uint8_t)(i / 4 % 2), number, number_bytes);
        fn_header header;
        assert_true(fn_header_decode(datagram, sizeof datagram, &header));
        assert_int_equal(header.bytes, bytes);
        assert_int_equal(header.receiver_id, id);
        assert_int_equal(header.phase, i / 4 % 2);
        assert_int_equal(header.truncated, number & ((UINT64_C(1) << 8 * number_bytes) - 1));
    }
}

/* --- section 6: frames --- */

typedef struct sample {
    fn_frame frame;
    size_t count;
    uint8_t bytes[24];
} sample;

#define FIELD(type_, count_, member, value, ...)                                             \
    {                                                                                        \
        .frame = {.type = FN_FRAME_##type_, .as.member = value}, .count = count_, .bytes = { \
            __VA_ARGS__                                                                      \
        }                                                                                    \
    }

/* By hand, from the table in PROTOCOL.md. */
static const sample samples[] = {
    FIELD(PING, 9, time_ns, 0x0102030405060708, 0x01, 1, 2, 3, 4, 5, 6, 7, 8),
    FIELD(PATH_CHALLENGE, 9, data, 0xfffefdfcfbfaf9f8, 0x03, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa,
          0xf9, 0xf8),
    FIELD(PATH_RESPONSE, 9, data, 1, 0x04, 0, 0, 0, 0, 0, 0, 0, 1),
    FIELD(WINDOW, 2, credit, 63, 0x05, 63),
    FIELD(WINDOW, 3, credit, 64, 0x05, 0x40, 64),
    FIELD(BLOCKED, 5, credit, 0x3fffffff, 0x06, 0xbf, 0xff, 0xff, 0xff),
    FIELD(BLOCKED, 9, credit, 0x40000000, 0x06, 0xc0, 0, 0, 0, 0x40, 0, 0, 0),
};

static void write_sample(fn_writer *writer, const fn_frame *frame)
{
    if (frame->type == FN_FRAME_PING)
        fn_frame_write_ping(writer, frame->as.time_ns);
    else if (frame->type == FN_FRAME_WINDOW || frame->type == FN_FRAME_BLOCKED)
        fn_frame_write_credit(writer, frame->type, frame->as.credit);
    else
        fn_frame_write_path(writer, frame->type, frame->as.data);
}

static void frames_of_one_field_have_these_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < FN_ARRAY_COUNT(samples); i++) {
        const sample *row = &samples[i];
        uint8_t bytes[32];
        fn_writer writer = fn_writer_make(bytes, sizeof bytes);
        write_sample(&writer, &row->frame);
        assert_int_equal(fn_writer_bytes(&writer), row->count);
        assert_memory_equal(bytes, row->bytes, row->count);
        fn_reader reader = fn_reader_make(row->bytes, row->count);
        fn_frame frame;
        assert_true(fn_frame_read(&reader, &frame));
        assert_int_equal(frame.type, row->frame.type);
        assert_int_equal(frame.as.data, row->frame.as.data);
        for (size_t cut = 0; cut < row->count; cut++) {
            reader = fn_reader_make(row->bytes, cut);
            assert_false(fn_frame_read(&reader, &frame));
        }
    }
}

static void close_frames_are_read_as_they_were_written(void **state)
{
    (void)state;
    uint8_t text[FN_FRAME_CLOSE_TEXT_MAX];
    memset(text, 'x', sizeof text);
    for (uint32_t bytes = 0; bytes <= sizeof text; bytes += 64) {
        uint8_t out[300];
        fn_close_frame close = {
            .code = UINT32_MAX, .text = text, .text_bytes = bytes, .application = bytes % 128 == 0};
        fn_writer writer = fn_writer_make(out, sizeof out);
        fn_frame_write_close(&writer, &close);
        size_t count = fn_writer_bytes(&writer);
        assert_int_equal(count, 1 + 1 + 8 + (bytes < 64 ? 1 : 2) + bytes);
        fn_reader reader = fn_reader_make(out, count);
        fn_frame frame;
        assert_true(fn_frame_read(&reader, &frame));
        assert_int_equal(frame.as.close.code, UINT32_MAX);
        assert_int_equal(frame.as.close.text_bytes, bytes);
        assert_int_equal(frame.as.close.application, close.application);
        for (size_t cut = 0; cut < count; cut++) {
            reader = fn_reader_make(out, cut);
            assert_false(fn_frame_read(&reader, &frame));
        }
    }
}

/* Against the set of numbers that went in. */
static void r5_acknowledgements_name_what_arrived(void **state)
{
    (void)state;
    enum { NUMBERS = 300 };
    fn_rng rng;
    fn_rng_init(&rng, 2);
    for (int round = 0; round < 300; round++) {
        bool arrived[NUMBERS] = {false};
        fn_ack_ledger ledger;
        fn_ack_init(&ledger);
        uint64_t base = round % 3 == 0 ? 0 : UINT64_C(1) << (8 + round % 50);
        uint64_t few = 1 + fn_rng_below(&rng, 100);
        for (uint64_t i = 0; i < NUMBERS; i++) {
            arrived[i] = i == 0 || fn_rng_below(&rng, 100) >= few;
            if (arrived[i])
                fn_ack_received(&ledger, base + i, 0, FN_ACK_USUAL);
        }
        uint8_t out[600];
        fn_writer writer = fn_writer_make(out, 10 + fn_rng_below(&rng, sizeof out - 10));
        if (!fn_frame_write_ack(&writer, &ledger, 12345))
            continue;
        assert_false(writer.failed);
        fn_reader reader = fn_reader_make(out, fn_writer_bytes(&writer));
        fn_frame frame;
        assert_true(fn_frame_read(&reader, &frame));
        assert_true(fn_reader_done(&reader));
        assert_int_equal(frame.as.ack.delay_us, 12345);
        const fn_ack_frame *ack = &frame.as.ack;
        assert_true(ack->range_count <= fn_ack_range_count(&ledger));
        uint64_t lowest = ack->ranges[ack->range_count - 1].first - base;
        for (uint64_t i = lowest; i < NUMBERS; i++) {
            bool named = false;
            for (uint32_t k = 0; k < ack->range_count; k++)
                named |= ack->ranges[k].first <= base + i && base + i <= ack->ranges[k].last;
            assert_int_equal(named, arrived[i]);
        }
    }
}

static void an_acknowledgement_that_does_not_fit_is_not_begun(void **state)
{
    (void)state;
    fn_ack_ledger ledger;
    fn_ack_init(&ledger);
    fn_ack_received(&ledger, 1000, 0, FN_ACK_USUAL);
    for (size_t room = 0; room < 10; room++) {
        uint8_t out[16];
        fn_writer writer = fn_writer_make(out, room);
        assert_int_equal(fn_frame_write_ack(&writer, &ledger, 1), room >= 6);
        assert_int_equal(fn_writer_bytes(&writer), room >= 6 ? 6 : 0);
    }
}

/* `more` further ranges of one number each, all of them well formed. */
static void s7_more_ranges_than_there_is_room_for_are_refused(void **state)
{
    (void)state;
    for (uint8_t more = 0; more < 60; more++) {
        uint8_t bytes[200] = {FN_FRAME_ACK, 0x43, 0xe8, 0, more, 0};
        fn_reader reader = fn_reader_make(bytes, 6 + 2 * (size_t)more);
        fn_frame frame;
        assert_int_equal(fn_frame_read(&reader, &frame), more < FN_ACK_RANGES_MAX);
        if (more >= FN_ACK_RANGES_MAX)
            continue;
        assert_int_equal(frame.as.ack.range_count, more + 1);
        assert_int_equal(frame.as.ack.ranges[more].first, 1000 - 2 * more);
    }
}

/* --- MESSAGE --- */

static fn_message_frame whole_message(const uint8_t *payload, uint32_t bytes)
{
    return (fn_message_frame){
        .id = 70, .payload = payload, .bytes = bytes, .total_bytes = bytes, .channel = 3};
}

static void messages_have_these_bytes(void **state)
{
    (void)state;
    static const uint8_t with_length[] = {0x12, 3, 0x40, 70, 2, 'h', 'i'};
    static const uint8_t to_the_end[] = {0x10, 3, 0x40, 70, 'h', 'i'};
    for (size_t room = 6; room < 10; room++) {
        uint8_t out[16];
        fn_writer writer = fn_writer_make(out, room);
        fn_message_frame message = whole_message((const uint8_t *)"hi", 2);
        fn_frame_write_message(&writer, &message);
        assert_false(writer.failed);
        assert_int_equal(fn_writer_bytes(&writer), room == 6 ? 6 : 7);
        assert_memory_equal(out, room == 6 ? to_the_end : with_length, fn_writer_bytes(&writer));
    }
    static const uint8_t run[] = {0x13, 3, 0x40, 70, 2, 0x48, 0x01, 1, 'z'};
    uint8_t out[16];
    fn_writer writer = fn_writer_make(out, sizeof out);
    fn_message_frame last = {.id = 70,
                             .payload = (const uint8_t *)"z",
                             .bytes = 1,
                             .first_unit = 2,
                             .total_bytes = 2049,
                             .channel = 3,
                             .fragment = true};
    fn_frame_write_message(&writer, &last);
    assert_int_equal(fn_writer_bytes(&writer), sizeof run);
    assert_memory_equal(out, run, sizeof run);
}

/* All runs of messages up to four units, at each length around a border. */
static void only_whole_runs_inside_the_message_are_read(void **state)
{
    (void)state;
    static uint8_t payload[5 * 1024];
    static const uint32_t totals[] = {0, 1, 1023, 1024, 1025, 2047, 2048, 2049, 4095, 4096};
    static const int offs[] = {-1, 0, 1};
    for (size_t t = 0; t < FN_ARRAY_COUNT(totals); t++)
        for (uint32_t first = 0; first < 5; first++)
            for (uint32_t units = 0; units < 5; units++)
                for (size_t o = 0; o < FN_ARRAY_COUNT(offs); o++) {
                    int64_t bytes = (int64_t)units * 1024 + offs[o];
                    if (bytes < 0)
                        continue;
                    uint8_t out[6000];
                    fn_writer writer = fn_writer_make(out, sizeof out);
                    fn_message_frame run = {.payload = payload,
                                            .bytes = (uint32_t)bytes,
                                            .first_unit = first,
                                            .total_bytes = totals[t],
                                            .fragment = true};
                    fn_frame_write_message(&writer, &run);
                    fn_reader reader = fn_reader_make(out, fn_writer_bytes(&writer));
                    fn_frame frame;
                    uint64_t end = first * 1024u + (uint64_t)bytes;
                    bool good = totals[t] > 1024 && bytes > 0 && end <= totals[t] &&
                                (bytes % 1024 == 0 || end == totals[t]);
                    assert_int_equal(fn_frame_read(&reader, &frame), good);
                }
}

static void the_overhead_is_what_the_frame_takes(void **state)
{
    (void)state;
    static const uint64_t ids[] = {0,
                                   63,
                                   64,
                                   16383,
                                   16384,
                                   (UINT64_C(1) << 30) - 1,
                                   UINT64_C(1) << 30,
                                   (UINT64_C(1) << 62) - 1};
    static uint8_t payload[2048];
    for (size_t i = 0; i < FN_ARRAY_COUNT(ids); i++)
        for (int fragment = 0; fragment < 2; fragment++) {
            fn_message_frame message = {.id = ids[i],
                                        .payload = payload,
                                        .bytes = 1024,
                                        .total_bytes = fragment ? 1 << 24 : 1024,
                                        .first_unit = fragment ? 16000 : 0,
                                        .fragment = fragment != 0};
            uint8_t out[2048];
            fn_writer writer = fn_writer_make(out, sizeof out);
            fn_frame_write_message(&writer, &message);
            assert_int_equal(fn_writer_bytes(&writer),
                             fn_frame_message_overhead(&message, true) + 1024);
            writer = fn_writer_make(out, fn_frame_message_overhead(&message, false) + 1024);
            fn_frame_write_message(&writer, &message);
            assert_false(writer.failed);
            assert_int_equal(fn_writer_left(&writer), 0);
            fn_reader reader = fn_reader_make(out, fn_writer_bytes(&writer));
            fn_frame frame;
            assert_true(fn_frame_read(&reader, &frame));
            assert_int_equal(frame.as.message.id, ids[i]);
            assert_int_equal(frame.as.message.bytes, 1024);
        }
}

static void probing_frames_are_those_of_the_table(void **state)
{
    (void)state;
#define X(name, value)                                     \
    assert_int_equal(fn_frame_is_probing(FN_FRAME_##name), \
                     (value) == 0x00 || (value) == 0x03 || (value) == 0x04);
    FN_FRAME_MAP(X)
#undef X
}

/* Any bytes: the reader ends, and never reads beyond. */
static void s7_random_bytes_end_well(void **state)
{
    (void)state;
    fn_rng rng;
    fn_rng_init(&rng, 4);
    for (int round = 0; round < 100000; round++) {
        size_t count = fn_rng_below(&rng, 48);
        uint8_t *bytes = malloc(count + (count == 0));
        for (size_t i = 0; i < count; i++)
            bytes[i] = (uint8_t)(fn_rng_below(&rng, 2) == 0 ? fn_rng_below(&rng, 0x14)
                                                            : fn_rng_below(&rng, 256));
        fn_reader reader = fn_reader_make(bytes, count);
        fn_frame frame;
        size_t left = fn_reader_left(&reader);
        while (left > 0 && fn_frame_read(&reader, &frame)) {
            assert_true(fn_reader_left(&reader) < left);
            left = fn_reader_left(&reader);
            if (frame.type == FN_FRAME_MESSAGE) {
                const fn_message_frame *run = &frame.as.message;
                assert_true((uint64_t)run->first_unit * 1024 + run->bytes <= run->total_bytes);
            }
        }
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_first_byte_is_judged_as_the_protocol_says),
        cmocka_unit_test(lengths_are_checked_before_anything_is_read),
        cmocka_unit_test(headers_are_read_as_they_were_written),
        cmocka_unit_test(frames_of_one_field_have_these_bytes),
        cmocka_unit_test(close_frames_are_read_as_they_were_written),
        cmocka_unit_test(r5_acknowledgements_name_what_arrived),
        cmocka_unit_test(an_acknowledgement_that_does_not_fit_is_not_begun),
        cmocka_unit_test(s7_more_ranges_than_there_is_room_for_are_refused),
        cmocka_unit_test(messages_have_these_bytes),
        cmocka_unit_test(only_whole_runs_inside_the_message_are_read),
        cmocka_unit_test(the_overhead_is_what_the_frame_takes),
        cmocka_unit_test(probing_frames_are_those_of_the_table),
        cmocka_unit_test(s7_random_bytes_end_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
