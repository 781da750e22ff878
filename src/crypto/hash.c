#include "crypto/hash.h"

#include "base/bytes.h"

#include <assert.h>
#include <sodium.h>

static_assert(sizeof(fn_hash) >= sizeof(crypto_hash_sha256_state), "the state fits");
static_assert(sizeof(fn_hmac) >= sizeof(crypto_auth_hmacsha256_state), "the state fits");
static_assert(_Alignof(fn_hmac) >= _Alignof(crypto_auth_hmacsha256_state), "and is aligned");
static_assert(FN_HASH_BYTES == crypto_hash_sha256_BYTES, "SHA-256");

static crypto_hash_sha256_state *hash_state(fn_hash *hash)
{
    return (crypto_hash_sha256_state *)(void *)hash->state;
}

static crypto_auth_hmacsha256_state *hmac_state(fn_hmac *hmac)
{
    return (crypto_auth_hmacsha256_state *)(void *)hmac->state;
}

void fn_hash_once(const void *data, size_t data_bytes, uint8_t out[FN_HASH_BYTES])
{
    fn_hash hash;
    fn_hash_start(&hash);
    fn_hash_add(&hash, data, data_bytes);
    fn_hash_finish(&hash, out);
}

void fn_hash_start(fn_hash *hash)
{
    crypto_hash_sha256_init(hash_state(hash));
}

void fn_hash_add(fn_hash *hash, const void *data, size_t data_bytes)
{
    if (data_bytes > 0)
        crypto_hash_sha256_update(hash_state(hash), data, data_bytes);
}

void fn_hash_finish(fn_hash *hash, uint8_t out[FN_HASH_BYTES])
{
    crypto_hash_sha256_final(hash_state(hash), out);
    fn_bytes_wipe(hash, sizeof *hash);
}

void fn_hmac_once(const uint8_t *key, size_t key_bytes, const void *data, size_t data_bytes,
                  uint8_t out[FN_HASH_BYTES])
{
    fn_hmac hmac;
    fn_hmac_start(&hmac, key, key_bytes);
    fn_hmac_add(&hmac, data, data_bytes);
    fn_hmac_finish(&hmac, out);
}

void fn_hmac_start(fn_hmac *hmac, const uint8_t *key, size_t key_bytes)
{
    static const uint8_t none = 0;
    crypto_auth_hmacsha256_init(hmac_state(hmac), key_bytes > 0 ? key : &none, key_bytes);
}

void fn_hmac_add(fn_hmac *hmac, const void *data, size_t data_bytes)
{
    if (data_bytes > 0)
        crypto_auth_hmacsha256_update(hmac_state(hmac), data, data_bytes);
}

void fn_hmac_finish(fn_hmac *hmac, uint8_t out[FN_HASH_BYTES])
{
    crypto_auth_hmacsha256_final(hmac_state(hmac), out);
    fn_bytes_wipe(hmac, sizeof *hmac);
}

bool fn_hmac_verify(const uint8_t *key, size_t key_bytes, const void *data, size_t data_bytes,
                    const uint8_t expected[FN_HASH_BYTES])
{
    uint8_t actual[FN_HASH_BYTES];
    fn_hmac_once(key, key_bytes, data, data_bytes, actual);
    bool equal = fn_bytes_equal_secret(actual, expected, sizeof actual);
    fn_bytes_wipe(actual, sizeof actual);
    return equal;
}
