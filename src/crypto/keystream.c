#include "crypto/keystream.h"

#include "base/bytes.h"
#include "base/units.h"

#include <assert.h>
#include <string.h>

enum {
    BLOCK_BYTES = FN_AEAD_RUN_BLOCK_BYTES,
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
        keystream->slots[i].run.text_bytes = 0;
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

bool fn_keystream_prepare(fn_keystream *keystream, const fn_aead_key *key, uint64_t next_number)
{
    for (uint64_t number = next_number; number < next_number + FN_KEYSTREAM_SLOTS; number++) {
        fn_keystream_slot *slot = slot_of(keystream, number);
        if (slot->run.text_bytes >= keystream->wanted_bytes && slot->number == number)
            continue;
        fn_aead_run_make(&slot->run, key, number, keystream->wanted_bytes);
        slot->number = number;
        return true;
    }
    return false;
}

static fn_keystream_slot *find(fn_keystream *keystream, uint64_t number, size_t aad_bytes,
                               size_t text_bytes)
{
    note_length(keystream, text_bytes);
    fn_keystream_slot *slot = slot_of(keystream, number);
    const fn_aead_run *run = &slot->run;
    if (run->text_bytes == 0 || slot->number != number || run->text_bytes < text_bytes ||
        aad_bytes > FN_KEYSTREAM_AAD_BYTES_MAX) {
        keystream->misses++;
        return NULL;
    }
    keystream->hits++;
    return slot;
}

bool fn_keystream_seal(fn_keystream *keystream, uint64_t number, const uint8_t *aad,
                       size_t aad_bytes, uint8_t *text, size_t text_bytes)
{
    fn_keystream_slot *slot = find(keystream, number, aad_bytes, text_bytes);
    if (slot == NULL)
        return false;
    fn_aead_run_seal(&slot->run, aad, aad_bytes, text, text_bytes);
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
    if (!fn_aead_run_open(&slot->run, aad, aad_bytes, sealed, text_bytes))
        return FN_KEYSTREAM_FORGED; /* the true packet may still come */
    return FN_KEYSTREAM_OPENED;
}

void fn_keystream_wipe(fn_keystream *keystream)
{
    fn_bytes_wipe(keystream, sizeof *keystream);
    fn_keystream_init(keystream);
}
