#include "base/text.h"

#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void add_everything(fn_text *text)
{
    fn_text_add(text, "a ");
    fn_text_add_u64(text, 0);
    fn_text_add_char(text, ' ');
    fn_text_add_u64(text, UINT64_MAX);
    fn_text_add_char(text, ' ');
    fn_text_add_i64(text, INT64_MIN);
    fn_text_add_char(text, ' ');
    fn_text_add_i64(text, 42);
    fn_text_add_char(text, ' ');
    fn_text_add_hex(text, 0, 1);
    fn_text_add_char(text, ' ');
    fn_text_add_hex(text, 0xbeef, 8);
    fn_text_add_char(text, ' ');
    fn_text_add_hex(text, UINT64_MAX, 2);
    fn_text_add_char(text, ' ');
    fn_text_add_hex_bytes(text, "\x00\x0f\xf0", 3);
    fn_text_add(text, NULL);
}

static const char everything[] = "a 0 18446744073709551615 -9223372036854775808 42 0 0000beef "
                                 "ffffffffffffffff 000ff0(null)";

/* In every capacity: a prefix, terminated, and nothing written past it. */
static void cuts_at_every_capacity(void **unused)
{
    (void)unused;
    for (size_t capacity = 1; capacity <= sizeof(everything) + 2; capacity++) {
        char buffer[sizeof(everything) + 8];
        memset(buffer, 0x7e, sizeof(buffer));
        fn_text text = fn_text_make(buffer, capacity);
        add_everything(&text);
        size_t length = fn_min_size(capacity, sizeof(everything)) - 1;
        assert_int_equal(text.length, length);
        assert_int_equal(strlen(buffer), length);
        assert_memory_equal(buffer, everything, length);
        assert_int_equal(text.truncated, capacity < sizeof(everything));
        for (size_t i = capacity; i < sizeof(buffer); i++)
            assert_int_equal(buffer[i], 0x7e);
    }
}

static void quotes_what_a_peer_could_forge_lines_with(void **unused)
{
    (void)unused;
    char buffer[64];
    fn_text text = fn_text_make(buffer, sizeof(buffer));
    fn_text_add_quoted(&text, "ok ~\n\r\x1b[0m\\\x7f\x80\xff\0z", 16);
    assert_string_equal(buffer, "ok ~\\x0a\\x0d\\x1b[0m\\\\\\x7f\\x80\\xff\\x00z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_at_every_capacity),
        cmocka_unit_test(quotes_what_a_peer_could_forge_lines_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
