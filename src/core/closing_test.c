#include "core/test_conn_link.h"
#include "core/test_forge.h"

typedef struct counts {
    uint32_t messages[2];
    uint32_t connected[2];
    uint32_t closed[2];
    uint32_t after_closed; /* events of a side behind its CLOSED */
    uint32_t delivered;
    uint32_t lost[2];
    uint64_t lost_tags; /* one bit each */
    int32_t result[2];
    uint32_t code[2];
    char text[2][FN_CONN_TEXT_BYTES + 1];
} counts;

static void watch(void *context, int side, const fn_event *event)
{
    counts *all = context;
    all->after_closed += all->closed[side] > 0;
    all->messages[side] += event->type == FN_EVENT_MESSAGE;
    all->connected[side] += event->type == FN_EVENT_CONNECTED;
    all->delivered += event->type == FN_EVENT_DELIVERED;
    all->lost[side] += event->type == FN_EVENT_LOST;
    if (event->type == FN_EVENT_LOST)
        all->lost_tags |= UINT64_C(1) << event->tag;
    if (event->type != FN_EVENT_CLOSED)
        return;
    all->closed[side]++;
    all->result[side] = event->result;
    all->code[side] = event->code;
    memcpy(all->text[side], event->data, event->bytes + 1);
}

static void open_watched(conn_link *link, counts *all, uint64_t seed)
{
    memset(all, 0, sizeof *all);
    link_open(link, seed);
    link->on_event = watch;
    link->context = all;
    link_run(link, FN_NS_PER_S);
}

static fn_conn *end_of(const conn_link *link, int side)
{
    return link->pair.sides[side].conn;
}

static void assert_both_dead(const conn_link *link)
{
    for (int side = 0; side < 2; side++) {
        assert_int_equal(fn_conn_get_state(end_of(link, side)), FN_CONN_DEAD);
        assert_int_equal(fn_conn_deadline(end_of(link, side)), FN_NEVER);
    }
}

/* From either side, over links that lose up to half. */
static void f2_the_other_side_learns_code_and_text_exactly_once(void **state)
{
    (void)state;
    uint32_t told = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        counts all;
        conn_link link;
        open_watched(&link, &all, seed);
        int closer = seed % 2 == 0 ? PAIR_CLIENT : PAIR_SERVER;
        link.loss_permille[0] = link.loss_permille[1] = (uint32_t)seed % 3 * 250;
        fn_conn_close(end_of(&link, closer), link.pair.now_ns, 42, "match over", 0);
        link_run(&link, 60 * FN_NS_PER_S);
        assert_int_equal(all.closed[closer], 0);
        assert_int_equal(all.closed[1 - closer], 1);
        assert_int_equal(all.after_closed, 0);
        if (all.result[1 - closer] == FASTNET_ERR_CLOSED) {
            told++;
            assert_int_equal(all.code[1 - closer], 42);
            assert_string_equal(all.text[1 - closer], "match over");
        } else {
            assert_int_equal(all.result[1 - closer], FASTNET_ERR_TIMEOUT);
        }
        assert_both_dead(&link);
        link_close(&link);
    }
    assert_true(told >= 50); /* three tries each: 1 of 8 fails where half is lost */
}

static void close_is_repeated_until_it_is_acknowledged(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all, 1);
    uint64_t before = link.sent[PAIR_CLIENT];
    link.loss_permille[PAIR_CLIENT] = 1000; /* CLOSE arrives, its acknowledgement does not */
    fn_conn_close(end_of(&link, PAIR_CLIENT), link.pair.now_ns, 1, NULL, 0);
    link_run(&link, 30 * FN_NS_PER_S);
    assert_in_range(link.sent[PAIR_CLIENT] - before, 3, 4);
    assert_int_equal(all.closed[PAIR_SERVER], 1);
    assert_both_dead(&link);
    link_close(&link);

    open_watched(&link, &all, 1);
    before = link.sent[PAIR_CLIENT];
    fn_conn_close(end_of(&link, PAIR_CLIENT), link.pair.now_ns, 1, NULL, 0);
    link_run(&link, 30 * FN_NS_PER_S);
    assert_int_equal(link.sent[PAIR_CLIENT] - before, 1);
    link_close(&link);
}

static void both_may_close_at_once(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all, 1);
    for (int side = 0; side < 2; side++)
        fn_conn_close(end_of(&link, side), link.pair.now_ns, (uint32_t)side, "bye", 0);
    link_run(&link, 10 * FN_NS_PER_S);
    assert_int_equal(all.closed[0] + all.closed[1], 0);
    assert_both_dead(&link);
    link_close(&link);
}

static void closing_before_the_first_path_ends_both(void **state)
{
    (void)state;
    for (int closer = 0; closer < 2; closer++) {
        counts all = {.delivered = 0};
        conn_link link;
        link_open(&link, 1);
        link.on_event = watch;
        link.context = &all;
        fn_conn_close(end_of(&link, closer), link.pair.now_ns, 1, "no", 10 * FN_NS_PER_S);
        link_run(&link, 70 * FN_NS_PER_S);
        assert_int_equal(all.closed[closer], 0);
        assert_int_equal(all.closed[1 - closer], 1);
        assert_both_dead(&link);
        link_close(&link);
    }
}

/* What a game does in its last frame: the messages leave before the goodbye, every time, also right
 * after it was connected. */
static void lingering_delivers_what_was_queued_before_the_goodbye(void **state)
{
    (void)state;
    static const uint8_t data[3000];
    for (uint64_t seed = 1; seed <= 60; seed++) {
        counts all = {.delivered = 0};
        conn_link link;
        link_open(&link, seed);
        link.on_event = watch;
        link.context = &all;
        link.loss_permille[0] = link.loss_permille[1] = (uint32_t)seed % 3 * 100;
        while (fn_conn_get_state(end_of(&link, PAIR_CLIENT)) == FN_CONN_VALIDATING)
            link_run(&link, FN_NS_PER_MS);
        for (uint8_t i = 0; i < 20; i += 2)
            assert_int_equal(
                fn_conn_send(end_of(&link, PAIR_CLIENT), i % 4, data, sizeof data, NULL),
                FASTNET_OK);
        fn_conn_close(end_of(&link, PAIR_CLIENT), link.pair.now_ns, 3, "done", 30 * FN_NS_PER_S);
        assert_int_equal(fn_conn_send(end_of(&link, PAIR_CLIENT), 0, data, 1, NULL),
                         FASTNET_ERR_STATE);
        link_run(&link, 90 * FN_NS_PER_S);
        assert_int_equal(all.connected[PAIR_SERVER], 1);
        assert_int_equal(all.messages[PAIR_SERVER], 10);
        assert_int_equal(all.closed[PAIR_SERVER], 1);
        assert_int_equal(all.after_closed, 0);
        assert_both_dead(&link);
        link_close(&link);
    }
}

/* An application that accepts and throws out at once, before there is any path: over links that
 * lose, over TCP, and towards a client that never comes. */
static void reason_given_before_the_first_path_is_heard(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        counts all = {.delivered = 0};
        conn_link link;
        link_open(&link, seed);
        link.on_event = watch;
        link.context = &all;
        link.loss_permille[0] = link.loss_permille[1] = (uint32_t)seed % 3 * 100;
        fn_conn_close(end_of(&link, PAIR_SERVER), link.pair.now_ns, 77, "not today",
                      seed % 2 * FN_NS_PER_S);
        if (seed % 5 == 0)
            link_stream_up(&link);
        link_run(&link, 20 * FN_NS_PER_S);
        assert_int_equal(all.closed[PAIR_CLIENT], 1);
        assert_int_equal(all.result[PAIR_CLIENT], FASTNET_ERR_CLOSED);
        assert_int_equal(all.code[PAIR_CLIENT], 77);
        assert_string_equal(all.text[PAIR_CLIENT], "not today");
        assert_int_equal(all.connected[PAIR_SERVER] + all.closed[PAIR_SERVER], 0);
        assert_both_dead(&link);
        link_close(&link);
    }
}

static void closed_session_without_a_path_ends_with_the_connect(void **state)
{
    (void)state;
    counts all = {.delivered = 0};
    conn_link link;
    link_open(&link, 1);
    link.on_event = watch;
    link.context = &all;
    link.loss_permille[PAIR_SERVER] = 1000;
    fn_conn_close(end_of(&link, PAIR_SERVER), link.pair.now_ns, 77, "not today", 0);
    link_run(&link, end_of(&link, PAIR_SERVER)->config.connect_deadline_ns);
    assert_int_equal(fn_conn_get_state(end_of(&link, PAIR_SERVER)), FN_CONN_DEAD);
    assert_int_equal(all.connected[PAIR_SERVER] + all.closed[PAIR_SERVER], 0);
    link_close(&link);
}

static void lingering_ends_in_time(void **state)
{
    (void)state;
    static const uint8_t data[3000];
    counts all;
    conn_link link;
    open_watched(&link, &all, 1);
    link.loss_permille[PAIR_SERVER] = 1000;
    fn_conn_send(end_of(&link, PAIR_CLIENT), 0, data, sizeof data, NULL);
    fn_conn_close(end_of(&link, PAIR_CLIENT), link.pair.now_ns, 3, NULL, 500 * FN_NS_PER_MS);
    link_run(&link, 499 * FN_NS_PER_MS);
    assert_int_equal(fn_conn_get_state(end_of(&link, PAIR_CLIENT)), FN_CONN_LINGERING);
    link_run(&link, FN_NS_PER_MS);
    assert_int_equal(fn_conn_get_state(end_of(&link, PAIR_CLIENT)), FN_CONN_CLOSING);
    link_run(&link, FN_NS_PER_S);
    assert_int_equal(fn_conn_get_state(end_of(&link, PAIR_CLIENT)), FN_CONN_DEAD);
    link_close(&link);
}

/* Reliable messages of the other side, more than a window of them, that arrive while nobody listens
 * any more: they are let go, and their credit returns. */
static void whoever_lingers_takes_in_what_still_comes(void **state)
{
    (void)state;
    static const uint8_t data[100000];
    counts all;
    conn_link link;
    open_watched(&link, &all, 1);
    fn_conn *client = end_of(&link, PAIR_CLIENT);
    fn_conn *server = end_of(&link, PAIR_SERVER);
    link.loss_permille[PAIR_SERVER] = 900; /* lingers for a while */
    fn_conn_send(client, 0, data, 2000, NULL);
    fn_conn_close(client, link.pair.now_ns, 0, NULL, 60 * FN_NS_PER_S);
    uint32_t sent = 0;
    for (int i = 0; i < 100 && client->state == FN_CONN_LINGERING; i++) {
        while (sent < 30 &&
               fn_conn_send(server, (uint8_t)(sent % 2 * 2), data, sizeof data, NULL) == FASTNET_OK)
            sent++;
        link_run(&link, 100 * FN_NS_PER_MS);
    }
    assert_int_equal(all.messages[PAIR_CLIENT], 0);
    assert_true(client->flow.released > 0);
    assert_true(client->flow.received - client->flow.released <= 3 * 100064); /* not yet whole */
    link_run(&link, 90 * FN_NS_PER_S);
    assert_both_dead(&link);
    link_close(&link);
}

static void a_violation_is_told_once_and_also_ends_lingering(void **state)
{
    (void)state;
    static const uint8_t bad[] = {0x0f};
    for (int lingering = 0; lingering < 2; lingering++) {
        counts all;
        conn_link link;
        open_watched(&link, &all, 1);
        static uint8_t buffer[PAIR_DATAGRAM_BYTES];
        fn_conn *server = end_of(&link, PAIR_SERVER);
        if (lingering) {
            link.loss_permille[PAIR_CLIENT] = 1000;
            fn_conn_send(server, 0, "x", 1, NULL);
            link_transmit(&link, PAIR_SERVER);
            fn_conn_close(server, link.pair.now_ns, 9, "mine", 60 * FN_NS_PER_S);
            link.loss_permille[PAIR_CLIENT] = 0;
        }
        forge_send(&link.pair, PAIR_CLIENT, bad, sizeof bad, buffer);
        forge_send(&link.pair, PAIR_CLIENT, bad, sizeof bad, buffer);
        link_run(&link, 10 * FN_NS_PER_S);
        assert_int_equal(all.closed[PAIR_SERVER], lingering ? 0 : 1);
        assert_int_equal(all.closed[PAIR_CLIENT], 1);
        assert_int_equal(all.result[PAIR_CLIENT], FASTNET_ERR_PROTOCOL);
        assert_string_equal(all.text[PAIR_CLIENT], "malformed frame");
        assert_both_dead(&link);
        link_close(&link);
    }
}

/* A tagged message that is acknowledged after the end: the end was the last word. */
static void closed_is_the_last_word(void **state)
{
    (void)state;
    static const uint8_t bad[] = {0x0f};
    static uint8_t buffer[PAIR_DATAGRAM_BYTES];
    counts all;
    conn_link link;
    open_watched(&link, &all, 1);
    fn_send_options options = {.tagged = true};
    fn_conn_send(end_of(&link, PAIR_SERVER), 0, "x", 1, &options);
    link_transmit(&link, PAIR_SERVER);
    link_run(&link, 30 * FN_NS_PER_MS); /* it arrived, its acknowledgement not yet */
    forge_send(&link.pair, PAIR_CLIENT, bad, sizeof bad, buffer);
    link_run(&link, 10 * FN_NS_PER_S);
    assert_int_equal(all.closed[PAIR_SERVER], 1);
    assert_int_equal(all.after_closed, 0);
    assert_both_dead(&link);
    link_close(&link);
}

static void every_code_is_told_as_the_protocol_says(void **state)
{
    (void)state;
    static const int32_t results[] = {
        FASTNET_ERR_CLOSED,   FASTNET_ERR_CLOSED,   FASTNET_ERR_PROTOCOL, FASTNET_ERR_PROTOCOL,
        FASTNET_ERR_PROTOCOL, FASTNET_ERR_PROTOCOL, FASTNET_ERR_PROTOCOL, FASTNET_ERR_PROTOCOL,
        FASTNET_ERR_LIMIT,    FASTNET_ERR_PROTOCOL, FASTNET_ERR_TIMEOUT,  FASTNET_ERR_PROTOCOL};
    for (uint8_t code = 0; code < FN_ARRAY_COUNT(results); code++)
        for (uint8_t origin = 0; origin < 2; origin++) {
            counts all;
            conn_link link;
            open_watched(&link, &all, 1);
            static uint8_t buffer[PAIR_DATAGRAM_BYTES];
            const uint8_t frame[] = {0x07, origin, code, 2, 'o', 'k'};
            forge_send(&link.pair, PAIR_CLIENT, frame, sizeof frame, buffer);
            link_drain(&link, PAIR_SERVER);
            assert_int_equal(all.result[PAIR_SERVER],
                             origin == 1 ? FASTNET_ERR_CLOSED : results[code]);
            assert_int_equal(all.code[PAIR_SERVER], origin == 1 ? code : 0);
            assert_string_equal(all.text[PAIR_SERVER], "ok");
            assert_int_equal(fn_conn_get_state(end_of(&link, PAIR_SERVER)), FN_CONN_DRAINING);
            link_close(&link);
        }
}

static void a_long_text_is_cut(void **state)
{
    (void)state;
    char text[400];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    counts all;
    conn_link link;
    open_watched(&link, &all, 1);
    fn_conn_close(end_of(&link, PAIR_CLIENT), link.pair.now_ns, UINT32_MAX, text, 0);
    link_run(&link, FN_NS_PER_S);
    assert_int_equal(strlen(all.text[PAIR_SERVER]), FN_CONN_TEXT_BYTES);
    assert_int_equal(all.code[PAIR_SERVER], UINT32_MAX);
    link_close(&link);
}

static void nothing_follows_ones_own_close(void **state)
{
    (void)state;
    static const uint8_t data[100];
    counts all;
    conn_link link;
    open_watched(&link, &all, 1);
    link.hold_events = true;
    for (int i = 0; i < 20; i++)
        fn_conn_send(end_of(&link, PAIR_SERVER), 0, data, sizeof data, NULL);
    link_run(&link, FN_NS_PER_S);
    fn_conn_close(end_of(&link, PAIR_CLIENT), link.pair.now_ns, 0, NULL, FN_NS_PER_S);
    link.hold_events = false;
    link_run(&link, 10 * FN_NS_PER_S);
    assert_int_equal(all.messages[PAIR_CLIENT], 0);
    assert_int_equal(all.closed[PAIR_CLIENT], 0);
    fn_conn_close(end_of(&link, PAIR_CLIENT), link.pair.now_ns, 0, NULL, 0);
    assert_both_dead(&link);
    link_close(&link);
}

/* --- who is gone leaves in bounded time --- */

/* A client with valid keys: acknowledges one old packet so many seconds late, so that the server
 * takes that for the round trip. Nothing else of it arrives. */
static void feign_rtt(conn_link *link, uint64_t late_ns)
{
    static uint8_t buffer[PAIR_DATAGRAM_BYTES];
    fn_conn *server = end_of(link, PAIR_SERVER);
    uint64_t number = server->sent.next;
    server->config.limits.idle_timeout_ms = 0; /* core/owed would close it after that */
    fn_conn_send(server, 0, "x", 1, NULL);
    link_transmit(link, PAIR_SERVER);
    while (server->sent.next > number && fn_sent_at(&server->sent, number)->state != FN_SENT_OUT)
        number++;
    link->loss_permille[0] = link->loss_permille[1] = 1000;
    for (uint64_t s = 0; s < late_ns / FN_NS_PER_S; s++) {
        forge_send(&link->pair, PAIR_CLIENT, "\0", 1, buffer); /* PADDING: it is alive */
        link_run(link, FN_NS_PER_S);
    }
    uint8_t ack[16] = {FN_FRAME_ACK};
    assert_true(number < 64);
    ack[1] = (uint8_t)number; /* delay, more and first are 0 */
    forge_send(&link->pair, PAIR_CLIENT, ack, 5, buffer);
    assert_true(server->paths[server->active].rtt.latest_ns >=
                fn_min_u64(late_ns, 10 * FN_NS_PER_S));
}

static void a_client_that_acknowledged_late_and_closed_is_gone_in_three_seconds(void **state)
{
    (void)state;
    static const uint8_t close[] = {FN_FRAME_CLOSE, 1, 7, 0};
    static uint8_t buffer[PAIR_DATAGRAM_BYTES];
    for (uint64_t late_s = 1; late_s <= 128; late_s *= 2) {
        counts all;
        conn_link link;
        open_watched(&link, &all, 1);
        feign_rtt(&link, late_s * FN_NS_PER_S);
        forge_send(&link.pair, PAIR_CLIENT, close, sizeof close, buffer);
        link_drain(&link, PAIR_SERVER);
        assert_int_equal(all.code[PAIR_SERVER], 7);
        assert_int_equal(fn_conn_get_state(end_of(&link, PAIR_SERVER)), FN_CONN_DRAINING);
        link_run(&link, 3 * FN_NS_PER_S);
        assert_int_equal(fn_conn_get_state(end_of(&link, PAIR_SERVER)), FN_CONN_DEAD);
        link_close(&link);
    }
}

static void a_kicked_client_that_acknowledged_late_is_gone_in_three_seconds(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all, 1);
    feign_rtt(&link, 60 * FN_NS_PER_S);
    uint64_t before = link.sent[PAIR_SERVER];
    fn_conn_close(end_of(&link, PAIR_SERVER), link.pair.now_ns, 1, "cheat", 0);
    link_run(&link, 3 * FN_NS_PER_S);
    assert_in_range(link.sent[PAIR_SERVER] - before, 3, 4); /* said as often as to anybody */
    assert_int_equal(fn_conn_get_state(end_of(&link, PAIR_SERVER)), FN_CONN_DEAD);
    link_close(&link);
}

/* All else that three probe timeouts are waited for. */
static void a_feigned_round_trip_delays_no_key_and_no_way_out(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all, 1);
    feign_rtt(&link, 60 * FN_NS_PER_S);
    assert_int_equal(fn_conn_settle_ns(end_of(&link, PAIR_SERVER)), 3 * FN_NS_PER_S);
    link_close(&link);
    /* The same of a server, to a client whose way is blocked afterwards. */
    open_watched(&link, &all, 1);
    fn_conn *client = end_of(&link, PAIR_CLIENT);
    fn_rtt_init(&client->paths[client->active].rtt, 0);
    fn_rtt_sample(&client->paths[client->active].rtt, 60 * FN_NS_PER_S, 0);
    client->loss.unanswered_ns = link.pair.now_ns;
    assert_false(fn_conn_is_unheard(client, link.pair.now_ns + 12 * FN_NS_PER_S - 1));
    assert_true(fn_conn_is_unheard(client, link.pair.now_ns + 12 * FN_NS_PER_S));
    link_close(&link);
}

/* --- what an end gives back --- */

static void close_by_the_other_side(conn_link *link)
{
    static uint8_t buffer[PAIR_DATAGRAM_BYTES];
    static const uint8_t close[] = {FN_FRAME_CLOSE, 1, 7, 0};
    forge_send(&link->pair, PAIR_CLIENT, close, sizeof close, buffer);
}

static void breach_by_the_other_side(conn_link *link)
{
    static uint8_t buffer[PAIR_DATAGRAM_BYTES];
    static const uint8_t bad[] = {0x0f};
    forge_send(&link->pair, PAIR_CLIENT, bad, sizeof bad, buffer);
}

static void silence_of_the_other_side(conn_link *link)
{
    link_run(link, 60 * FN_NS_PER_S);
}

static void unknown_to_the_other_side(conn_link *link)
{
    fn_conn_gone(end_of(link, PAIR_SERVER));
}

static void close_by_this_side(conn_link *link)
{
    fn_conn_close(end_of(link, PAIR_SERVER), link->pair.now_ns, 0, NULL, 0);
}

typedef void (*ending)(conn_link *link);

static const ending endings[] = {close_by_the_other_side, breach_by_the_other_side,
                                 silence_of_the_other_side, unknown_to_the_other_side,
                                 close_by_this_side};

/* One fragment of many, on each kind of channel, and a whole message behind a gap. */
static void send_unfinished(conn_link *link)
{
    static uint8_t buffer[PAIR_DATAGRAM_BYTES];
    for (uint8_t channel = 0; channel < 4; channel++) {
        uint8_t frames[8 + 1024] = {0x11, channel, 5, 0, 0x80, 0, 0x75, 0x30}; /* 30000 bytes */
        forge_send(&link->pair, PAIR_CLIENT, frames, sizeof frames, buffer);
    }
    static const uint8_t behind_a_gap[] = {0x10, 0, 6, 'x'};
    forge_send(&link->pair, PAIR_CLIENT, behind_a_gap, sizeof behind_a_gap, buffer);
}

static void an_end_gives_back_what_was_queued_and_begun(void **state)
{
    (void)state;
    static const uint8_t data[50000];
    for (size_t i = 0; i < FN_ARRAY_COUNT(endings); i++) {
        counts all;
        conn_link link;
        open_watched(&link, &all, 1);
        fn_conn *server = end_of(&link, PAIR_SERVER);
        for (int n = 0; n < 10; n++)
            fn_conn_send(server, (uint8_t)(n % 4), data, sizeof data, NULL);
        link.loss_permille[0] = link.loss_permille[1] = 1000;
        link_transmit(&link, PAIR_SERVER);
        send_unfinished(&link);
        assert_true(server->store.account.used_bytes > 600000);
        endings[i](&link);
        assert_true(fn_conn_get_state(server) >= FN_CONN_CLOSING);
        assert_int_equal(server->store.account.used_bytes, 0);
        assert_false(fn_conn_awaits_answer(server));
        link_run(&link, 10 * FN_NS_PER_S);
        assert_int_equal(fn_conn_get_state(server), FN_CONN_DEAD);
        link_close(&link);
    }
}

/* The application did not look in time: what arrived whole is still its own. */
static void an_end_leaves_what_was_received(void **state)
{
    (void)state;
    uint8_t data[3000];
    memset(data, 'm', sizeof data);
    for (size_t i = 0; i + 1 < FN_ARRAY_COUNT(endings); i++) {
        counts all;
        conn_link link;
        open_watched(&link, &all, 1);
        link.hold_events = true;
        fn_conn_send(end_of(&link, PAIR_CLIENT), 2, data, sizeof data, NULL);
        link_run(&link, FN_NS_PER_S);
        link.loss_permille[0] = link.loss_permille[1] = 1000;
        endings[i](&link);
        link_run(&link, 60 * FN_NS_PER_S);
        fn_event event;
        assert_true(fn_events_pop(&link.pair.sides[PAIR_SERVER].events, &event));
        assert_int_equal(event.type, FN_EVENT_MESSAGE);
        assert_int_equal(event.bytes, sizeof data);
        assert_memory_equal(event.data, data, sizeof data);
        fn_conn_release(end_of(&link, PAIR_SERVER), &event);
        assert_true(fn_events_pop(&link.pair.sides[PAIR_SERVER].events, &event));
        assert_int_equal(event.type, FN_EVENT_CLOSED);
        link_close(&link);
    }
}

/* Every tag hears of its message, on reliable channels too, and before the end. */
static void tags_are_lost_before_the_other_side_s_end(void **state)
{
    (void)state;
    static const uint8_t data[2000];
    for (size_t i = 0; i < FN_ARRAY_COUNT(endings); i++) {
        counts all;
        conn_link link;
        open_watched(&link, &all, 1);
        link.loss_permille[0] = link.loss_permille[1] = 1000;
        for (uint64_t tag = 0; tag < 8; tag++) {
            fn_send_options options = {.tagged = true, .tag = tag, .time_to_live_ns = FN_NEVER};
            fn_conn_send(end_of(&link, PAIR_SERVER), (uint8_t)(tag % 3), data, sizeof data,
                         &options);
            if (tag == 3) /* the others never left */
                link_transmit(&link, PAIR_SERVER);
        }
        endings[i](&link);
        link_run(&link, 10 * FN_NS_PER_S);
        bool ours = endings[i] == close_by_this_side;
        assert_int_equal(all.lost[PAIR_SERVER], ours ? 0 : 8);
        assert_int_equal(all.lost_tags, ours ? 0 : 0xff);
        assert_int_equal(all.closed[PAIR_SERVER], ours ? 0 : 1);
        assert_int_equal(all.after_closed, 0);
        assert_int_equal(fn_conn_get_state(end_of(&link, PAIR_SERVER)), FN_CONN_DEAD);
        link_close(&link);
    }
}

/* More tags than the ring of events has room for: the end waits behind them. */
static void tags_are_lost_before_the_end_however_many_there_are(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all, 1);
    link.hold_events = true;
    link.loss_permille[0] = link.loss_permille[1] = 1000;
    fn_send_options options = {.tagged = true};
    uint32_t sent = 0;
    while (sent < 2 * PAIR_EVENTS &&
           fn_conn_send(end_of(&link, PAIR_SERVER), 0, NULL, 0, &options) == FASTNET_OK)
        sent++;
    assert_int_equal(sent, 2 * PAIR_EVENTS);
    close_by_the_other_side(&link);
    link_run(&link, 10 * FN_NS_PER_S);
    assert_int_not_equal(fn_conn_get_state(end_of(&link, PAIR_SERVER)), FN_CONN_DEAD);
    link.hold_events = false;
    link_run(&link, FN_NS_PER_S);
    assert_int_equal(all.lost[PAIR_SERVER], sent);
    assert_int_equal(all.closed[PAIR_SERVER], 1);
    assert_int_equal(all.after_closed, 0);
    assert_int_equal(fn_conn_get_state(end_of(&link, PAIR_SERVER)), FN_CONN_DEAD);
    link_close(&link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f2_the_other_side_learns_code_and_text_exactly_once),
        cmocka_unit_test(close_is_repeated_until_it_is_acknowledged),
        cmocka_unit_test(both_may_close_at_once),
        cmocka_unit_test(closing_before_the_first_path_ends_both),
        cmocka_unit_test(lingering_delivers_what_was_queued_before_the_goodbye),
        cmocka_unit_test(reason_given_before_the_first_path_is_heard),
        cmocka_unit_test(closed_session_without_a_path_ends_with_the_connect),
        cmocka_unit_test(lingering_ends_in_time),
        cmocka_unit_test(whoever_lingers_takes_in_what_still_comes),
        cmocka_unit_test(a_violation_is_told_once_and_also_ends_lingering),
        cmocka_unit_test(closed_is_the_last_word),
        cmocka_unit_test(every_code_is_told_as_the_protocol_says),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(nothing_follows_ones_own_close),
        cmocka_unit_test(a_client_that_acknowledged_late_and_closed_is_gone_in_three_seconds),
        cmocka_unit_test(a_kicked_client_that_acknowledged_late_is_gone_in_three_seconds),
        cmocka_unit_test(a_feigned_round_trip_delays_no_key_and_no_way_out),
        cmocka_unit_test(an_end_gives_back_what_was_queued_and_begun),
        cmocka_unit_test(an_end_leaves_what_was_received),
        cmocka_unit_test(tags_are_lost_before_the_other_side_s_end),
        cmocka_unit_test(tags_are_lost_before_the_end_however_many_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
