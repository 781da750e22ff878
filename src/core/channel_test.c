#include "core/channel.h"

#include "base/rng.h"
#include "base/units.h"
#include "core/channel_table.h"
#include "core/test_store.h"
#include "core/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { CHANNELS_MAX = 10, STORE_BYTES = 8 << 20, PACKET_BYTES = 1150, FRAME_BYTES = 4 };

typedef struct stand {
    test_store memory;
    fn_channels channels;
    fn_flow flow;
    fn_list notices;
    uint64_t dropped;
    uint64_t sent_bytes[CHANNELS_MAX];
    uint64_t library_bytes;
    uint64_t storage[2048];
} stand;

static void open_stand(stand *all, const FastNetChannelConfig *configs, uint32_t count)
{
    memset(all, 0, sizeof *all);
    test_store_open(&all->memory, STORE_BYTES);
    assert_true(fn_channels_bytes(count) <= sizeof all->storage);
    fn_channels_init(&all->channels, all->storage, configs, count);
    fn_flow_init(&all->flow, 1 << 30, 1 << 20);
    fn_list_init(&all->notices);
}

static void close_stand(stand *all)
{
    fn_unfinished unfinished;
    fn_unfinished_init(&unfinished);
    fn_channels_free(&all->channels, &all->memory.store, &unfinished);
    test_store_close(&all->memory);
}

static void queue(stand *all, uint8_t channel, uint32_t bytes)
{
    static const uint8_t data[64 << 10];
    fn_outbound like = {.live_ns = FN_NEVER};
    assert_true(fn_send_queue_add(&all->channels.items[channel].send, &all->memory.store, data,
                                  bytes, &like));
    fn_channels_touch(&all->channels, &all->channels.items[channel]);
}

/* Fills one packet as packet_out does, acknowledging all at once; returns bytes of payload. */
static uint32_t fill_packet(stand *all, bool real_time_only)
{
    fn_channel_permit permit = {
        .flow = &all->flow, .message_window = 4096, .real_time_only = real_time_only};
    fn_send_outcome outcome = {.notices = &all->notices, .dropped = &all->dropped};
    uint32_t left = PACKET_BYTES;
    fn_channels_begin(&all->channels);
    fn_send_run run;
    fn_channel *channel;
    while ((channel = fn_channels_next(&all->channels, &permit, &run)) != NULL) {
        uint32_t bytes;
        run.units = left > FRAME_BYTES ? fn_send_run_fit(&run, left - FRAME_BYTES, &bytes) : 0;
        if (run.units == 0) {
            channel->passed = true;
            continue;
        }
        left -= bytes + FRAME_BYTES;
        uint64_t id = run.message->id;
        if (channel->send.reliable && run.first_unit == 0)
            fn_flow_charge(&all->flow, run.message->bytes);
        if (channel->send.channel < CHANNELS_MAX)
            all->sent_bytes[channel->send.channel] += bytes;
        else
            all->library_bytes += bytes;
        fn_send_queue_take(&channel->send, &all->memory.store, &run);
        fn_channels_sent(&all->channels, channel, bytes + FRAME_BYTES);
        fn_send_queue_on_acked(&channel->send, &all->memory.store, id, run.first_unit, run.units,
                               &outcome);
    }
    return PACKET_BYTES - left;
}

static FastNetChannelConfig reliable(uint8_t priority, uint8_t weight)
{
    return (FastNetChannelConfig){.mode = FASTNET_MODE_RELIABLE,
                                  .priority = priority,
                                  .weight = weight,
                                  .queue_bytes_max = 1u << 20};
}

static void finds_exactly_the_channels_that_there_are(void **state)
{
    (void)state;
    stand all;
    open_stand(&all, fn_channel_table_default, FN_CHANNEL_TABLE_DEFAULT_COUNT);
    for (uint32_t number = 0; number < 256; number++) {
        const fn_channel *channel = fn_channels_find(&all.channels, (uint8_t)number);
        assert_int_equal(channel != NULL, number < 4 || number == FN_CHANNEL_ASSETS);
        if (channel != NULL)
            assert_int_equal(channel->send.channel, number);
    }
    close_stand(&all);
}

/* What one tick queues goes strictly by priority: nobody has waited for long. */
static void a_lower_number_goes_first_in_a_burst(void **state)
{
    (void)state;
    const FastNetChannelConfig configs[] = {reliable(5, 1), reliable(1, 1), reliable(3, 1)};
    stand all;
    open_stand(&all, configs, 3);
    for (uint8_t i = 0; i < 3; i++)
        for (int k = 0; k < 4; k++)
            queue(&all, i, 1000);
    for (int i = 0; i < 4; i++)
        fill_packet(&all, false);
    assert_int_equal(all.sent_bytes[1], 4000);
    assert_int_equal(all.sent_bytes[0] + all.sent_bytes[2], 0);
    for (int i = 0; i < 4; i++)
        fill_packet(&all, false);
    assert_int_equal(all.sent_bytes[2], 4000);
    assert_int_equal(all.sent_bytes[0], 0);
    close_stand(&all);
}

/* --- shares of the priorities --- */

enum { LOG_PACKETS = 250, LEVELS_MAX = 10 };

/* What each packet carried of each priority, and whether that priority waited before and after. */
typedef struct share_log {
    uint32_t bytes[LOG_PACKETS][LEVELS_MAX];
    bool waited[LOG_PACKETS][LEVELS_MAX];
    uint32_t levels;
} share_log;

static bool waits(const stand *all, uint32_t i)
{
    return all->channels.items[i].send.queued_bytes > 0;
}

static void log_packet(stand *all, share_log *log, uint32_t at)
{
    uint64_t before[LEVELS_MAX];
    for (uint32_t i = 0; i < log->levels; i++) {
        before[i] = all->sent_bytes[i];
        log->waited[at][i] = waits(all, i);
    }
    fill_packet(all, false);
    for (uint32_t i = 0; i < log->levels; i++) {
        log->bytes[at][i] = (uint32_t)(all->sent_bytes[i] - before[i]);
        log->waited[at][i] = log->waited[at][i] && waits(all, i);
    }
}

/* The naive model: over every stretch of packets in which a priority waited all the time, it got
 * its part of all bytes, but for what it must have waited for before its first turn comes. Which
 * priority does not matter: the most important one has its part too. */
static void judge_shares(const share_log *log, uint32_t parts, uint32_t slack_bytes)
{
    for (uint32_t level = 0; level < log->levels; level++)
        for (uint32_t from = 0; from < LOG_PACKETS; from++) {
            uint64_t own = 0;
            uint64_t all_bytes = 0;
            for (uint32_t at = from; at < LOG_PACKETS && log->waited[at][level]; at++) {
                own += log->bytes[at][level];
                for (uint32_t i = 0; i < log->levels; i++)
                    all_bytes += log->bytes[at][i];
                if ((own + slack_bytes) * parts < all_bytes)
                    fail_msg("priority %u got %llu of %llu bytes in packets %u to %u", level,
                             (unsigned long long)own, (unsigned long long)all_bytes, from, at);
            }
        }
}

static void run_shares(uint32_t levels, uint32_t seed, bool always, share_log *log)
{
    FastNetChannelConfig configs[LEVELS_MAX];
    fn_rng rng;
    fn_rng_init(&rng, seed);
    for (uint32_t i = 0; i < levels; i++) {
        configs[i] = reliable((uint8_t)(3 * i), 1);
        if (fn_rng_chance(&rng, 500))
            configs[i].mode = FASTNET_MODE_UNRELIABLE;
    }
    stand all;
    open_stand(&all, configs, levels);
    *log = (share_log){.levels = levels};
    uint32_t longest = fn_rng_chance(&rng, 500) ? 300 : 3000;
    for (uint32_t at = 0; at < LOG_PACKETS; at++) {
        for (uint32_t i = 0; i < levels; i++) {
            bool speaks = always || fn_rng_chance(&rng, i == 0 ? 900 : 200);
            while (speaks && all.channels.items[i].send.queued_bytes < 9000)
                queue(&all, (uint8_t)i, (uint32_t)fn_rng_between(&rng, 0, longest));
        }
        log_packet(&all, log, at);
    }
    close_stand(&all);
}

/* 8 × a quantum before its first turn, and one packet and one unit of rounding. */
enum { SLACK_BYTES = FN_CHANNEL_QUANTUM + PACKET_BYTES + FN_UNIT_BYTES };

static void every_priority_gets_an_eighth_while_it_waits(void **state)
{
    (void)state;
    static share_log log;
    for (uint32_t levels = 2; levels <= 8; levels++)
        for (uint32_t seed = 0; seed < 8; seed++) {
            run_shares(levels, seed, seed % 2 == 0, &log);
            judge_shares(&log, 8, SLACK_BYTES);
        }
}

/* More than eight eighths there are not. */
static void more_than_eight_priorities_share_alike(void **state)
{
    (void)state;
    static share_log log;
    for (uint32_t seed = 0; seed < 6; seed++) {
        run_shares(10, seed, true, &log);
        judge_shares(&log, 11, 4 * SLACK_BYTES);
    }
}

/* No more than an eighth either: the rest is the more important one's. */
static void the_important_priority_keeps_the_rest(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {40, 400, 1000, 1150, 3000};
    for (size_t s = 0; s < FN_ARRAY_COUNT(sizes); s++) {
        stand all;
        open_stand(&all, fn_channel_table_default, FN_CHANNEL_TABLE_DEFAULT_COUNT);
        for (int packet = 0; packet < 800; packet++) {
            while (all.channels.items[FASTNET_CHANNEL_UNRELIABLE].send.queued_bytes < 20000)
                queue(&all, FASTNET_CHANNEL_UNRELIABLE, 40);
            while (all.channels.items[FASTNET_CHANNEL_RELIABLE].send.queued_bytes < 20000)
                queue(&all, FASTNET_CHANNEL_RELIABLE, sizes[s]);
            fill_packet(&all, false);
        }
        uint64_t low = all.sent_bytes[FASTNET_CHANNEL_RELIABLE];
        double share = (double)low / (double)(low + all.sent_bytes[FASTNET_CHANNEL_UNRELIABLE]);
        assert_true(share > 0.120 && share < 0.135);
        close_stand(&all);
    }
}

static void files_wait_for_everything_of_the_application(void **state)
{
    (void)state;
    const FastNetChannelConfig configs[] = {reliable(0, 1), reliable(UINT8_MAX, 1)};
    stand all;
    open_stand(&all, configs, 2);
    fn_channel *files = fn_channels_find(&all.channels, FN_CHANNEL_ASSETS);
    static const uint8_t data[PACKET_BYTES];
    fn_outbound like = {.live_ns = FN_NEVER};
    assert_true(fn_send_queue_add(&files->send, &all.memory.store, data, sizeof data, &like));
    fn_channels_touch(&all.channels, files);
    for (int packet = 0; packet < 300; packet++) {
        for (uint8_t i = 0; i < 2; i++)
            while (all.channels.items[i].send.queued_bytes < 20000)
                queue(&all, i, 50);
        fill_packet(&all, false);
    }
    assert_int_equal(all.library_bytes, 0);
    assert_true(all.sent_bytes[1] * 8 > all.sent_bytes[0]);
    close_stand(&all);
}

/* Empty messages take room too: neither a sibling nor a priority may starve beside them. */
static void empty_messages_are_not_free(void **state)
{
    (void)state;
    for (uint8_t priority = 0; priority <= 1; priority++) {
        const FastNetChannelConfig configs[] = {reliable(0, 1), reliable(priority, 1)};
        stand all;
        open_stand(&all, configs, 2);
        for (int packet = 0; packet < 200; packet++) {
            while (all.channels.items[0].send.queued_bytes < 64 * PACKET_BYTES)
                queue(&all, 0, 0);
            if (!waits(&all, 1))
                queue(&all, 1, 100);
            fill_packet(&all, false);
        }
        assert_true(all.sent_bytes[1] >= 1000);
        close_stand(&all);
    }
}

/* When only the rate floor lets something pass, it is for the game's stream (guarantee: the game
 * keeps its rate); what waited is repaid as soon as the window opens. */
static void the_rate_floor_knows_no_shares(void **state)
{
    (void)state;
    stand all;
    open_stand(&all, fn_channel_table_default, FN_CHANNEL_TABLE_DEFAULT_COUNT);
    for (int packet = 0; packet < 100; packet++) {
        while (all.channels.items[FASTNET_CHANNEL_UNRELIABLE].send.queued_bytes < 20000)
            queue(&all, FASTNET_CHANNEL_UNRELIABLE, 50);
        if (!waits(&all, FASTNET_CHANNEL_RELIABLE_ORDERED))
            queue(&all, FASTNET_CHANNEL_RELIABLE_ORDERED, 500);
        fill_packet(&all, true);
    }
    assert_int_equal(all.sent_bytes[FASTNET_CHANNEL_RELIABLE_ORDERED], 0);
    fill_packet(&all, false);
    assert_int_equal(all.sent_bytes[FASTNET_CHANNEL_RELIABLE_ORDERED], 500);
    close_stand(&all);
}

/* A message of the more important channel waits for credit: nothing less important begins, owed
 * or not, but what needs no credit goes on. */
static void a_share_does_not_pass_a_message_that_waits_for_credit(void **state)
{
    (void)state;
    FastNetChannelConfig configs[] = {reliable(1, 1), reliable(2, 1), reliable(0, 1),
                                      reliable(3, 1)};
    configs[2].mode = FASTNET_MODE_UNRELIABLE;
    configs[3].mode = FASTNET_MODE_UNRELIABLE;
    stand all;
    open_stand(&all, configs, 4);
    fn_flow_init(&all.flow, 5000, 5000);
    queue(&all, 0, 6000);
    queue(&all, 1, 10);
    for (int packet = 0; packet < 100; packet++) {
        for (uint8_t i = 2; i < 4; i++)
            while (all.channels.items[i].send.queued_bytes < 20000)
                queue(&all, i, 50);
        fill_packet(&all, false);
    }
    assert_int_equal(all.sent_bytes[0] + all.sent_bytes[1], 0);
    assert_true(all.sent_bytes[3] * 8 > all.sent_bytes[2]);
    fn_flow_on_window(&all.flow, 20000);
    for (int packet = 0; packet < 100; packet++) {
        while (all.channels.items[2].send.queued_bytes < 20000)
            queue(&all, 2, 50);
        fill_packet(&all, false);
    }
    assert_int_equal(all.sent_bytes[0], 6000);
    assert_int_equal(all.sent_bytes[1], 10);
    close_stand(&all);
}

/* For message sizes that fill a packet more or less well, two weights, and with or without a more
 * important channel that speaks in between. */
static void shares_follow_the_weights(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {60, 500, 700, 1000, 1024, 1100, 3000};
    for (size_t s = 0; s < FN_ARRAY_COUNT(sizes); s++)
        for (uint8_t weight = 1; weight <= 3; weight += 2)
            for (int busy = 0; busy < 2; busy++) {
                const FastNetChannelConfig configs[] = {reliable(1, 1), reliable(1, weight),
                                                        reliable(0, 1)};
                stand all;
                open_stand(&all, configs, 3);
                for (int packet = 0; packet < 400; packet++) {
                    for (uint8_t i = 0; i < 2; i++)
                        while (all.channels.items[i].send.queued_bytes < 20000)
                            queue(&all, i, sizes[s]);
                    if (busy)
                        queue(&all, 2, 40);
                    fill_packet(&all, false);
                }
                double share = (double)all.sent_bytes[1] / (double)all.sent_bytes[0];
                assert_true(share > 0.9 * weight && share < 1.1 * weight);
                close_stand(&all);
            }
}

static void large_datagrams_overdraw_without_harm(void **state)
{
    (void)state;
    const FastNetChannelConfig configs[] = {reliable(1, 1), reliable(1, 1)};
    stand all;
    open_stand(&all, configs, 2);
    fn_channel_permit permit = {.flow = &all.flow, .message_window = 4096};
    uint64_t sent[2] = {0, 0};
    for (uint8_t i = 0; i < 2; i++)
        queue(&all, i, 64 << 10);
    for (int i = 0; i < 100000; i++) {
        fn_send_run run;
        fn_channels_begin(&all.channels);
        fn_channel *channel = fn_channels_next(&all.channels, &permit, &run);
        assert_non_null(channel);
        fn_channels_sent(&all.channels, channel, 60000);
        sent[channel->send.channel]++;
    }
    assert_int_equal(sent[0], sent[1]);
    close_stand(&all);
}

static void a_blocked_large_message_is_not_starved_by_small_ones(void **state)
{
    (void)state;
    const FastNetChannelConfig configs[] = {reliable(1, 1), reliable(1, 1), reliable(0, 1)};
    stand all;
    open_stand(&all, configs, 3);
    fn_flow_init(&all.flow, 20000, 20000);
    uint64_t limit = 20000;
    queue(&all, 0, 15000);
    fn_flow_charge(&all.flow, 10000);
    int packets = 0;
    while (all.sent_bytes[0] < 15000 && packets++ < 200) {
        while (all.channels.items[1].send.queued_bytes < 2000)
            queue(&all, 1, 30);
        fill_packet(&all, false);
        limit += 200; /* little by little */
        fn_flow_on_window(&all.flow, limit);
    }
    assert_int_equal(all.sent_bytes[0], 15000);
    close_stand(&all);
}

static void credit_holds_back_lower_priorities_but_not_higher_ones(void **state)
{
    (void)state;
    const FastNetChannelConfig configs[] = {reliable(1, 1), reliable(2, 1), reliable(0, 1)};
    stand all;
    open_stand(&all, configs, 3);
    fn_flow_init(&all.flow, 5000, 5000);
    queue(&all, 0, 6000);
    queue(&all, 1, 10);
    queue(&all, 2, 10);
    fill_packet(&all, false);
    assert_int_equal(all.sent_bytes[0], 0);
    assert_int_equal(all.sent_bytes[1], 0);
    assert_int_equal(all.sent_bytes[2], 10);
    assert_true(all.flow.say_blocked);
    close_stand(&all);
}

static void the_rate_floor_carries_real_time_only(void **state)
{
    (void)state;
    stand all;
    open_stand(&all, fn_channel_table_default, FN_CHANNEL_TABLE_DEFAULT_COUNT);
    for (uint8_t i = 0; i < 4; i++)
        queue(&all, i, 100);
    fill_packet(&all, true);
    for (uint8_t i = 0; i < 4; i++)
        assert_int_equal(all.sent_bytes[i], i == FASTNET_CHANNEL_RELIABLE ? 0 : 100);
    close_stand(&all);
}

static void flushed_means_that_nothing_reliable_is_held(void **state)
{
    (void)state;
    stand all;
    open_stand(&all, fn_channel_table_default, FN_CHANNEL_TABLE_DEFAULT_COUNT);
    assert_true(fn_channels_is_flushed(&all.channels));
    queue(&all, FASTNET_CHANNEL_UNRELIABLE, 100);
    assert_true(fn_channels_is_flushed(&all.channels));
    assert_int_equal(fn_channels_queued_bytes(&all.channels), 164);
    queue(&all, FASTNET_CHANNEL_RELIABLE, 100);
    assert_false(fn_channels_is_flushed(&all.channels));
    while (fill_packet(&all, false) > 0) {
    }
    assert_true(fn_channels_is_flushed(&all.channels));
    assert_int_equal(fn_channels_queued_bytes(&all.channels), 0);
    close_stand(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_exactly_the_channels_that_there_are),
        cmocka_unit_test(a_lower_number_goes_first_in_a_burst),
        cmocka_unit_test(every_priority_gets_an_eighth_while_it_waits),
        cmocka_unit_test(more_than_eight_priorities_share_alike),
        cmocka_unit_test(the_important_priority_keeps_the_rest),
        cmocka_unit_test(files_wait_for_everything_of_the_application),
        cmocka_unit_test(empty_messages_are_not_free),
        cmocka_unit_test(the_rate_floor_knows_no_shares),
        cmocka_unit_test(a_share_does_not_pass_a_message_that_waits_for_credit),
        cmocka_unit_test(shares_follow_the_weights),
        cmocka_unit_test(large_datagrams_overdraw_without_harm),
        cmocka_unit_test(a_blocked_large_message_is_not_starved_by_small_ones),
        cmocka_unit_test(credit_holds_back_lower_priorities_but_not_higher_ones),
        cmocka_unit_test(the_rate_floor_carries_real_time_only),
        cmocka_unit_test(flushed_means_that_nothing_reliable_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
