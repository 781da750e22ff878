/*
 * keystream.h: ChaCha20-Poly1305 (RFC 8439) with the cipher's work done ahead of time.
 *
 * Packet numbers are counters, so the nonces of the next few packets are known before their
 * contents are. An endpoint that spins, waiting, can make their keystream and Poly1305 key
 * meanwhile; sealing is then an XOR and a MAC. The bytes on the wire are those of fn_aead_seal(),
 * whichever way was taken.
 *
 * One fn_keystream serves one direction of one key. It holds the next FN_KEYSTREAM_SLOTS numbers; a
 * slot is wiped when it was used, so no keystream can serve twice. A packet that finds no slot, or
 * one too short, takes the plain path at its usual cost. Throw it away (wipe) when the key changes.
 *
 * Sizes follow the traffic: slots are made for the longest of the last few packets.
 */
#ifndef FN_CRYPTO_KEYSTREAM_H
#define FN_CRYPTO_KEYSTREAM_H

#include "crypto/aead.h"
#include "crypto/aead_run.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FN_KEYSTREAM_SLOTS = 4, /* packet numbers ahead; a power of two */
    FN_KEYSTREAM_TEXT_BYTES = FN_AEAD_RUN_TEXT_BYTES,
    FN_KEYSTREAM_AAD_BYTES_MAX = FN_AEAD_RUN_AAD_BYTES_MAX
};

typedef struct fn_keystream_slot {
    uint64_t number;
    fn_aead_run run; /* empty: nothing is prepared */
} fn_keystream_slot;

typedef struct fn_keystream {
    uint32_t wanted_bytes; /* slots are made this long */
    uint32_t longest_seen; /* since `seen` began to count */
    uint32_t seen;
    uint64_t hits;
    uint64_t misses;
    fn_keystream_slot slots[FN_KEYSTREAM_SLOTS];
} fn_keystream;

typedef enum fn_keystream_opened {
    FN_KEYSTREAM_MISS,   /* nothing prepared: take fn_aead_open() */
    FN_KEYSTREAM_OPENED, /* verified, decrypted in place */
    FN_KEYSTREAM_FORGED  /* the slot stays: the true packet may still come */
} fn_keystream_opened;

void fn_keystream_init(fn_keystream *keystream);

/* Does one piece of work: makes one of the slots for next_number .. next_number +
 * FN_KEYSTREAM_SLOTS - 1 that is missing. False: all are there. */
bool fn_keystream_prepare(fn_keystream *keystream, const fn_aead_key *key, uint64_t next_number);

/* As fn_aead_seal(). False, and nothing happened: no slot for it. */
bool fn_keystream_seal(fn_keystream *keystream, uint64_t number, const uint8_t *aad,
                       size_t aad_bytes, uint8_t *text, size_t text_bytes);

/* As fn_aead_open(). */
fn_keystream_opened fn_keystream_open(fn_keystream *keystream, uint64_t number, const uint8_t *aad,
                                      size_t aad_bytes, uint8_t *sealed, size_t sealed_bytes);

/* Erases all of it. */
void fn_keystream_wipe(fn_keystream *keystream);

#endif
