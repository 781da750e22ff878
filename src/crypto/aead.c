#include "crypto/aead.h"

#include "base/bytes.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static_assert(FN_AEAD_KEY_BYTES == crypto_aead_chacha20poly1305_IETF_KEYBYTES, "RFC 8439");
static_assert(FN_AEAD_IV_BYTES == crypto_aead_chacha20poly1305_IETF_NPUBBYTES, "RFC 8439");
static_assert(FN_AEAD_TAG_BYTES == crypto_aead_chacha20poly1305_IETF_ABYTES, "RFC 8439");

bool fn_aead_start(void)
{
    return sodium_init() >= 0;
}

static void make_nonce(const fn_aead_key *key, uint64_t packet_number,
                       uint8_t nonce[FN_AEAD_IV_BYTES])
{
    memcpy(nonce, key->iv, FN_AEAD_IV_BYTES);
    uint8_t *low = nonce + FN_AEAD_IV_BYTES - sizeof packet_number;
    fn_store_be64(low, fn_load_be64(low) ^ packet_number);
}

void fn_aead_seal(const fn_aead_key *key, uint64_t packet_number, const uint8_t *aad,
                  size_t aad_bytes, uint8_t *text, size_t text_bytes)
{
    uint8_t nonce[FN_AEAD_IV_BYTES];
    make_nonce(key, packet_number, nonce);
    crypto_aead_chacha20poly1305_ietf_encrypt_detached(
        text, text + text_bytes, NULL, text, text_bytes, aad, aad_bytes, NULL, nonce, key->key);
}

bool fn_aead_open(const fn_aead_key *key, uint64_t packet_number, const uint8_t *aad,
                  size_t aad_bytes, uint8_t *sealed, size_t sealed_bytes)
{
    if (sealed_bytes < FN_AEAD_TAG_BYTES)
        return false;
    size_t text_bytes = sealed_bytes - FN_AEAD_TAG_BYTES;
    uint8_t nonce[FN_AEAD_IV_BYTES];
    make_nonce(key, packet_number, nonce);
    return crypto_aead_chacha20poly1305_ietf_decrypt_detached(sealed, NULL, sealed, text_bytes,
                                                              sealed + text_bytes, aad, aad_bytes,
                                                              nonce, key->key) == 0;
}

void fn_aead_key_wipe(fn_aead_key *key)
{
    fn_bytes_wipe(key, sizeof *key);
}
