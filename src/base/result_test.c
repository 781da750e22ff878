#include "base/result.h"

#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void names_and_explains_every_result(void **unused)
{
    (void)unused;
    static const struct {
        int32_t value;
        const char *name;
    } fixed[] = {
        {0, "FASTNET_OK"},
        {-1, "FASTNET_ERR_ARGUMENT"},
        {-2, "FASTNET_ERR_PEER"},
        {-4, "FASTNET_ERR_BACKPRESSURE"},
        {-9, "FASTNET_ERR_CERTIFICATE"},
        {-16, "FASTNET_ERR_GONE"},
        {-22, "FASTNET_ERR_CANCELLED"},
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(fixed); i++)
        assert_string_equal(fastnet_result_name(fixed[i].value), fixed[i].name);
    assert_string_equal(fastnet_result_text(FASTNET_OK), "success");
    for (int32_t value = 0; value >= -22; value--) {
        assert_string_not_equal(fastnet_result_name(value), "FASTNET_UNKNOWN");
        assert_true(strlen(fastnet_result_text(value)) >= 7);
        for (int32_t other = 0; other > value; other--)
            assert_string_not_equal(fastnet_result_text(value), fastnet_result_text(other));
    }
}

static void has_an_answer_for_unknown_values(void **unused)
{
    (void)unused;
    static const int32_t values[] = {1, -1000, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < FN_ARRAY_COUNT(values); i++) {
        assert_string_equal(fastnet_result_name(values[i]), "FASTNET_UNKNOWN");
        assert_string_equal(fastnet_result_text(values[i]), "unknown result");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_explains_every_result),
        cmocka_unit_test(has_an_answer_for_unknown_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
