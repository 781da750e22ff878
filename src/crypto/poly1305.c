#include "crypto/poly1305.h"

#include "base/bytes.h"

#include <string.h>

#if FN_POLY1305_AVAILABLE

__extension__ typedef unsigned __int128 wide;

#define CLAMP_LOW  UINT64_C(0x0ffffffc0fffffff)
#define CLAMP_HIGH UINT64_C(0x0ffffffc0ffffffc)

void fn_poly1305_start(fn_poly1305 *mac, const uint8_t key[FN_POLY1305_KEY_BYTES])
{
    uint64_t high = fn_load_le64(key + 8) & CLAMP_HIGH;
    *mac = (fn_poly1305){.r = {fn_load_le64(key) & CLAMP_LOW, high},
                         .r1_by_5 = high + (high >> 2),
                         .s = {fn_load_le64(key + 16), fn_load_le64(key + 24)}};
}

static inline uint64_t low(wide value)
{
    return (uint64_t)value;
}

static inline uint64_t carry(wide value)
{
    return (uint64_t)(value >> 64);
}

/*
 * sum = (sum + 2^128 + block) * r, partly reduced. 2^130 is 5 here, and r[1] is a multiple of 4, so
 * what a product brings at 2^128 from r[1] comes back as 5/4 of it at 2^0. With r below 2^60 in
 * both limbs and sum[2] below 8 nothing leaves its 128, or for `top` its 64, bits.
 */
static inline void add_block(fn_poly1305 *mac, uint64_t block_low, uint64_t block_high)
{
    const uint64_t *r = mac->r;
    uint64_t *sum = mac->sum;
    wide part = (wide)sum[0] + block_low;
    uint64_t h0 = low(part);
    part = (wide)sum[1] + block_high + carry(part);
    uint64_t h1 = low(part);
    uint64_t h2 = sum[2] + 1 + carry(part);

    wide first = (wide)h0 * r[0] + (wide)h1 * mac->r1_by_5;
    wide second = (wide)h0 * r[1] + (wide)h1 * r[0] + h2 * mac->r1_by_5;
    second += carry(first);
    uint64_t top = h2 * r[0] + carry(second);

    part = (wide)low(first) + ((top >> 2) + (top & ~UINT64_C(3))); /* 5/4 of what is above 2^130 */
    sum[0] = low(part);
    part = (wide)low(second) + carry(part);
    sum[1] = low(part);
    sum[2] = (top & 3) + carry(part);
}

void fn_poly1305_add_padded(fn_poly1305 *mac, const uint8_t *data, size_t bytes)
{
    for (; bytes >= FN_POLY1305_BLOCK_BYTES; bytes -= FN_POLY1305_BLOCK_BYTES) {
        add_block(mac, fn_load_le64(data), fn_load_le64(data + 8));
        data += FN_POLY1305_BLOCK_BYTES;
    }
    if (bytes == 0)
        return;
    uint8_t block[FN_POLY1305_BLOCK_BYTES] = {0};
    memcpy(block, data, bytes);
    add_block(mac, fn_load_le64(block), fn_load_le64(block + 8));
}

void fn_poly1305_add_lengths(fn_poly1305 *mac, size_t aad_bytes, size_t text_bytes)
{
    add_block(mac, aad_bytes, text_bytes);
}

/* The sum is below 2^131: where adding 5 reaches 2^130, that is the sum less 2^130 - 5. */
void fn_poly1305_finish(fn_poly1305 *mac, uint8_t tag[FN_POLY1305_TAG_BYTES])
{
    const uint64_t *sum = mac->sum;
    wide part = (wide)sum[0] + 5;
    uint64_t less0 = low(part);
    part = (wide)sum[1] + carry(part);
    uint64_t less1 = low(part);
    uint64_t take = (uint64_t)0 - ((sum[2] + carry(part)) >> 2 != 0);
    uint64_t h0 = (sum[0] & ~take) | (less0 & take);
    uint64_t h1 = (sum[1] & ~take) | (less1 & take);
    part = (wide)h0 + mac->s[0];
    fn_store_le64(tag, low(part));
    part = (wide)h1 + mac->s[1] + carry(part);
    fn_store_le64(tag + 8, low(part));
    fn_bytes_wipe(mac, sizeof *mac);
}

#endif
