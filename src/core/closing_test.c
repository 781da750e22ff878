#include "core/test_conn_link.h"
#include "core/test_forge.h"

typedef struct counts {
    uint32_t messages[2];
    uint32_t connected[2];
    uint32_t closed[2];
    uint32_t after_closed; /* events of a side behind its CLOSED */
    uint32_t delivered;
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
    static const uint8_t bad[] = {0x08};
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
    static const uint8_t bad[] = {0x08};
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
        FASTNET_ERR_LIMIT,    FASTNET_ERR_PROTOCOL, FASTNET_ERR_PROTOCOL};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f2_the_other_side_learns_code_and_text_exactly_once),
        cmocka_unit_test(close_is_repeated_until_it_is_acknowledged),
        cmocka_unit_test(both_may_close_at_once),
        cmocka_unit_test(closing_before_the_first_path_ends_both),
        cmocka_unit_test(lingering_delivers_what_was_queued_before_the_goodbye),
        cmocka_unit_test(lingering_ends_in_time),
        cmocka_unit_test(whoever_lingers_takes_in_what_still_comes),
        cmocka_unit_test(a_violation_is_told_once_and_also_ends_lingering),
        cmocka_unit_test(closed_is_the_last_word),
        cmocka_unit_test(every_code_is_told_as_the_protocol_says),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(nothing_follows_ones_own_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
