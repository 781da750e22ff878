#include "core/channel.h"

#include "base/bits.h"
#include "base/units.h"
#include "core/channel_table.h"

#include <limits.h>
#include <string.h>

enum {
    LIBRARY_PRIORITY = UINT8_MAX + 1, /* after every one that an application can choose */
    OWED_BYTES_MIN = FN_CHANNEL_SHARE * FN_CHANNEL_QUANTUM, /* then it goes first */
    OWED_BYTES_MAX = OWED_BYTES_MIN + (64 << 10) /* and what fills one datagram before it can */
};

size_t fn_channels_bytes(uint32_t application_count)
{
    size_t count = (size_t)application_count + FN_CHANNEL_LIBRARY_COUNT;
    return count * (sizeof(fn_channel) + sizeof(fn_channel_level)) + fn_align_up(count, 8);
}

static void init_channel(fn_channel *channel, uint8_t number, const FastNetChannelConfig *config)
{
    memset(channel, 0, sizeof *channel);
    fn_send_queue_init(&channel->send, number, config->mode);
    fn_receive_queue_init(&channel->receive, number, config->mode);
    channel->queue_bytes_max = config->queue_bytes_max;
    channel->time_to_live_ns =
        config->time_to_live_ms == 0 ? FN_NEVER : config->time_to_live_ms * FN_NS_PER_MS;
    channel->priority = config->priority;
    channel->weight = config->weight;
    channel->real_time = !channel->send.reliable || config->real_time != 0;
}

/* Insertion sort: few items, once per connection, and equal priorities keep their order. */
static void sort_by_priority(fn_channels *channels)
{
    for (uint32_t i = 0; i < channels->count; i++) {
        uint32_t at = i;
        uint16_t priority = channels->items[i].priority;
        while (at > 0 && channels->items[channels->order[at - 1]].priority > priority) {
            channels->order[at] = channels->order[at - 1];
            at--;
        }
        channels->order[at] = (uint8_t)i;
    }
}

static void find_levels(fn_channels *channels)
{
    channels->level_count = 0;
    for (uint32_t place = 0; place < channels->count; place++) {
        fn_channel *channel = &channels->items[channels->order[place]];
        if (place == 0 || channels->items[channels->order[place - 1]].priority != channel->priority)
            channels->levels[channels->level_count++] =
                (fn_channel_level){.first = (uint8_t)place, .turn = (uint8_t)place};
        channel->level = (uint8_t)(channels->level_count - 1);
        channels->levels[channel->level].end = (uint8_t)(place + 1);
    }
}

void fn_channels_init(fn_channels *channels, void *memory, const FastNetChannelConfig *configs,
                      uint32_t application_count)
{
    channels->count = application_count + FN_CHANNEL_LIBRARY_COUNT;
    channels->items = memory;
    channels->levels = (fn_channel_level *)(channels->items + channels->count);
    channels->order = (uint8_t *)(channels->levels + channels->count);
    for (uint32_t i = 0; i < application_count; i++)
        init_channel(&channels->items[i], (uint8_t)i, &configs[i]);
    init_channel(&channels->items[application_count], FN_CHANNEL_ASSETS, &fn_channel_table_assets);
    channels->items[application_count].priority = LIBRARY_PRIORITY;
    sort_by_priority(channels);
    find_levels(channels);
}

void fn_channels_free(fn_channels *channels, fn_store *store, fn_unfinished *unfinished)
{
    for (uint32_t i = 0; i < channels->count; i++) {
        fn_send_queue_free(&channels->items[i].send, store);
        fn_receive_queue_free(&channels->items[i].receive, store, unfinished);
    }
}

void fn_channels_abandon(fn_channels *channels, fn_store *store, fn_unfinished *unfinished,
                         fn_send_outcome *outcome)
{
    for (uint32_t i = 0; i < channels->count; i++) {
        fn_send_queue_abandon(&channels->items[i].send, store, outcome);
        fn_receive_queue_free(&channels->items[i].receive, store, unfinished);
    }
    memset(channels->busy, 0, sizeof channels->busy);
    channels->partials = false;
}

fn_channel *fn_channels_find(const fn_channels *channels, uint8_t number)
{
    uint32_t application_count = channels->count - FN_CHANNEL_LIBRARY_COUNT;
    if (number < application_count)
        return &channels->items[number];
    return number == FN_CHANNEL_ASSETS ? &channels->items[application_count] : NULL;
}

/* --- who may have something to send --- */

void fn_channels_touch(fn_channels *channels, const fn_channel *channel)
{
    size_t item = (size_t)(channel - channels->items);
    channels->busy[item / 64] |= UINT64_C(1) << item % 64;
}

uint32_t fn_channels_busy_from(const fn_channels *channels, uint32_t from)
{
    while (from < channels->count) {
        uint64_t rest = channels->busy[from / 64] >> from % 64;
        if (rest != 0)
            return from + fn_bits_lowest(rest);
        from = (from / 64 + 1) * 64;
    }
    return channels->count;
}

/* The only one that may: it needs no turn. count when there is none, or more. */
static uint32_t find_lone(const fn_channels *channels)
{
    uint32_t first = fn_channels_busy_from(channels, 0);
    bool lone =
        first < channels->count && fn_channels_busy_from(channels, first + 1) == channels->count;
    return lone ? first : channels->count;
}

void fn_channels_begin(fn_channels *channels)
{
    uint32_t i = fn_channels_busy_from(channels, 0);
    for (; i < channels->count; i = fn_channels_busy_from(channels, i + 1)) {
        fn_channel *channel = &channels->items[i];
        channel->passed = false;
        if (!fn_send_queue_empty(&channel->send))
            continue;
        channel->deficit_bytes = channel->deficit_bytes > 0 ? 0 : channel->deficit_bytes;
        channels->busy[i / 64] &= ~(UINT64_C(1) << i % 64);
    }
}

static bool begins_reliable(const fn_channel *channel, const fn_send_run *run)
{
    return channel->send.reliable && !run->again && run->first_unit == 0;
}

/* What the channel would send, if the permit allows it. *credit_blocked_from: no new reliable
 * message of that priority or a lower one may begin. */
static bool offer(fn_channel *channel, const fn_channel_permit *permit, int *credit_blocked_from,
                  fn_send_run *run)
{
    if (channel->passed || channel->send.queued_bytes == 0)
        return false;
    *run = fn_send_queue_next(&channel->send, permit->message_window);
    if (run->message == NULL)
        return false;
    if (permit->real_time_only && (!channel->real_time || run->again))
        return false;
    if (!begins_reliable(channel, run))
        return true;
    if (channel->priority >= *credit_blocked_from)
        return false;
    if (fn_flow_may_send(permit->flow, run->message->bytes))
        return true;
    *credit_blocked_from = channel->priority;
    return false;
}

/* One priority, once round from where the turn is. Who is reached without any bytes left gets its
 * quantum. What was not used because something did not fit or may not leave now is kept, that of an
 * empty queue is not. */
static fn_channel *once_round(fn_channels *channels, const fn_channel_level *level,
                              const fn_channel_permit *permit, int *credit_blocked_from,
                              fn_send_run *run, bool *overdrawn)
{
    uint32_t count = level->end - level->first;
    uint32_t place = level->turn;
    for (uint32_t i = 0; i < count;
         i++, place = place + 1 < level->end ? place + 1 : level->first) {
        fn_channel *channel = &channels->items[channels->order[place]];
        if (fn_send_queue_empty(&channel->send)) {
            channel->deficit_bytes = channel->deficit_bytes > 0 ? 0 : channel->deficit_bytes;
            continue;
        }
        if (!offer(channel, permit, credit_blocked_from, run))
            continue;
        if (channel->deficit_bytes <= 0)
            channel->deficit_bytes += (int32_t)channel->weight * FN_CHANNEL_QUANTUM;
        *overdrawn = true;
        if (channel->deficit_bytes > 0)
            return channel;
    }
    return NULL;
}

/* Large datagrams overdraw by many quanta: another round pays some back. */
static fn_channel *next_of_level(fn_channels *channels, const fn_channel_level *level,
                                 const fn_channel_permit *permit, int *credit_blocked_from,
                                 fn_send_run *run)
{
    fn_channel *channel = NULL;
    bool overdrawn = true;
    while (channel == NULL && overdrawn) {
        overdrawn = false;
        channel = once_round(channels, level, permit, credit_blocked_from, run, &overdrawn);
    }
    return channel;
}

/* Nobody else waits for what it takes too much. */
static fn_channel *next_of_lone(fn_channel *channel, const fn_channel_permit *permit,
                                int *credit_blocked_from, fn_send_run *run)
{
    if (!offer(channel, permit, credit_blocked_from, run)) {
        run->message = NULL;
        return NULL;
    }
    if (channel->deficit_bytes <= 0)
        channel->deficit_bytes = (int32_t)channel->weight * FN_CHANNEL_QUANTUM;
    return channel;
}

static bool offers(fn_channels *channels, const fn_channel_level *level,
                   const fn_channel_permit *permit, int *credit_blocked_from)
{
    bool any = false;
    fn_send_run run;
    for (uint32_t place = level->first; place < level->end; place++)
        any |= offer(&channels->items[channels->order[place]], permit, credit_blocked_from, &run);
    return any;
}

/* The level that is owed the most, if it is a quantum and something of it may leave. Every level is
 * asked, the most important one first: a message of theirs that waits for credit holds back those
 * behind it. */
static fn_channel_level *most_owed(fn_channels *channels, const fn_channel_permit *permit,
                                   int *credit_blocked_from)
{
    fn_channel_level *most = NULL;
    channels->any_owed = false;
    for (uint32_t i = 0; i < channels->level_count; i++) {
        fn_channel_level *level = &channels->levels[i];
        bool may = offers(channels, level, permit, credit_blocked_from);
        if (level->owed < OWED_BYTES_MIN)
            continue;
        channels->any_owed = true;
        if (may && (most == NULL || level->owed > most->owed))
            most = level;
    }
    return most;
}

fn_channel *fn_channels_next(fn_channels *channels, const fn_channel_permit *permit,
                             fn_send_run *run)
{
    int credit_blocked_from = INT_MAX;
    channels->out_of_turn = false;
    uint32_t lone = find_lone(channels);
    if (lone < channels->count)
        return next_of_lone(&channels->items[lone], permit, &credit_blocked_from, run);
    fn_channel *channel = NULL;
    if (channels->any_owed && !permit->real_time_only) {
        fn_channel_level *level = most_owed(channels, permit, &credit_blocked_from);
        if (level != NULL)
            channel = next_of_level(channels, level, permit, &credit_blocked_from, run);
        channels->out_of_turn = channel != NULL;
    }
    for (uint32_t i = 0; channel == NULL && i < channels->level_count; i++)
        channel = next_of_level(channels, &channels->levels[i], permit, &credit_blocked_from, run);
    if (channel == NULL)
        run->message = NULL;
    return channel;
}

/* Every level of the application that has waited meanwhile is owed its part; whose turn it was
 * has no debts for it. */
static void settle(fn_channels *channels, fn_channel_level *sender, int32_t bytes)
{
    channels->sends++;
    uint32_t i = fn_channels_busy_from(channels, 0);
    for (; i < channels->count; i = fn_channels_busy_from(channels, i + 1)) {
        const fn_channel *channel = &channels->items[i];
        fn_channel_level *level = &channels->levels[channel->level];
        if (level == sender || level->sends == channels->sends ||
            channel->priority == LIBRARY_PRIORITY || !fn_send_queue_waiting(&channel->send))
            continue;
        level->sends = channels->sends;
        level->owed = level->owed < OWED_BYTES_MAX ? level->owed + bytes : level->owed;
        channels->any_owed |= level->owed >= OWED_BYTES_MIN;
    }
    int32_t least = channels->out_of_turn ? INT32_MIN : sender->owed < 0 ? sender->owed : 0;
    sender->owed -= (FN_CHANNEL_SHARE - 1) * bytes;
    sender->owed = sender->owed < least ? least : sender->owed;
}

static uint8_t next_place(const fn_channel_level *level, uint32_t place)
{
    return (uint8_t)(place + 1 < level->end ? place + 1 : level->first);
}

/* The turn stays while its channel has bytes left to send, also when another one fills what is left
 * of a packet, where its own next message did not fit. */
void fn_channels_sent(fn_channels *channels, fn_channel *channel, uint32_t bytes)
{
    channel->deficit_bytes -= (int32_t)bytes;
    if (find_lone(channels) < channels->count)
        return;
    fn_channel_level *level = &channels->levels[channel->level];
    settle(channels, level, (int32_t)bytes);
    if (channels->items[channels->order[level->turn]].passed)
        return;
    while (&channels->items[channels->order[level->turn]] != channel)
        level->turn = next_place(level, level->turn);
    if (channel->deficit_bytes <= 0)
        level->turn = next_place(level, level->turn);
}

uint64_t fn_channels_queued_bytes(const fn_channels *channels)
{
    uint64_t bytes = 0;
    uint32_t i = fn_channels_busy_from(channels, 0);
    for (; i < channels->count; i = fn_channels_busy_from(channels, i + 1))
        bytes += channels->items[i].send.queued_bytes;
    return bytes;
}

bool fn_channels_is_flushed(const fn_channels *channels)
{
    uint32_t i = fn_channels_busy_from(channels, 0);
    for (; i < channels->count; i = fn_channels_busy_from(channels, i + 1))
        if (channels->items[i].send.reliable && !fn_send_queue_empty(&channels->items[i].send))
            return false;
    return true;
}

void fn_channels_expire(fn_channels *channels, fn_store *store, uint64_t now_ns,
                        fn_send_outcome *outcome)
{
    uint32_t i = fn_channels_busy_from(channels, 0);
    for (; i < channels->count; i = fn_channels_busy_from(channels, i + 1))
        fn_send_queue_expire(&channels->items[i].send, store, now_ns, outcome);
}

uint32_t fn_channels_expire_partials(fn_channels *channels, fn_store *store, uint64_t now_ns)
{
    uint32_t expired = 0;
    bool any = false;
    for (uint32_t i = 0; channels->partials && i < channels->count; i++) {
        fn_receive_queue *queue = &channels->items[i].receive;
        if (fn_list_empty(&queue->partials))
            continue;
        expired += fn_receive_queue_expire(queue, store, now_ns);
        any |= !fn_list_empty(&queue->partials);
    }
    channels->partials = any;
    return expired;
}

uint32_t fn_channels_drop_partials(fn_channels *channels, fn_store *store)
{
    uint32_t dropped = 0;
    for (uint32_t i = 0; channels->partials && i < channels->count; i++)
        dropped += fn_receive_queue_drop_partials(&channels->items[i].receive, store);
    channels->partials = false;
    return dropped;
}

uint64_t fn_channels_deadline(const fn_channels *channels)
{
    uint64_t deadline = FN_NEVER;
    for (uint32_t i = 0; channels->partials && i < channels->count; i++) {
        const fn_receive_queue *queue = &channels->items[i].receive;
        if (!fn_list_empty(&queue->partials))
            deadline = fn_min_u64(deadline, fn_receive_queue_deadline(queue));
    }
    return deadline;
}
