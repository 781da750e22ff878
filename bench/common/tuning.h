/*
 * tuning.h: how --wait and --keep_warm become fields of FastNetConfig. A setting that this version
 * of the library does not have is left alone, and `tuning_missing` says so.
 */
#ifndef BENCH_COMMON_TUNING_H
#define BENCH_COMMON_TUNING_H

#include "common/options.h"

#include "fastnet.h"

#include <string.h>

#define TUNING_WARM_INTERVAL_US 100

static inline void tuning_apply(FastNetConfig *config, const bench_options *options)
{
#ifdef BENCH_HAVE_SPIN_US
    if (strcmp(options->wait, "block") == 0) {
        config->spin_us = 0;
    }
#endif
#ifdef BENCH_HAVE_KEEP_WARM_US
    config->keep_warm_us = options->keep_warm ? TUNING_WARM_INTERVAL_US : 0;
#endif
    (void)config;
    (void)options;
}

/* Names of the settings that this build of the library lacks, "" = none. */
static inline const char *tuning_missing(void)
{
    return ""
#ifndef BENCH_HAVE_SPIN_US
           "spin_us "
#endif
#ifndef BENCH_HAVE_KEEP_WARM_US
           "keep_warm_us "
#endif
        ;
}

#endif
