#include "core/path.h"

#include "core/test_conn_link.h"

/* --- the path alone --- */

static void open_path(fn_path *path, uint64_t credit_bytes)
{
    fn_path_open(path, fn_congestion_find("cubic"), credit_bytes, false, 0);
}

static void three_times_what_was_received_may_be_sent_before_validation(void **state)
{
    (void)state;
    static const struct {
        uint64_t received;
        uint64_t sent;
        uint64_t allowance;
    } rows[] = {{0, 0, 0}, {100, 0, 300}, {100, 299, 1}, {100, 300, 0}, {100, 1000, 0}};
    for (size_t i = 0; i < FN_ARRAY_COUNT(rows); i++) {
        fn_path path;
        open_path(&path, rows[i].received);
        path.sent_bytes = rows[i].sent;
        assert_int_equal(fn_path_allowance(&path), rows[i].allowance);
        path.state = FN_PATH_VALIDATED;
        assert_int_equal(fn_path_allowance(&path), UINT64_MAX);
        fn_path_doubt(&path, 0);
        assert_int_equal(fn_path_allowance(&path), 0);
        path.received_bytes = 10;
        assert_int_equal(fn_path_allowance(&path), 30);
    }
}

static void only_its_own_newest_challenges_validate_it(void **state)
{
    (void)state;
    fn_random random;
    uint8_t seed[FN_RANDOM_SEED_BYTES] = {1};
    fn_random_start(&random, seed);
    for (uint32_t sent = 0; sent < 600; sent += sent < 8 ? 1 : 37) {
        uint64_t data[700];
        for (uint32_t answered = 0; answered <= sent; answered += sent < 8 ? 1 : sent) {
            fn_path path;
            open_path(&path, 0);
            for (uint32_t i = 0; i < sent; i++)
                data[i] = fn_path_challenge(&path, &random, 0);
            assert_false(fn_path_answered(&path, 0, 1452, 0));
            assert_false(fn_path_answered(&path, 12345, 1452, 0));
            if (answered == sent)
                break;
            bool kept = answered + FN_PATH_CHALLENGES_KEPT >= sent;
            assert_int_equal(fn_path_answered(&path, data[answered], 1452, 0), kept);
            assert_int_equal(path.state, kept ? FN_PATH_VALIDATED : FN_PATH_CANDIDATE);
        }
    }
}

static void challenges_come_at_their_times_and_end(void **state)
{
    (void)state;
    static const uint64_t at_ms[] = {0, 100, 300, 700, 1200};
    fn_random random;
    uint8_t seed[FN_RANDOM_SEED_BYTES] = {1};
    fn_random_start(&random, seed);
    fn_path path;
    open_path(&path, 0);
    for (size_t i = 0; i < FN_ARRAY_COUNT(at_ms); i++) {
        assert_int_equal(path.challenge_at_ns, at_ms[i] * FN_NS_PER_MS);
        assert_false(fn_path_give_up(&path, path.challenge_at_ns));
        fn_path_challenge(&path, &random, path.challenge_at_ns);
    }
    assert_false(fn_path_give_up(&path, path.challenge_at_ns - 1));
    assert_true(fn_path_give_up(&path, path.challenge_at_ns));
    assert_int_equal(path.state, FN_PATH_UNUSED);
}

/* --- paths of a session --- */

typedef struct counts {
    uint32_t messages[2];
    uint32_t changed[2];
    uint32_t connected[2];
    uint32_t closed[2];
} counts;

static void watch(void *context, int side, const fn_event *event)
{
    counts *all = context;
    all->messages[side] += event->type == FN_EVENT_MESSAGE;
    all->changed[side] += event->type == FN_EVENT_PATH_CHANGED;
    all->connected[side] += event->type == FN_EVENT_CONNECTED;
    all->closed[side] += event->type == FN_EVENT_CLOSED;
}

static void open_watched(conn_link *link, counts *all)
{
    memset(all, 0, sizeof *all);
    link_open(link, 1);
    link->on_event = watch;
    link->context = all;
}

static void talk(conn_link *link, int turns)
{
    static const uint8_t data[800];
    for (int i = 0; i < turns; i++) {
        for (int side = 0; side < 2; side++)
            assert_int_equal(fn_conn_send(link->pair.sides[side].conn, 0, data, sizeof data, NULL),
                             FASTNET_OK);
        link_run(link, 16 * FN_NS_PER_MS);
    }
}

static void s5_a_session_follows_its_client_and_loses_nothing(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all);
    link_run(&link, FN_NS_PER_S);
    uint32_t moves = 0;
    /* More addresses than there are paths, and back again to known ones. */
    static const int addresses[] = {1, 2, 3, 4, 5, 6, 5, 6, 1, 0, 6, 0};
    for (size_t i = 0; i < FN_ARRAY_COUNT(addresses); i++) {
        link.address = addresses[i];
        talk(&link, 100);
        moves++;
        const fn_conn *server = link.pair.sides[PAIR_SERVER].conn;
        assert_int_equal(link.addresses[fn_conn_path(server)], addresses[i]);
        assert_int_equal(all.changed[PAIR_SERVER], moves);
    }
    link_run(&link, 2 * FN_NS_PER_S);
    for (int side = 0; side < 2; side++) {
        assert_int_equal(all.messages[side], 100 * moves);
        assert_int_equal(all.connected[side], 1);
        assert_int_equal(all.changed[PAIR_CLIENT], 0);
    }
    link_close(&link);
}

static void an_address_that_does_not_answer_blocks_nothing(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all);
    link_run(&link, FN_NS_PER_S);
    fn_conn *server = link.pair.sides[PAIR_SERVER].conn;
    static const uint8_t data[100];
    /* Somebody carries every fourth datagram of the client from an address that leads nowhere. */
    for (int i = 0; i < 400; i++) {
        fn_conn_send(link.pair.sides[PAIR_CLIENT].conn, 0, data, sizeof data, NULL);
        fn_conn_send(server, 0, data, sizeof data, NULL);
        link.address = i % 4 == 0 ? 100 + i : 0;
        link_transmit(&link, PAIR_CLIENT);
        link.address = 0;
        link_run(&link, 16 * FN_NS_PER_MS);
    }
    link_run(&link, 5 * FN_NS_PER_S);
    assert_int_equal(all.messages[PAIR_SERVER], 400);
    assert_int_equal(all.messages[PAIR_CLIENT], 400);
    assert_int_equal(link.addresses[fn_conn_path(server)], 0);
    assert_int_equal(all.changed[PAIR_SERVER], 0);
    assert_true(fn_sent_count(&server->sent) < 64);
    link_close(&link);
}

/* A copy of an old datagram, from anywhere, leads nowhere; nor does a mere probe. */
static void only_the_newest_packet_that_does_more_than_probe_moves_a_session(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all);
    link_run(&link, FN_NS_PER_S);
    conn_pair *pair = &link.pair;
    fn_conn *server = pair->sides[PAIR_SERVER].conn;
    fn_conn *client = pair->sides[PAIR_CLIENT].conn;
    uint8_t held[PAIR_DATAGRAM_BYTES];
    uint8_t buffer[PAIR_DATAGRAM_BYTES];
    fn_conn_send(client, 1, "a", 1, NULL);
    assert_true(pair_transmit(pair, PAIR_CLIENT));
    size_t held_bytes = pair->last_bytes;
    memcpy(held, pair->last, held_bytes);
    fn_conn_send(client, 1, "b", 1, NULL);
    assert_true(pair_transmit(pair, PAIR_CLIENT));
    uint8_t path = 0;
    assert_int_equal(fn_conn_receive(server, pair->now_ns, &path, pair->last, pair->last_bytes),
                     FN_CONN_ACCEPTED);
    path = FN_CONN_PATH_UNKNOWN;
    memcpy(buffer, held, held_bytes);
    assert_int_equal(fn_conn_receive(server, pair->now_ns, &path, buffer, held_bytes),
                     FN_CONN_ACCEPTED);
    assert_int_equal(path, FN_CONN_PATH_UNKNOWN);
    link_drain(&link, PAIR_SERVER);
    link_close(&link);
}

static void a_client_ignores_strangers(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all);
    link_run(&link, FN_NS_PER_S);
    conn_pair *pair = &link.pair;
    fn_conn_send(pair->sides[PAIR_SERVER].conn, 1, "a", 1, NULL);
    assert_true(pair_transmit(pair, PAIR_SERVER));
    for (unsigned other = 1; other < 256; other++) {
        uint8_t path = (uint8_t)other;
        uint8_t buffer[PAIR_DATAGRAM_BYTES];
        memcpy(buffer, pair->last, pair->last_bytes);
        assert_int_equal(fn_conn_receive(pair->sides[PAIR_CLIENT].conn, pair->now_ns, &path, buffer,
                                         pair->last_bytes),
                         FN_CONN_DROPPED);
    }
    link_close(&link);
}

/* A victim's address gets no more than three times what came from it. */
static void a_candidate_is_sent_no_more_than_three_times_what_it_sent(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < 1100; bytes += 100) {
        static uint8_t data[1100];
        conn_link link;
        counts all;
        open_watched(&link, &all);
        link_run(&link, FN_NS_PER_S);
        conn_pair *pair = &link.pair;
        fn_conn *server = pair->sides[PAIR_SERVER].conn;
        fn_conn_send(pair->sides[PAIR_CLIENT].conn, 1, data, bytes, NULL);
        assert_true(pair_transmit(pair, PAIR_CLIENT));
        uint64_t received = pair->last_bytes;
        uint8_t victim = FN_CONN_PATH_UNKNOWN;
        assert_int_equal(
            fn_conn_receive(server, pair->now_ns, &victim, pair->last, pair->last_bytes),
            FN_CONN_NEW_PATH);
        link_drain(&link, PAIR_SERVER);
        uint64_t sent = 0;
        for (int i = 0; i < 5000; i++) {
            uint8_t path, out[PAIR_DATAGRAM_BYTES];
            size_t count;
            while ((count = fn_conn_transmit(server, pair->now_ns, out, sizeof out, &path)) > 0)
                sent += path == victim ? count : 0;
            pair->now_ns += FN_NS_PER_MS;
            fn_conn_tick(server, pair->now_ns);
        }
        assert_true(sent > 0 && sent <= 3 * received);
        link_close(&link);
    }
}

static void a_client_may_choose_another_path(void **state)
{
    (void)state;
    conn_pair pair;
    counts all = {.messages = {0}};
    pair_open(&pair);
    pair_run(&pair, FN_NS_PER_S, watch, &all);
    fn_conn *ends[2] = {pair.sides[PAIR_CLIENT].conn, pair.sides[PAIR_SERVER].conn};
    int chosen = fn_conn_path_add(ends[PAIR_CLIENT], pair.now_ns);
    assert_int_equal(chosen, 1);
    uint8_t at_server = FN_CONN_PATH_UNKNOWN;
    for (int i = 0; i < 1000; i++) {
        for (int side = 0; side < 2; side++) {
            uint8_t path, out[PAIR_DATAGRAM_BYTES];
            size_t count;
            while ((count = fn_conn_transmit(ends[side], pair.now_ns, out, sizeof out, &path)) >
                   0) {
                bool first = side == PAIR_CLIENT ? path == 0 : path != at_server;
                uint8_t in = first ? 0 : side == PAIR_CLIENT ? at_server : (uint8_t)chosen;
                if (fn_conn_receive(ends[1 - side], pair.now_ns, &in, out, count) ==
                    FN_CONN_NEW_PATH)
                    at_server = in;
                pair_drain(&pair, 1 - side, watch, &all);
            }
            pair.now_ns += FN_NS_PER_MS;
            fn_conn_tick(ends[side], pair.now_ns);
        }
    }
    assert_int_equal(fn_conn_path(ends[PAIR_CLIENT]), chosen);
    assert_int_equal(fn_conn_path(ends[PAIR_SERVER]), at_server);
    assert_int_equal(all.changed[PAIR_CLIENT], 1);
    assert_int_equal(all.changed[PAIR_SERVER], 1);
    pair_close(&pair);
}

static void a_bad_start_connects_all_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        counts all = {.messages = {0}};
        conn_link link;
        link_open(&link, seed);
        link.on_event = watch;
        link.context = &all;
        link.loss_permille[0] = link.loss_permille[1] = 650;
        link_run(&link, 50 * FN_NS_PER_S);
        for (int side = 0; side < 2; side++)
            assert_int_equal(all.connected[side], 1);
        link_close(&link);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_times_what_was_received_may_be_sent_before_validation),
        cmocka_unit_test(only_its_own_newest_challenges_validate_it),
        cmocka_unit_test(challenges_come_at_their_times_and_end),
        cmocka_unit_test(s5_a_session_follows_its_client_and_loses_nothing),
        cmocka_unit_test(an_address_that_does_not_answer_blocks_nothing),
        cmocka_unit_test(only_the_newest_packet_that_does_more_than_probe_moves_a_session),
        cmocka_unit_test(a_client_ignores_strangers),
        cmocka_unit_test(a_candidate_is_sent_no_more_than_three_times_what_it_sent),
        cmocka_unit_test(a_client_may_choose_another_path),
        cmocka_unit_test(a_bad_start_connects_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
