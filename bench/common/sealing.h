/*
 * sealing.h: ChaCha20-Poly1305 (RFC 8439) for the floor programs: a datagram is a
 * header of nine bytes (kind, receiver id, packet number), which is
 * authenticated, then the sealed text, then the tag.
 */
#ifndef BENCH_COMMON_SEALING_H
#define BENCH_COMMON_SEALING_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SEALING_HEADER_BYTES = 9,
    SEALING_TAG_BYTES = 16,
    SEALING_KEY_BYTES = 32,
    SEALING_NONCE_BYTES = 12,
};

typedef enum sealing_backend {
    SEALING_SODIUM,  /* libsodium's own AEAD */
    SEALING_OPENSSL, /* one EVP context for each key and direction, the nonce set for each packet */
    SEALING_FASTNET, /* FastNet's crypto layer, on libsodium's keystream */
} sealing_backend;

/* The one that is fastest on this processor for texts of that length; FastNet's own where it beats
 * both libraries, so that a floor has the cipher of what it is compared with. */
sealing_backend sealing_fastest(size_t text_bytes);

/* One direction of one connection. */
typedef struct sealing {
    sealing_backend backend;
    bool seals; /* else it opens: an EVP context knows one direction only */
    uint8_t key[SEALING_KEY_BYTES];
    EVP_CIPHER_CTX *context;
    uint32_t id;
    uint32_t number;
} sealing;

/* The key follows from the id: client and server make the same one. */
void sealing_init(sealing *s, sealing_backend backend, bool seals, uint32_t id);
void sealing_free(sealing *s);

/* Writes the header, seals the text that stands behind it in place;
 * returns the datagram's length. */
size_t sealing_seal(sealing *s, uint8_t *datagram, size_t text_bytes);

/* Opens in place; false = not ours. The text stands behind the header. */
bool sealing_open(sealing *s, uint8_t *datagram, size_t bytes);

/* The receiver id in a datagram of at least SEALING_HEADER_BYTES. */
uint32_t sealing_id(const uint8_t *datagram);

/* The same on plain buffers, for the measurement of the cipher alone. */
void sealing_encrypt(sealing *s, const uint8_t *nonce, const uint8_t *aad, size_t aad_bytes,
                     uint8_t *text, size_t text_bytes);
bool sealing_decrypt(sealing *s, const uint8_t *nonce, const uint8_t *aad, size_t aad_bytes,
                     uint8_t *text, size_t text_bytes);

#endif
