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

size_t fn_text_cut(const void *data, size_t bytes, size_t bytes_max)
{
    const uint8_t *from = data;
    if (bytes <= bytes_max)
        return bytes;
    size_t cut = bytes_max;
    while (cut > 0 && (from[cut] & 0xc0) == 0x80)
        cut--;
    return cut;
}

static void append(fn_text *text, const char *from, size_t bytes)
{
    if (text->truncated)
        return;
    size_t room = text->capacity - 1 - text->length;
    if (bytes > room) {
        text->truncated = true;
        bytes = fn_text_cut(from, bytes, room);
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

/* --- what peers write --- */

/* Length of the UTF-8 character at the front (RFC 3629: shortest form, no surrogates), 0 = none. */
static size_t decode(const uint8_t *from, size_t bytes, uint32_t *out)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t lead = from[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (length == 0 || lead > 0xf4 || length > bytes)
        return 0;
    uint32_t value = length == 1 ? lead : lead & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((from[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (from[i] & 0x3fu);
    }
    *out = value;
    bool surrogate = value >= 0xd800 && value <= 0xdfff;
    return value < smallest[length] || surrogate || value > 0x10ffff ? 0 : length;
}

static bool is_harmful(uint32_t character)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0, 0x1f},        {0x7f, 0x9f},     /* controls */
        {0x202a, 0x202e}, {0x2066, 0x2069}, /* bidi embeddings, overrides, isolates */
        {0x2028, 0x2029},                   /* ends of line and paragraph */
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (character >= ranges[i].first && character <= ranges[i].last)
            return true;
    }
    return false;
}

void fn_text_add_harmless(fn_text *text, const void *data, size_t bytes)
{
    const uint8_t *from = data;
    for (size_t at = 0; at < bytes;) {
        uint32_t character = 0;
        size_t length = decode(from + at, bytes - at, &character);
        if (length == 0 || is_harmful(character))
            fn_text_add_char(text, '?');
        else
            append(text, (const char *)from + at, length);
        at += length > 0 ? length : 1;
    }
}

bool fn_text_is_harmless(const void *data, size_t bytes)
{
    const uint8_t *from = data;
    for (size_t at = 0; at < bytes;) {
        uint32_t character = 0;
        size_t length = decode(from + at, bytes - at, &character);
        if (length == 0 || is_harmful(character))
            return false;
        at += length;
    }
    return true;
}
