/*
 * Bytes: big-endian loads and stores at any alignment, and what secrets need.
 */
#ifndef FN_BASE_BYTES_H
#define FN_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Compares without a branch on the content: the time tells the length, never the first byte that
 * differs. Use for tags, MACs and tokens; memcmp would let a sender find them byte by byte. */
bool fn_bytes_equal_secret(const void *a, const void *b, size_t bytes);

/* Zeroes memory that held a secret; the compiler may not drop it. NULL with 0 bytes is fine. */
void fn_bytes_wipe(void *memory, size_t bytes);

static inline uint16_t fn_load_be16(const uint8_t *from)
{
    return (uint16_t)((uint32_t)from[0] << 8 | from[1]);
}

static inline uint32_t fn_load_be32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static inline uint64_t fn_load_be64(const uint8_t *from)
{
    return (uint64_t)fn_load_be32(from) << 32 | fn_load_be32(from + 4);
}

static inline uint64_t fn_load_le64(const uint8_t *from)
{
    /* Written out, because compilers see one load in this and none in a loop. */
    return (uint64_t)from[0] | (uint64_t)from[1] << 8 | (uint64_t)from[2] << 16 |
           (uint64_t)from[3] << 24 | (uint64_t)from[4] << 32 | (uint64_t)from[5] << 40 |
           (uint64_t)from[6] << 48 | (uint64_t)from[7] << 56;
}

static inline void fn_store_le64(uint8_t *to, uint64_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
    to[2] = (uint8_t)(value >> 16);
    to[3] = (uint8_t)(value >> 24);
    to[4] = (uint8_t)(value >> 32);
    to[5] = (uint8_t)(value >> 40);
    to[6] = (uint8_t)(value >> 48);
    to[7] = (uint8_t)(value >> 56);
}

static inline void fn_store_be16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static inline void fn_store_be32(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 24);
    to[1] = (uint8_t)(value >> 16);
    to[2] = (uint8_t)(value >> 8);
    to[3] = (uint8_t)value;
}

static inline void fn_store_be64(uint8_t *to, uint64_t value)
{
    fn_store_be32(to, (uint32_t)(value >> 32));
    fn_store_be32(to + 4, (uint32_t)value);
}

#endif
