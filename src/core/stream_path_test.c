#include "core/test_conn_link.h"

enum { MESSAGES = 5000, BLOCKED = 1000 };

typedef struct seen {
    uint32_t connected[2];
    uint32_t next[2];      /* ordered: the number that has to come next */
    uint32_t sequenced[2]; /* the last one */
    uint32_t messages[2][4];
    uint32_t lost_events;
    int32_t result;
} seen;

static void watch(void *context, int side, const fn_event *event)
{
    seen *all = context;
    all->connected[side] += event->type == FN_EVENT_CONNECTED;
    all->lost_events += event->type == FN_EVENT_LOST;
    if (event->type == FN_EVENT_CLOSED)
        all->result = event->result;
    if (event->type != FN_EVENT_MESSAGE)
        return;
    all->messages[side][event->channel]++;
    uint32_t number = fn_load_be32(event->data);
    if (event->channel == 0)
        assert_int_equal(number, all->next[side]++);
    if (event->channel == 3) {
        assert_true(number > all->sequenced[side]);
        all->sequenced[side] = number;
    }
}

static void block_udp(conn_link *link, bool block)
{
    link->loss_permille[0] = block ? BLOCKED : 0;
    link->loss_permille[1] = block ? BLOCKED : 0;
}

static fn_conn *client_of(conn_link *link)
{
    return link->pair.sides[PAIR_CLIENT].conn;
}

static bool is_on_stream(conn_link *link, int side)
{
    return link->streams[side] != LINK_NO_STREAM &&
           fn_conn_path(link->pair.sides[side].conn) == link->streams[side];
}

static int send_number(conn_link *link, int side, uint8_t channel, uint32_t number)
{
    uint8_t data[100] = {0};
    fn_store_be32(data, number);
    return fn_conn_send(link->pair.sides[side].conn, channel, data, sizeof data, NULL);
}

static void open_watched(conn_link *link, seen *all, uint64_t seed)
{
    memset(all, 0, sizeof *all);
    link_open(link, seed);
    link->on_event = watch;
    link->context = all;
}

static void open_connected(conn_link *link, seen *all, uint64_t seed)
{
    open_watched(link, all, seed);
    link_run(link, 200 * FN_NS_PER_MS);
    assert_int_equal(all->connected[PAIR_SERVER], 1);
}

/* Runs until the client wants a stream, and attaches one. */
static void run_until_attached(conn_link *link, uint64_t for_ns)
{
    uint64_t until_ns = link->pair.now_ns + for_ns;
    while (link->pair.now_ns < until_ns &&
           !fn_conn_wants_stream(client_of(link), link->pair.now_ns))
        link_run(link, 10 * FN_NS_PER_MS);
    assert_true(fn_conn_wants_stream(client_of(link), link->pair.now_ns));
    link_stream_up(link);
}

static void t1_udp_blocked_from_the_start_connects_over_the_stream(void **state)
{
    (void)state;
    conn_link link;
    seen all;
    open_watched(&link, &all, 1);
    block_udp(&link, true);
    link_run(&link, 1490 * FN_NS_PER_MS);
    assert_false(fn_conn_wants_stream(client_of(&link), link.pair.now_ns));
    run_until_attached(&link, 20 * FN_NS_PER_MS);
    link_run(&link, 100 * FN_NS_PER_MS);
    for (int side = 0; side < 2; side++) {
        assert_int_equal(all.connected[side], 1);
        assert_true(is_on_stream(&link, side));
    }
    for (uint8_t channel = 0; channel < 4; channel++)
        for (int side = 0; side < 2; side++)
            assert_int_equal(send_number(&link, side, channel, channel == 3 ? 1 : 0), FASTNET_OK);
    link_run(&link, FN_NS_PER_S);
    for (uint8_t channel = 0; channel < 4; channel++)
        for (int side = 0; side < 2; side++)
            assert_int_equal(all.messages[side][channel], 1);
    link_close(&link);
}

/* 500 messages a second each way on the ordered and the sequenced channel. */
static void talk(conn_link *link, uint32_t from, uint32_t count)
{
    for (uint32_t number = from; number < from + count; number++) {
        for (int side = 0; side < 2; side++) {
            while (send_number(link, side, 0, number) == FASTNET_ERR_BACKPRESSURE) {
                link_run(link, 10 * FN_NS_PER_MS);
                if (fn_conn_wants_stream(client_of(link), link->pair.now_ns))
                    link_stream_up(link);
            }
            send_number(link, side, 3, number + 1);
        }
        link_run(link, 2 * FN_NS_PER_MS);
        if (fn_conn_wants_stream(client_of(link), link->pair.now_ns))
            link_stream_up(link);
    }
}

static void t1_blocked_in_the_middle_moves_to_the_stream_and_back(void **state)
{
    (void)state;
    conn_link link;
    seen all;
    open_connected(&link, &all, 2);
    talk(&link, 0, 1000);
    block_udp(&link, true);
    uint64_t blocked_ns = link.pair.now_ns;
    run_until_attached(&link, 3 * FN_NS_PER_S);
    assert_true(link.pair.now_ns - blocked_ns <= 3 * FN_NS_PER_S);
    talk(&link, 1000, 2000);
    for (int side = 0; side < 2; side++)
        assert_true(is_on_stream(&link, side));
    block_udp(&link, false);
    talk(&link, 3000, MESSAGES - 3000);
    link_run(&link, 6 * FN_NS_PER_S);
    for (int side = 0; side < 2; side++) {
        assert_false(is_on_stream(&link, side));
        assert_int_equal(all.next[side], MESSAGES);
        assert_int_equal(all.connected[side], 1);
    }
    link_close(&link);
}

static void a_stream_that_dies_loses_nothing(void **state)
{
    (void)state;
    conn_link link;
    seen all;
    open_connected(&link, &all, 3);
    talk(&link, 0, 100);
    block_udp(&link, true);
    run_until_attached(&link, 3 * FN_NS_PER_S);
    talk(&link, 100, 500);
    for (uint32_t round = 0; round < 5; round++) {
        link_stream_down(&link);
        talk(&link, 600 + round * 100, 100); /* attaches anew when the client asks for it */
        assert_true(is_on_stream(&link, PAIR_CLIENT));
    }
    link_stream_down(&link);
    block_udp(&link, false);
    talk(&link, 1100, 100);
    link_run(&link, 5 * FN_NS_PER_S);
    for (int side = 0; side < 2; side++) {
        assert_int_equal(all.next[side], 1200);
        assert_true(fn_conn_path(link.pair.sides[side].conn) != FN_CONN_PATH_UNKNOWN);
    }
    link_close(&link);
}

static void a_full_stream_lets_unreliable_messages_grow_old_here(void **state)
{
    (void)state;
    conn_link link;
    seen all;
    open_watched(&link, &all, 4);
    block_udp(&link, true);
    run_until_attached(&link, 2 * FN_NS_PER_S);
    link_run(&link, FN_NS_PER_S);
    fn_conn *client = client_of(&link);
    uint8_t stream = (uint8_t)link.streams[PAIR_CLIENT];
    fn_conn_stream_writable(client, stream, false);
    uint64_t sent = link.sent[PAIR_CLIENT];
    fn_send_options tagged = {.tagged = true, .time_to_live_ns = 100 * FN_NS_PER_MS};
    for (uint64_t i = 0; i < 60; i++) {
        tagged.tag = i;
        uint8_t data[200] = {0};
        fn_conn_send(client, 1, data, sizeof data, &tagged);
        link_run(&link, 16 * FN_NS_PER_MS);
    }
    uint64_t probes = link.sent[PAIR_CLIENT] - sent; /* challenges over UDP */
    assert_true(probes < 10);
    assert_true(all.lost_events >= 50);
    fn_conn_stream_writable(client, stream, true);
    link_run(&link, FN_NS_PER_S);
    assert_true(all.messages[PAIR_SERVER][1] <= 10);
    assert_true(all.messages[PAIR_SERVER][1] > 0);
    link_close(&link);
}

static void a_blackout_shorter_than_the_idle_timeout_loses_nothing(void **state)
{
    (void)state;
    conn_link link;
    seen all;
    open_connected(&link, &all, 5);
    talk(&link, 0, 100);
    block_udp(&link, true);
    for (uint32_t number = 100; number < 200; number++)
        for (int side = 0; side < 2; side++)
            assert_int_equal(send_number(&link, side, 0, number), FASTNET_OK);
    link_run(&link, 10 * FN_NS_PER_S);
    block_udp(&link, false);
    link_run(&link, 5 * FN_NS_PER_S);
    for (int side = 0; side < 2; side++) {
        assert_int_equal(all.next[side], 200);
        assert_int_equal(all.connected[side], 1);
    }
    link_close(&link);
}

/* They arm no probe timeout, but silence about them is noticed as well. */
static void unreliable_messages_alone_notice_silence_too(void **state)
{
    (void)state;
    conn_link link;
    seen all;
    open_connected(&link, &all, 8);
    link_run(&link, 2 * FN_NS_PER_S);
    block_udp(&link, true);
    uint64_t blocked_ns = link.pair.now_ns;
    for (uint32_t number = 1; !fn_conn_wants_stream(client_of(&link), link.pair.now_ns); number++) {
        send_number(&link, PAIR_CLIENT, 3, number);
        link_run(&link, 16 * FN_NS_PER_MS);
        assert_true(link.pair.now_ns - blocked_ns <= 3 * FN_NS_PER_S);
    }
    link_close(&link);
}

static void gone_ends_the_session_with_that_reason(void **state)
{
    (void)state;
    conn_link link;
    seen all;
    open_connected(&link, &all, 6);
    talk(&link, 0, 10);
    fn_conn_gone(client_of(&link));
    link_run(&link, FN_NS_PER_S);
    assert_int_equal(all.result, FASTNET_ERR_GONE);
    assert_int_equal(fn_conn_get_state(client_of(&link)), FN_CONN_DEAD);
    link_close(&link);
}

static void without_fallback_no_stream_is_wanted(void **state)
{
    (void)state;
    conn_link link;
    fn_conn_config client = pair_config(true, pair_secrets);
    fn_conn_config server = pair_config(false, pair_secrets);
    client.stream_after_ns = FN_NEVER;
    link_open_with(&link, &client, &server, 7);
    block_udp(&link, true);
    link_run(&link, 10 * FN_NS_PER_S);
    assert_false(fn_conn_wants_stream(client_of(&link), link.pair.now_ns));
    link_close(&link);
}

/* A client that stops reading its TLS stream must not make the other side's loop spin until the
 * goodbye is given up. */
static void attack_closing_on_a_stream_that_is_never_read_waits_quietly(void **state)
{
    (void)state;
    seen all;
    conn_link link;
    uint8_t out[PAIR_DATAGRAM_BYTES], path;
    open_watched(&link, &all, 17);
    block_udp(&link, true);
    run_until_attached(&link, 2 * FN_NS_PER_S);
    link_run(&link, FN_NS_PER_S);
    assert_true(is_on_stream(&link, PAIR_SERVER));
    fn_conn *server = link.pair.sides[PAIR_SERVER].conn;
    uint64_t now_ns = link.pair.now_ns;
    fn_conn_stream_writable(server, (uint8_t)link.streams[PAIR_SERVER], false);
    fn_conn_close(server, now_ns, 0, NULL, 0);
    fn_conn_tick(server, now_ns);
    assert_int_equal(fn_conn_transmit(server, now_ns, out, sizeof out, &path), 0);
    uint64_t deadline_ns = fn_conn_deadline(server);
    assert_in_range(deadline_ns, now_ns + 1, now_ns + 10 * FN_NS_PER_S);
    fn_conn_stream_writable(server, (uint8_t)link.streams[PAIR_SERVER], true);
    assert_true(fn_conn_transmit(server, now_ns, out, sizeof out, &path) > 0);
    link_close(&link);
}

static void a_stream_that_brings_nothing_is_told_from_a_quiet_one(void **state)
{
    (void)state;
    conn_link link;
    seen all;
    open_connected(&link, &all, 8);
    block_udp(&link, true);
    send_number(&link, PAIR_CLIENT, 0, 0);
    run_until_attached(&link, 3 * FN_NS_PER_S);
    for (int second = 0; second < 60; second++) { /* nobody says anything, UDP is asked in vain */
        link_run(&link, FN_NS_PER_S);
        assert_false(fn_conn_stream_is_silent(client_of(&link), link.pair.now_ns));
    }
    link.stream_stalled = true;
    send_number(&link, PAIR_CLIENT, 0, 1);
    link_run(&link, FN_NS_PER_S);
    assert_false(fn_conn_stream_is_silent(client_of(&link), link.pair.now_ns));
    link_run(&link, 7 * FN_NS_PER_S); /* UDP is asked every four seconds, the silence takes three */
    assert_true(fn_conn_stream_is_silent(client_of(&link), link.pair.now_ns));
    link_stream_down(&link);
    link.stream_stalled = false;
    assert_true(fn_conn_wants_stream(client_of(&link), link.pair.now_ns));
    link_stream_up(&link);
    link_run(&link, FN_NS_PER_S);
    assert_int_equal(all.next[PAIR_SERVER], 2);
    link_close(&link);
}

/* After a long time without any path the first stream that is attached is not blamed for it. */
static void a_new_stream_is_given_its_time(void **state)
{
    (void)state;
    conn_link link;
    seen all;
    open_connected(&link, &all, 9);
    block_udp(&link, true);
    send_number(&link, PAIR_CLIENT, 0, 0);
    link_run(&link, 10 * FN_NS_PER_S);
    link_stream_up(&link);
    for (int i = 0; i < 100; i++) {
        assert_false(fn_conn_stream_is_silent(client_of(&link), link.pair.now_ns));
        link_run(&link, 10 * FN_NS_PER_MS);
    }
    assert_int_equal(all.next[PAIR_SERVER], 1);
    link_close(&link);
}

/* The server is heard all the time, but hears nothing. */
static void a_path_that_leads_one_way_only_is_silent(void **state)
{
    (void)state;
    conn_link link;
    seen all;
    open_connected(&link, &all, 10);
    link.loss_permille[PAIR_SERVER] = BLOCKED;
    uint64_t blocked_ns = link.pair.now_ns;
    for (uint32_t number = 1; !fn_conn_wants_stream(client_of(&link), link.pair.now_ns); number++) {
        send_number(&link, PAIR_CLIENT, 0, number - 1);
        send_number(&link, PAIR_SERVER, 3, number);
        link_run(&link, 16 * FN_NS_PER_MS);
        assert_true(link.pair.now_ns - blocked_ns <= 3 * FN_NS_PER_S);
    }
    assert_true(all.messages[PAIR_CLIENT][3] > 20);
    link_close(&link);
}

/* One unreliable message that is lost, and nothing after it for seconds, is no silence. */
static void a_single_loss_is_not_taken_for_silence(void **state)
{
    (void)state;
    conn_link link;
    seen all;
    open_connected(&link, &all, 11);
    link_run(&link, 2 * FN_NS_PER_S);
    send_number(&link, PAIR_CLIENT, 1, 0); /* takes the clock's PING along */
    link_run(&link, 100 * FN_NS_PER_MS);
    block_udp(&link, true);
    send_number(&link, PAIR_CLIENT, 1, 1);
    link_run(&link, 100 * FN_NS_PER_MS);
    block_udp(&link, false);
    for (int i = 0; i < 300; i++) {
        link_run(&link, 10 * FN_NS_PER_MS);
        assert_false(fn_conn_wants_stream(client_of(&link), link.pair.now_ns));
    }
    link_close(&link);
}

/* Back on UDP, with the stream kept: it may never bring what is on its way. */
static void what_a_stream_that_was_left_swallows_goes_again(void **state)
{
    (void)state;
    conn_link link;
    seen all;
    open_connected(&link, &all, 12);
    block_udp(&link, true);
    send_number(&link, PAIR_CLIENT, 0, 0);
    run_until_attached(&link, 3 * FN_NS_PER_S);
    link_run(&link, 100 * FN_NS_PER_MS);
    link.stream_stalled = true;
    for (int side = 0; side < 2; side++)
        for (uint32_t i = 0; i < 20; i++)
            send_number(&link, side, 0, all.next[1 - side] + i);
    link_run(&link, 10 * FN_NS_PER_MS);
    block_udp(&link, false);
    link_run(&link, 8 * FN_NS_PER_S);
    for (int side = 0; side < 2; side++) {
        assert_false(is_on_stream(&link, side));
        assert_true(fn_conn_is_flushed(link.pair.sides[side].conn));
    }
    link_close(&link);
}

/* The client goes on asking, at most four seconds after the last time. */
static void after_a_long_block_udp_is_found_again(void **state)
{
    (void)state;
    conn_link link;
    seen all;
    open_connected(&link, &all, 12);
    block_udp(&link, true);
    assert_int_equal(send_number(&link, PAIR_CLIENT, 0, 0), FASTNET_OK);
    run_until_attached(&link, 5 * FN_NS_PER_S);
    for (int i = 0; i < 25; i++) { /* a keep-alive's rhythm */
        link_run(&link, FN_NS_PER_S);
        assert_true(is_on_stream(&link, PAIR_CLIENT));
    }
    block_udp(&link, false);
    link_run(&link, 8 * FN_NS_PER_S);
    for (int side = 0; side < 2; side++)
        assert_false(is_on_stream(&link, side));
    link_close(&link);
}

/* Silence of UDP alone, whether or not a stream may follow; never a server's. */
static void unheard_is_a_client_whose_udp_is_silent(void **state)
{
    (void)state;
    fn_conn_config configs[2] = {pair_config(true, pair_secrets), pair_config(false, pair_secrets)};
    configs[PAIR_CLIENT].stream_after_ns = FN_NEVER;
    conn_link link;
    link_open_with(&link, &configs[PAIR_CLIENT], &configs[PAIR_SERVER], 13);
    assert_false(fn_conn_is_unheard(client_of(&link), link.pair.now_ns));
    link_run(&link, 200 * FN_NS_PER_MS);
    block_udp(&link, true);
    for (int side = 0; side < 2; side++)
        assert_int_equal(send_number(&link, side, 0, 0), FASTNET_OK);
    link_run(&link, 900 * FN_NS_PER_MS);
    assert_false(fn_conn_is_unheard(client_of(&link), link.pair.now_ns));
    link_run(&link, 4 * FN_NS_PER_S);
    assert_true(fn_conn_is_unheard(client_of(&link), link.pair.now_ns));
    assert_false(fn_conn_wants_stream(client_of(&link), link.pair.now_ns));
    assert_false(fn_conn_is_unheard(link.pair.sides[PAIR_SERVER].conn, link.pair.now_ns));
    link_stream_up(&link);
    assert_false(fn_conn_is_unheard(client_of(&link), link.pair.now_ns));
    link_close(&link);
}

static void a_session_that_ends_takes_no_stream(void **state)
{
    (void)state;
    conn_link link;
    seen all;
    open_connected(&link, &all, 14);
    fn_conn_close(client_of(&link), link.pair.now_ns, 1, "bye", 0);
    assert_int_equal(fn_conn_stream_add(client_of(&link), link.pair.now_ns), -1);
    link_close(&link);
}

/* Ids of paths that are no streams, or not there, change nothing. */
static void only_streams_are_lost_or_full(void **state)
{
    (void)state;
    conn_link link;
    seen all;
    open_connected(&link, &all, 15);
    uint8_t path = fn_conn_path(client_of(&link));
    for (uint8_t other = 0; other <= FN_CONN_PATHS_MAX; other++) {
        fn_conn_stream_writable(client_of(&link), other, false);
        fn_conn_stream_lost(client_of(&link), link.pair.now_ns, other);
    }
    assert_int_equal(fn_conn_path(client_of(&link)), path);
    assert_int_equal(send_number(&link, PAIR_CLIENT, 0, 0), FASTNET_OK);
    link_run(&link, FN_NS_PER_S);
    assert_int_equal(all.messages[PAIR_SERVER][0], 1);
    link_close(&link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_long_block_udp_is_found_again),
        cmocka_unit_test(unheard_is_a_client_whose_udp_is_silent),
        cmocka_unit_test(a_session_that_ends_takes_no_stream),
        cmocka_unit_test(only_streams_are_lost_or_full),
        cmocka_unit_test(t1_udp_blocked_from_the_start_connects_over_the_stream),
        cmocka_unit_test(t1_blocked_in_the_middle_moves_to_the_stream_and_back),
        cmocka_unit_test(a_stream_that_dies_loses_nothing),
        cmocka_unit_test(a_full_stream_lets_unreliable_messages_grow_old_here),
        cmocka_unit_test(a_blackout_shorter_than_the_idle_timeout_loses_nothing),
        cmocka_unit_test(unreliable_messages_alone_notice_silence_too),
        cmocka_unit_test(gone_ends_the_session_with_that_reason),
        cmocka_unit_test(without_fallback_no_stream_is_wanted),
        cmocka_unit_test(a_stream_that_brings_nothing_is_told_from_a_quiet_one),
        cmocka_unit_test(a_new_stream_is_given_its_time),
        cmocka_unit_test(a_path_that_leads_one_way_only_is_silent),
        cmocka_unit_test(a_single_loss_is_not_taken_for_silence),
        cmocka_unit_test(what_a_stream_that_was_left_swallows_goes_again),
        cmocka_unit_test(attack_closing_on_a_stream_that_is_never_read_waits_quietly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
