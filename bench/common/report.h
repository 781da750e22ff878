/*
 * report.h: what a benchmark program says: one JSON object per line on standard output, for
 * bench/run.py. Sentences for people go to standard error.
 */
#ifndef BENCH_COMMON_REPORT_H
#define BENCH_COMMON_REPORT_H

#include "common/histogram.h"

#include <stdint.h>

/* Begins a line {"kind": kind, ... and ends it; fields go between, one line at a time. */
void bench_report_begin(const char *kind);
void bench_report_text(const char *name, const char *value);
void bench_report_count(const char *name, uint64_t value);
void bench_report_number(const char *name, double value);

/* {"count", "avg", "p50", "p99", "p999", "max", "curve": [[fraction,
 * value], ...]}, same unit as added. */
void bench_report_histogram(const char *name, const bench_histogram *histogram);
void bench_report_end(void);

/* Says one sentence on standard error, with the program's name, and
 * ends the program with code 1. */
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same without ending it. */
void bench_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
