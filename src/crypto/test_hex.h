/* For tests only: published vectors are hexadecimal. */
#ifndef FN_CRYPTO_TEST_HEX_H
#define FN_CRYPTO_TEST_HEX_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint8_t test_hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = strchr(digits, digit);
    assert(found != NULL && digit != '\0');
    return (uint8_t)(found - digits);
}

/* Returns the number of bytes; an odd or overlong text stops the test. */
static inline size_t test_hex(const char *text, uint8_t *out, size_t capacity)
{
    size_t bytes = strlen(text) / 2;
    assert(strlen(text) % 2 == 0 && bytes <= capacity);
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(test_hex_digit(text[2 * i]) << 4 | test_hex_digit(text[2 * i + 1]));
    return bytes;
}

#endif
