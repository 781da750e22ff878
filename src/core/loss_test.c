#include "core/test_conn_link.h"
#include "core/test_forge.h"

/* --- what arrives --- */

enum { BYTES_MAX = 20000, MESSAGES_MAX = 2000 };

/* Counts arrivals per message; the first four bytes of a payload name it. */
typedef struct arrivals {
    uint32_t next[2]; /* on the ordered channel, at each side */
    bool disordered;
    bool damaged;
    uint8_t times[2][4][MESSAGES_MAX];
    uint32_t delivered;
    uint32_t lost;
    uint64_t last_ns;
} arrivals;

static void fill(uint8_t *data, uint32_t number, size_t bytes)
{
    for (size_t i = 4; i < bytes; i++)
        data[i] = (uint8_t)(number * 31 + i);
    memcpy(data, &number, sizeof number);
}

static void watch(void *context, int side, const fn_event *event)
{
    arrivals *all = context;
    all->delivered += event->type == FN_EVENT_DELIVERED;
    all->lost += event->type == FN_EVENT_LOST;
    if (event->type != FN_EVENT_MESSAGE)
        return;
    uint32_t number;
    memcpy(&number, event->data, sizeof number);
    assert_true(number < MESSAGES_MAX && event->channel < 4);
    for (uint32_t i = 4; i < event->bytes; i++)
        all->damaged |= event->data[i] != (uint8_t)(number * 31 + i);
    all->times[side][event->channel][number]++;
    all->disordered |= event->channel == 0 && number != all->next[side];
    all->next[side] += event->channel == 0;
    all->last_ns = event->time_ns;
}

static void open_watched(conn_link *link, arrivals *all, uint64_t seed)
{
    memset(all, 0, sizeof *all);
    link_open(link, seed);
    link->on_event = watch;
    link->context = all;
}

static int send_numbered(conn_link *link, int side, uint8_t channel, uint32_t number, size_t bytes)
{
    static uint8_t data[256 << 10];
    fill(data, number, bytes);
    return fn_conn_send(link->pair.sides[side].conn, channel, data, bytes, NULL);
}

static void assert_all_once(const arrivals *all, int at, uint8_t channel, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (all->times[at][channel][i] != 1)
            fail_msg("channel %u, message %u: %u times", channel, i, all->times[at][channel][i]);
    assert_false(all->disordered);
    assert_false(all->damaged);
}

/* Both reliable channels, both ways, over ever worse links. */
static void r1_r3_r4_reliable_is_exactly_once_whatever_happens(void **state)
{
    (void)state;
    static const uint32_t losses[] = {0, 10, 100, 300, 500};
    static arrivals all;
    for (uint64_t seed = 0; seed < 20; seed++) {
        fn_conn_config client = pair_config(true, pair_secrets);
        fn_conn_config server = pair_config(false, pair_secrets);
        client.key_update_packets = server.key_update_packets = seed % 2 == 0 ? 40 : 1 << 20;
        conn_link link;
        link_open_with(&link, &client, &server, seed);
        memset(&all, 0, sizeof all);
        link.on_event = watch;
        link.context = &all;
        link.loss_permille[0] = link.loss_permille[1] = losses[seed % FN_ARRAY_COUNT(losses)];
        link.jitter_ns = seed % 4 * 15 * FN_NS_PER_MS;
        link.duplicate_permille = 50;
        link_run(&link, 30 * FN_NS_PER_S);
        uint32_t counts[4] = {0};
        for (int turn = 0; turn < 150; turn++) {
            size_t bytes =
                fn_rng_below(&link.rng, 8) == 0 ? BYTES_MAX : 4 + fn_rng_below(&link.rng, 1500);
            for (int side = 0; side < 2; side++)
                for (uint8_t channel = 0; channel < 3; channel += 2) {
                    uint32_t *number = &counts[side * 2 + channel / 2];
                    *number += send_numbered(&link, side, channel, *number, bytes) == FASTNET_OK;
                }
            if (turn % 10 == 0)
                link.address = (int)fn_rng_below(&link.rng, 3);
            link_run(&link, fn_rng_below(&link.rng, 100 * FN_NS_PER_MS));
        }
        link_run(&link, 300 * FN_NS_PER_S);
        for (int side = 0; side < 2; side++) {
            const fn_conn *conn = link.pair.sides[side].conn;
            assert_int_equal(conn->state, FN_CONN_CONNECTED);
            assert_true(fn_conn_is_flushed(conn));
            assert_all_once(&all, 1 - side, 0, counts[side * 2]);
            assert_all_once(&all, 1 - side, 2, counts[side * 2 + 1]);
        }
        link_close(&link);
    }
}

/* --- how soon --- */

static void a_lost_tail_comes_after_a_probe_timeout(void **state)
{
    (void)state;
    static arrivals all;
    conn_link link;
    open_watched(&link, &all, 1);
    link_run(&link, 5 * FN_NS_PER_S);
    uint64_t sent_ns = link.pair.now_ns;
    link.loss_permille[PAIR_SERVER] = 1000;
    for (uint32_t i = 0; i < 3; i++)
        send_numbered(&link, PAIR_CLIENT, 0, i, 100);
    link_run(&link, 10 * FN_NS_PER_MS);
    link.loss_permille[PAIR_SERVER] = 0;
    link_run(&link, FN_NS_PER_S);
    assert_all_once(&all, PAIR_SERVER, 0, 3);
    assert_true(all.last_ns - sent_ns < 200 * FN_NS_PER_MS);
    link_close(&link);
}

static void a_gap_is_filled_after_one_round_trip(void **state)
{
    (void)state;
    static arrivals all;
    conn_link link;
    open_watched(&link, &all, 1);
    link_run(&link, 5 * FN_NS_PER_S);
    uint64_t sent_ns = link.pair.now_ns;
    for (uint32_t i = 0; i < 6; i++) {
        link.loss_permille[PAIR_SERVER] = i == 0 ? 1000 : 0;
        send_numbered(&link, PAIR_CLIENT, 0, i, 900);
        link_transmit(&link, PAIR_CLIENT);
    }
    link_run(&link, FN_NS_PER_S);
    assert_all_once(&all, PAIR_SERVER, 0, 6);
    assert_int_equal(all.last_ns - sent_ns, 3 * link.delay_ns); /* no timer was waited for */
    assert_int_equal(link.pair.sides[PAIR_CLIENT].conn->counters.probes, 0);
    link_close(&link);
}

static void lost_acknowledgements_cost_no_second_delivery(void **state)
{
    (void)state;
    static arrivals all;
    conn_link link;
    open_watched(&link, &all, 1);
    link_run(&link, FN_NS_PER_S);
    link.loss_permille[PAIR_CLIENT] = 1000;
    for (uint32_t i = 0; i < 20; i++) {
        send_numbered(&link, PAIR_CLIENT, i % 2 == 0 ? 0 : 2, i / 2, 500);
        link_run(&link, 30 * FN_NS_PER_MS);
    }
    link_run(&link, 3 * FN_NS_PER_S);
    link.loss_permille[PAIR_CLIENT] = 0;
    link_run(&link, 5 * FN_NS_PER_S);
    assert_all_once(&all, PAIR_SERVER, 0, 10);
    assert_all_once(&all, PAIR_SERVER, 2, 10);
    assert_true(fn_conn_is_flushed(link.pair.sides[PAIR_CLIENT].conn));
    link_close(&link);
}

static void after_an_outage_the_session_goes_on_within_two_seconds(void **state)
{
    (void)state;
    static arrivals all;
    conn_link link;
    open_watched(&link, &all, 1);
    link_run(&link, FN_NS_PER_S);
    link.loss_permille[0] = link.loss_permille[1] = 1000;
    send_numbered(&link, PAIR_CLIENT, 0, 0, 1000);
    send_numbered(&link, PAIR_SERVER, 0, 0, 1000);
    link_run(&link, 20 * FN_NS_PER_S);
    link.loss_permille[0] = link.loss_permille[1] = 0;
    link_run(&link, 2 * FN_NS_PER_S);
    assert_all_once(&all, PAIR_SERVER, 0, 1);
    assert_all_once(&all, PAIR_CLIENT, 0, 1);
    /* Once a second, and a few times before the time between two reached that. */
    for (int side = 0; side < 2; side++)
        assert_in_range(link.pair.sides[side].conn->counters.probes, 18, 28);
    link_close(&link);
}

/* --- what is said of it --- */

static void r2_r5_only_what_arrived_is_acknowledged(void **state)
{
    (void)state;
    static arrivals all;
    conn_link link;
    open_watched(&link, &all, 3);
    link_run(&link, FN_NS_PER_S);
    fn_conn *client = link.pair.sides[PAIR_CLIENT].conn;
    static uint8_t data[300];
    for (uint32_t i = 0; i < 500; i++) {
        link.loss_permille[PAIR_SERVER] = fn_rng_below(&link.rng, 5) == 0 ? 1000 : 0;
        fill(data, i, sizeof data);
        fn_send_options options = {.tagged = true, .tag = i};
        assert_int_equal(fn_conn_send(client, 1, data, sizeof data, &options), FASTNET_OK);
        link_run(&link, 16 * FN_NS_PER_MS);
    }
    link.loss_permille[PAIR_SERVER] = 0;
    link_run(&link, 10 * FN_NS_PER_S);
    uint32_t arrived = 0;
    for (uint32_t i = 0; i < 500; i++)
        arrived += all.times[PAIR_SERVER][1][i];
    assert_in_range(arrived, 350, 450);
    assert_int_equal(all.delivered, arrived);
    assert_int_equal(all.delivered + all.lost, 500);
    link_close(&link);
}

static void a_late_acknowledgement_counts_as_a_spurious_loss(void **state)
{
    (void)state;
    static arrivals all;
    conn_link link;
    open_watched(&link, &all, 3);
    link_run(&link, FN_NS_PER_S);
    for (uint32_t i = 0; i < 200; i++) {
        link.jitter_ns = i % 20 == 0 ? 80 * FN_NS_PER_MS : 0;
        send_numbered(&link, PAIR_CLIENT, 0, i, 300);
        link_run(&link, 5 * FN_NS_PER_MS);
    }
    link_run(&link, 3 * FN_NS_PER_S);
    assert_all_once(&all, PAIR_SERVER, 0, 200);
    assert_true(link.pair.sides[PAIR_CLIENT].conn->counters.spurious_losses > 0);
    link_close(&link);
}

/* --- bounds --- */

static void the_flight_never_exceeds_its_bound_and_memory_comes_back(void **state)
{
    (void)state;
    static arrivals all;
    fn_conn_config client = pair_config(true, pair_secrets);
    fn_conn_config server = pair_config(false, pair_secrets);
    client.limits.send_packets_max = server.limits.send_packets_max = 512;
    client.congestion = server.congestion = "fixed";
    conn_link link;
    link_open_with(&link, &client, &server, 9);
    memset(&all, 0, sizeof all);
    link.on_event = watch;
    link.context = &all;
    link_run(&link, 2 * FN_NS_PER_S);
    fn_conn *conn = link.pair.sides[PAIR_CLIENT].conn;
    size_t before = conn->store.account.used_bytes;
    link.loss_permille[PAIR_SERVER] = 50;
    uint32_t sent = 0;
    for (int turn = 0; turn < 300; turn++) {
        while (sent < MESSAGES_MAX && send_numbered(&link, PAIR_CLIENT, 0, sent, 300) == FASTNET_OK)
            sent++;
        link_run(&link, 5 * FN_NS_PER_MS);
        assert_true(fn_sent_count(&conn->sent) <= 512);
    }
    link.loss_permille[PAIR_SERVER] = 0;
    link_run(&link, 20 * FN_NS_PER_S);
    assert_all_once(&all, PAIR_SERVER, 0, sent);
    assert_true(conn->store.account.used_bytes <= before + 8192);
    assert_true(link.pair.sides[PAIR_SERVER].conn->store.account.used_bytes <= before + 8192);
    assert_int_equal(conn->paths[conn->active].congestion.in_flight_bytes, 0);
    link_close(&link);
}

/* --- sizes --- */

static void the_datagram_grows_to_the_largest_that_passes(void **state)
{
    (void)state;
    static const size_t passes[] = {1200, 1300, 1400, 1452};
    for (size_t i = 0; i < FN_ARRAY_COUNT(passes); i++) {
        static arrivals all;
        conn_link link;
        open_watched(&link, &all, 1);
        link.bytes_max = passes[i];
        for (uint32_t k = 0; k < 400; k++) {
            send_numbered(&link, PAIR_CLIENT, 1, k, 100);
            link_run(&link, 16 * FN_NS_PER_MS);
        }
        fn_stats stats;
        fn_conn_get_stats(link.pair.sides[PAIR_CLIENT].conn, link.pair.now_ns, &stats);
        assert_in_range(stats.mtu_bytes, passes[i] < 1216 ? 1200 : passes[i] - 16, passes[i]);
        link_close(&link);
    }
}

static void a_path_that_shrinks_is_recovered(void **state)
{
    (void)state;
    static arrivals all;
    conn_link link;
    open_watched(&link, &all, 1);
    link_run(&link, 3 * FN_NS_PER_S);
    link.bytes_max = 1250;
    for (uint32_t i = 0; i < 30; i++)
        send_numbered(&link, PAIR_CLIENT, 0, i, 1400);
    link_run(&link, 10 * FN_NS_PER_S);
    assert_all_once(&all, PAIR_SERVER, 0, 30);
    link_close(&link);
}

/* Without waiting for a timer, and without a word about congestion. */
static void a_refused_datagram_goes_again_at_once_in_smaller_ones(void **state)
{
    (void)state;
    static arrivals all;
    conn_link link;
    open_watched(&link, &all, 1);
    link_run(&link, 3 * FN_NS_PER_S);
    fn_conn *client = link.pair.sides[PAIR_CLIENT].conn;
    uint64_t window = fn_congestion_window(&client->paths[client->active].congestion);
    uint64_t sent_ns = link.pair.now_ns;
    link.refuse_bytes = 1201;
    for (uint32_t i = 0; i < 10; i++)
        send_numbered(&link, PAIR_CLIENT, 0, i, 700);
    link_run(&link, 21 * FN_NS_PER_MS);
    assert_all_once(&all, PAIR_SERVER, 0, 10);
    assert_int_equal(all.last_ns - sent_ns, link.delay_ns);
    assert_true(fn_congestion_window(&client->paths[client->active].congestion) >= window);
    link_close(&link);
}

static void a_system_that_refuses_everything_ends_no_call(void **state)
{
    (void)state;
    static arrivals all;
    conn_link link;
    open_watched(&link, &all, 1);
    link_run(&link, 3 * FN_NS_PER_S);
    link.refuse_bytes = 600;
    for (uint32_t i = 0; i < 10; i++)
        send_numbered(&link, PAIR_CLIENT, 0, i, 700);
    link_run(&link, FN_NS_PER_S); /* asserts that each burst ends */
    link.refuse_bytes = 0;
    link_run(&link, 3 * FN_NS_PER_S);
    assert_all_once(&all, PAIR_SERVER, 0, 10);
    link_close(&link);
}

/* --- congestion --- */

static void persistent_loss_leaves_the_smallest_window(void **state)
{
    (void)state;
    static arrivals all;
    conn_link link;
    open_watched(&link, &all, 1);
    link_run(&link, 2 * FN_NS_PER_S);
    fn_conn *client = link.pair.sides[PAIR_CLIENT].conn;
    const fn_path *path = &client->paths[client->active];
    for (uint32_t i = 0; i < 3; i++)
        send_numbered(&link, PAIR_CLIENT, 2, i, 100000);
    link_run(&link, 15 * FN_NS_PER_MS);
    link.loss_permille[PAIR_SERVER] = 1000;
    link_run(&link, 5 * FN_NS_PER_S);
    assert_true(fn_congestion_window(&path->congestion) > 10000);
    link.loss_permille[PAIR_SERVER] = 0;
    uint64_t smallest = UINT64_MAX;
    for (int i = 0; i < 2000; i++) {
        link_run(&link, FN_NS_PER_MS);
        smallest = fn_min_u64(smallest, fn_congestion_window(&path->congestion));
    }
    assert_true(smallest <= 2 * 1452);
    link_run(&link, 20 * FN_NS_PER_S);
    assert_all_once(&all, PAIR_SERVER, 2, 3);
    link_close(&link);
}

/* --- what an acknowledgement costs --- */

/* Two sides whose flight may be as large as it can be, connected; the server's datagrams are
 * dropped from here on. */
static void open_large(conn_pair *pair)
{
    fn_conn_config configs[2] = {pair_config(true, pair_secrets), pair_config(false, pair_secrets)};
    for (int side = 0; side < 2; side++)
        configs[side].limits.send_packets_max = 32768;
    pair_open_with(pair, &configs[0], &configs[1]);
    pair_run(pair, FN_NS_PER_S, NULL, NULL);
    for (int side = 1; side >= 0; side--)
        assert_true(fn_conn_stream_add(pair->sides[side].conn, pair->now_ns) >= 0);
}

static fn_conn *server_of(conn_pair *pair)
{
    return pair->sides[PAIR_SERVER].conn;
}

/* Goes over to the stream, as the client's first packet there makes it. */
static void move_to_stream(conn_pair *pair)
{
    static uint8_t buffer[PAIR_DATAGRAM_BYTES];
    uint8_t udp = pair->sides[PAIR_SERVER].path_known;
    pair->sides[PAIR_SERVER].path_known = udp == 0 ? 1 : 0;
    static const uint8_t ping[9] = {FN_FRAME_PING};
    forge_send(pair, PAIR_CLIENT, ping, sizeof ping, buffer);
    assert_true(fn_conn_active_path(server_of(pair))->stream);
}

/* Datagrams with one small message each; returns the number of the last. */
static uint64_t send_many(conn_pair *pair, uint32_t count)
{
    static const uint8_t data[40];
    fn_conn *server = server_of(pair);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(fn_conn_send(server, 1, data, sizeof data, NULL), FASTNET_OK);
        assert_true(pair_transmit(pair, PAIR_SERVER));
    }
    uint64_t last = server->sent.next - 1;
    return fn_sent_at(&server->sent, last)->state == FN_SENT_OUT ? last : last - 1;
}

/* An ACK of one packet. */
static void acknowledge(conn_pair *pair, uint64_t number)
{
    static uint8_t buffer[PAIR_DATAGRAM_BYTES];
    uint8_t frame[16];
    fn_writer writer = fn_writer_make(frame, sizeof frame);
    fn_write_u8(&writer, FN_FRAME_ACK);
    fn_write_varint(&writer, number);
    fn_write_varint(&writer, 0); /* delay */
    fn_write_varint(&writer, 0); /* further ranges */
    fn_write_varint(&writer, 0); /* before it in this one */
    forge_send(pair, PAIR_CLIENT, frame, fn_writer_bytes(&writer), buffer);
    assert_int_equal(server_of(pair)->state, FN_CONN_CONNECTED);
}

/* 33,000 packets are out on a stream, and of those that follow the client acknowledges every one,
 * and none before. */
static void an_acknowledgement_on_a_stream_costs_the_same_however_much_is_out(void **state)
{
    (void)state;
    static conn_pair pair;
    open_large(&pair);
    move_to_stream(&pair);
    fn_loss *loss = &server_of(&pair)->loss;
    acknowledge(&pair, send_many(&pair, 32000));
    assert_true(loss->walked < 4 * 32000); /* once all of them */
    for (int i = 0; i < 1000; i++) {
        uint64_t last = send_many(&pair, 1);
        uint64_t before = loss->walked;
        acknowledge(&pair, last);
        assert_true(loss->walked - before < 1000);
    }
    pair_close(&pair);
}

/* A client hops from address to address, each packet from another. */
static void a_new_path_costs_the_same_however_much_is_out(void **state)
{
    (void)state;
    static const uint8_t ping[9] = {FN_FRAME_PING};
    static uint8_t buffer[PAIR_DATAGRAM_BYTES];
    static conn_pair pair;
    open_large(&pair);
    move_to_stream(&pair);
    send_many(&pair, 32000);
    for (int i = 0; i < 1000; i++) {
        uint64_t before = server_of(&pair)->loss.walked;
        pair.sides[PAIR_SERVER].path_known = FN_CONN_PATH_UNKNOWN;
        assert_int_equal(forge_send(&pair, PAIR_CLIENT, ping, sizeof ping, buffer),
                         FN_CONN_NEW_PATH);
        while (pair_transmit(&pair, PAIR_SERVER)) {
        }
        assert_true(server_of(&pair)->loss.walked - before < 100);
    }
    pair_close(&pair);
}

/* The other side had no memory for it when it came over the stream: nobody else sends it again. */
static void what_a_stream_left_behind_goes_again(void **state)
{
    (void)state;
    static const uint8_t data[40];
    static conn_pair pair;
    open_large(&pair);
    move_to_stream(&pair);
    fn_conn *server = server_of(&pair);
    while (pair_transmit(&pair, PAIR_SERVER)) {
    }
    fn_conn_send(server, 0, data, sizeof data, NULL);
    assert_true(pair_transmit(&pair, PAIR_SERVER));
    send_many(&pair, 2);
    acknowledge(&pair, send_many(&pair, 1));
    assert_int_equal(server->counters.retransmitted_bytes, 0); /* not yet: order does not matter */
    pair.now_ns += 2 * FN_NS_PER_S;
    fn_conn_tick(server, pair.now_ns);
    while (pair_transmit(&pair, PAIR_SERVER)) {
    }
    assert_int_equal(server->counters.retransmitted_bytes, sizeof data);
    assert_int_equal(server->counters.lost_packets, 0);
    pair_close(&pair);
}

/* The same where 33,000 packets are out on a path that was left, and its round trip is feigned: by
 * time alone they would be lost in eleven seconds. */
static void an_acknowledgement_costs_the_same_beside_a_path_that_was_left(void **state)
{
    (void)state;
    static conn_pair pair;
    open_large(&pair);
    uint8_t udp = server_of(&pair)->active;
    move_to_stream(&pair);
    send_many(&pair, 32000);
    fn_conn *server = server_of(&pair);
    fn_rtt_sample(&server->paths[udp].rtt, 60 * FN_NS_PER_S, 0);
    fn_conn_on_validated(server, udp, pair.now_ns);
    pair.sides[PAIR_SERVER].path_known = udp;
    acknowledge(&pair, send_many(&pair, 1));
    for (int i = 0; i < 100; i++) {
        uint64_t last = send_many(&pair, 1);
        uint64_t before = server->loss.walked;
        acknowledge(&pair, last);
        assert_true(server->loss.walked - before < 1000);
    }
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(r1_r3_r4_reliable_is_exactly_once_whatever_happens),
        cmocka_unit_test(a_lost_tail_comes_after_a_probe_timeout),
        cmocka_unit_test(a_gap_is_filled_after_one_round_trip),
        cmocka_unit_test(lost_acknowledgements_cost_no_second_delivery),
        cmocka_unit_test(after_an_outage_the_session_goes_on_within_two_seconds),
        cmocka_unit_test(r2_r5_only_what_arrived_is_acknowledged),
        cmocka_unit_test(a_late_acknowledgement_counts_as_a_spurious_loss),
        cmocka_unit_test(the_flight_never_exceeds_its_bound_and_memory_comes_back),
        cmocka_unit_test(the_datagram_grows_to_the_largest_that_passes),
        cmocka_unit_test(a_path_that_shrinks_is_recovered),
        cmocka_unit_test(a_refused_datagram_goes_again_at_once_in_smaller_ones),
        cmocka_unit_test(a_system_that_refuses_everything_ends_no_call),
        cmocka_unit_test(persistent_loss_leaves_the_smallest_window),
        cmocka_unit_test(an_acknowledgement_on_a_stream_costs_the_same_however_much_is_out),
        cmocka_unit_test(a_new_path_costs_the_same_however_much_is_out),
        cmocka_unit_test(what_a_stream_left_behind_goes_again),
        cmocka_unit_test(an_acknowledgement_costs_the_same_beside_a_path_that_was_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
