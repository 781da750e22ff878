/*
 * process.h: what a benchmark asks of its own process and of the server's.
 */
#ifndef BENCH_COMMON_PROCESS_H
#define BENCH_COMMON_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Keeps this process on one core; says so, and goes on, when that is
 * not permitted. -1 = no wish. */
bool bench_pin(int64_t cpu);

/* True once SIGTERM or SIGINT came (bench_stop_on_signals() asks for that). */
void bench_stop_on_signals(void);
bool bench_stopped(void);

/* Resident memory in bytes of a process (0 = this one); 0 when it cannot be read. */
uint64_t bench_resident_bytes(pid_t pid);

/* How often malloc, calloc, realloc or an aligned variant was called in this process so far. */
uint64_t bench_allocations(void);

#endif
