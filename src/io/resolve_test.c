/* With the system's own resolver. resolve_thread_test.c has the cases that need one to obey. */
#include "io/resolve.h"

#include <stdlib.h>

#include "io/poller.h"
#include "io/test_support.h"

static fn_resolve *start(const char *host, fn_resolve_done done, void *context)
{
    fn_io_error error = {0};
    fn_resolve *resolve = fn_resolve_start(host, 7777, done, context, &error);
    if (resolve == NULL)
        fail_msg("%s", error.text);
    return resolve;
}

static void must_not_be_called(void *context)
{
    (void)context;
    abort();
}

static void numeric_hosts_are_finished_at_once(void **state)
{
    static const char *const rows[][2] = {{"192.0.2.7", "192.0.2.7:7777"},
                                          {"::1", "[::1]:7777"},
                                          {"::ffff:192.0.2.7", "192.0.2.7:7777"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        fn_resolve_result result;
        char text[FN_ADDRESS_TEXT_BYTES];
        fn_resolve *resolve = start(rows[i][0], must_not_be_called, NULL);
        assert_true(fn_resolve_finished(resolve));
        assert_int_equal(fn_resolve_get(resolve, &result, NULL), FASTNET_OK);
        assert_int_equal(result.count, 1);
        fn_address_format(&result.addresses[0], text);
        assert_string_equal(text, rows[i][1]);
        fn_resolve_release(resolve);
    }
}

static void wake(void *poller)
{
    fn_poller_wake(poller);
}

static int resolve_and_wait(const char *host, fn_resolve_result *result, fn_io_error *error)
{
    fn_poller poller;
    fn_poll_event event;
    void *memory = malloc(fn_poller_memory_bytes(1) + 1);
    assert_int_equal(fn_poller_open(&poller, memory, 1, NULL), FASTNET_OK);
    fn_resolve *resolve = start(host, wake, &poller);
    while (!fn_resolve_finished(resolve))
        (void)fn_poller_wait(&poller, FN_POLL_FOREVER, &event, 1);
    int code = fn_resolve_get(resolve, result, error);
    fn_resolve_release(resolve);
    fn_poller_close(&poller);
    free(memory);
    return code;
}

static void localhost_is_loopback(void **state)
{
    fn_resolve_result result;
    fn_io_error error = {0};
    (void)state;
    if (resolve_and_wait("localhost", &result, &error) != FASTNET_OK)
        fail_msg("%s", error.text);
    assert_in_range(result.count, 1, FN_RESOLVE_ADDRESSES_MAX);
    for (size_t i = 0; i < result.count; i++) {
        assert_true(fn_address_is_loopback(&result.addresses[i]));
        assert_int_equal(result.addresses[i].port, 7777);
    }
}

static void an_unknown_host_is_named(void **state)
{
    fn_resolve_result result;
    fn_io_error error = {0};
    (void)state;
    assert_int_equal(resolve_and_wait("no-such-host.invalid", &result, &error),
                     FASTNET_ERR_ADDRESS);
    assert_int_equal(error.code, FASTNET_ERR_ADDRESS);
    test_assert_contains(error.text, "no-such-host.invalid does not resolve: ");
    assert_int_equal(result.count, 0);
}

static void impossible_names_are_refused(void **state)
{
    char host[FN_HOST_TEXT_BYTES + 1];
    fn_io_error error;
    (void)state;
    memset(host, 'a', sizeof host);
    host[FN_HOST_TEXT_BYTES] = '\0';
    assert_null(fn_resolve_start(host, 1, NULL, NULL, &error));
    assert_int_equal(error.code, FASTNET_ERR_ARGUMENT);
    assert_null(fn_resolve_start("", 1, NULL, NULL, NULL));
    fn_resolve_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numeric_hosts_are_finished_at_once),
        cmocka_unit_test(localhost_is_loopback),
        cmocka_unit_test(an_unknown_host_is_named),
        cmocka_unit_test(impossible_names_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
