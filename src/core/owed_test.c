/* Peers that speak, and keep what they owe. */
#include "core/test_conn_link.h"
#include "core/test_forge.h"

#define TIMEOUT_NS (30 * FN_NS_PER_S)
#define GRACE_NS   (TIMEOUT_NS / 8)

enum { MESSAGE_BYTES = 30000 };

typedef struct ends {
    uint32_t closed[2];
    int32_t result[2];
} ends;

static void watch(void *context, int side, const fn_event *event)
{
    ends *all = context;
    if (event->type != FN_EVENT_CLOSED)
        return;
    all->closed[side]++;
    all->result[side] = event->result;
}

static void open_watched(conn_link *link, ends *all)
{
    memset(all, 0, sizeof *all);
    link_open(link, 1);
    link->on_event = watch;
    link->context = all;
    link_run(link, FN_NS_PER_S);
}

static fn_conn_state state_of(const conn_link *link, int side)
{
    return fn_conn_get_state(link->pair.sides[side].conn);
}

static void forge_ping(conn_link *link)
{
    static uint8_t buffer[PAIR_DATAGRAM_BYTES];
    uint8_t frame[FN_FRAME_PING_BYTES];
    fn_writer writer = fn_writer_make(frame, sizeof frame);
    fn_frame_write_ping(&writer, link->pair.now_ns);
    forge_send(&link->pair, PAIR_CLIENT, frame, sizeof frame, buffer);
}

/* One unit of a message of MESSAGE_BYTES on channel 2. */
static void forge_unit(conn_link *link, uint64_t id, uint32_t unit)
{
    static uint8_t buffer[PAIR_DATAGRAM_BYTES];
    static const uint8_t payload[FN_UNIT_BYTES];
    uint8_t bytes[FN_UNIT_BYTES + 64];
    fn_writer writer = fn_writer_make(bytes, sizeof bytes);
    fn_message_frame frame = {.channel = 2,
                              .id = id,
                              .fragment = true,
                              .first_unit = unit,
                              .total_bytes = MESSAGE_BYTES,
                              .bytes = FN_UNIT_BYTES,
                              .payload = payload};
    fn_frame_write_message(&writer, &frame);
    forge_send(&link->pair, PAIR_CLIENT, bytes, fn_writer_bytes(&writer), buffer);
}

/* --- acknowledgements --- */

/* It pings all the time, and acknowledges nothing. */
static void who_is_heard_and_acknowledges_nothing_is_closed_after_the_idle_timeout(void **state)
{
    (void)state;
    ends all;
    conn_link link;
    open_watched(&link, &all);
    link.loss_permille[PAIR_SERVER] = 1000;
    fn_conn_send(link.pair.sides[PAIR_SERVER].conn, 0, "for you", 7, NULL);
    uint64_t start_ns = link.pair.now_ns;
    while (state_of(&link, PAIR_SERVER) == FN_CONN_CONNECTED) {
        assert_true(link.pair.now_ns < start_ns + 2 * TIMEOUT_NS);
        forge_ping(&link);
        link_run(&link, 100 * FN_NS_PER_MS);
    }
    assert_in_range(link.pair.now_ns - start_ns, TIMEOUT_NS - FN_NS_PER_S,
                    TIMEOUT_NS + FN_NS_PER_S);
    link_run(&link, 10 * FN_NS_PER_S);
    assert_int_equal(all.closed[PAIR_SERVER], 1);
    assert_int_equal(all.result[PAIR_SERVER], FASTNET_ERR_TIMEOUT);
    assert_int_equal(all.result[PAIR_CLIENT], FASTNET_ERR_TIMEOUT);
    link_close(&link);
}

/* Its events and its memory are full: no packet with a message in it is acknowledged any more. */
static void an_application_that_reads_nothing_keeps_its_session(void **state)
{
    (void)state;
    ends all;
    conn_link link;
    fn_conn_config client = pair_config(true, pair_secrets);
    fn_conn_config server = pair_config(false, pair_secrets);
    client.memory_cap_bytes = 64 << 10;
    memset(&all, 0, sizeof all);
    link_open_with(&link, &client, &server, 1);
    link_run(&link, FN_NS_PER_S);
    link.hold_events = true;
    static const uint8_t payload[1100];
    uint64_t end_ns = link.pair.now_ns + 4 * TIMEOUT_NS;
    while (link.pair.now_ns < end_ns) {
        for (uint8_t channel = 0; channel < 4; channel++)
            for (int i = 0; i < 4; i++)
                fn_conn_send(link.pair.sides[PAIR_SERVER].conn, channel, payload, sizeof payload,
                             NULL);
        link_run(&link, 50 * FN_NS_PER_MS);
        assert_int_equal(state_of(&link, PAIR_SERVER), FN_CONN_CONNECTED);
        assert_int_equal(state_of(&link, PAIR_CLIENT), FN_CONN_CONNECTED);
    }
    const fn_counters *counters = &link.pair.sides[PAIR_CLIENT].conn->counters;
    assert_true(counters->dropped_messages > 1000); /* it was really full */
    link_close(&link);
}

/* Our process stood still for longer than the timeout: whoever answers now is not to blame. */
static void a_pause_of_our_own_closes_nobody(void **state)
{
    (void)state;
    ends all;
    conn_link link;
    open_watched(&link, &all);
    link.loss_permille[PAIR_SERVER] = 1000;
    fn_conn_send(link.pair.sides[PAIR_SERVER].conn, 0, "for you", 7, NULL);
    link_run(&link, 5 * FN_NS_PER_S);
    link.pair.now_ns += 2 * TIMEOUT_NS;
    forge_ping(&link); /* from the socket's buffer */
    link.loss_permille[PAIR_SERVER] = 0;
    fn_conn_tick(link.pair.sides[PAIR_SERVER].conn, link.pair.now_ns);
    assert_int_equal(state_of(&link, PAIR_SERVER), FN_CONN_CONNECTED);
    link_close(&link);
}

/* --- the rest of a message --- */

static void a_message_that_is_left_unfinished_ends_the_session(void **state)
{
    (void)state;
    ends all;
    conn_link link;
    open_watched(&link, &all);
    for (uint64_t id = 0; id < 31; id++)
        forge_unit(&link, id, 0);
    uint64_t start_ns = link.pair.now_ns;
    link_run(&link, TIMEOUT_NS + GRACE_NS - FN_NS_PER_S);
    assert_int_equal(state_of(&link, PAIR_SERVER), FN_CONN_CONNECTED);
    link_run(&link, 2 * FN_NS_PER_S);
    assert_true(state_of(&link, PAIR_SERVER) >= FN_CONN_CLOSING);
    assert_int_equal(all.result[PAIR_SERVER], FASTNET_ERR_TIMEOUT);
    assert_int_equal(all.result[PAIR_CLIENT], FASTNET_ERR_TIMEOUT);
    assert_true(link.pair.now_ns - start_ns > TIMEOUT_NS);
    link_close(&link);
}

static void the_same_fragment_again_is_no_progress(void **state)
{
    (void)state;
    ends all;
    conn_link link;
    open_watched(&link, &all);
    for (int second = 0; second < 36; second++) {
        forge_unit(&link, 0, 3);
        link_run(&link, FN_NS_PER_S);
    }
    assert_true(state_of(&link, PAIR_SERVER) >= FN_CONN_CLOSING);
    link_close(&link);
}

/* It trickles into one of many: that is not enough for all of them. */
static void a_trickle_does_not_keep_many_messages(void **state)
{
    (void)state;
    ends all;
    conn_link link;
    open_watched(&link, &all);
    for (uint64_t id = 0; id < 31; id++)
        forge_unit(&link, id, 0);
    for (uint32_t unit = 1; unit < 28 && state_of(&link, PAIR_SERVER) == FN_CONN_CONNECTED;
         unit++) {
        link_run(&link, 3 * FN_NS_PER_S);
        forge_unit(&link, 0, unit);
    }
    assert_true(state_of(&link, PAIR_SERVER) >= FN_CONN_CLOSING);
    link_close(&link);
}

static void a_slow_message_has_all_the_time_it_needs(void **state)
{
    (void)state;
    ends all;
    conn_link link;
    open_watched(&link, &all);
    for (uint32_t unit = 0; unit < 29; unit++) {
        forge_unit(&link, 0, unit);
        link_run(&link, 25 * FN_NS_PER_S);
        assert_int_equal(state_of(&link, PAIR_SERVER), FN_CONN_CONNECTED);
    }
    link_close(&link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_heard_and_acknowledges_nothing_is_closed_after_the_idle_timeout),
        cmocka_unit_test(an_application_that_reads_nothing_keeps_its_session),
        cmocka_unit_test(a_pause_of_our_own_closes_nobody),
        cmocka_unit_test(a_message_that_is_left_unfinished_ends_the_session),
        cmocka_unit_test(the_same_fragment_again_is_no_progress),
        cmocka_unit_test(a_trickle_does_not_keep_many_messages),
        cmocka_unit_test(a_slow_message_has_all_the_time_it_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
