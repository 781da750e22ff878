#include "core/replay.h"

#include "base/bits.h"
#include "base/units.h"

#include <string.h>

void fn_replay_init(fn_replay *replay, uint64_t *words, uint32_t window)
{
    assert(window >= FN_REPLAY_WINDOW_MIN && fn_bits_power_of_two(window));
    memset(words, 0, fn_replay_words(window) * sizeof(*words));
    *replay = (fn_replay){.words = words, .window = window};
}

static uint64_t bit_index(const fn_replay *replay, uint64_t packet_number)
{
    return packet_number & (replay->window - 1);
}

static bool bit_get(const fn_replay *replay, uint64_t packet_number)
{
    uint64_t index = bit_index(replay, packet_number);
    return (replay->words[index / 64] >> (index % 64) & 1) != 0;
}

static void bits_clear(fn_replay *replay, uint64_t first, uint64_t count)
{
    while (count > 0) {
        uint64_t index = bit_index(replay, first);
        uint64_t run = fn_min_u64(count, 64 - index % 64);
        uint64_t mask = (UINT64_MAX >> (64 - run)) << (index % 64);
        replay->words[index / 64] &= ~mask;
        first += run;
        count -= run;
    }
}

bool fn_replay_check(const fn_replay *replay, uint64_t packet_number)
{
    if (!replay->any || packet_number > replay->largest)
        return true;
    if (replay->largest - packet_number >= replay->window)
        return false;
    return !bit_get(replay, packet_number);
}

void fn_replay_accept(fn_replay *replay, uint64_t packet_number)
{
    assert(fn_replay_check(replay, packet_number));
    if (!replay->any || packet_number > replay->largest) {
        uint64_t passed = replay->any ? packet_number - replay->largest : 0;
        bits_clear(replay, replay->largest + 1, fn_min_u64(passed, replay->window));
        replay->largest = packet_number;
        replay->any = true;
    }
    uint64_t index = bit_index(replay, packet_number);
    replay->words[index / 64] |= UINT64_C(1) << (index % 64);
}
