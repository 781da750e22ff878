#include "io/fork_guard.h"

#include <sys/wait.h>

#include "io/test_support.h"

/* The child's exit status: whether it finds itself to be one. */
static int ask_a_child(const fn_fork_guard *guard)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(fn_fork_guard_is_child(guard) ? 1 : 0);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_child_finds_out(void **state)
{
    (void)state;
    fn_fork_guard guard;
    fn_fork_guard_open(&guard);
    assert_false(fn_fork_guard_is_child(&guard));
    assert_int_equal(ask_a_child(&guard), 1);
    assert_false(fn_fork_guard_is_child(&guard));
    assert_int_equal(ask_a_child(&guard), 1);
    fn_fork_guard_close(&guard);
}

/* As on a system that cannot zero pages in children. */
static void without_such_a_page_the_system_is_asked(void **state)
{
    (void)state;
    fn_fork_guard guard;
    fn_fork_guard_open(&guard);
    fn_fork_guard_close(&guard);
    assert_null(guard.mark);
    assert_false(fn_fork_guard_is_child(&guard));
    assert_int_equal(ask_a_child(&guard), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_finds_out),
        cmocka_unit_test(without_such_a_page_the_system_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
