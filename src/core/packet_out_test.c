#include "core/test_conn_link.h"
#include "core/test_forge.h"

typedef struct counts {
    uint32_t messages[2][256];
    uint64_t bytes[2];
    uint32_t delivered;
    uint32_t lost;
    uint32_t last_size; /* of the newest message at the server */
} counts;

static void watch(void *context, int side, const fn_event *event)
{
    counts *all = context;
    all->delivered += event->type == FN_EVENT_DELIVERED;
    all->lost += event->type == FN_EVENT_LOST;
    if (event->type != FN_EVENT_MESSAGE)
        return;
    all->messages[side][event->channel]++;
    all->bytes[side] += event->bytes;
    if (side == PAIR_SERVER)
        all->last_size = event->bytes;
}

static uint8_t data[256 << 10];

static void open_with(conn_link *link, counts *all, const fn_conn_config *client)
{
    fn_conn_config server = pair_config(false, pair_secrets);
    server.limits = client->limits;
    memset(all, 0, sizeof *all);
    link_open_with(link, client, &server, 1);
    link->on_event = watch;
    link->context = all;
    link_run(link, 2 * FN_NS_PER_S);
}

static void open_watched(conn_link *link, counts *all)
{
    fn_conn_config client = pair_config(true, pair_secrets);
    open_with(link, all, &client);
}

static int send_plain(conn_link *link, uint8_t channel, size_t bytes)
{
    return fn_conn_send(link->pair.sides[PAIR_CLIENT].conn, channel, data, bytes, NULL);
}

/* --- queues --- */

static void r8_reliable_says_full_and_drops_nothing(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all);
    uint32_t taken[2] = {0, 0};
    for (int i = 0; i < 3; i++) {
        for (uint8_t channel = 0; channel < 3; channel += 2) {
            int result;
            while ((result = send_plain(&link, channel, 5000)) == FASTNET_OK)
                taken[channel / 2]++;
            assert_int_equal(result, FASTNET_ERR_BACKPRESSURE);
        }
        link_run(&link, 50 * FN_NS_PER_MS);
    }
    assert_true(taken[0] > 100);
    link_run(&link, 60 * FN_NS_PER_S);
    assert_int_equal(all.messages[PAIR_SERVER][0], taken[0]);
    assert_int_equal(all.messages[PAIR_SERVER][2], taken[1]);
    assert_int_equal(link.pair.sides[PAIR_CLIENT].conn->counters.dropped_messages, 0);
    link_close(&link);
}

static void a_full_reliable_queue_does_not_silence_the_game(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all);
    for (uint32_t i = 0; i < 60; i++) {
        while (send_plain(&link, 2, 20000) == FASTNET_OK) {
        }
        assert_int_equal(send_plain(&link, 1, 200), FASTNET_OK);
        link_run(&link, 16 * FN_NS_PER_MS);
    }
    link_run(&link, FN_NS_PER_S);
    assert_int_equal(all.messages[PAIR_SERVER][1], 60);
    link_close(&link);
}

/* The application does not look for a while: no more is sent than its window holds. */
static void credit_holds_the_sender_back(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all);
    const fn_conn *client = link.pair.sides[PAIR_CLIENT].conn;
    const fn_conn *server = link.pair.sides[PAIR_SERVER].conn;
    link.hold_events = true;
    uint32_t taken = 0;
    for (int i = 0; i < 500; i++) {
        while (send_plain(&link, (uint8_t)(taken % 2 * 2), 10000) == FASTNET_OK)
            taken++;
        link_run(&link, 20 * FN_NS_PER_MS);
    }
    assert_int_equal(server->state, FN_CONN_CONNECTED);
    assert_in_range(server->flow.received, (1 << 20) - 20000, 1 << 20);
    assert_int_equal(client->flow.charged, server->flow.received);
    link.hold_events = false;
    link_run(&link, 60 * FN_NS_PER_S);
    assert_int_equal(all.messages[PAIR_SERVER][0] + all.messages[PAIR_SERVER][2], taken);
    assert_int_equal(server->flow.received, server->flow.released);
    link_close(&link);
}

static void arguments_and_states_are_checked(void **state)
{
    (void)state;
    conn_pair pair;
    pair_open(&pair);
    fn_conn *client = pair.sides[PAIR_CLIENT].conn;
    assert_int_equal(fn_conn_send(client, 0, data, 1, NULL), FASTNET_ERR_STATE);
    pair_run(&pair, FN_NS_PER_S, NULL, NULL);
    static const struct {
        const void *data;
        size_t bytes;
        uint8_t channel;
        int result;
    } rows[] = {{data, 1, 4, FASTNET_ERR_ARGUMENT},
                {data, 1, 254, FASTNET_ERR_ARGUMENT},
                {NULL, 1, 0, FASTNET_ERR_ARGUMENT},
                {NULL, 0, 0, FASTNET_OK},
                {data, 1, 255, FASTNET_OK},
                {data, 256 << 10, 0, FASTNET_OK},
                {data, (256 << 10) + 1, 0, FASTNET_ERR_TOO_LARGE},
                {data, SIZE_MAX, 1, FASTNET_ERR_TOO_LARGE}};
    for (size_t i = 0; i < FN_ARRAY_COUNT(rows); i++)
        assert_int_equal(fn_conn_send(client, rows[i].channel, rows[i].data, rows[i].bytes, NULL),
                         rows[i].result);
    pair_close(&pair);
}

static void the_newest_replaces_what_waits_on_a_sequenced_channel(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all);
    for (size_t i = 1; i <= 50; i++)
        assert_int_equal(send_plain(&link, 3, i), FASTNET_OK);
    link_run(&link, FN_NS_PER_S);
    assert_int_equal(all.messages[PAIR_SERVER][3], 1);
    assert_int_equal(all.last_size, 50);
    assert_int_equal(link.pair.sides[PAIR_CLIENT].conn->counters.dropped_messages, 49);
    link_close(&link);
}

static void unreliable_messages_above_the_rate_expire(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all);
    fn_conn *client = link.pair.sides[PAIR_CLIENT].conn;
    fn_conn_set_rate_max(client, 20000);
    fn_send_options options = {.time_to_live_ns = 200 * FN_NS_PER_MS, .tagged = true};
    for (int i = 0; i < 100; i++)
        assert_int_equal(fn_conn_send(client, 1, data, 1000, &options), FASTNET_OK);
    link_run(&link, 2 * FN_NS_PER_S);
    assert_in_range(all.messages[PAIR_SERVER][1], 3, 10);
    assert_int_equal(all.delivered, all.messages[PAIR_SERVER][1]);
    assert_int_equal(all.delivered + all.lost, 100);
    assert_int_equal(client->counters.dropped_messages, all.lost);
    link_close(&link);
}

/* --- packets --- */

static void small_messages_share_a_datagram(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all);
    uint64_t before = link.sent[PAIR_CLIENT];
    for (int i = 0; i < 10; i++)
        for (uint8_t channel = 0; channel < 3; channel++)
            send_plain(&link, channel, 20);
    link_transmit(&link, PAIR_CLIENT);
    assert_int_equal(link.sent[PAIR_CLIENT] - before, 1);
    link_run(&link, FN_NS_PER_S);
    for (uint8_t channel = 0; channel < 3; channel++)
        assert_int_equal(all.messages[PAIR_SERVER][channel], 10);
    link_close(&link);
}

/* Every length around the border of a datagram, alone and behind another message. */
static void every_length_around_a_datagram_fits_somewhere(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all);
    uint32_t count = 0;
    for (size_t bytes = 980; bytes < 1460; bytes++)
        for (uint8_t channel = 0; channel < 3; channel++) {
            send_plain(&link, channel, bytes % 7);
            assert_int_equal(send_plain(&link, channel, bytes), FASTNET_OK);
            count += 2;
            link_run(&link, 5 * FN_NS_PER_MS);
        }
    link_run(&link, FN_NS_PER_S);
    assert_int_equal(all.messages[PAIR_SERVER][0] + all.messages[PAIR_SERVER][1] +
                         all.messages[PAIR_SERVER][2],
                     count);
    link_close(&link);
}

/* Thirty-two ranges, each far from the next: the acknowledgement must leave room for a unit. */
static void a_long_acknowledgement_keeps_no_message_out(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all);
    fn_conn *client = link.pair.sides[PAIR_CLIENT].conn;
    link.bytes_max = 1200;
    fn_mtu_init(&client->paths[0].mtu, 1200, link.pair.now_ns);
    uint64_t number = client->acks.next_expected;
    for (int i = 0; i < 40; i++)
        fn_ack_received(&client->acks, number += 20000, link.pair.now_ns, FN_ACK_SILENT);
    send_plain(&link, 2, 5000);
    assert_true(pair_transmit(&link.pair, PAIR_CLIENT));
    assert_true(link.pair.last_bytes > 1024);
    link_close(&link);
}

static void two_idle_sides_do_not_answer_each_other_for_ever(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all);
    for (int i = 0; i < 500; i++) {
        send_plain(&link, (uint8_t)(i % 4), 100);
        link_run(&link, 3 * FN_NS_PER_MS);
    }
    link_run(&link, FN_NS_PER_S);
    uint64_t before = link.sent[0] + link.sent[1];
    link_run(&link, 8 * FN_NS_PER_S);
    assert_int_equal(link.sent[0] + link.sent[1], before);
    link_close(&link);
}

static void r6_one_way_unreliable_traffic_is_acknowledged_lazily(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all);
    uint64_t before = link.sent[PAIR_SERVER];
    for (int i = 0; i < 1000; i++) {
        send_plain(&link, 1, 100);
        link_run(&link, FN_NS_PER_MS);
    }
    assert_in_range(link.sent[PAIR_SERVER] - before, 90, 130);
    assert_int_equal(link.pair.sides[PAIR_CLIENT].conn->counters.probes, 0);
    link_close(&link);
}

/* --- rates --- */

static void bulk_uses_its_window_and_no_more(void **state)
{
    (void)state;
    counts all;
    fn_conn_config client = pair_config(true, pair_secrets);
    client.congestion = "fixed";
    conn_link link;
    open_with(&link, &all, &client);
    const fn_conn *conn = link.pair.sides[PAIR_CLIENT].conn;
    uint64_t window = fn_congestion_window(&conn->paths[0].congestion);
    while (send_plain(&link, 2, 100000) == FASTNET_OK) {
    }
    for (int turn = 0; turn < 100; turn++) {
        while (send_plain(&link, 2, 100000) == FASTNET_OK) {
        }
        link_run(&link, 16 * FN_NS_PER_MS);
        assert_true(conn->paths[0].congestion.in_flight_bytes <= window + 1452);
    }
    assert_true(all.bytes[PAIR_SERVER] > 20 * window); /* of 40 round trips */
    link_close(&link);
}

static void the_rate_cap_holds(void **state)
{
    (void)state;
    counts all;
    conn_link link;
    open_watched(&link, &all);
    fn_conn *client = link.pair.sides[PAIR_CLIENT].conn;
    fn_conn_set_rate_max(client, 50000);
    uint64_t before = client->counters.sent_bytes;
    for (int i = 0; i < 600; i++) {
        send_plain(&link, 2, 20000);
        link_run(&link, 16 * FN_NS_PER_MS);
    }
    assert_in_range(client->counters.sent_bytes - before, 430000, 530000); /* 9.6 s */
    fn_conn_set_rate_max(client, 0);
    link_run(&link, 20 * FN_NS_PER_S);
    assert_true(fn_conn_is_flushed(client));
    link_close(&link);
}

/* --- keys --- */

/* Both sides change keys all the time, at once, over a bad link. */
static void s4_key_update_agrees(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        fn_conn_config configs[2] = {pair_config(true, pair_secrets),
                                     pair_config(false, pair_secrets)};
        configs[0].key_update_packets = configs[1].key_update_packets = 10;
        counts all = {.lost = 0};
        conn_link link;
        link_open_with(&link, &configs[0], &configs[1], seed);
        link.on_event = watch;
        link.context = &all;
        link.loss_permille[0] = link.loss_permille[1] = (uint32_t)seed % 4 * 80;
        link.jitter_ns = seed % 3 * 10 * FN_NS_PER_MS;
        link.duplicate_permille = 100;
        link_run(&link, 10 * FN_NS_PER_S);
        uint32_t sent[2] = {0, 0};
        for (int i = 0; i < 1500; i++) {
            for (int side = 0; side < 2; side++)
                sent[side] +=
                    fn_conn_send(link.pair.sides[side].conn, 0, data, 300, NULL) == FASTNET_OK;
            link_run(&link, 10 * FN_NS_PER_MS);
        }
        link_run(&link, 30 * FN_NS_PER_S);
        for (int side = 0; side < 2; side++) {
            const fn_conn *conn = link.pair.sides[side].conn;
            assert_true(conn->counters.key_updates > 20);
            assert_int_equal(all.messages[1 - side][0], sent[side]);
            assert_int_equal(conn->state, FN_CONN_CONNECTED);
        }
        link_close(&link);
    }
}

static void a_flip_too_early_closes_the_session(void **state)
{
    (void)state;
    uint8_t buffer[PAIR_DATAGRAM_BYTES];
    conn_pair pair;
    pair_open(&pair);
    pair_run(&pair, FN_NS_PER_S, NULL, NULL);
    fn_conn *client = pair.sides[PAIR_CLIENT].conn;
    const fn_conn *server = pair.sides[PAIR_SERVER].conn;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(server->state, FN_CONN_CONNECTED);
        fn_send_keys_update(&client->send_keys, client->sent.next, pair.now_ns);
        forge_send(&pair, PAIR_CLIENT, "\0", 1, buffer);
    }
    assert_int_equal(server->state, FN_CONN_CLOSING);
    assert_int_equal(server->closing.code, FN_CLOSE_KEY_UPDATE);
    pair_close(&pair);
}

/* --- large messages --- */

static void s7_the_largest_message_that_may_be_agreed_arrives(void **state)
{
    (void)state;
    static uint8_t whole[1 << 24];
    fn_conn_config configs[2] = {pair_config(true, pair_secrets), pair_config(false, pair_secrets)};
    for (int side = 0; side < 2; side++) {
        configs[side].limits.message_bytes_max = sizeof whole;
        configs[side].limits.send_window_bytes = configs[side].limits.receive_window_bytes =
            sizeof whole + 64;
        configs[side].send_queue_bytes_max = 1 << 25;
        configs[side].memory_cap_bytes = 40 << 20;
    }
    conn_link link;
    counts all = {.lost = 0};
    link_open_with(&link, &configs[0], &configs[1], 1);
    link.delay_ns = FN_NS_PER_MS;
    link.on_event = watch;
    link.context = &all;
    for (int side = 0; side < 2; side++) {
        pair_side *end = &link.pair.sides[side];
        free(end->arena);
        free(end->metadata);
        end->arena = malloc(64 << 20);
        const fn_pool_shares shares = {.seats = 1};
        end->metadata = malloc(fn_pool_metadata_bytes(64 << 20, shares.seats));
        fn_pool_init(&end->pool, end->arena, 64 << 20, end->metadata, &shares);
        assert_true(fn_pool_account_open(&end->pool, &end->conn->store.account, 40 << 20, NULL));
    }
    link_run(&link, FN_NS_PER_S);
    assert_int_equal(fn_conn_send(link.pair.sides[PAIR_CLIENT].conn, 0, whole, sizeof whole, NULL),
                     FASTNET_OK);
    link_run(&link, 60 * FN_NS_PER_S);
    assert_int_equal(all.last_size, sizeof whole);
    link_close(&link);
}

/* --- who asks makes nobody faster --- */

/* The window is full. Each packet of the client asks for credit, or gives a little, which the
 * server has to answer: no more than the floor may ride along. */
static void control_pushes_no_data_past_window_and_pacer(void **state)
{
    (void)state;
    static uint8_t buffer[PAIR_DATAGRAM_BYTES];
    counts all;
    conn_link link;
    open_watched(&link, &all);
    fn_conn *server = link.pair.sides[PAIR_SERVER].conn;
    uint64_t before = server->counters.sent_bytes;
    fn_congestion *congestion = &fn_conn_active_path(server)->congestion;
    congestion->in_flight_bytes += 2 * fn_congestion_window(congestion);
    enum { ASKED = 400 };
    for (uint32_t i = 0; i < ASKED; i++) {
        fn_conn_send(server, 1, data, 1000, NULL);
        static const uint8_t blocked[] = {FN_FRAME_BLOCKED, 0};
        forge_send(&link.pair, PAIR_CLIENT, blocked, sizeof blocked, buffer);
        while (pair_transmit(&link.pair, PAIR_SERVER)) {
        }
    }
    uint64_t floor_bytes = server->config.rate_floor_bytes_per_s;
    assert_true(server->counters.sent_bytes - before < floor_bytes + ASKED * 64);
    link_close(&link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(r8_reliable_says_full_and_drops_nothing),
        cmocka_unit_test(a_full_reliable_queue_does_not_silence_the_game),
        cmocka_unit_test(credit_holds_the_sender_back),
        cmocka_unit_test(arguments_and_states_are_checked),
        cmocka_unit_test(the_newest_replaces_what_waits_on_a_sequenced_channel),
        cmocka_unit_test(unreliable_messages_above_the_rate_expire),
        cmocka_unit_test(small_messages_share_a_datagram),
        cmocka_unit_test(every_length_around_a_datagram_fits_somewhere),
        cmocka_unit_test(a_long_acknowledgement_keeps_no_message_out),
        cmocka_unit_test(two_idle_sides_do_not_answer_each_other_for_ever),
        cmocka_unit_test(r6_one_way_unreliable_traffic_is_acknowledged_lazily),
        cmocka_unit_test(bulk_uses_its_window_and_no_more),
        cmocka_unit_test(the_rate_cap_holds),
        cmocka_unit_test(s4_key_update_agrees),
        cmocka_unit_test(a_flip_too_early_closes_the_session),
        cmocka_unit_test(s7_the_largest_message_that_may_be_agreed_arrives),
        cmocka_unit_test(control_pushes_no_data_past_window_and_pacer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
