/*
 * aead_key.h: the key of ChaCha20-Poly1305 (RFC 8439), and the nonce that a packet gets under it.
 *
 * The nonce of a packet is the IV xor its packet number (64 bits, big endian, in the last eight
 * bytes), as in RFC 9001 section 5.3. A packet number is sealed at most once with a key: that is
 * the caller's duty, and all secrecy depends on it.
 */
#ifndef FN_CRYPTO_AEAD_KEY_H
#define FN_CRYPTO_AEAD_KEY_H

#include <stdint.h>

enum {
    FN_AEAD_KEY_BYTES = 32,
    FN_AEAD_IV_BYTES = 12,
    FN_AEAD_TAG_BYTES = 16,
};

typedef struct fn_aead_key {
    uint8_t key[FN_AEAD_KEY_BYTES];
    uint8_t iv[FN_AEAD_IV_BYTES];
} fn_aead_key;

/* The nonce of that packet. */
void fn_aead_nonce(const fn_aead_key *key, uint64_t packet_number, uint8_t nonce[FN_AEAD_IV_BYTES]);

/* Erases the key in a way the compiler keeps. */
void fn_aead_key_wipe(fn_aead_key *key);

#endif
