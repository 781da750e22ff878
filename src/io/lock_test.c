#include "io/lock.h"

#include <pthread.h>

#include "io/test_support.h"

enum { THREADS = 4, ROUNDS = 20000 };

typedef struct shared {
    fn_lock lock;
    uint64_t halves[2]; /* equal whenever the lock is free */
    uint64_t torn;
} shared;

static void *count(void *argument)
{
    shared *all = argument;
    for (int i = 0; i < ROUNDS; i++) {
        fn_lock_take(&all->lock);
        all->torn += all->halves[0] != all->halves[1] ? 1 : 0;
        all->halves[0]++;
        all->halves[1]++;
        fn_lock_give(&all->lock);
    }
    return NULL;
}

static void one_thread_at_a_time(void **state)
{
    (void)state;
    shared all = {0};
    pthread_t threads[THREADS];
    assert_true(fn_lock_init(&all.lock));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, &all), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(all.halves[0], THREADS * ROUNDS);
    assert_int_equal(all.halves[1], THREADS * ROUNDS);
    assert_int_equal(all.torn, 0);
    fn_lock_destroy(&all.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_thread_at_a_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
