#include "core/channel.h"

#include "core/channel_table.h"
#include "core/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { CHANNELS_MAX = 4, STORE_BYTES = 8 << 20, PACKET_BYTES = 1150 };

typedef struct stand {
    test_store memory;
    fn_channels channels;
    fn_flow flow;
    fn_list notices;
    uint64_t dropped;
    uint64_t sent_bytes[CHANNELS_MAX];
    uint64_t storage[1024];
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
    fn_channels_free(&all->channels, &all->memory.store);
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
        run.units = fn_send_run_fit(&run, left, &bytes);
        if (run.units == 0) {
            channel->passed = true;
            continue;
        }
        left -= bytes;
        uint64_t id = run.message->id;
        if (channel->send.reliable && run.first_unit == 0)
            fn_flow_charge(&all->flow, run.message->bytes);
        all->sent_bytes[channel->send.channel] += bytes;
        fn_send_queue_take(&channel->send, &all->memory.store, &run);
        fn_channels_sent(&all->channels, channel, bytes);
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

static void a_lower_number_goes_first_whatever_waits(void **state)
{
    (void)state;
    const FastNetChannelConfig configs[] = {reliable(5, 1), reliable(1, 1), reliable(3, 1)};
    stand all;
    open_stand(&all, configs, 3);
    for (uint8_t i = 0; i < 3; i++)
        for (int k = 0; k < 10; k++)
            queue(&all, i, 1000);
    for (int i = 0; i < 10; i++)
        fill_packet(&all, false);
    assert_int_equal(all.sent_bytes[1], 10000);
    assert_int_equal(all.sent_bytes[0] + all.sent_bytes[2], 0);
    for (int i = 0; i < 10; i++)
        fill_packet(&all, false);
    assert_int_equal(all.sent_bytes[2], 10000);
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
        cmocka_unit_test(a_lower_number_goes_first_whatever_waits),
        cmocka_unit_test(shares_follow_the_weights),
        cmocka_unit_test(large_datagrams_overdraw_without_harm),
        cmocka_unit_test(a_blocked_large_message_is_not_starved_by_small_ones),
        cmocka_unit_test(credit_holds_back_lower_priorities_but_not_higher_ones),
        cmocka_unit_test(the_rate_floor_carries_real_time_only),
        cmocka_unit_test(flushed_means_that_nothing_reliable_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
