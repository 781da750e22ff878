#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct witness {
    int count;
    int level;
    char line[FN_LOG_LINE_BYTES_MAX + 1];
} witness;

static void remember(void *user, int level, const char *line)
{
    witness *seen = user;
    seen->count++;
    seen->level = level;
    fn_text copy = fn_text_make(seen->line, sizeof(seen->line));
    fn_text_add(&copy, line);
}

static void writes_lines_up_to_the_level(void **unused)
{
    (void)unused;
    for (int level_max = FN_LOG_ERROR; level_max <= FN_LOG_DEBUG; level_max++) {
        for (int level = FN_LOG_ERROR; level <= FN_LOG_DEBUG; level++) {
            witness seen = {0, -1, ""};
            fn_log log = {.write = remember, .user = &seen, .level_max = level_max};
            fn_log_write(&log, (fn_log_level)level, "line");
            assert_int_equal(fn_log_wants(&log, (fn_log_level)level), level <= level_max);
            assert_int_equal(seen.count, level <= level_max);
            assert_int_equal(seen.level, level <= level_max ? level : -1);
            assert_string_equal(seen.line, level <= level_max ? "line" : "");
            fn_log_detail(&log, (fn_log_level)level, "what", "why");
            assert_string_equal(seen.line, level <= level_max ? "what: why" : "");
            fn_log_u64(&log, (fn_log_level)level, "count", 12);
            assert_string_equal(seen.line, level <= level_max ? "count: 12" : "");
        }
    }
}

static void is_silent_without_a_callback(void **unused)
{
    (void)unused;
    fn_log log = {.write = NULL, .level_max = FN_LOG_DEBUG};
    fn_log_write(&log, FN_LOG_ERROR, "line");
    fn_log_detail(&log, FN_LOG_ERROR, "what", "why");
    fn_log_write(NULL, FN_LOG_ERROR, "line");
    fn_log_u64(NULL, FN_LOG_ERROR, "count", 1);
    assert_false(fn_log_wants(NULL, FN_LOG_ERROR));
}

static void cuts_long_lines(void **unused)
{
    (void)unused;
    char detail[2 * FN_LOG_LINE_BYTES_MAX];
    memset(detail, 'x', sizeof(detail) - 1);
    detail[sizeof(detail) - 1] = '\0';
    witness seen = {0, -1, ""};
    fn_log log = {.write = remember, .user = &seen, .level_max = FN_LOG_DEBUG};
    fn_log_detail(&log, FN_LOG_INFO, "what", detail);
    assert_int_equal(strlen(seen.line), FN_LOG_LINE_BYTES_MAX - 1);
}

static void attack_control_characters_forge_no_line(void **unused)
{
    (void)unused;
    witness seen = {0, -1, ""};
    fn_log log = {.write = remember, .user = &seen, .level_max = FN_LOG_DEBUG};
    fn_log_detail(&log, FN_LOG_ERROR, "connecting to", "evil\r\n\x1b[2JERROR: forged \xc3\xa9\x7f");
    assert_string_equal(seen.line, "connecting to: evil???[2JERROR: forged \xc3\xa9?");
    fn_log_write(&log, FN_LOG_ERROR, "a\nb");
    assert_string_equal(seen.line, "a?b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_lines_up_to_the_level),
        cmocka_unit_test(is_silent_without_a_callback),
        cmocka_unit_test(cuts_long_lines),
        cmocka_unit_test(attack_control_characters_forge_no_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
