#include "common/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const double curve_fractions[] = {0,     0.01,  0.05,   0.1,    0.2,    0.3,  0.4,  0.5,
                                         0.6,   0.7,   0.8,    0.9,    0.95,   0.98, 0.99, 0.995,
                                         0.998, 0.999, 0.9995, 0.9998, 0.9999, 1};

void bench_report_begin(const char *kind)
{
    printf("{\"kind\":\"%s\"", kind);
}

/* Only our own constants and numbers become text: nothing in them needs escaping. */
void bench_report_text(const char *name, const char *value)
{
    printf(",\"%s\":\"%s\"", name, value);
}

void bench_report_count(const char *name, uint64_t value)
{
    printf(",\"%s\":%" PRIu64, name, value);
}

void bench_report_number(const char *name, double value)
{
    printf(",\"%s\":%.6g", name, value);
}

void bench_report_histogram(const char *name, const bench_histogram *histogram)
{
    printf(",\"%s\":{\"count\":%" PRIu64 ",\"avg\":%.1f", name, histogram->count,
           bench_histogram_average(histogram));
    printf(",\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"p999\":%" PRIu64 ",\"max\":%" PRIu64,
           bench_histogram_quantile(histogram, 0.5), bench_histogram_quantile(histogram, 0.99),
           bench_histogram_quantile(histogram, 0.999), histogram->max);
    printf(",\"curve\":[");
    for (size_t i = 0; i < sizeof curve_fractions / sizeof *curve_fractions; i++) {
        printf("%s[%g,%" PRIu64 "]", i ? "," : "", curve_fractions[i],
               bench_histogram_quantile(histogram, curve_fractions[i]));
    }
    printf("]}");
}

void bench_report_end(void)
{
    printf("}\n");
    fflush(stdout);
}

static void say(const char *format, va_list arguments)
{
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

void bench_notice(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}

void bench_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    exit(1);
}
