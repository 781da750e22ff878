/*
 * aead_run.h: ChaCha20-Poly1305 (RFC 8439) as one run of keystream and one MAC.
 *
 * A packet's cipher is a run of keystream: block 0 gives the MAC's key, the rest is what the text
 * is xored with. Made in one call, the run costs much less than libsodium's own AEAD, which makes
 * block 0 by itself and whatever is left over one block at a time; and it can be made before the
 * packet is there. The bytes on the wire are the same.
 *
 * Inside this layer only: aead.h and keystream.h are what others use.
 */
#ifndef FN_CRYPTO_AEAD_RUN_H
#define FN_CRYPTO_AEAD_RUN_H

#include "crypto/aead_key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FN_AEAD_RUN_BLOCK_BYTES = 64,
    FN_AEAD_RUN_TEXT_BYTES = 1472, /* longest text that a run serves: 24 blocks in all */
    FN_AEAD_RUN_AAD_BYTES_MAX = 16
};

/* The MAC of a short text is computed over it where it lies (crypto/poly1305.h). For libsodium's,
 * on a long one, the associated data takes the end of block 0 and the ciphertext the keystream's
 * place: what it is computed over (RFC 8439 section 2.8) lies in one piece then. */
typedef struct fn_aead_run {
    uint32_t text_bytes; /* of keystream behind block 0; 0 = empty */
    uint8_t bytes[FN_AEAD_RUN_BLOCK_BYTES + FN_AEAD_RUN_TEXT_BYTES + 32]; /* padding and lengths */
} fn_aead_run;

/* For at least text_bytes (at most FN_AEAD_RUN_TEXT_BYTES): more when that is as cheap. */
void fn_aead_run_make(fn_aead_run *run, const fn_aead_key *key, uint64_t packet_number,
                      size_t text_bytes);

/* As fn_aead_seal(); text_bytes is at most run->text_bytes, aad_bytes at most
 * FN_AEAD_RUN_AAD_BYTES_MAX. The run is used up: wiped and empty. */
void fn_aead_run_seal(fn_aead_run *run, const uint8_t *aad, size_t aad_bytes, uint8_t *text,
                      size_t text_bytes);

/* The text without its tag; within the same limits. False: forged, and the run stays as it is.
 * True: it is used up. */
bool fn_aead_run_open(fn_aead_run *run, const uint8_t *aad, size_t aad_bytes, uint8_t *sealed,
                      size_t text_bytes);

/* Erases what was made. */
void fn_aead_run_wipe(fn_aead_run *run);

#endif
