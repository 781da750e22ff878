#include "common/sealing.h"

#include "common/report.h"
#include "crypto/aead.h"

#include <sodium.h>
#include <string.h>

enum { OPENSSL_FROM = 512, FASTNET_UP_TO = 1472 };

sealing_backend sealing_fastest(size_t text_bytes)
{
    if (sodium_init() >= 0 && sodium_runtime_has_avx2() && text_bytes <= FASTNET_UP_TO) {
        return SEALING_FASTNET;
    }
    return text_bytes < OPENSSL_FROM ? SEALING_SODIUM : SEALING_OPENSSL;
}

void sealing_init(sealing *s, sealing_backend backend, bool seals, uint32_t id)
{
    memset(s, 0, sizeof *s);
    s->backend = backend;
    s->seals = seals;
    s->id = id;
    memset(s->key, 7, sizeof s->key);
    memcpy(s->key, &id, sizeof id);
    if (sodium_init() < 0) {
        bench_fail("libsodium does not start");
    }
    if (backend != SEALING_OPENSSL) {
        return;
    }
    s->context = EVP_CIPHER_CTX_new();
    const EVP_CIPHER *cipher = EVP_chacha20_poly1305();
    if (!s->context || EVP_CipherInit_ex(s->context, cipher, NULL, s->key, NULL, seals) != 1) {
        bench_fail("OpenSSL has no ChaCha20-Poly1305");
    }
}

void sealing_free(sealing *s)
{
    EVP_CIPHER_CTX_free(s->context);
    s->context = NULL;
}

/* The nonce is the IV xor the packet number, which is 0 here. */
static fn_aead_key fastnet_key(const sealing *s, const uint8_t *nonce)
{
    fn_aead_key key;
    memcpy(key.key, s->key, sizeof key.key);
    memcpy(key.iv, nonce, sizeof key.iv);
    return key;
}

void sealing_encrypt(sealing *s, const uint8_t *nonce, const uint8_t *aad, size_t aad_bytes,
                     uint8_t *text, size_t text_bytes)
{
    if (s->backend == SEALING_FASTNET) {
        fn_aead_key key = fastnet_key(s, nonce);
        fn_aead_seal(&key, 0, aad, aad_bytes, text, text_bytes);
        return;
    }
    if (s->backend == SEALING_SODIUM) {
        crypto_aead_chacha20poly1305_ietf_encrypt_detached(
            text, text + text_bytes, NULL, text, text_bytes, aad, aad_bytes, NULL, nonce, s->key);
        return;
    }
    int written;
    EVP_EncryptInit_ex(s->context, NULL, NULL, NULL, nonce);
    EVP_EncryptUpdate(s->context, NULL, &written, aad, (int)aad_bytes);
    EVP_EncryptUpdate(s->context, text, &written, text, (int)text_bytes);
    EVP_EncryptFinal_ex(s->context, text + text_bytes, &written);
    EVP_CIPHER_CTX_ctrl(s->context, EVP_CTRL_AEAD_GET_TAG, SEALING_TAG_BYTES, text + text_bytes);
}

bool sealing_decrypt(sealing *s, const uint8_t *nonce, const uint8_t *aad, size_t aad_bytes,
                     uint8_t *text, size_t text_bytes)
{
    if (s->backend == SEALING_FASTNET) {
        fn_aead_key key = fastnet_key(s, nonce);
        return fn_aead_open(&key, 0, aad, aad_bytes, text, text_bytes + SEALING_TAG_BYTES);
    }
    if (s->backend == SEALING_SODIUM) {
        return crypto_aead_chacha20poly1305_ietf_decrypt_detached(text, NULL, text, text_bytes,
                                                                  text + text_bytes, aad, aad_bytes,
                                                                  nonce, s->key) == 0;
    }
    int written;
    EVP_DecryptInit_ex(s->context, NULL, NULL, NULL, nonce);
    EVP_CIPHER_CTX_ctrl(s->context, EVP_CTRL_AEAD_SET_TAG, SEALING_TAG_BYTES, text + text_bytes);
    EVP_DecryptUpdate(s->context, NULL, &written, aad, (int)aad_bytes);
    EVP_DecryptUpdate(s->context, text, &written, text, (int)text_bytes);
    return EVP_DecryptFinal_ex(s->context, text + text_bytes, &written) == 1;
}

static void make_nonce(uint8_t nonce[SEALING_NONCE_BYTES], const uint8_t *datagram)
{
    memset(nonce, 0, SEALING_NONCE_BYTES);
    memcpy(nonce + SEALING_NONCE_BYTES - 4, datagram + 5, 4);
}

size_t sealing_seal(sealing *s, uint8_t *datagram, size_t text_bytes)
{
    uint8_t nonce[SEALING_NONCE_BYTES];
    s->number++;
    datagram[0] = 0xc0;
    memcpy(datagram + 1, &s->id, 4);
    memcpy(datagram + 5, &s->number, 4);
    make_nonce(nonce, datagram);
    sealing_encrypt(s, nonce, datagram, SEALING_HEADER_BYTES, datagram + SEALING_HEADER_BYTES,
                    text_bytes);
    return SEALING_HEADER_BYTES + text_bytes + SEALING_TAG_BYTES;
}

bool sealing_open(sealing *s, uint8_t *datagram, size_t bytes)
{
    uint8_t nonce[SEALING_NONCE_BYTES];
    if (bytes < SEALING_HEADER_BYTES + SEALING_TAG_BYTES) {
        return false;
    }
    make_nonce(nonce, datagram);
    return sealing_decrypt(s, nonce, datagram, SEALING_HEADER_BYTES,
                           datagram + SEALING_HEADER_BYTES,
                           bytes - SEALING_HEADER_BYTES - SEALING_TAG_BYTES);
}

uint32_t sealing_id(const uint8_t *datagram)
{
    uint32_t id;
    memcpy(&id, datagram + 1, sizeof id);
    return id;
}
