#include "crypto/failure.h"

#include "base/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_code_and_sentence(void **state)
{
    (void)state;
    fn_failure failure;
    assert_int_equal(fn_failure_set(&failure, FASTNET_ERR_PEER, "no %s with %d", "peer", 7),
                     FASTNET_ERR_PEER);
    assert_int_equal(failure.code, FASTNET_ERR_PEER);
    assert_string_equal(failure.text, "no peer with 7");
    fn_failure_clear(&failure);
    assert_int_equal(failure.code, FASTNET_OK);
    assert_string_equal(failure.text, "");
}

static void test_too_long_is_cut(void **state)
{
    (void)state;
    static char longest[2 * FN_FAILURE_TEXT_BYTES];
    fn_failure failure;
    memset(longest, 'x', sizeof longest - 1);
    fn_failure_set(&failure, FASTNET_ERR_SYSTEM, "%s", longest);
    assert_int_equal(strlen(failure.text), FN_FAILURE_TEXT_BYTES - 1);
}

static void test_nobody_asks(void **state)
{
    (void)state;
    assert_int_equal(fn_failure_set(NULL, FASTNET_ERR_SYSTEM, "x"), FASTNET_ERR_SYSTEM);
    fn_failure_clear(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_code_and_sentence),
        cmocka_unit_test(test_too_long_is_cut),
        cmocka_unit_test(test_nobody_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
