#include "core/ack.h"

#include <string.h>

void fn_ack_init(fn_ack_ledger *ledger)
{
    memset(ledger, 0, sizeof(*ledger));
    ledger->unsent_lowest = FN_NEVER;
    ledger->deadline_ns = FN_NEVER;
}

static void range_remove(fn_ack_ledger *ledger, uint32_t index)
{
    ledger->range_count--;
    memmove(&ledger->ranges[index], &ledger->ranges[index + 1],
            (ledger->range_count - index) * sizeof(ledger->ranges[0]));
}

/* False when the number is older than all that there is room for. */
static bool range_insert(fn_ack_ledger *ledger, uint32_t index, uint64_t packet_number)
{
    if (index == FN_ACK_RANGES_MAX)
        return false;
    if (ledger->range_count == FN_ACK_RANGES_MAX)
        ledger->range_count--;
    memmove(&ledger->ranges[index + 1], &ledger->ranges[index],
            (ledger->range_count - index) * sizeof(ledger->ranges[0]));
    ledger->ranges[index] = (fn_ack_range){packet_number, packet_number};
    ledger->range_count++;
    return true;
}

/* The first range that holds the number, touches it, or lies wholly below it. */
static uint32_t range_find(const fn_ack_ledger *ledger, uint64_t packet_number)
{
    uint32_t index = 0;
    while (index < ledger->range_count && ledger->ranges[index].first > packet_number &&
           ledger->ranges[index].first - packet_number > 1)
        index++;
    return index;
}

/* False when the ranges stay as they were. */
static bool range_add(fn_ack_ledger *ledger, uint64_t packet_number)
{
    uint32_t index = range_find(ledger, packet_number);
    if (index == ledger->range_count)
        return range_insert(ledger, index, packet_number);
    fn_ack_range *range = &ledger->ranges[index];
    if (packet_number > range->last) {
        if (packet_number - range->last > 1)
            return range_insert(ledger, index, packet_number);
        range->last = packet_number;
        return true;
    }
    if (packet_number >= range->first)
        return false;
    range->first = packet_number;
    if (index + 1u < ledger->range_count && packet_number - range[1].last == 1) {
        range->first = range[1].first;
        range_remove(ledger, index + 1);
    }
    return true;
}

static bool must_hurry(fn_ack_ledger *ledger, fn_ack_class class, bool in_order)
{
    if (class == FN_ACK_LAZY)
        ledger->lazy_count++;
    if (class == FN_ACK_USUAL)
        ledger->usual_count++;
    return !in_order || class == FN_ACK_URGENT || ledger->usual_count >= FN_ACK_USUAL_EVERY ||
           ledger->lazy_count >= FN_ACK_LAZY_EVERY;
}

void fn_ack_received(fn_ack_ledger *ledger, uint64_t packet_number, uint64_t now_ns,
                     fn_ack_class class)
{
    if (!range_add(ledger, packet_number))
        return;
    bool in_order = packet_number == ledger->next_expected;
    ledger->next_expected = fn_max_u64(ledger->next_expected, packet_number + 1);
    ledger->unsent_lowest = fn_min_u64(ledger->unsent_lowest, packet_number);
    ledger->wanted = true;
    if (ledger->ranges[0].last == packet_number)
        ledger->largest_at_ns = now_ns;
    if (class == FN_ACK_SILENT || ledger->deadline_ns <= now_ns)
        return;
    uint64_t delay_ns = must_hurry(ledger, class, in_order) ? 0 : FN_ACK_DELAY_NS;
    ledger->deadline_ns = fn_min_u64(ledger->deadline_ns, fn_add_saturating(now_ns, delay_ns));
}

void fn_ack_sent(fn_ack_ledger *ledger)
{
    ledger->unsent_lowest = FN_NEVER;
    ledger->deadline_ns = FN_NEVER;
    ledger->lazy_count = 0;
    ledger->usual_count = 0;
    ledger->wanted = false;
}

uint64_t fn_ack_delay_ns(const fn_ack_ledger *ledger, uint64_t now_ns)
{
    return fn_sub_saturating(now_ns, ledger->largest_at_ns);
}

void fn_ack_forget_below(fn_ack_ledger *ledger, uint64_t packet_number)
{
    uint64_t keep_from = fn_min_u64(packet_number, ledger->unsent_lowest);
    while (ledger->range_count > 0 && ledger->ranges[ledger->range_count - 1].last < keep_from)
        ledger->range_count--;
    if (ledger->range_count == 0)
        return;
    fn_ack_range *oldest = &ledger->ranges[ledger->range_count - 1];
    oldest->first = fn_max_u64(oldest->first, keep_from);
}
