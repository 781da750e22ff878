#include "base/text.h"

#include <assert.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

fn_text fn_text_make(char *buffer, size_t capacity)
{
    assert(capacity > 0);
    buffer[0] = '\0';
    return (fn_text){.start = buffer, .capacity = capacity};
}

static void append(fn_text *text, const char *from, size_t bytes)
{
    if (text->truncated)
        return;
    size_t room = text->capacity - 1 - text->length;
    if (bytes > room) {
        text->truncated = true;
        bytes = room;
    }
    memcpy(text->start + text->length, from, bytes);
    text->length += bytes;
    text->start[text->length] = '\0';
}

void fn_text_add(fn_text *text, const char *string)
{
    if (string == NULL)
        string = "(null)";
    append(text, string, strlen(string));
}

void fn_text_add_char(fn_text *text, char character)
{
    append(text, &character, 1);
}

void fn_text_add_u64(fn_text *text, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    append(text, digits + at, sizeof(digits) - at);
}

void fn_text_add_i64(fn_text *text, int64_t value)
{
    if (value < 0)
        fn_text_add_char(text, '-');
    fn_text_add_u64(text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void fn_text_add_hex(fn_text *text, uint64_t value, uint32_t digits)
{
    char out[16];
    size_t at = sizeof(out);
    while (at > 0 && (value != 0 || sizeof(out) - at < digits || at == sizeof(out))) {
        out[--at] = hex_digits[value & 15];
        value >>= 4;
    }
    append(text, out + at, sizeof(out) - at);
}

void fn_text_add_hex_bytes(fn_text *text, const void *data, size_t bytes)
{
    const uint8_t *from = data;
    for (size_t i = 0; i < bytes; i++)
        fn_text_add_hex(text, from[i], 2);
}

void fn_text_add_quoted(fn_text *text, const void *data, size_t bytes)
{
    const uint8_t *from = data;
    for (size_t i = 0; i < bytes; i++) {
        if (from[i] == '\\') {
            fn_text_add(text, "\\\\");
        } else if (from[i] >= 0x20 && from[i] < 0x7f) {
            fn_text_add_char(text, (char)from[i]);
        } else {
            fn_text_add(text, "\\x");
            fn_text_add_hex(text, from[i], 2);
        }
    }
}

int fn_text_hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}
