#include "load.h"

#include "base/units.h"

uint32_t fn_load_draw_bytes(const fn_load *load, fn_rng *rng)
{
    if (load->fixed_bytes != 0)
        return load->fixed_bytes;
    uint64_t kind = fn_rng_below(rng, 1000);
    uint64_t most = kind < 100   ? 9
                    : kind < 700 ? 200
                    : kind < 850 ? 1400
                    : kind < 980 ? 8192
                                 : 262144;
    most = fn_min_u64(most, load->message_bytes_max);
    return (uint32_t)fn_rng_between(rng, 0, most);
}

uint32_t fn_load_weight_sum(const fn_load *load)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < FN_WORLD_CHANNELS; i++)
        sum += load->weights[i];
    return sum;
}

uint8_t fn_load_draw_channel(const fn_load *load, fn_rng *rng)
{
    uint64_t drawn = fn_rng_below(rng, fn_load_weight_sum(load));
    uint8_t channel = 0;
    while (drawn >= load->weights[channel])
        drawn -= load->weights[channel++];
    return channel;
}
