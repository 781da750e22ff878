#include "crypto/aead_run.h"

#include "base/bytes.h"
#include "base/units.h"
#include "crypto/poly1305.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

/* libsodium with AVX2 makes eight blocks at once, in little more time than two by themselves. */
enum { BATCH_BLOCKS = 8, SINGLE_BLOCKS_MAX = 2 };

enum { SHORT_TEXT_BYTES = 256 };

enum {
    BLOCK_BYTES = FN_AEAD_RUN_BLOCK_BYTES,
    RUN_BYTES_MAX = BLOCK_BYTES + FN_AEAD_RUN_TEXT_BYTES
};

static_assert(RUN_BYTES_MAX % (BATCH_BLOCKS * BLOCK_BYTES) == 0, "whole batches fit");

static size_t cheapest_bytes(size_t text_bytes)
{
    size_t blocks = 1 + (text_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
    if (blocks % BATCH_BLOCKS > SINGLE_BLOCKS_MAX && sodium_runtime_has_avx2())
        blocks = fn_align_up(blocks, BATCH_BLOCKS);
    return blocks * BLOCK_BYTES;
}

void fn_aead_run_make(fn_aead_run *run, const fn_aead_key *key, uint64_t packet_number,
                      size_t text_bytes)
{
    uint8_t nonce[FN_AEAD_IV_BYTES];
    assert(text_bytes <= FN_AEAD_RUN_TEXT_BYTES);
    size_t bytes = cheapest_bytes(text_bytes);
    fn_aead_nonce(key, packet_number, nonce);
    crypto_stream_chacha20_ietf(run->bytes, bytes, nonce, key->key);
    run->text_bytes = (uint32_t)(bytes - BLOCK_BYTES);
}

void fn_aead_run_wipe(fn_aead_run *run)
{
    fn_bytes_wipe(run->bytes, BLOCK_BYTES + run->text_bytes + 32);
    run->text_bytes = 0;
}

/* 32 bytes a step: gcc 12 leaves a byte loop scalar at -O2, which costs more than all the rest. */
static void xor_into(uint8_t *to, const uint8_t *stream, size_t bytes)
{
    size_t i = 0;
    for (; i + 32 <= bytes; i += 32) {
        uint64_t a[4];
        uint64_t b[4];
        memcpy(a, to + i, sizeof a);
        memcpy(b, stream + i, sizeof b);
        for (int word = 0; word < 4; word++)
            a[word] ^= b[word];
        memcpy(to + i, a, sizeof a);
    }
    for (; i < bytes; i++)
        to[i] ^= stream[i];
}

#if FN_POLY1305_AVAILABLE
/* False: the text is long enough for libsodium to be the faster one. */
static bool short_tag(uint8_t tag[FN_AEAD_TAG_BYTES], const uint8_t *mac_key, const uint8_t *aad,
                      size_t aad_bytes, const uint8_t *text, size_t text_bytes)
{
    fn_poly1305 mac;
    if (text_bytes > SHORT_TEXT_BYTES)
        return false;
    fn_poly1305_start(&mac, mac_key);
    fn_poly1305_add_padded(&mac, aad, aad_bytes);
    fn_poly1305_add_padded(&mac, text, text_bytes);
    fn_poly1305_add_lengths(&mac, aad_bytes, text_bytes);
    fn_poly1305_finish(&mac, tag);
    return true;
}
#else
static bool short_tag(uint8_t tag[FN_AEAD_TAG_BYTES], const uint8_t *mac_key, const uint8_t *aad,
                      size_t aad_bytes, const uint8_t *text, size_t text_bytes)
{
    (void)tag, (void)mac_key, (void)aad, (void)aad_bytes, (void)text, (void)text_bytes;
    return false;
}
#endif

/* libsodium wants it in one piece: the ciphertext goes to bytes + BLOCK_BYTES, where the keystream
 * was or is not needed, and all else around it. */
static void long_tag(uint8_t tag[FN_AEAD_TAG_BYTES], uint8_t *bytes, const uint8_t *mac_key,
                     const uint8_t *aad, size_t aad_bytes, const uint8_t *ciphertext,
                     size_t text_bytes)
{
    uint8_t *text = bytes + BLOCK_BYTES;
    memcpy(text, ciphertext, text_bytes);
    uint8_t *start = aad_bytes > 0 ? text - FN_AEAD_RUN_AAD_BYTES_MAX : text;
    memset(start, 0, (size_t)(text - start));
    if (aad_bytes > 0)
        memcpy(start, aad, aad_bytes);
    size_t padded = fn_align_up(text_bytes, 16);
    memset(text + text_bytes, 0, padded - text_bytes);
    fn_store_le64(text + padded, aad_bytes);
    fn_store_le64(text + padded + 8, text_bytes);
    crypto_onetimeauth(tag, start, (size_t)(text - start) + padded + 16, mac_key);
}

void fn_aead_run_seal(fn_aead_run *run, const uint8_t *aad, size_t aad_bytes, uint8_t *text,
                      size_t text_bytes)
{
    uint8_t *tag = text + text_bytes;
    xor_into(text, run->bytes + BLOCK_BYTES, text_bytes);
    if (!short_tag(tag, run->bytes, aad, aad_bytes, text, text_bytes))
        long_tag(tag, run->bytes, run->bytes, aad, aad_bytes, text, text_bytes);
    fn_aead_run_wipe(run);
}

static void tag_of_sealed(uint8_t tag[FN_AEAD_TAG_BYTES], const fn_aead_run *run,
                          const uint8_t *aad, size_t aad_bytes, const uint8_t *sealed,
                          size_t text_bytes)
{
    uint8_t copy[sizeof run->bytes]; /* the keystream is needed still */
    if (!short_tag(tag, run->bytes, aad, aad_bytes, sealed, text_bytes))
        long_tag(tag, copy, run->bytes, aad, aad_bytes, sealed, text_bytes);
}

bool fn_aead_run_open(fn_aead_run *run, const uint8_t *aad, size_t aad_bytes, uint8_t *sealed,
                      size_t text_bytes)
{
    uint8_t tag[FN_AEAD_TAG_BYTES];
    tag_of_sealed(tag, run, aad, aad_bytes, sealed, text_bytes);
    if (crypto_verify_16(tag, sealed + text_bytes) != 0)
        return false;
    xor_into(sealed, run->bytes + BLOCK_BYTES, text_bytes);
    fn_aead_run_wipe(run);
    return true;
}
