/*
 * tuning.h: how --wait, --tuning and --keep_warm become settings of FastNet. A setting that this
 * version of the library does not have is left alone.
 */
#ifndef BENCH_COMMON_TUNING_H
#define BENCH_COMMON_TUNING_H

#include "common/clock.h"
#include "common/options.h"

#include "fastnet.h"
#ifdef BENCH_HAVE_SOCKET
#include "fastnet/tuning.h"
#endif

#include <string.h>

#define TUNING_WARM_INTERVAL_US 100

static inline void tuning_apply(FastNetConfig *config, const bench_options *options)
{
#ifdef BENCH_HAVE_SPIN_US
    if (strcmp(options->wait, "block") == 0) {
        config->spin_us = 0;
    } else if (strcmp(options->wait, "spin") == 0) {
        config->spin_us = FASTNET_SPIN_ALWAYS;
    }
#endif
#ifdef BENCH_HAVE_KEEP_WARM_US
    config->keep_warm_us = options->keep_warm ? TUNING_WARM_INTERVAL_US : 0;
#endif
#ifdef BENCH_HAVE_SOCKET
    static FastNetSocketConfig chosen;
    if (strcmp(options->tuning, "latency") == 0) {
        chosen = fastnet_socket_config_low_latency();
        config->socket = &chosen;
    } else if (strcmp(options->tuning, "throughput") == 0) {
        chosen = fastnet_socket_config_high_throughput();
        config->socket = &chosen;
    }
#endif
    (void)config;
    (void)options;
}

/* What to give fastnet_poll(): where it can spin by itself, it shall. */
static inline uint32_t tuning_timeout_us(const bench_options *options, uint64_t timeout_ns)
{
#ifndef BENCH_HAVE_SPIN_US
    if (strcmp(options->wait, "spin") == 0) {
        return 0;
    }
#endif
    (void)options;
    return (uint32_t)(timeout_ns / BENCH_NS_PER_US);
}

#endif
