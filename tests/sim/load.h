/*
 * load.h: what an application sends: how often, on which channels, how long.
 */
#ifndef FN_SIM_LOAD_H
#define FN_SIM_LOAD_H

#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

enum { FN_WORLD_CHANNELS = 4 };

/* What one side's application sends. */
typedef struct fn_load {
    uint64_t interval_ns; /* between sends, on average; 0 = sends nothing */
    uint64_t bulk_bytes;  /* in all, on bulk_channel, as fast as it takes them */
    uint32_t bulk_message_bytes;
    uint32_t weights[FN_WORLD_CHANNELS];
    uint32_t message_bytes_max;
    uint32_t fixed_bytes; /* all messages that long; 0 = mixed sizes */
    uint32_t tagged_permille;
    uint8_t bulk_channel;
    bool regular; /* exactly every interval_ns */
} fn_load;

/* Many small messages, some of a few datagrams, few large ones. */
uint32_t fn_load_draw_bytes(const fn_load *load, fn_rng *rng);

/* By the weights, of which one is not 0. */
uint8_t fn_load_draw_channel(const fn_load *load, fn_rng *rng);

uint32_t fn_load_weight_sum(const fn_load *load);

#endif
