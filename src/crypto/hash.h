/*
 * hash.h: SHA-256 (FIPS 180-4) and HMAC-SHA256 (RFC 2104). No allocation.
 */
#ifndef FN_CRYPTO_HASH_H
#define FN_CRYPTO_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FN_HASH_BYTES = 32 };

/* Opaque: the library's own state lies inside, and no header of it is needed here. */

typedef struct fn_hash {
    uint64_t state[13];
} fn_hash;

typedef struct fn_hmac {
    uint64_t state[26];
} fn_hmac;

/* NULL is fine for any empty input. */
void fn_hash_once(const void *data, size_t data_bytes, uint8_t out[FN_HASH_BYTES]);

void fn_hash_start(fn_hash *hash);
void fn_hash_add(fn_hash *hash, const void *data, size_t data_bytes);
/* Writes the digest and erases the state. */
void fn_hash_finish(fn_hash *hash, uint8_t out[FN_HASH_BYTES]);

/* The key may have any length. */
void fn_hmac_once(const uint8_t *key, size_t key_bytes, const void *data, size_t data_bytes,
                  uint8_t out[FN_HASH_BYTES]);

void fn_hmac_start(fn_hmac *hmac, const uint8_t *key, size_t key_bytes);
void fn_hmac_add(fn_hmac *hmac, const void *data, size_t data_bytes);
/* Writes the code and erases the state. */
void fn_hmac_finish(fn_hmac *hmac, uint8_t out[FN_HASH_BYTES]);

/* Recomputes and compares in constant time. */
bool fn_hmac_verify(const uint8_t *key, size_t key_bytes, const void *data, size_t data_bytes,
                    const uint8_t expected[FN_HASH_BYTES]);

#endif
