#include "crypto/keystream.h"

#include "base/bytes.h"
#include "base/units.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

enum {
    BLOCK_BYTES = 64,
    SEEN_MAX = 32 /* packets after which the length is judged anew */
};

static_assert((FN_KEYSTREAM_SLOTS & (FN_KEYSTREAM_SLOTS - 1)) == 0, "numbers select slots by mask");

void fn_keystream_init(fn_keystream *keystream)
{
    keystream->wanted_bytes = BLOCK_BYTES;
    keystream->longest_seen = 0;
    keystream->seen = 0;
    keystream->hits = 0;
    keystream->misses = 0;
    for (uint32_t i = 0; i < FN_KEYSTREAM_SLOTS; i++)
        keystream->slots[i].text_bytes = 0;
}

static fn_keystream_slot *slot_of(fn_keystream *keystream, uint64_t number)
{
    return &keystream->slots[number & (FN_KEYSTREAM_SLOTS - 1)];
}

/* Grows at once, shrinks when a whole run of packets was shorter. */
static void note_length(fn_keystream *keystream, size_t text_bytes)
{
    uint32_t blocks_bytes = (uint32_t)fn_align_up(text_bytes, BLOCK_BYTES);
    blocks_bytes = fn_min_u32(blocks_bytes, FN_KEYSTREAM_TEXT_BYTES);
    keystream->longest_seen = fn_max_u32(keystream->longest_seen, blocks_bytes);
    keystream->wanted_bytes = fn_max_u32(keystream->wanted_bytes, blocks_bytes);
    if (++keystream->seen < SEEN_MAX)
        return;
    keystream->wanted_bytes = fn_max_u32(keystream->longest_seen, BLOCK_BYTES);
    keystream->longest_seen = 0;
    keystream->seen = 0;
}

static void make_slot(fn_keystream_slot *slot, const fn_aead_key *key, uint64_t number,
                      uint32_t text_bytes)
{
    uint8_t nonce[FN_AEAD_IV_BYTES];
    memcpy(nonce, key->iv, sizeof nonce);
    uint8_t *counter = nonce + sizeof nonce - sizeof number;
    fn_store_be64(counter, fn_load_be64(counter) ^ number);
    crypto_stream_chacha20_ietf(slot->bytes, BLOCK_BYTES + text_bytes, nonce, key->key);
    slot->number = number;
    slot->text_bytes = text_bytes;
}

bool fn_keystream_prepare(fn_keystream *keystream, const fn_aead_key *key, uint64_t next_number)
{
    for (uint64_t number = next_number; number < next_number + FN_KEYSTREAM_SLOTS; number++) {
        fn_keystream_slot *slot = slot_of(keystream, number);
        if (slot->text_bytes >= keystream->wanted_bytes && slot->number == number)
            continue;
        make_slot(slot, key, number, keystream->wanted_bytes);
        return true;
    }
    return false;
}

static void wipe_slot(fn_keystream_slot *slot)
{
    fn_bytes_wipe(slot->bytes, BLOCK_BYTES + slot->text_bytes + 32);
    slot->text_bytes = 0;
}

static fn_keystream_slot *find(fn_keystream *keystream, uint64_t number, size_t aad_bytes,
                               size_t text_bytes)
{
    note_length(keystream, text_bytes);
    fn_keystream_slot *slot = slot_of(keystream, number);
    if (slot->text_bytes == 0 || slot->number != number || slot->text_bytes < text_bytes ||
        aad_bytes > FN_KEYSTREAM_AAD_BYTES_MAX) {
        keystream->misses++;
        return NULL;
    }
    keystream->hits++;
    return slot;
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

static void store_le64(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

/* The ciphertext lies at bytes + BLOCK_BYTES: completes what the MAC is computed over around it. */
static void compute_tag(uint8_t tag[FN_AEAD_TAG_BYTES], uint8_t *bytes, const uint8_t *mac_key,
                        const uint8_t *aad, size_t aad_bytes, size_t text_bytes)
{
    uint8_t *text = bytes + BLOCK_BYTES;
    uint8_t *start = aad_bytes > 0 ? text - FN_KEYSTREAM_AAD_BYTES_MAX : text;
    memset(start, 0, (size_t)(text - start));
    if (aad_bytes > 0)
        memcpy(start, aad, aad_bytes);
    size_t padded = fn_align_up(text_bytes, 16);
    memset(text + text_bytes, 0, padded - text_bytes);
    store_le64(text + padded, aad_bytes);
    store_le64(text + padded + 8, text_bytes);
    crypto_onetimeauth(tag, start, (size_t)(text - start) + padded + 16, mac_key);
}

bool fn_keystream_seal(fn_keystream *keystream, uint64_t number, const uint8_t *aad,
                       size_t aad_bytes, uint8_t *text, size_t text_bytes)
{
    fn_keystream_slot *slot = find(keystream, number, aad_bytes, text_bytes);
    if (slot == NULL)
        return false;
    xor_into(text, slot->bytes + BLOCK_BYTES, text_bytes);
    memcpy(slot->bytes + BLOCK_BYTES, text, text_bytes);
    compute_tag(text + text_bytes, slot->bytes, slot->bytes, aad, aad_bytes, text_bytes);
    wipe_slot(slot);
    return true;
}

fn_keystream_opened fn_keystream_open(fn_keystream *keystream, uint64_t number, const uint8_t *aad,
                                      size_t aad_bytes, uint8_t *sealed, size_t sealed_bytes)
{
    if (sealed_bytes < FN_AEAD_TAG_BYTES)
        return FN_KEYSTREAM_FORGED;
    size_t text_bytes = sealed_bytes - FN_AEAD_TAG_BYTES;
    fn_keystream_slot *slot = find(keystream, number, aad_bytes, text_bytes);
    if (slot == NULL)
        return FN_KEYSTREAM_MISS;
    uint8_t copy[sizeof slot->bytes]; /* a forgery must leave the keystream where it is */
    uint8_t tag[FN_AEAD_TAG_BYTES];
    memcpy(copy + BLOCK_BYTES, sealed, text_bytes);
    compute_tag(tag, copy, slot->bytes, aad, aad_bytes, text_bytes);
    if (crypto_verify_16(tag, sealed + text_bytes) != 0)
        return FN_KEYSTREAM_FORGED;
    xor_into(sealed, slot->bytes + BLOCK_BYTES, text_bytes);
    wipe_slot(slot);
    return FN_KEYSTREAM_OPENED;
}

void fn_keystream_wipe(fn_keystream *keystream)
{
    fn_bytes_wipe(keystream, sizeof *keystream);
    fn_keystream_init(keystream);
}
