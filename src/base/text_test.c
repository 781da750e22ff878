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

static void what_peers_write_is_made_harmless(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"the map changes", "the map changes"},
        {"Gr\xc3\xbc\xc3\x9f"
         "e \xe2\x82\xac \xf0\x9f\x8e\xae",
         "Gr\xc3\xbc\xc3\x9f"
         "e \xe2\x82\xac \xf0\x9f\x8e\xae"},
        {"a\x1b[2J\nb\x7f", "a?[2J?b?"},
        {"\xc2\x9b"
         "2J",
         "?2J"}, /* C1: CSI in one character */
        {"\xe2\x80\xae"
         "exe.gpj",
         "?exe.gpj"},                         /* right-to-left override */
        {"\xe2\x81\xa6x\xe2\x81\xa9", "?x?"}, /* isolate */
        {"a\xe2\x80\xa8"
         "b",
         "a?b"},                           /* line separator */
        {"\x80\xbf\xc0\xaf\xff", "?????"}, /* never UTF-8 */
        {"\xed\xa0\x80", "???"},           /* a surrogate */
        {"\xe0\x80\xaf", "???"},           /* '/' in three bytes */
        {"\xf4\x90\x80\x80", "????"},      /* above U+10FFFF */
        {"cut \xf0\x9f\x8e", "cut ???"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char buffer[64];
        fn_text text = fn_text_make(buffer, sizeof buffer);
        fn_text_add_harmless(&text, rows[i].in, strlen(rows[i].in));
        assert_string_equal(buffer, rows[i].out);
        assert_int_equal(fn_text_is_harmless(rows[i].in, strlen(rows[i].in)),
                         strcmp(rows[i].in, rows[i].out) == 0);
        assert_true(fn_text_is_harmless(buffer, strlen(buffer)));
    }
}

static void no_character_is_cut_in_two(void **state)
{
    (void)state;
    char buffer[8];
    fn_text text = fn_text_make(buffer, sizeof buffer);
    fn_text_add(&text, "abcde\xe2\x82\xac");
    assert_string_equal(buffer, "abcde");
    assert_true(text.truncated);
    text = fn_text_make(buffer, sizeof buffer);
    fn_text_add_harmless(&text, "abcdef\xc3\xbc", 8);
    assert_string_equal(buffer, "abcdef");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_at_every_capacity),
        cmocka_unit_test(quotes_what_a_peer_could_forge_lines_with),
        cmocka_unit_test(what_peers_write_is_made_harmless),
        cmocka_unit_test(no_character_is_cut_in_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
