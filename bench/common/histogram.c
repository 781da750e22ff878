#include "common/histogram.h"

#define SUB_BUCKETS (UINT64_C(1) << BENCH_HISTOGRAM_SUB_BITS)

static uint32_t bucket_of(uint64_t value)
{
    if (value < SUB_BUCKETS) {
        return (uint32_t)value;
    }
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(value) - BENCH_HISTOGRAM_SUB_BITS;
    return (uint32_t)(((uint64_t)shift << BENCH_HISTOGRAM_SUB_BITS) + (value >> shift));
}

/* The middle of a bucket. */
static uint64_t value_of(uint32_t bucket)
{
    if (bucket < 2 * SUB_BUCKETS) {
        return bucket;
    }
    uint32_t shift = (bucket >> BENCH_HISTOGRAM_SUB_BITS) - 1;
    uint64_t low = (bucket & (SUB_BUCKETS - 1)) + SUB_BUCKETS;
    return (low << shift) + ((UINT64_C(1) << shift) >> 1);
}

void bench_histogram_add(bench_histogram *histogram, uint64_t value)
{
    if (histogram->count == 0 || value < histogram->min) {
        histogram->min = value;
    }
    if (value > histogram->max) {
        histogram->max = value;
    }
    histogram->count++;
    histogram->sum += value;
    histogram->buckets[bucket_of(value)]++;
}

void bench_histogram_merge(bench_histogram *into, const bench_histogram *from)
{
    if (from->count == 0) {
        return;
    }
    if (into->count == 0 || from->min < into->min) {
        into->min = from->min;
    }
    if (from->max > into->max) {
        into->max = from->max;
    }
    into->count += from->count;
    into->sum += from->sum;
    for (uint32_t i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
        into->buckets[i] += from->buckets[i];
    }
}

uint64_t bench_histogram_quantile(const bench_histogram *histogram, double fraction)
{
    if (fraction <= 0 || histogram->count == 0) {
        return histogram->min;
    }
    double wanted = fraction * (double)histogram->count;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if ((double)seen >= wanted && seen > 0) {
            uint64_t value = value_of(i);
            return fraction >= 1 || value > histogram->max ? histogram->max : value;
        }
    }
    return histogram->max;
}

double bench_histogram_average(const bench_histogram *histogram)
{
    return histogram->count ? (double)histogram->sum / (double)histogram->count : 0;
}
