/*
 * Our own Poly1305 and keystream against libsodium's: the same tag and the same bytes for any key,
 * number, associated data and text, prepared ahead or not; and nothing that was changed opens.
 *
 * Input: a key of 44 bytes, then either (first byte odd) one message for the MAC alone, or
 * operations of 6 bytes: what, length of the associated data, number, length of the text.
 */
#include "fuzz.h"

#include "base/bytes.h"
#include "base/cursor.h"
#include "crypto/keystream.h"
#include "crypto/poly1305.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 1600, AAD_BYTES_MAX = 24, OPERATIONS_MAX = 60 };

static void check_mac(const uint8_t key[FN_POLY1305_KEY_BYTES], const uint8_t *data, size_t bytes)
{
#if FN_POLY1305_AVAILABLE
    if (bytes == 0)
        return;
    size_t aad_bytes = *data++ % bytes--;
    size_t text_bytes = bytes - aad_bytes;
    uint8_t tag[FN_POLY1305_TAG_BYTES];
    fn_poly1305 mac;
    fn_poly1305_start(&mac, key);
    fn_poly1305_add_padded(&mac, data, aad_bytes);
    fn_poly1305_add_padded(&mac, data + aad_bytes, text_bytes);
    fn_poly1305_add_lengths(&mac, aad_bytes, text_bytes);
    fn_poly1305_finish(&mac, tag);

    static const uint8_t zeros[16];
    uint8_t lengths[16] = {0};
    for (int i = 0; i < 8; i++) {
        lengths[i] = (uint8_t)((uint64_t)aad_bytes >> 8 * i);
        lengths[8 + i] = (uint8_t)((uint64_t)text_bytes >> 8 * i);
    }
    uint8_t expected[crypto_onetimeauth_BYTES];
    crypto_onetimeauth_state state;
    crypto_onetimeauth_init(&state, key);
    crypto_onetimeauth_update(&state, data, aad_bytes);
    crypto_onetimeauth_update(&state, zeros, (16 - aad_bytes % 16) % 16);
    crypto_onetimeauth_update(&state, data + aad_bytes, text_bytes);
    crypto_onetimeauth_update(&state, zeros, (16 - text_bytes % 16) % 16);
    crypto_onetimeauth_update(&state, lengths, sizeof lengths);
    crypto_onetimeauth_final(&state, expected);
    FUZZ_CHECK(memcmp(tag, expected, sizeof tag) == 0);
#else
    (void)key, (void)data, (void)bytes;
#endif
}

typedef struct packet {
    uint64_t number;
    size_t aad_bytes;
    size_t text_bytes;
    uint8_t aad[AAD_BYTES_MAX];
    uint8_t text[TEXT_BYTES_MAX];
    uint8_t sealed[TEXT_BYTES_MAX + FN_AEAD_TAG_BYTES]; /* by libsodium */
} packet;

static void make_packet(packet *made, const fn_aead_key *key, uint8_t fill)
{
    for (size_t i = 0; i < made->aad_bytes; i++)
        made->aad[i] = (uint8_t)(fill + i);
    for (size_t i = 0; i < made->text_bytes; i++)
        made->text[i] = (uint8_t)(fill * 3 + i * 7 + i / 64);
    uint8_t nonce[FN_AEAD_IV_BYTES];
    fn_aead_nonce(key, made->number, nonce);
    crypto_aead_chacha20poly1305_ietf_encrypt(made->sealed, NULL, made->text, made->text_bytes,
                                              made->aad, made->aad_bytes, NULL, nonce, key->key);
}

static void check_seal(const packet *made, const fn_aead_key *key, fn_keystream *ahead)
{
    uint8_t buffer[TEXT_BYTES_MAX + FN_AEAD_TAG_BYTES];
    memcpy(buffer, made->text, made->text_bytes);
    bool prepared = ahead != NULL && fn_keystream_seal(ahead, made->number, made->aad,
                                                       made->aad_bytes, buffer, made->text_bytes);
    if (!prepared) {
        FUZZ_CHECK(memcmp(buffer, made->text, made->text_bytes) == 0);
        fn_aead_seal(key, made->number, made->aad, made->aad_bytes, buffer, made->text_bytes);
    }
    FUZZ_CHECK(memcmp(buffer, made->sealed, made->text_bytes + FN_AEAD_TAG_BYTES) == 0);
}

static void check_open(const packet *made, const fn_aead_key *key, fn_keystream *ahead,
                       size_t damaged_bit)
{
    size_t sealed_bytes = made->text_bytes + FN_AEAD_TAG_BYTES;
    bool damaged = damaged_bit < sealed_bytes * 8;
    uint8_t buffer[TEXT_BYTES_MAX + FN_AEAD_TAG_BYTES];
    memcpy(buffer, made->sealed, sealed_bytes);
    if (damaged)
        buffer[damaged_bit / 8] ^= (uint8_t)(1u << damaged_bit % 8);
    fn_keystream_opened opened = FN_KEYSTREAM_MISS;
    if (ahead != NULL)
        opened = fn_keystream_open(ahead, made->number, made->aad, made->aad_bytes, buffer,
                                   sealed_bytes);
    if (opened == FN_KEYSTREAM_MISS)
        opened = fn_aead_open(key, made->number, made->aad, made->aad_bytes, buffer, sealed_bytes)
                     ? FN_KEYSTREAM_OPENED
                     : FN_KEYSTREAM_FORGED;
    FUZZ_CHECK((opened == FN_KEYSTREAM_FORGED) == damaged);
    FUZZ_CHECK(damaged || memcmp(buffer, made->text, made->text_bytes) == 0);
}

static void operate(fn_reader *reader, const fn_aead_key *key, fn_keystream *send,
                    fn_keystream *receive)
{
    static packet made;
    uint8_t what = fn_read_u8(reader);
    made.aad_bytes = fn_read_u8(reader) % (AAD_BYTES_MAX + 1);
    uint16_t number = fn_read_u16(reader);
    made.number = (what & 0x80) != 0 ? ~(uint64_t)number : number;
    uint16_t length = fn_read_u16(reader);
    made.text_bytes = length % (TEXT_BYTES_MAX + 1);
    switch (what & 3) {
    case 0:
        fn_keystream_prepare((what & 4) != 0 ? send : receive, key, made.number);
        return;
    case 1:
        make_packet(&made, key, what);
        check_seal(&made, key, (what & 4) != 0 ? send : NULL);
        return;
    default:
        make_packet(&made, key, what);
        check_open(&made, key, (what & 4) != 0 ? receive : NULL,
                   (what & 1) != 0 ? SIZE_MAX : (size_t)number % ((made.text_bytes + 16) * 8));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    FUZZ_CHECK(fn_aead_start());
    fn_aead_key key;
    if (bytes < 1 + sizeof key)
        return 0;
    memcpy(key.key, data + 1, sizeof key.key);
    memcpy(key.iv, data + 1 + sizeof key.key, sizeof key.iv);
    if (data[0] % 2 != 0) {
        check_mac(key.key, data + 1 + sizeof key, bytes - 1 - sizeof key);
        return 0;
    }
    static fn_keystream send, receive;
    fn_keystream_init(&send);
    fn_keystream_init(&receive);
    fn_reader reader = fn_reader_make(data + 1 + sizeof key, bytes - 1 - sizeof key);
    for (int i = 0; i < OPERATIONS_MAX && fn_reader_left(&reader) >= 6; i++)
        operate(&reader, &key, &send, &receive);
    fn_keystream_wipe(&send);
    fn_keystream_wipe(&receive);
    return 0;
}
