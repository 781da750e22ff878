#include "io/lock.h"

#include <assert.h>
#include <pthread.h>

static_assert(sizeof(pthread_mutex_t) <= FN_LOCK_BYTES, "the system's lock fits");
static_assert(alignof(pthread_mutex_t) <= alignof(fn_lock), "and lies as it needs to");

static pthread_mutex_t *fn_mutex_of(fn_lock *lock)
{
    return (pthread_mutex_t *)(void *)lock->system;
}

bool fn_lock_init(fn_lock *lock)
{
    return pthread_mutex_init(fn_mutex_of(lock), NULL) == 0;
}

void fn_lock_destroy(fn_lock *lock)
{
    (void)pthread_mutex_destroy(fn_mutex_of(lock));
}

void fn_lock_take(fn_lock *lock)
{
    int os_error = pthread_mutex_lock(fn_mutex_of(lock));
    assert(os_error == 0);
    (void)os_error;
}

void fn_lock_give(fn_lock *lock)
{
    int os_error = pthread_mutex_unlock(fn_mutex_of(lock));
    assert(os_error == 0);
    (void)os_error;
}
