/*
 * aead.h: ChaCha20-Poly1305 as RFC 8439 section 2.8 defines it, for datagrams.
 *
 * Hides what does the work: with AVX2 one run of keystream and one MAC for packets that fit a
 * datagram (aead_run.h), else libsodium's own AEAD (docs/decisions/0009-aead-by-size.md). The bytes
 * are the same. Nothing here allocates.
 */
#ifndef FN_CRYPTO_AEAD_H
#define FN_CRYPTO_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/aead_key.h"

/* Picks the fastest code for this processor. Once per process is enough; more often, and from any
 * thread, is harmless. Without it all else works, slower. False: the library refused to start. */
bool fn_aead_start(void);

/* Encrypts text[0..text_bytes) in place and writes the tag behind it: `text` has room for
 * text_bytes + FN_AEAD_TAG_BYTES. `aad` is authenticated, not encrypted; it must not overlap the
 * text; NULL is fine when aad_bytes is 0. */
void fn_aead_seal(const fn_aead_key *key, uint64_t packet_number, const uint8_t *aad,
                  size_t aad_bytes, uint8_t *text, size_t text_bytes);

/* Verifies first, then decrypts in place. `sealed_bytes` includes the tag; the plain text has
 * sealed_bytes - FN_AEAD_TAG_BYTES bytes at the same place.
 * False: forged, damaged, or shorter than a tag. The buffer then holds no plain text, and what it
 * holds is not specified. */
bool fn_aead_open(const fn_aead_key *key, uint64_t packet_number, const uint8_t *aad,
                  size_t aad_bytes, uint8_t *sealed, size_t sealed_bytes);

#endif
