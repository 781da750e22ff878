/* For tests only: published vectors are hexadecimal. */
#ifndef FN_CRYPTO_TEST_HEX_H
#define FN_CRYPTO_TEST_HEX_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

/* Returns the number of bytes; an odd or overlong text stops the test. */
static inline size_t test_hex(const char *text, uint8_t *out, size_t capacity)
{
    size_t bytes = strlen(text) / 2;
    assert(strlen(text) % 2 == 0 && bytes <= capacity);
    for (size_t i = 0; i < bytes; i++) {
        int high = fn_text_hex_value(text[2 * i]);
        int low = fn_text_hex_value(text[2 * i + 1]);
        assert(high >= 0 && low >= 0);
        out[i] = (uint8_t)(high << 4 | low);
    }
    return bytes;
}

#endif
