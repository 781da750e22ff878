/* For the tests of this folder only. */
#ifndef FN_IO_TEST_SUPPORT_H
#define FN_IO_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>

#include "base/address.h"
#include "platform/error.h"
#include "platform/handle.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* Longer than any machine needs; a test that waits so long has failed. */
#define TEST_WAIT_MS 20000

static inline fn_address test_address(const char *text)
{
    fn_address address;
    if (!fn_address_parse_host(text, &address))
        fail_msg("'%s' is no address", text);
    return address;
}

static inline void test_wait(fn_handle handle, short events)
{
    struct pollfd row = {.fd = (int)handle, .events = events};
    assert_int_equal(poll(&row, 1, TEST_WAIT_MS), 1);
}

static inline void test_assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' does not contain '%s'", text, part);
}

#endif
