/* Round trip times and what is said about them. */
#ifndef TOOL_SAMPLES_H
#define TOOL_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct samples {
    uint64_t *values_ns;
    uint64_t count;
    uint64_t capacity;
} samples;

/* Nanoseconds; percentiles by nearest rank: the smallest sample that at least that share reach. */
typedef struct samples_summary {
    uint64_t min_ns, avg_ns, p50_ns, p99_ns, p999_ns, max_ns;
} samples_summary;

/* False when memory is out. Room for all is taken at once: measuring allocates nothing. */
bool samples_start(samples *list, uint64_t capacity);

/* Beyond the capacity it is ignored. */
void samples_add(samples *list, uint64_t value_ns);

/* Sorts; all zero when there is no sample. */
samples_summary samples_summarize(samples *list);

void samples_stop(samples *list);

#endif
