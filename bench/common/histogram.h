/*
 * histogram.h: counts durations in buckets of under 1 % width; count, sum, smallest and largest
 * value are exact. Adding costs a few instructions and never allocates.
 */
#ifndef BENCH_COMMON_HISTOGRAM_H
#define BENCH_COMMON_HISTOGRAM_H

#include <stdint.h>

enum {
    BENCH_HISTOGRAM_SUB_BITS = 7, /* 128 buckets for each doubling */
    BENCH_HISTOGRAM_BUCKETS = (64 - BENCH_HISTOGRAM_SUB_BITS + 1) << BENCH_HISTOGRAM_SUB_BITS
};

/* All zero = empty. */
typedef struct bench_histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t min;
    uint64_t max;
    uint32_t buckets[BENCH_HISTOGRAM_BUCKETS];
} bench_histogram;

void bench_histogram_add(bench_histogram *histogram, uint64_t value);

/* Adds all values of another histogram. */
void bench_histogram_merge(bench_histogram *into, const bench_histogram *from);

/* The value that `fraction` (0..1) of all values do not exceed; 0 when empty, exact for 0 and 1. */
uint64_t bench_histogram_quantile(const bench_histogram *histogram, double fraction);

double bench_histogram_average(const bench_histogram *histogram);

#endif
