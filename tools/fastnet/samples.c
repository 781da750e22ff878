#include "samples.h"

#include <stdlib.h>

bool samples_start(samples *list, uint64_t capacity)
{
    *list = (samples){.values_ns = calloc(capacity, sizeof(uint64_t)), .capacity = capacity};
    return list->values_ns != NULL;
}

void samples_add(samples *list, uint64_t value_ns)
{
    if (list->count < list->capacity) {
        list->values_ns[list->count++] = value_ns;
    }
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static uint64_t at_permille(const samples *list, uint64_t permille)
{
    uint64_t rank = (list->count * permille + 999) / 1000;
    return list->values_ns[rank > 0 ? rank - 1 : 0];
}

samples_summary samples_summarize(samples *list)
{
    samples_summary summary = {0};
    if (list->count == 0) {
        return summary;
    }
    qsort(list->values_ns, list->count, sizeof(uint64_t), compare);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < list->count; i++) {
        sum += list->values_ns[i];
    }
    summary.min_ns = list->values_ns[0];
    summary.avg_ns = sum / list->count;
    summary.p50_ns = at_permille(list, 500);
    summary.p99_ns = at_permille(list, 990);
    summary.p999_ns = at_permille(list, 999);
    summary.max_ns = list->values_ns[list->count - 1];
    return summary;
}

void samples_stop(samples *list)
{
    free(list->values_ns);
    *list = (samples){0};
}
