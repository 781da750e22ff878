#include "base/bytes.h"

#include <string.h>

bool fn_bytes_equal_secret(const void *a, const void *b, size_t bytes)
{
    /* volatile: the compiler may not turn this into a loop that stops early. */
    const volatile uint8_t *left = a;
    const volatile uint8_t *right = b;
    uint32_t difference = 0;
    for (size_t i = 0; i < bytes; i++)
        difference |= (uint32_t)left[i] ^ (uint32_t)right[i];
    return difference == 0;
}

void fn_bytes_wipe(void *memory, size_t bytes)
{
#ifdef __GNUC__
    /* The compiler must believe that somebody reads what it cleared. */
    if (bytes > 0)
        memset(memory, 0, bytes);
    __asm__ volatile("" : : "r"(memory) : "memory");
#else
    volatile uint8_t *at = memory;
    for (size_t i = 0; i < bytes; i++)
        at[i] = 0;
#endif
}
