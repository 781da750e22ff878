#include "common/ahead.h"

#include <sodium.h>
#include <string.h>

/* What the MAC reads: aad, padding, text, padding, both lengths. */
enum { MAC_INPUT_BYTES = AHEAD_AAD_BYTES_MAX + AHEAD_TEXT_BYTES_MAX + 16 + 16 };

void ahead_init(ahead *a, const uint8_t key[32], uint8_t nonce_prefix, size_t text_bytes)
{
    memset(a, 0, sizeof *a);
    memcpy(a->key, key, sizeof a->key);
    a->nonce_prefix = nonce_prefix;
    a->text_bytes = text_bytes;
}

/* With AVX2 libsodium makes eight blocks at once, for the price of two by themselves. */
static size_t stream_bytes(size_t text_bytes)
{
    size_t blocks = 1 + (text_bytes + AHEAD_BLOCK_BYTES - 1) / AHEAD_BLOCK_BYTES;
    if (blocks % 8 > 2 && sodium_runtime_has_avx2()) {
        blocks = (blocks + 7) / 8 * 8;
    }
    return blocks * AHEAD_BLOCK_BYTES;
}

static void fill(const ahead *a, ahead_slot *slot, uint64_t number, size_t text_bytes)
{
    uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES];
    memset(nonce, a->nonce_prefix, sizeof nonce);
    memcpy(nonce + sizeof nonce - sizeof number, &number, sizeof number);
    crypto_stream_chacha20_ietf(slot->stream, stream_bytes(text_bytes), nonce, a->key);
    slot->number = number;
}

bool ahead_prepare(ahead *a, uint64_t next)
{
    for (uint64_t number = next; number < next + AHEAD_PACKETS; number++) {
        ahead_slot *slot = &a->slots[number % AHEAD_PACKETS];
        if (slot->number != number) {
            fill(a, slot, number, a->text_bytes);
            return true;
        }
    }
    return false;
}

static ahead_slot *slot_for(ahead *a, uint64_t number, size_t text_bytes)
{
    ahead_slot *slot = &a->slots[number % AHEAD_PACKETS];
    if (slot->number != number || text_bytes > a->text_bytes) {
        fill(a, slot, number, text_bytes);
    }
    return slot;
}

/* 32 bytes at a time: a loop over bytes stays scalar at -O2. */
static void combine(uint8_t *text, const uint8_t *stream, size_t bytes)
{
    size_t at = 0;
    for (; at + 32 <= bytes; at += 32) {
        uint64_t left[4], right[4];
        memcpy(left, text + at, 32);
        memcpy(right, stream + at, 32);
        for (int word = 0; word < 4; word++) {
            left[word] ^= right[word];
        }
        memcpy(text + at, left, 32);
    }
    for (; at < bytes; at++) {
        text[at] ^= stream[at];
    }
}

static void authenticate(uint8_t tag[AHEAD_TAG_BYTES], const uint8_t *stream, const uint8_t *aad,
                         size_t aad_bytes, const uint8_t *text, size_t text_bytes)
{
    uint8_t input[MAC_INPUT_BYTES];
    uint64_t lengths[2] = {aad_bytes, text_bytes};
    size_t padded = (text_bytes + 15) / 16 * 16;
    memset(input, 0, AHEAD_AAD_BYTES_MAX);
    memcpy(input, aad, aad_bytes);
    uint8_t *at = input + (aad_bytes + 15) / 16 * 16;
    memcpy(at, text, text_bytes);
    memset(at + text_bytes, 0, padded - text_bytes);
    memcpy(at + padded, lengths, sizeof lengths);
    crypto_onetimeauth_poly1305(tag, input, (size_t)(at - input) + padded + sizeof lengths, stream);
}

void ahead_seal(ahead *a, uint64_t number, const uint8_t *aad, size_t aad_bytes, uint8_t *text,
                size_t text_bytes)
{
    ahead_slot *slot = slot_for(a, number, text_bytes);
    combine(text, slot->stream + AHEAD_BLOCK_BYTES, text_bytes);
    authenticate(text + text_bytes, slot->stream, aad, aad_bytes, text, text_bytes);
    sodium_memzero(slot->stream, AHEAD_BLOCK_BYTES + text_bytes);
    slot->number = 0;
}

bool ahead_open(ahead *a, uint64_t number, const uint8_t *aad, size_t aad_bytes, uint8_t *text,
                size_t text_bytes)
{
    uint8_t tag[AHEAD_TAG_BYTES];
    ahead_slot *slot = slot_for(a, number, text_bytes);
    authenticate(tag, slot->stream, aad, aad_bytes, text, text_bytes);
    if (sodium_memcmp(tag, text + text_bytes, sizeof tag) != 0) {
        return false;
    }
    combine(text, slot->stream + AHEAD_BLOCK_BYTES, text_bytes);
    sodium_memzero(slot->stream, AHEAD_BLOCK_BYTES + text_bytes);
    slot->number = 0;
    return true;
}
