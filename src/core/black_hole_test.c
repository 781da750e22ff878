#include "core/black_hole.h"

#include "core/test_conn_link.h"

#define MS FN_NS_PER_MS

/* --- the detector alone --- */

typedef struct step {
    char what; /* 'l'ost, 'a'cked */
    uint32_t number;
    uint32_t bytes;
} step;

static bool play(const step *steps, size_t count)
{
    fn_black_hole hole = {0};
    uint64_t largest_acked = 0;
    bool suspected = false;
    fn_black_hole_init(&hole);
    for (size_t i = 0; i < count; i++) {
        if (steps[i].what == 'a') {
            largest_acked = fn_max_u64(largest_acked, steps[i].number);
            suspected &= !fn_black_hole_on_acked(&hole, steps[i].number, steps[i].bytes);
        } else {
            suspected |=
                fn_black_hole_on_lost(&hole, steps[i].number, steps[i].bytes, largest_acked);
        }
    }
    return suspected;
}

static const struct {
    bool suspected;
    step steps[10];
} plays[] = {
    {true,
     {{'a', 20, 60},
      {'l', 10, 1200},
      {'l', 11, 1200},
      {'l', 12, 1200},
      {'l', 13, 1200},
      {'l', 14, 1200},
      {'l', 15, 1200}}},
    {true,
     {{'a', 20, 60},
      {'l', 10, 1452},
      {'l', 11, 600},
      {'l', 12, 1200},
      {'l', 13, 700},
      {'l', 14, 1200},
      {'l', 15, 1200}}},
    /* five */
    {false,
     {{'a', 20, 60},
      {'l', 10, 1200},
      {'l', 11, 1200},
      {'l', 12, 1200},
      {'l', 13, 1200},
      {'l', 14, 1200}}},
    /* small ones */
    {false,
     {{'a', 20, 60},
      {'l', 10, 512},
      {'l', 11, 512},
      {'l', 12, 512},
      {'l', 13, 512},
      {'l', 14, 512},
      {'l', 15, 512}}},
    /* nothing passes */
    {false,
     {{'a', 9, 60},
      {'l', 10, 1200},
      {'l', 11, 1200},
      {'l', 12, 1200},
      {'l', 13, 1200},
      {'l', 14, 1200},
      {'l', 15, 1200}}},
    /* one of that size was acknowledged before they were declared lost */
    {false,
     {{'a', 20, 1200},
      {'l', 10, 1200},
      {'l', 11, 1200},
      {'l', 12, 1200},
      {'l', 13, 1200},
      {'l', 14, 1200},
      {'l', 15, 1200}}},
    /* one between them */
    {false,
     {{'a', 20, 60},
      {'l', 10, 1200},
      {'l', 11, 1200},
      {'l', 12, 1200},
      {'a', 13, 1200},
      {'l', 14, 1200},
      {'l', 15, 1200},
      {'l', 16, 1200}}},
    /* one that is smaller than all of them is none of that size */
    {true,
     {{'a', 20, 60},
      {'l', 10, 1200},
      {'l', 11, 1200},
      {'l', 12, 1200},
      {'a', 13, 1060},
      {'l', 14, 1200},
      {'l', 15, 1200},
      {'l', 16, 1200}}},
    /* one that is even larger ends it afterwards, too */
    {false,
     {{'a', 20, 60},
      {'l', 10, 1200},
      {'l', 11, 1200},
      {'l', 12, 1200},
      {'l', 13, 1200},
      {'l', 14, 1200},
      {'l', 15, 1200},
      {'a', 21, 1452}}},
    /* … but not an old one */
    {true,
     {{'a', 20, 60},
      {'l', 10, 1200},
      {'l', 11, 1200},
      {'l', 12, 1200},
      {'l', 13, 1200},
      {'l', 14, 1200},
      {'l', 15, 1200},
      {'a', 9, 1452}}},
};

static void six_large_ones_lost_while_small_ones_pass_are_a_suspicion(void **state)
{
    (void)state;
    for (size_t i = 0; i < FN_ARRAY_COUNT(plays); i++) {
        size_t count = 0;
        while (count < FN_ARRAY_COUNT(plays[i].steps) && plays[i].steps[count].what != 0)
            count++;
        assert_int_equal(play(plays[i].steps, count), plays[i].suspected);
    }
}

static void three_challenges_and_their_time_make_it_certain(void **state)
{
    (void)state;
    fn_black_hole hole = {0};
    fn_black_hole_init(&hole);
    assert_false(fn_black_hole_challenged(&hole, 1)); /* nothing is suspected */
    for (uint32_t i = 0; i < FN_BLACK_HOLE_LOST; i++)
        assert_int_equal(fn_black_hole_on_lost(&hole, 10 + i, 1200, 20),
                         i + 1 == FN_BLACK_HOLE_LOST);
    assert_false(fn_black_hole_on_lost(&hole, 16, 1200, 20)); /* said once */
    for (uint32_t i = 0; i < FN_BLACK_HOLE_CHALLENGES; i++)
        assert_int_equal(fn_black_hole_challenged(&hole, 700), i + 1 == FN_BLACK_HOLE_CHALLENGES);
    assert_false(fn_black_hole_is_due(&hole, 699));
    assert_true(fn_black_hole_is_due(&hole, 700));
    assert_false(fn_black_hole_is_due(&hole, 701));
    assert_int_equal(hole.state, FN_BLACK_HOLE_CERTAIN);
    assert_true(fn_black_hole_on_acked(&hole, 21, 1200));
    assert_int_equal(hole.state, FN_BLACK_HOLE_NONE);
}

/* --- sessions --- */

typedef struct seen {
    uint32_t connected[2];
    uint32_t messages[2];
} seen;

static void watch(void *context, int side, const fn_event *event)
{
    seen *all = context;
    all->connected[side] += event->type == FN_EVENT_CONNECTED;
    all->messages[side] += event->type == FN_EVENT_MESSAGE && event->bytes > 1000;
}

static void open_watched(conn_link *link, seen *all, uint64_t seed)
{
    memset(all, 0, sizeof *all);
    link_open(link, seed);
    link->on_event = watch;
    link->context = all;
}

static fn_conn *conn_of(conn_link *link, int side)
{
    return link->pair.sides[side].conn;
}

static bool wants_stream(conn_link *link)
{
    return fn_conn_wants_stream(conn_of(link, PAIR_CLIENT), link->pair.now_ns);
}

static void say(conn_link *link, int side, uint8_t channel, size_t bytes)
{
    static const uint8_t data[5120]; /* five whole units */
    fn_conn_send(conn_of(link, side), channel, data, bytes, NULL);
}

/* However long it goes on: nothing but 1200 bytes is asked for, and nothing less is believed. */
static void a_path_that_does_not_carry_1200_bytes_is_never_validated(void **state)
{
    (void)state;
    static const size_t carried[] = {1199, 1168, 1072, 548};
    for (size_t i = 0; i < FN_ARRAY_COUNT(carried); i++) {
        for (int way = 0; way < 3; way++) {
            seen all;
            conn_link link;
            open_watched(&link, &all, 1);
            for (int to = 0; to < 2; to++)
                link.carried_max[to] = way == 2 || way == to ? carried[i] : PAIR_DATAGRAM_BYTES;
            link_run(&link, 50 * FN_NS_PER_S);
            assert_int_equal(all.connected[PAIR_CLIENT], 0);
            assert_int_equal(all.connected[PAIR_SERVER], 0);
            link_close(&link);
        }
    }
}

static void a_path_that_carries_just_1200_bytes_is_one(void **state)
{
    (void)state;
    seen all;
    conn_link link;
    open_watched(&link, &all, 1);
    link.carried_max[0] = link.carried_max[1] = 1200;
    link_run(&link, 200 * MS);
    assert_int_equal(all.connected[PAIR_CLIENT], 1);
    assert_int_equal(all.connected[PAIR_SERVER], 1);
    link_close(&link);
}

/* What a game does: small messages all the time, now and then a large one, or many at once, which
 * fill datagrams to their end. */
static void talk_a_little(conn_link *link, uint64_t for_ns, int large_from)
{
    for (uint64_t at_ns = 0, i = 0; at_ns < for_ns; at_ns += 50 * MS, i++) {
        say(link, PAIR_CLIENT, 1, 60);
        say(link, PAIR_SERVER, 1, 60);
        if (i % 8 == 0)
            say(link, large_from, 0, 3000);
        for (int small = 0; i % 8 == 4 && small < 40; small++)
            say(link, large_from, 2, 60);
        link_run(link, 50 * MS);
        if (wants_stream(link))
            return;
    }
}

static void a_path_that_shrinks_below_1200_is_left_for_the_stream(void **state)
{
    (void)state;
    static const size_t carried[] = {1168, 1072, 548};
    for (size_t i = 0; i < FN_ARRAY_COUNT(carried); i++) {
        for (int from = 0; from < 2; from++) {
            seen all;
            conn_link link;
            open_watched(&link, &all, 1);
            talk_a_little(&link, 2 * FN_NS_PER_S, from);
            assert_false(wants_stream(&link));
            link.carried_max[1 - from] = carried[i]; /* only that way */
            uint64_t shrunk_ns = link.pair.now_ns;
            talk_a_little(&link, 10 * FN_NS_PER_S, from);
            assert_true(wants_stream(&link));
            assert_true(link.pair.now_ns - shrunk_ns < 4 * FN_NS_PER_S);
            assert_false(fn_conn_is_flushed(conn_of(&link, from)));
            link_stream_up(&link);
            link_run(&link, FN_NS_PER_S);
            for (int side = 0; side < 2; side++)
                assert_int_equal(fn_conn_path(conn_of(&link, side)), link.streams[side]);
            assert_true(fn_conn_is_flushed(conn_of(&link, from)));
            /* And UDP stays left until it carries 1200 bytes both ways again. */
            link_run(&link, 20 * FN_NS_PER_S);
            assert_int_equal(fn_conn_path(conn_of(&link, PAIR_CLIENT)), link.streams[PAIR_CLIENT]);
            link.carried_max[1 - from] = PAIR_DATAGRAM_BYTES;
            link_run(&link, 6 * FN_NS_PER_S);
            for (int side = 0; side < 2; side++)
                assert_int_not_equal(fn_conn_path(conn_of(&link, side)), link.streams[side]);
            link_close(&link);
        }
    }
}

/* The other side says nothing itself: nobody but the probes shows that small ones pass. */
static void a_bulk_transfer_alone_finds_it_too(void **state)
{
    (void)state;
    for (int from = 0; from < 2; from++) {
        seen all;
        conn_link link;
        open_watched(&link, &all, 1);
        link_run(&link, FN_NS_PER_S);
        link.carried_max[1 - from] = 1040;
        for (int i = 0; i < 20; i++)
            say(&link, from, 0, 5120); /* no fragment of it is small */
        for (int i = 0; i < 400 && !wants_stream(&link); i++)
            link_run(&link, 10 * MS);
        assert_true(wants_stream(&link));
        link_close(&link);
    }
}

/* Chance takes large ones like small ones. */
static void random_loss_of_thirty_percent_is_no_black_hole(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        for (int from = 0; from < 2; from++) {
            seen all;
            conn_link link;
            open_watched(&link, &all, seed);
            link_run(&link, FN_NS_PER_S);
            link.loss_permille[0] = link.loss_permille[1] = 300;
            for (uint32_t i = 0; i < 1200; i++) { /* a minute */
                say(&link, PAIR_CLIENT, 1, 60);
                say(&link, PAIR_SERVER, 1, 60);
                say(&link, from, i % 2 == 0 ? 1 : 0, 900 + i);
                link_run(&link, 50 * MS);
                assert_int_not_equal(conn_of(&link, from)->paths[0].hole.state,
                                     FN_BLACK_HOLE_CERTAIN);
                assert_false(conn_of(&link, from)->paths[0].useless);
            }
            link_close(&link);
        }
    }
}

/* The system says so at once: an interface of that size. */
static void a_refused_datagram_of_1200_bytes_is_believed(void **state)
{
    (void)state;
    seen all;
    conn_link link;
    open_watched(&link, &all, 1);
    link_run(&link, FN_NS_PER_S);
    assert_false(wants_stream(&link));
    link.refuse_bytes = 1000;
    say(&link, PAIR_CLIENT, 0, 5000);
    link_run(&link, 50 * MS);
    assert_true(wants_stream(&link));
    link_close(&link);
    open_watched(&link, &all, 1);
    link.refuse_bytes = 1100;
    link_run(&link, 10 * MS);
    assert_true(wants_stream(&link));
    link_stream_up(&link);
    link_run(&link, 100 * MS);
    assert_int_equal(all.connected[PAIR_CLIENT], 1);
    link_close(&link);
}

static void what_the_system_cannot_send_goes_over_the_stream_at_once(void **state)
{
    (void)state;
    seen all;
    conn_link link;
    for (int connected = 0; connected < 2; connected++) {
        open_watched(&link, &all, 1);
        link_run(&link, connected ? FN_NS_PER_S : 0);
        assert_int_equal(all.connected[PAIR_CLIENT], connected);
        link.carried_max[PAIR_SERVER] = 0;
        assert_false(wants_stream(&link));
        fn_conn_path_unsendable(conn_of(&link, PAIR_CLIENT), 0);
        assert_true(wants_stream(&link));
        link_stream_up(&link);
        link_run(&link, 100 * MS);
        assert_int_equal(all.connected[PAIR_CLIENT], 1);
        assert_int_equal(fn_conn_path(conn_of(&link, PAIR_CLIENT)), link.streams[PAIR_CLIENT]);
        /* It is asked again, and taken when it works. */
        link.carried_max[PAIR_SERVER] = PAIR_DATAGRAM_BYTES;
        link_run(&link, 5 * FN_NS_PER_S);
        assert_int_not_equal(fn_conn_path(conn_of(&link, PAIR_CLIENT)), link.streams[PAIR_CLIENT]);
        link_close(&link);
    }
    open_watched(&link, &all, 1);
    link_run(&link, FN_NS_PER_S);
    for (unsigned path = 0; path < 256; path++) /* none of its own business */
        fn_conn_path_unsendable(conn_of(&link, PAIR_SERVER), (uint8_t)path);
    for (unsigned path = 1; path < 256; path++)
        fn_conn_path_unsendable(conn_of(&link, PAIR_CLIENT), (uint8_t)path);
    assert_false(wants_stream(&link));
    link_close(&link);
}

/* --- bursts --- */

static void bursts_that_vanish_are_left_for_single_sends(void **state)
{
    (void)state;
    for (int from = 0; from < 2; from++) {
        seen all;
        conn_link link;
        open_watched(&link, &all, 1);
        link_run(&link, FN_NS_PER_S);
        link.drops_bursts = true;
        assert_false(fn_conn_path_is_plain(conn_of(&link, from), 0));
        for (int i = 0; i < 10; i++) {
            say(&link, from, 0, 5000);
            link_run(&link, 400 * MS); /* one probe timeout, and what follows leaves alone */
            assert_int_equal(all.messages[1 - from], i + 1);
        }
        assert_true(fn_conn_path_is_plain(conn_of(&link, from), 0));
        assert_false(fn_conn_path_is_plain(conn_of(&link, 1 - from), 0));
        uint64_t lost = conn_of(&link, from)->counters.lost_packets;
        for (int i = 0; i < 10; i++) {
            say(&link, from, 0, 5000);
            link_run(&link, FN_NS_PER_S);
        }
        assert_int_equal(all.messages[1 - from], 20);
        assert_int_equal(conn_of(&link, from)->counters.lost_packets, lost);
        link_close(&link);
    }
}

static void bursts_go_on_where_they_get_through(void **state)
{
    (void)state;
    static const uint32_t loss_permille[] = {0, 50, 200};
    for (size_t i = 0; i < FN_ARRAY_COUNT(loss_permille); i++) {
        seen all;
        conn_link link;
        open_watched(&link, &all, 7);
        link_run(&link, FN_NS_PER_S);
        link.loss_permille[0] = link.loss_permille[1] = loss_permille[i];
        for (int k = 0; k < 300; k++) {
            say(&link, PAIR_CLIENT, 0, 5000);
            link_run(&link, 50 * MS);
        }
        assert_false(fn_conn_path_is_plain(conn_of(&link, PAIR_CLIENT), 0));
        link_close(&link);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(six_large_ones_lost_while_small_ones_pass_are_a_suspicion),
        cmocka_unit_test(three_challenges_and_their_time_make_it_certain),
        cmocka_unit_test(a_path_that_does_not_carry_1200_bytes_is_never_validated),
        cmocka_unit_test(a_path_that_carries_just_1200_bytes_is_one),
        cmocka_unit_test(a_path_that_shrinks_below_1200_is_left_for_the_stream),
        cmocka_unit_test(a_bulk_transfer_alone_finds_it_too),
        cmocka_unit_test(random_loss_of_thirty_percent_is_no_black_hole),
        cmocka_unit_test(a_refused_datagram_of_1200_bytes_is_believed),
        cmocka_unit_test(what_the_system_cannot_send_goes_over_the_stream_at_once),
        cmocka_unit_test(bursts_that_vanish_are_left_for_single_sends),
        cmocka_unit_test(bursts_go_on_where_they_get_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
