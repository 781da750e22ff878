#include "io/poller.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/socket.h>

#include "io/clock.h"
#include "io/test_support.h"

#define CAPACITY   4
#define NS_PER_MS  UINT64_C(1000000)
#define WAKERS     4
#define WAKES_EACH 2000

static fn_poller *open_poller(void)
{
    size_t bytes = fn_poller_memory_bytes(CAPACITY);
    fn_poller *poller = malloc(sizeof *poller);
    assert_int_equal(fn_poller_open(poller, bytes > 0 ? malloc(bytes) : NULL, CAPACITY, NULL),
                     FASTNET_OK);
    return poller;
}

static void close_poller(fn_poller *poller)
{
    fn_poller_close(poller);
    free(poller->memory);
    free(poller);
}

typedef struct test_pipe {
    int ours, theirs;
} test_pipe;

static test_pipe open_pipe(void)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    return (test_pipe){ends[0], ends[1]};
}

static void close_pipe(const test_pipe *both)
{
    close(both->ours);
    close(both->theirs);
}

static void say(const test_pipe *both)
{
    assert_int_equal(write(both->theirs, "x", 1), 1);
}

static size_t wait_ms(fn_poller *poller, uint64_t ms, fn_poll_event *events, size_t capacity)
{
    return fn_poller_wait(poller, ms * NS_PER_MS, events, capacity);
}

static void readiness_comes_with_its_token(void **state)
{
    fn_poller *poller = open_poller();
    test_pipe a = open_pipe(), b = open_pipe();
    fn_poll_event events[CAPACITY];
    (void)state;
    assert_int_equal(fn_poller_add(poller, a.ours, 0xa000000000000001, FN_POLL_READ, NULL), 0);
    assert_int_equal(fn_poller_add(poller, b.ours, 7, FN_POLL_READ | FN_POLL_WRITE, NULL), 0);
    assert_int_equal(wait_ms(poller, 100, events, CAPACITY), 1);
    assert_int_equal(events[0].token, 7);
    assert_int_equal(events[0].ready, FN_POLL_WRITE);
    say(&b);
    assert_int_equal(wait_ms(poller, 100, events, CAPACITY), 1);
    assert_int_equal(events[0].ready, FN_POLL_READ | FN_POLL_WRITE);
    assert_int_equal(fn_poller_modify(poller, b.ours, 8, 0, NULL), 0);
    say(&a);
    assert_int_equal(wait_ms(poller, 100, events, CAPACITY), 1);
    assert_int_equal(events[0].token, 0xa000000000000001);
    assert_int_equal(events[0].ready, FN_POLL_READ);
    assert_int_equal(fn_poller_modify(poller, b.ours, 9, FN_POLL_READ, NULL), 0);
    assert_int_equal(wait_ms(poller, 0, events, CAPACITY), 2);
    assert_int_equal(events[0].token == 9 ? events[1].token : events[0].token, 0xa000000000000001);
    fn_poller_remove(poller, a.ours);
    fn_poller_remove(poller, a.ours);
    assert_int_equal(wait_ms(poller, 100, events, CAPACITY), 1);
    assert_int_equal(events[0].token, 9);
    assert_int_equal(events[0].ready, FN_POLL_READ);
    close_poller(poller);
    close_pipe(&a);
    close_pipe(&b);
}

static void misuse_is_reported(void **state)
{
    fn_poller *poller = open_poller();
    test_pipe pipes[CAPACITY + 1];
    fn_io_error error;
    (void)state;
    for (size_t i = 0; i <= CAPACITY; i++)
        pipes[i] = open_pipe();
    assert_int_equal(fn_poller_modify(poller, pipes[0].ours, 1, FN_POLL_READ, NULL),
                     FASTNET_ERR_SYSTEM);
    for (size_t i = 0; i < CAPACITY; i++)
        assert_int_equal(fn_poller_add(poller, pipes[i].ours, i, FN_POLL_READ, NULL), 0);
    assert_int_equal(fn_poller_add(poller, pipes[CAPACITY].ours, 9, FN_POLL_READ, &error),
                     FASTNET_ERR_LIMIT);
    assert_string_equal(error.text, "no more than 4 sockets fit here");
    fn_poller_remove(poller, pipes[1].ours);
    assert_int_equal(fn_poller_add(poller, pipes[0].ours, 9, FN_POLL_READ, NULL),
                     FASTNET_ERR_SYSTEM);
    assert_int_equal(fn_poller_add(poller, pipes[CAPACITY].ours, 9, FN_POLL_READ, NULL), 0);
    close_poller(poller);
    for (size_t i = 0; i <= CAPACITY; i++)
        close_pipe(&pipes[i]);
}

static void nobody_starves_in_a_short_array(void **state)
{
    fn_poller *poller = open_poller();
    test_pipe pipes[3];
    unsigned seen = 0;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        pipes[i] = open_pipe();
        say(&pipes[i]);
        assert_int_equal(fn_poller_add(poller, pipes[i].ours, i, FN_POLL_READ, NULL), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        fn_poll_event event;
        assert_int_equal(wait_ms(poller, 100, &event, 1), 1);
        seen |= 1u << event.token;
    }
    assert_int_equal(seen, 7);
    close_poller(poller);
    for (size_t i = 0; i < 3; i++)
        close_pipe(&pipes[i]);
}

static void a_broken_socket_is_ready_for_both(void **state)
{
    fn_poller *poller = open_poller();
    test_pipe both = open_pipe();
    fn_poll_event event;
    (void)state;
    assert_int_equal(fn_poller_add(poller, both.ours, 5, FN_POLL_READ, NULL), 0);
    close(both.theirs);
    assert_int_equal(wait_ms(poller, 100, &event, 1), 1);
    assert_int_equal(event.ready, FN_POLL_READ | FN_POLL_WRITE);
    close_poller(poller);
    close(both.ours);
}

static void a_broken_socket_without_interest_does_not_spin(void **state)
{
    fn_poller *poller = open_poller();
    test_pipe both = open_pipe();
    fn_poll_event event;
    (void)state;
    assert_int_equal(fn_poller_add(poller, both.ours, 5, 0, NULL), 0);
    close(both.theirs);
    (void)wait_ms(poller, 1, &event, 1);
    uint64_t start = fn_clock_monotonic_ns();
    assert_int_equal(wait_ms(poller, 5, &event, 1), 0);
    assert_true(fn_clock_monotonic_ns() - start >= 5 * NS_PER_MS);
    close_poller(poller);
    close(both.ours);
}

/* Returns the least lateness: what the wait itself adds, without the scheduler's bad moments. */
static uint64_t least_lateness_ns(fn_poller *poller, uint64_t timeout_ns)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 20; i++) {
        fn_poll_event event;
        uint64_t start = fn_clock_monotonic_ns();
        assert_int_equal(fn_poller_wait(poller, timeout_ns, &event, 1), 0);
        uint64_t elapsed = fn_clock_monotonic_ns() - start;
        if (elapsed < timeout_ns)
            fail_msg("woke %llu ns early", (unsigned long long)(timeout_ns - elapsed));
        least = elapsed - timeout_ns < least ? elapsed - timeout_ns : least;
    }
    return least;
}

static void deadlines_are_met_never_early(void **state)
{
    static const uint64_t timeouts_ns[] = {1, 100000, 999999, 1000000, 1300001, 16666667};
    fn_poller *poller = open_poller();
    bool precise = !poller->coarse;
    (void)state;
    for (int coarse = 0; coarse < 2; coarse++) {
        for (size_t i = 0; i < COUNT_OF(timeouts_ns); i++) {
            uint64_t least = least_lateness_ns(poller, timeouts_ns[i]);
            if (precise && !coarse && least > 800000)
                fail_msg("%llu ns late: not better than milliseconds", (unsigned long long)least);
        }
        poller->coarse = true;
    }
    close_poller(poller);
}

static void the_coarse_wait_reports_too(void **state)
{
    fn_poller *poller = open_poller();
    test_pipe both = open_pipe();
    fn_poll_event event;
    (void)state;
    poller->coarse = true;
    assert_int_equal(fn_poller_add(poller, both.ours, 5, FN_POLL_READ, NULL), 0);
    say(&both);
    assert_int_equal(fn_poller_wait(poller, FN_POLL_FOREVER, &event, 1), 1);
    assert_int_equal(event.token, 5);
    close_poller(poller);
    close_pipe(&both);
}

static void many_wakes_are_one(void **state)
{
    fn_poller *poller = open_poller();
    fn_poll_event event;
    (void)state;
    for (int i = 0; i < 100000; i++) /* more than a pipe holds: none may block */
        fn_poller_wake(poller);
    assert_int_equal(fn_poller_wait(poller, FN_POLL_FOREVER, &event, 1), 0);
    uint64_t start = fn_clock_monotonic_ns();
    assert_int_equal(wait_ms(poller, 5, &event, 1), 0);
    assert_true(fn_clock_monotonic_ns() - start >= 5 * NS_PER_MS);
    fn_poller_wake(poller);
    assert_int_equal(fn_poller_wait(poller, FN_POLL_FOREVER, &event, 1), 0);
    close_poller(poller);
}

typedef struct test_wakers {
    fn_poller *poller;
    unsigned long long published; /* plain on purpose: the wake must make it visible */
    pthread_mutex_t lock;
} test_wakers;

static void *publish_and_wake(void *argument)
{
    test_wakers *wakers = argument;
    for (int i = 0; i < WAKES_EACH; i++) {
        pthread_mutex_lock(&wakers->lock);
        wakers->published++;
        pthread_mutex_unlock(&wakers->lock);
        fn_poller_wake(wakers->poller);
    }
    return NULL;
}

static void no_wake_from_another_thread_is_lost(void **state)
{
    test_wakers wakers = {.poller = open_poller(), .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[WAKERS];
    unsigned long long seen = 0;
    fn_poll_event event;
    (void)state;
    for (size_t i = 0; i < WAKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, publish_and_wake, &wakers), 0);
    while (seen < WAKERS * WAKES_EACH) { /* a lost wake makes this wait for ever: CTest ends it */
        assert_int_equal(fn_poller_wait(wakers.poller, FN_POLL_FOREVER, &event, 1), 0);
        pthread_mutex_lock(&wakers.lock);
        seen = wakers.published;
        pthread_mutex_unlock(&wakers.lock);
    }
    for (size_t i = 0; i < WAKERS; i++)
        pthread_join(threads[i], NULL);
    close_poller(wakers.poller);
}

static int plain_data;

static void *write_then_wake(void *argument)
{
    plain_data = 42;
    fn_poller_wake(argument);
    return NULL;
}

static void what_was_written_before_a_wake_is_visible_after_it(void **state)
{
    fn_poller *poller = open_poller();
    pthread_t thread;
    fn_poll_event event;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, write_then_wake, poller), 0);
    assert_int_equal(fn_poller_wait(poller, FN_POLL_FOREVER, &event, 1), 0);
    assert_int_equal(plain_data, 42); /* ThreadSanitizer judges this line */
    pthread_join(thread, NULL);
    close_poller(poller);
}

static fn_poller *signalled;

static void wake_on_signal(int number)
{
    (void)number;
    fn_poller_wake(signalled);
}

static void a_signal_handler_may_wake(void **state)
{
    struct sigaction action = {.sa_handler = wake_on_signal}, before;
    fn_poll_event event;
    (void)state;
    signalled = open_poller();
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    raise(SIGUSR1);
    assert_int_equal(fn_poller_wait(signalled, FN_POLL_FOREVER, &event, 1), 0);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
    close_poller(signalled);
}

static bool is_readable(fn_handle handle)
{
    struct pollfd row = {.fd = (int)handle, .events = POLLIN};
    return poll(&row, 1, 0) == 1;
}

static void one_descriptor_stands_for_all(void **state)
{
    fn_poller *poller = open_poller();
    fn_handle descriptor = fn_poller_fd(poller);
    test_pipe both = open_pipe();
    fn_poll_event event;
    (void)state;
    if (descriptor == FN_HANDLE_NONE) {
        close_poller(poller);
        close_pipe(&both);
        print_message("skipped: poll(2) has no such descriptor\n");
        skip();
    }
    assert_int_equal(fn_poller_add(poller, both.ours, 5, FN_POLL_READ, NULL), 0);
    assert_false(is_readable(descriptor));
    fn_poller_wake(poller);
    assert_true(is_readable(descriptor));
    assert_int_equal(wait_ms(poller, 0, &event, 1), 0);
    assert_false(is_readable(descriptor));
    say(&both);
    assert_true(is_readable(descriptor));
    close_poller(poller);
    close_pipe(&both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readiness_comes_with_its_token),
        cmocka_unit_test(misuse_is_reported),
        cmocka_unit_test(nobody_starves_in_a_short_array),
        cmocka_unit_test(a_broken_socket_is_ready_for_both),
        cmocka_unit_test(a_broken_socket_without_interest_does_not_spin),
        cmocka_unit_test(deadlines_are_met_never_early),
        cmocka_unit_test(the_coarse_wait_reports_too),
        cmocka_unit_test(many_wakes_are_one),
        cmocka_unit_test(no_wake_from_another_thread_is_lost),
        cmocka_unit_test(what_was_written_before_a_wake_is_visible_after_it),
        cmocka_unit_test(a_signal_handler_may_wake),
        cmocka_unit_test(one_descriptor_stands_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
