#include "core/channel_table.h"

#include "base/bytes.h"
#include "base/result.h"
#include "base/units.h"

#include <assert.h>
#include <string.h>

#define UNRELIABLE_TIME_TO_LIVE_MS 500

const FastNetChannelConfig fn_channel_table_default[FN_CHANNEL_TABLE_DEFAULT_COUNT] = {
    [FASTNET_CHANNEL_RELIABLE_ORDERED] = {.mode = FASTNET_MODE_RELIABLE_ORDERED,
                                          .priority = 1,
                                          .weight = 1,
                                          .real_time = 1,
                                          .queue_bytes_max = 1u << 20},
    [FASTNET_CHANNEL_UNRELIABLE] = {.mode = FASTNET_MODE_UNRELIABLE,
                                    .priority = 0,
                                    .weight = 1,
                                    .queue_bytes_max = 256u << 10,
                                    .time_to_live_ms = UNRELIABLE_TIME_TO_LIVE_MS},
    [FASTNET_CHANNEL_RELIABLE] = {.mode = FASTNET_MODE_RELIABLE,
                                  .priority = 1,
                                  .weight = 1,
                                  .queue_bytes_max = 1u << 20},
    [FASTNET_CHANNEL_UNRELIABLE_SEQUENCED] = {.mode = FASTNET_MODE_UNRELIABLE_SEQUENCED,
                                              .priority = 0,
                                              .weight = 1,
                                              .queue_bytes_max = 256u << 10,
                                              .time_to_live_ms = UNRELIABLE_TIME_TO_LIVE_MS},
};

const FastNetChannelConfig fn_channel_table_assets = {
    .mode = FASTNET_MODE_RELIABLE,
    .priority = UINT8_MAX,
    .weight = 1,
    .queue_bytes_max = 1u << 20,
};

static bool is_reliable(const FastNetChannelConfig *channel)
{
    return channel->mode == FASTNET_MODE_RELIABLE_ORDERED || channel->mode == FASTNET_MODE_RELIABLE;
}

/* NULL, or what is wrong with the row. */
static const char *find_fault(const FastNetChannelConfig *channel)
{
    if (channel->mode > FASTNET_MODE_UNRELIABLE_SEQUENCED)
        return "mode is none of FastNetChannelMode (0..3)";
    if (channel->weight == 0)
        return "weight is 0; it would never send (1..255)";
    if (channel->real_time > 1)
        return "real_time is neither 0 nor 1";
    if (channel->real_time == 1 && !is_reliable(channel))
        return "real_time is for the reliable modes; unreliable ones are always real-time";
    if (channel->queue_bytes_max == 0)
        return "queue_bytes_max is 0; no message would ever fit";
    if (channel->time_to_live_ms != 0 && is_reliable(channel))
        return "time_to_live_ms is not 0, but a reliable mode never drops a message";
    return NULL;
}

int fn_channel_table_check(const FastNetChannelConfig *channels, uint32_t count,
                           fn_failure *failure)
{
    if (channels == NULL || count == 0 || count > FASTNET_CHANNELS_MAX)
        return fn_failure_set(
            failure, FASTNET_ERR_ARGUMENT, "the channel table has %u channels; it may have 1 to %u",
            channels == NULL ? 0u : (unsigned)count, (unsigned)FASTNET_CHANNELS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        const char *fault = find_fault(&channels[i]);
        if (fault != NULL)
            return fn_failure_set(failure, FASTNET_ERR_ARGUMENT, "channel %u: %s", (unsigned)i,
                                  fault);
    }
    return FASTNET_OK;
}

void fn_channel_table_hash(const FastNetChannelConfig *channels, uint32_t count,
                           uint8_t out[FN_HASH_BYTES])
{
    fn_hash hash;
    fn_hash_start(&hash);
    for (uint32_t i = 0; i < count; i++) {
        const FastNetChannelConfig *channel = &channels[i];
        uint8_t row[13] = {(uint8_t)i, channel->mode, channel->priority, channel->weight,
                           channel->real_time};
        fn_store_be32(row + 5, channel->queue_bytes_max);
        fn_store_be32(row + 9, channel->time_to_live_ms);
        fn_hash_add(&hash, row, sizeof row);
    }
    fn_hash_finish(&hash, out);
}

void fn_channel_table_init(fn_channel_table *table, const FastNetChannelConfig *channels,
                           uint32_t count)
{
    if (channels == NULL) {
        channels = fn_channel_table_default;
        count = FN_CHANNEL_TABLE_DEFAULT_COUNT;
    }
    assert(count >= 1 && count <= FASTNET_CHANNELS_MAX);
    memset(table, 0, sizeof *table);
    memcpy(table->channels, channels, count * sizeof *channels);
    table->channels[count] = fn_channel_table_assets;
    table->application_count = count;
    fn_channel_table_hash(channels, count, table->hash);
}
