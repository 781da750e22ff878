#include "crypto/aead.h"

#include "crypto/aead_run.h"

#include <assert.h>
#include <sodium.h>

static_assert(FN_AEAD_KEY_BYTES == crypto_aead_chacha20poly1305_IETF_KEYBYTES, "RFC 8439");
static_assert(FN_AEAD_IV_BYTES == crypto_aead_chacha20poly1305_IETF_NPUBBYTES, "RFC 8439");
static_assert(FN_AEAD_TAG_BYTES == crypto_aead_chacha20poly1305_IETF_ABYTES, "RFC 8439");

bool fn_aead_start(void)
{
    return sodium_init() >= 0;
}

/* Without AVX2 libsodium's own way was not found to be slower. */
static bool suits_run(size_t aad_bytes, size_t text_bytes)
{
    return text_bytes <= FN_AEAD_RUN_TEXT_BYTES && aad_bytes <= FN_AEAD_RUN_AAD_BYTES_MAX &&
           sodium_runtime_has_avx2();
}

void fn_aead_seal(const fn_aead_key *key, uint64_t packet_number, const uint8_t *aad,
                  size_t aad_bytes, uint8_t *text, size_t text_bytes)
{
    if (suits_run(aad_bytes, text_bytes)) {
        fn_aead_run run;
        fn_aead_run_make(&run, key, packet_number, text_bytes);
        fn_aead_run_seal(&run, aad, aad_bytes, text, text_bytes);
        return;
    }
    uint8_t nonce[FN_AEAD_IV_BYTES];
    fn_aead_nonce(key, packet_number, nonce);
    crypto_aead_chacha20poly1305_ietf_encrypt_detached(
        text, text + text_bytes, NULL, text, text_bytes, aad, aad_bytes, NULL, nonce, key->key);
}

bool fn_aead_open(const fn_aead_key *key, uint64_t packet_number, const uint8_t *aad,
                  size_t aad_bytes, uint8_t *sealed, size_t sealed_bytes)
{
    if (sealed_bytes < FN_AEAD_TAG_BYTES)
        return false;
    size_t text_bytes = sealed_bytes - FN_AEAD_TAG_BYTES;
    if (suits_run(aad_bytes, text_bytes)) {
        fn_aead_run run;
        fn_aead_run_make(&run, key, packet_number, text_bytes);
        bool good = fn_aead_run_open(&run, aad, aad_bytes, sealed, text_bytes);
        if (!good)
            fn_aead_run_wipe(&run);
        return good;
    }
    uint8_t nonce[FN_AEAD_IV_BYTES];
    fn_aead_nonce(key, packet_number, nonce);
    return crypto_aead_chacha20poly1305_ietf_decrypt_detached(sealed, NULL, sealed, text_bytes,
                                                              sealed + text_bytes, aad, aad_bytes,
                                                              nonce, key->key) == 0;
}
