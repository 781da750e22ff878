#include "common/process.h"

#include "common/report.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static volatile sig_atomic_t stopped;

bool bench_pin(int64_t cpu)
{
    if (cpu < 0) {
        return false;
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        bench_notice("not pinned to core %d (%s): expect more noise", (int)cpu, strerror(errno));
        return false;
    }
    return true;
}

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

void bench_stop_on_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* nothing goes on spinning when bench/run.py is gone */
}

bool bench_stopped(void)
{
    return stopped != 0;
}

uint64_t bench_resident_bytes(pid_t pid)
{
    char path[64];
    char line[128];
    uint64_t kib = 0;
    if (pid) {
        snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    } else {
        snprintf(path, sizeof path, "/proc/self/status");
    }
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "VmRSS: %" SCNu64, &kib) == 1) {
            break;
        }
    }
    if (file) {
        fclose(file);
    }
    return kib * 1024;
}

/* glibc's own entry points: defining malloc in the program counts every caller, libraries too. */
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *block, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

static uint64_t allocations;

#define SEEN_BY_LIBRARIES __attribute__((visibility("default")))

uint64_t bench_allocations(void)
{
    return allocations;
}

SEEN_BY_LIBRARIES void *malloc(size_t bytes)
{
    allocations++;
    return __libc_malloc(bytes);
}

SEEN_BY_LIBRARIES void *calloc(size_t count, size_t bytes)
{
    allocations++;
    return __libc_calloc(count, bytes);
}

SEEN_BY_LIBRARIES void *realloc(void *block, size_t bytes)
{
    allocations++;
    return __libc_realloc(block, bytes);
}

SEEN_BY_LIBRARIES void *aligned_alloc(size_t alignment, size_t bytes)
{
    allocations++;
    return __libc_memalign(alignment, bytes);
}

SEEN_BY_LIBRARIES int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    allocations++;
    *out = __libc_memalign(alignment, bytes);
    return *out ? 0 : ENOMEM;
}
