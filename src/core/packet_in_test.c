#include "core/test_forge.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { NOTHING = -1, STEPS_MAX = 3, FRAME_BYTES_MAX = 64 };

typedef struct seen {
    uint32_t messages;
    uint32_t connected;
    uint32_t closed;
    int32_t result;
    uint64_t first_bytes;
} seen;

static void watch(void *context, int side, const fn_event *event)
{
    seen *all = context;
    if (side != PAIR_SERVER)
        return;
    all->connected += event->type == FN_EVENT_CONNECTED;
    all->messages += event->type == FN_EVENT_MESSAGE;
    if (event->type == FN_EVENT_CLOSED) {
        all->closed++;
        all->result = event->result;
    }
}

static void connect(conn_pair *pair)
{
    pair_open(pair);
    pair_run(pair, FN_NS_PER_S, NULL, NULL);
    assert_int_equal(fn_conn_get_state(pair->sides[PAIR_SERVER].conn), FN_CONN_CONNECTED);
}

/* --- a peer that has the right keys --- */

/* Payloads that arrive one after the other; the last one has to close with that code. */
typedef struct hostile {
    const char *name;
    int code;
    struct {
        uint8_t bytes[FRAME_BYTES_MAX];
        uint8_t count;
    } steps[STEPS_MAX];
} hostile;

#define BYTES(...)                                                        \
    {                                                                     \
        .bytes = {__VA_ARGS__}, .count = sizeof((uint8_t[]){__VA_ARGS__}) \
    }

static const hostile table[] = {
    {"unknown type", FN_CLOSE_FRAME, {BYTES(0x0f)}},
    {"unknown type 0x14", FN_CLOSE_FRAME, {BYTES(0x14, 0, 0, 0)}},
    {"short ping", FN_CLOSE_FRAME, {BYTES(0x01, 1, 2, 3)}},
    {"long varint", FN_CLOSE_FRAME, {BYTES(0x05, 0x40, 0x01)}},
    {"ack: first above largest", FN_CLOSE_FRAME, {BYTES(0x02, 1, 0, 0, 2)}},
    {"ack: 32 more ranges", FN_CLOSE_FRAME, {BYTES(0x02, 1, 0, 32, 0)}},
    {"ack: range below zero", FN_CLOSE_FRAME, {BYTES(0x02, 4, 0, 1, 0, 3, 0)}},
    {"ack: never sent", FN_CLOSE_ACKNOWLEDGEMENT, {BYTES(0x02, 0x80, 0, 0xff, 0xff, 0, 0, 0)}},
    {"ack: far beyond",
     FN_CLOSE_ACKNOWLEDGEMENT,
     {BYTES(0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0)}},
    {"two acks", FN_CLOSE_FRAME, {BYTES(0x02, 0, 0, 0, 0, 0x02, 0, 0, 0, 0)}},
    {"ack: huge delay",
     NOTHING,
     {BYTES(0x02, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0)}},
    {"credit goes back", NOTHING, {BYTES(0x05, 1), BYTES(0x05, 0), BYTES(0x06, 0)}},
    {"credit huge", NOTHING, {BYTES(0x05, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)}},
    {"blocked huge", NOTHING, {BYTES(0x06, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)}},
    {"stray response", NOTHING, {BYTES(0x04, 0, 0, 0, 0, 0, 0, 0, 0)}},
    {"close: origin 2", FN_CLOSE_FRAME, {BYTES(0x07, 2, 0, 0)}},
    {"close: text of 257", FN_CLOSE_FRAME, {BYTES(0x07, 0, 0, 0x41, 0x01)}},
    {"close: code of 33 bits", FN_CLOSE_FRAME, {BYTES(0x07, 0, 0xc0, 0, 0, 1, 0, 0, 0, 0, 0)}},
    {"unknown channel", FN_CLOSE_CHANNEL, {BYTES(0x10, 4, 0)}},
    {"unknown channel 254", FN_CLOSE_CHANNEL, {BYTES(0x10, 254, 0)}},
    {"the library's channel 240", FN_CLOSE_CHANNEL, {BYTES(0x10, 240, 0)}},
    {"the library's channel 255", FN_CLOSE_CHANNEL, {BYTES(0x10, 255, 0)}},
    {"the library's channel 255, cut", FN_CLOSE_CHANNEL, {BYTES(0x11, 255, 0, 1, 0x44, 1, 'x')}},
    {"length beyond the end", FN_CLOSE_FRAME, {BYTES(0x12, 0, 0, 2, 'x')}},
    {"empty run", FN_CLOSE_FRAME, {BYTES(0x11, 0, 0, 0, 0x48, 0)}},
    {"run of half a unit", FN_CLOSE_FRAME, {BYTES(0x11, 0, 0, 0, 0x48, 0, 'x')}},
    {"unit outside", FN_CLOSE_FRAME, {BYTES(0x11, 0, 0, 2, 0x48, 0, 'x')}},
    {"total of one unit", FN_CLOSE_FRAME, {BYTES(0x11, 0, 0, 0, 0x44, 0, 'x')}},
    {"total above 2^24", FN_CLOSE_FRAME, {BYTES(0x11, 0, 0, 0, 0x81, 0, 0, 1, 'x')}},
    {"total above the limit",
     FN_CLOSE_MESSAGE,
     {BYTES(0x11, 0, 0, 0x41, 0x00, 0x80, 0x04, 0x00, 0x01, 'x')}},
    {"id beyond the window", FN_CLOSE_LIMIT, {BYTES(0x10, 0, 0x50, 0x00)}},
    {"id beyond the window, unordered", FN_CLOSE_LIMIT, {BYTES(0x10, 2, 0x50, 0x00)}},
    {"last id of all",
     FN_CLOSE_LIMIT,
     {BYTES(0x10, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)}},
    {"last id of all, unreliable",
     NOTHING,
     {BYTES(0x10, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)}},
    {"last id of all, sequenced",
     NOTHING,
     {BYTES(0x10, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), BYTES(0x10, 3, 0)}},
    {"length changes",
     FN_CLOSE_MESSAGE,
     {BYTES(0x11, 0, 0, 1, 0x44, 0x01, 'x'), BYTES(0x11, 0, 0, 1, 0x44, 0x02, 'x', 'y')}},
    {"length changes, unreliable",
     FN_CLOSE_MESSAGE,
     {BYTES(0x11, 1, 0, 1, 0x44, 0x01, 'x'), BYTES(0x11, 1, 0, 1, 0x44, 0x02, 'x', 'y')}},
    {"fragment becomes whole",
     FN_CLOSE_MESSAGE,
     {BYTES(0x11, 2, 0, 1, 0x44, 0x01, 'x'), BYTES(0x10, 2, 0, 'x')}},
    {"whole becomes fragment",
     FN_CLOSE_MESSAGE,
     {BYTES(0x10, 0, 1, 'x'), BYTES(0x11, 0, 1, 1, 0x44, 0x01, 'x')}},
};

static void s7_hostile_frames_close_with_the_right_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < FN_ARRAY_COUNT(table); i++) {
        const hostile *row = &table[i];
        uint8_t buffers[STEPS_MAX][PAIR_DATAGRAM_BYTES];
        conn_pair pair;
        connect(&pair);
        const fn_conn *server = pair.sides[PAIR_SERVER].conn;
        for (int step = 0; step < STEPS_MAX && row->steps[step].count > 0; step++) {
            if (server->state != FN_CONN_CONNECTED)
                fail_msg("%s: closed too early", row->name);
            forge_send(&pair, PAIR_CLIENT, row->steps[step].bytes, row->steps[step].count,
                       buffers[step]);
        }
        int code = server->state == FN_CONN_CLOSING ? (int)server->closing.code : NOTHING;
        if (code != row->code)
            fail_msg("%s: code %d, expected %d", row->name, code, row->code);
        seen all = {0};
        pair_drain(&pair, PAIR_SERVER, watch, &all);
        assert_int_equal(all.closed, row->code != NOTHING);
        if (row->code != NOTHING)
            assert_int_equal(all.result, FASTNET_ERR_PROTOCOL);
        pair_close(&pair);
    }
}

static void an_empty_payload_closes_with_frame(void **state)
{
    (void)state;
    uint8_t buffer[PAIR_DATAGRAM_BYTES];
    conn_pair pair;
    connect(&pair);
    forge_send(&pair, PAIR_CLIENT, NULL, 0, buffer);
    assert_int_equal(pair.sides[PAIR_SERVER].conn->closing.code, FN_CLOSE_FRAME);
    pair_close(&pair);
}

static void acknowledging_a_skipped_number_closes(void **state)
{
    (void)state;
    uint8_t buffer[PAIR_DATAGRAM_BYTES];
    conn_pair pair;
    connect(&pair);
    fn_conn *server = pair.sides[PAIR_SERVER].conn;
    assert_true(fn_sent_reserve(&server->sent, &server->store, 2));
    fn_sent_skip(&server->sent);
    fn_sent_push(&server->sent);
    uint8_t frames[16];
    fn_writer writer = fn_writer_make(frames, sizeof frames);
    fn_write_u8(&writer, FN_FRAME_ACK);
    fn_write_varint(&writer, server->sent.next - 1);
    fn_write_varint(&writer, 0);
    fn_write_varint(&writer, 0);
    fn_write_varint(&writer, 1);
    forge_send(&pair, PAIR_CLIENT, frames, fn_writer_bytes(&writer), buffer);
    assert_int_equal(server->state, FN_CONN_CLOSING);
    assert_int_equal(server->closing.code, FN_CLOSE_ACKNOWLEDGEMENT);
    pair_close(&pair);
}

/* Whatever is in a sealed payload: no assert, no leak, no more memory than the account's cap. */
static void random_payloads_do_no_harm(void **state)
{
    (void)state;
    fn_rng rng;
    fn_rng_init(&rng, 5);
    static const uint8_t types[] = {0, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x11, 0x12, 0x13};
    for (int round = 0; round < 300; round++) {
        conn_pair pair;
        connect(&pair);
        fn_conn *server = pair.sides[PAIR_SERVER].conn;
        for (int packet = 0; packet < 40 && server->state == FN_CONN_CONNECTED; packet++) {
            uint8_t buffer[PAIR_DATAGRAM_BYTES], frames[1100];
            fn_writer writer = fn_writer_make(frames, 1 + fn_rng_below(&rng, sizeof frames));
            fn_write_u8(&writer, types[fn_rng_below(&rng, sizeof types)]);
            while (fn_writer_left(&writer) > 0)
                fn_write_u8(&writer, (uint8_t)(fn_rng_below(&rng, 3) == 0 ? fn_rng_below(&rng, 256)
                                                                          : fn_rng_below(&rng, 4)));
            forge_send(&pair, PAIR_CLIENT, frames, fn_writer_bytes(&writer), buffer);
            pair_drain(&pair, PAIR_SERVER, NULL, NULL);
            pair.now_ns += FN_NS_PER_MS;
            fn_conn_tick(server, pair.now_ns);
            for (int i = 0; i < 20 && pair_transmit(&pair, PAIR_SERVER); i++) {
            }
        }
        pair_close(&pair);
    }
}

static void flow_control_counts_every_message(void **state)
{
    (void)state;
    conn_pair pair;
    connect(&pair);
    const fn_conn *server = pair.sides[PAIR_SERVER].conn;
    uint32_t messages = 0;
    static uint8_t buffers[16][PAIR_DATAGRAM_BYTES];
    /* First fragments of the largest messages: 256 KiB each, of a window of 1 MiB. */
    for (uint8_t id = 0; server->state == FN_CONN_CONNECTED && id < 16; id++, messages++) {
        uint8_t frames[1100] = {0x13, 2, id, 0, 0x80, 0x04, 0x00, 0x00, 0x44, 0x00};
        forge_send(&pair, PAIR_CLIENT, frames, 10 + 1024, buffers[id]);
    }
    assert_int_equal(server->closing.code, FN_CLOSE_FLOW);
    assert_int_equal(messages, 4);
    pair_close(&pair);
}

/* --- somebody without keys --- */

static void assert_unchanged(conn_pair *pair, const fn_conn *before, int side)
{
    fn_conn *after = malloc(sizeof *after);
    memcpy(after, pair->sides[side].conn, sizeof *after);
    after->counters.rejected_packets = before->counters.rejected_packets;
    after->receive_keys.failed_opens = before->receive_keys.failed_opens;
    assert_memory_equal(after, before, sizeof *after);
    free(after);
}

static void s5_every_flipped_bit_and_every_cut_is_dropped(void **state)
{
    (void)state;
    static const uint8_t data[20] = "twenty bytes of data";
    conn_pair pair;
    connect(&pair);
    fn_conn *server = pair.sides[PAIR_SERVER].conn;
    fn_conn *before = malloc(sizeof *before);
    assert_int_equal(fn_conn_send(pair.sides[PAIR_CLIENT].conn, 0, data, sizeof data, NULL),
                     FASTNET_OK);
    assert_true(pair_transmit(&pair, PAIR_CLIENT));
    memcpy(before, server, sizeof *before);
    uint8_t buffer[PAIR_DATAGRAM_BYTES];
    for (size_t bit = 0; bit < 8 * pair.last_bytes; bit++) {
        pair.last[bit / 8] ^= (uint8_t)(1 << bit % 8);
        fn_conn_received got = pair_deliver(&pair, PAIR_SERVER, pair.last, pair.last_bytes, buffer);
        assert_int_equal(got, FN_CONN_DROPPED);
        pair.last[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_unchanged(&pair, before, PAIR_SERVER);
    }
    for (size_t bytes = 0; bytes < pair.last_bytes; bytes++) {
        fn_conn_received got = pair_deliver(&pair, PAIR_SERVER, pair.last, bytes, buffer);
        assert_int_equal(got, FN_CONN_DROPPED);
        assert_unchanged(&pair, before, PAIR_SERVER);
    }
    assert_int_equal(pair_deliver(&pair, PAIR_SERVER, pair.last, pair.last_bytes, buffer),
                     FN_CONN_ACCEPTED);
    free(before);
    pair_close(&pair);
}

static void s3_replayed_datagrams_are_dropped(void **state)
{
    (void)state;
    enum { COPIES = 50 };
    static uint8_t copies[COPIES][PAIR_DATAGRAM_BYTES];
    size_t lengths[COPIES];
    conn_pair pair;
    connect(&pair);
    seen all = {0};
    uint8_t buffer[PAIR_DATAGRAM_BYTES];
    for (int i = 0; i < COPIES; i++) {
        fn_conn_send(pair.sides[PAIR_CLIENT].conn, 1, &i, sizeof i, NULL);
        assert_true(pair_transmit(&pair, PAIR_CLIENT));
        memcpy(copies[i], pair.last, pair.last_bytes);
        lengths[i] = pair.last_bytes;
        pair_deliver(&pair, PAIR_SERVER, pair.last, pair.last_bytes, buffer);
        pair_drain(&pair, PAIR_SERVER, watch, &all);
    }
    assert_int_equal(all.messages, COPIES);
    fn_conn *before = malloc(sizeof *before);
    memcpy(before, pair.sides[PAIR_SERVER].conn, sizeof *before);
    for (int i = 0; i < COPIES; i++) {
        uint8_t known = pair.sides[PAIR_SERVER].path_known;
        for (int stranger = 0; stranger < 2; stranger++) {
            pair.sides[PAIR_SERVER].path_known = stranger ? FN_CONN_PATH_UNKNOWN : known;
            fn_conn_received got = pair_deliver(&pair, PAIR_SERVER, copies[i], lengths[i], buffer);
            assert_int_equal(got, FN_CONN_DROPPED);
            assert_unchanged(&pair, before, PAIR_SERVER);
        }
        pair.sides[PAIR_SERVER].path_known = known;
    }
    free(before);
    pair_close(&pair);
}

static void too_many_forged_datagrams_end_the_session(void **state)
{
    (void)state;
    conn_pair pair;
    seen all = {0};
    uint8_t buffer[PAIR_DATAGRAM_BYTES];
    connect(&pair);
    fn_conn *server = pair.sides[PAIR_SERVER].conn;
    server->receive_keys.failed_opens = FN_KEYS_FAILED_OPENS_MAX - 2;
    forge_seal(&pair, PAIR_CLIENT, "\0", 1);
    pair.last[pair.last_bytes - 1] ^= 1;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(server->state, FN_CONN_CONNECTED);
        pair_deliver(&pair, PAIR_SERVER, pair.last, pair.last_bytes, buffer);
    }
    assert_int_equal(server->state, FN_CONN_CLOSING);
    assert_int_equal(server->closing.code, FN_CLOSE_AEAD_LIMIT);
    fn_conn_tick(server, pair.now_ns);
    pair_drain(&pair, PAIR_SERVER, watch, &all);
    assert_int_equal(all.result, FASTNET_ERR_LIMIT);
    pair_close(&pair);
}

/* What comes after the end is not taken in, so nobody shall believe that it was. */
static void messages_after_the_end_are_not_acknowledged(void **state)
{
    (void)state;
    static const uint8_t message[] = {0x10, 0, 0, 'x'};
    uint8_t buffer[PAIR_DATAGRAM_BYTES];
    conn_pair pair;
    connect(&pair);
    fn_conn *server = pair.sides[PAIR_SERVER].conn;
    fn_conn_close(server, pair.now_ns, 0, NULL, 0);
    forge_send(&pair, PAIR_CLIENT, message, sizeof message, buffer);
    assert_true(server->replay.largest > fn_ack_range_at(&server->acks, 0).last);
    pair_close(&pair);
}

/* --- memory --- */

/* The datagram holds a message that can be delivered and one that finds no memory. */
static void r8_what_finds_no_memory_is_not_acknowledged_and_comes_later(void **state)
{
    (void)state;
    static uint8_t data[3000];
    conn_pair pair;
    connect(&pair);
    seen all = {0};
    fn_conn *server = pair.sides[PAIR_SERVER].conn;
    fn_conn *client = pair.sides[PAIR_CLIENT].conn;
    size_t cap = server->store.account.cap_bytes;
    server->store.account.cap_bytes = server->store.account.used_bytes;
    assert_int_equal(fn_conn_send(client, 0, data, 10, NULL), FASTNET_OK);
    assert_int_equal(fn_conn_send(client, 2, data, sizeof data, NULL), FASTNET_OK);
    pair_run(&pair, FN_NS_PER_S, watch, &all);
    assert_int_equal(all.messages, 1);
    assert_false(fn_conn_is_flushed(client));
    server->store.account.cap_bytes = cap;
    pair_run(&pair, 3 * FN_NS_PER_S, watch, &all);
    assert_int_equal(all.messages, 2);
    assert_true(fn_conn_is_flushed(client));
    pair_close(&pair);
}

static void a_tagged_snapshot_that_found_no_memory_is_reported_lost(void **state)
{
    (void)state;
    static uint8_t data[3000];
    conn_pair pair;
    connect(&pair);
    fn_conn *server = pair.sides[PAIR_SERVER].conn;
    fn_conn *client = pair.sides[PAIR_CLIENT].conn;
    server->store.account.cap_bytes = server->store.account.used_bytes;
    fn_send_options options = {.tagged = true, .tag = 77};
    fn_conn_send(client, 3, data, sizeof data, &options);
    uint8_t buffer[PAIR_DATAGRAM_BYTES];
    fn_event event = {0};
    for (int i = 0; i < 5000 && event.type != FN_EVENT_LOST; i++) {
        pair.now_ns += FN_NS_PER_MS;
        for (int side = 0; side < 2; side++) {
            fn_conn_tick(pair.sides[side].conn, pair.now_ns);
            while (pair_transmit(&pair, side))
                pair_deliver(&pair, 1 - side, pair.last, pair.last_bytes, buffer);
        }
        if (fn_events_pop(&pair.sides[PAIR_CLIENT].events, &event))
            assert_int_not_equal(event.type, FN_EVENT_DELIVERED);
    }
    assert_int_equal(event.type, FN_EVENT_LOST);
    assert_int_equal(event.tag, 77);
    pair_close(&pair);
}

/* --- numbers --- */

/* Both sides start just below each width of packet numbers and message ids. */
static void numbers_cross_every_width(void **state)
{
    (void)state;
    static const uint64_t starts[] = {UINT64_C(1) << 6,  UINT64_C(1) << 8,  UINT64_C(1) << 14,
                                      UINT64_C(1) << 16, UINT64_C(1) << 24, UINT64_C(1) << 30,
                                      UINT64_C(1) << 32, UINT64_C(1) << 61};
    static uint8_t data[3000];
    for (size_t i = 0; i < FN_ARRAY_COUNT(starts); i++) {
        conn_pair pair;
        pair_open(&pair);
        uint64_t start = starts[i] - 20;
        for (int side = 0; side < 2; side++) {
            fn_conn *conn = pair.sides[side].conn;
            conn->sent.base = conn->sent.next = start;
            conn->loss.largest_acked = start - 1;
            conn->acks.next_expected = start;
            for (uint32_t k = 0; k < conn->channels.count; k++) {
                fn_channel *channel = &conn->channels.items[k];
                channel->send.ring.base = channel->send.send_id = channel->send.next_id = start;
                channel->receive.ring.base = channel->receive.next_id = start;
            }
        }
        seen all = {0};
        pair_run(&pair, FN_NS_PER_S, watch, &all);
        assert_int_equal(all.connected, 1);
        for (int k = 0; k < 40; k++)
            for (uint8_t channel = 0; channel < 4; channel++) {
                fn_conn_send(pair.sides[PAIR_CLIENT].conn, channel, data,
                             k % 4 == 0 ? sizeof data : 10, NULL);
                pair_run(&pair, 20 * FN_NS_PER_MS, watch, &all);
            }
        pair_run(&pair, FN_NS_PER_S, watch, &all);
        assert_int_equal(all.messages, 160);
        assert_true(fn_conn_is_flushed(pair.sides[PAIR_CLIENT].conn));
        pair_close(&pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s7_hostile_frames_close_with_the_right_code),
        cmocka_unit_test(an_empty_payload_closes_with_frame),
        cmocka_unit_test(acknowledging_a_skipped_number_closes),
        cmocka_unit_test(random_payloads_do_no_harm),
        cmocka_unit_test(flow_control_counts_every_message),
        cmocka_unit_test(s5_every_flipped_bit_and_every_cut_is_dropped),
        cmocka_unit_test(s3_replayed_datagrams_are_dropped),
        cmocka_unit_test(too_many_forged_datagrams_end_the_session),
        cmocka_unit_test(messages_after_the_end_are_not_acknowledged),
        cmocka_unit_test(r8_what_finds_no_memory_is_not_acknowledged_and_comes_later),
        cmocka_unit_test(a_tagged_snapshot_that_found_no_memory_is_reported_lost),
        cmocka_unit_test(numbers_cross_every_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
