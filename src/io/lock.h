/* A lock between threads, for the few places where endpoints meet. Held for microseconds. */
#ifndef FN_IO_LOCK_H
#define FN_IO_LOCK_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>

enum { FN_LOCK_BYTES = 64 };

/* Private; must not move once initialised. */
typedef struct fn_lock {
    alignas(16) unsigned char system[FN_LOCK_BYTES];
} fn_lock;

/* False: the system has no room for another one. */
bool fn_lock_init(fn_lock *lock);
void fn_lock_destroy(fn_lock *lock);

/* Waits for whoever holds it. */
void fn_lock_take(fn_lock *lock);
void fn_lock_give(fn_lock *lock);

#endif
