#include "io/fork_guard.h"

#include <unistd.h>

#include <sys/mman.h>

/* Linux: MADV_WIPEONFORK; the BSDs: INHERIT_ZERO. */
static bool fn_zero_in_children(void *page, size_t bytes)
{
#if defined(MADV_WIPEONFORK)
    return madvise(page, bytes, MADV_WIPEONFORK) == 0;
#elif defined(INHERIT_ZERO)
    return minherit(page, bytes, INHERIT_ZERO) == 0;
#else
    (void)page;
    (void)bytes;
    return false;
#endif
}

void fn_fork_guard_open(fn_fork_guard *guard)
{
    long bytes = sysconf(_SC_PAGESIZE);
    *guard = (fn_fork_guard){.process = getpid()};
    if (bytes <= 0)
        return;
    void *page =
        mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return;
    if (!fn_zero_in_children(page, (size_t)bytes)) {
        (void)munmap(page, (size_t)bytes);
        return;
    }
    *(uint32_t *)page = 1;
    guard->mark = page;
    guard->page_bytes = (size_t)bytes;
}

void fn_fork_guard_close(fn_fork_guard *guard)
{
    if (guard->mark != NULL)
        (void)munmap((void *)(uintptr_t)guard->mark, guard->page_bytes);
    guard->mark = NULL;
}

bool fn_fork_guard_is_child(const fn_fork_guard *guard)
{
    return guard->mark != NULL ? *guard->mark == 0 : guard->process != getpid();
}
