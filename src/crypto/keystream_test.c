#include "crypto/keystream.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BUFFER_BYTES = FN_KEYSTREAM_TEXT_BYTES + 64 };

static fn_aead_key make_key(fn_rng *rng)
{
    fn_aead_key key;
    fn_rng_bytes(rng, &key, sizeof key);
    return key;
}

static void prepare_all(fn_keystream *keystream, const fn_aead_key *key, uint64_t next)
{
    while (fn_keystream_prepare(keystream, key, next)) {
    }
}

/* A packet of that length went by, so slots are made long enough for it. */
static void teach_length(fn_keystream *keystream, size_t text_bytes)
{
    uint8_t scratch[BUFFER_BYTES] = {0};
    assert_false(fn_keystream_seal(keystream, UINT64_MAX, NULL, 0, scratch, text_bytes));
}

/* RFC 8439 section 2.8.2: key, nonce (our IV with packet number 0),
 * AAD, plain text, ciphertext, tag. */
static const char rfc_text[] =
    "Ladies and Gentlemen of the class of '99: If I could offer you only "
    "one tip for the future, sunscreen would be it.";
static const uint8_t rfc_iv[12] = {0x07, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47};
static const uint8_t rfc_aad[12] = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1,
                                    0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7};
static const uint8_t rfc_first[16] = {0xd3, 0x1a, 0x8d, 0x34, 0x64, 0x8e, 0x60, 0xdb,
                                      0x7b, 0x86, 0xaf, 0xbc, 0x53, 0xef, 0x7e, 0xc2};
static const uint8_t rfc_tag[16] = {0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a,
                                    0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91};

static void seals_the_vector_of_rfc_8439(void **state)
{
    (void)state;
    fn_aead_key key;
    for (int i = 0; i < 32; i++)
        key.key[i] = (uint8_t)(0x80 + i);
    memcpy(key.iv, rfc_iv, sizeof key.iv);
    fn_keystream keystream;
    fn_keystream_init(&keystream);
    uint8_t buffer[BUFFER_BYTES];
    size_t bytes = sizeof rfc_text - 1;
    memcpy(buffer, rfc_text, bytes);
    teach_length(&keystream, bytes);
    prepare_all(&keystream, &key, 0);
    assert_true(fn_keystream_seal(&keystream, 0, rfc_aad, sizeof rfc_aad, buffer, bytes));
    assert_memory_equal(buffer, rfc_first, sizeof rfc_first);
    assert_memory_equal(buffer + bytes, rfc_tag, sizeof rfc_tag);
}

static void makes_the_bytes_of_the_plain_path(void **state)
{
    (void)state;
    fn_rng rng;
    fn_rng_init(&rng, 7);
    fn_aead_key key = make_key(&rng);
    fn_keystream keystream;
    fn_keystream_init(&keystream);
    for (uint64_t number = 0; number <= FN_KEYSTREAM_TEXT_BYTES; number++) {
        size_t text_bytes = (size_t)number;
        size_t aad_bytes = (size_t)(number % (FN_KEYSTREAM_AAD_BYTES_MAX + 1));
        uint8_t aad[FN_KEYSTREAM_AAD_BYTES_MAX];
        uint8_t ahead[BUFFER_BYTES];
        uint8_t plain[BUFFER_BYTES];
        fn_rng_bytes(&rng, aad, sizeof aad);
        fn_rng_bytes(&rng, ahead, text_bytes);
        memcpy(plain, ahead, text_bytes);
        teach_length(&keystream, text_bytes);
        prepare_all(&keystream, &key, number);
        assert_true(fn_keystream_seal(&keystream, number, aad, aad_bytes, ahead, text_bytes));
        fn_aead_seal(&key, number, aad, aad_bytes, plain, text_bytes);
        assert_memory_equal(ahead, plain, text_bytes + FN_AEAD_TAG_BYTES);
    }
}

static void opens_what_the_plain_path_sealed_and_nothing_else(void **state)
{
    (void)state;
    fn_rng rng;
    fn_rng_init(&rng, 8);
    fn_aead_key key = make_key(&rng);
    fn_keystream keystream;
    fn_keystream_init(&keystream);
    static const size_t lengths[] = {0, 1, 15, 16, 17, 64, 200, 1200, FN_KEYSTREAM_TEXT_BYTES};
    for (uint64_t number = 0; number < sizeof lengths / sizeof lengths[0]; number++) {
        size_t bytes = lengths[number];
        uint8_t aad[7] = {1, 2, 3};
        uint8_t text[BUFFER_BYTES];
        uint8_t sealed[BUFFER_BYTES];
        uint8_t forged[BUFFER_BYTES];
        fn_rng_bytes(&rng, text, bytes);
        memcpy(sealed, text, bytes);
        fn_aead_seal(&key, number, aad, sizeof aad, sealed, bytes);
        teach_length(&keystream, bytes);
        prepare_all(&keystream, &key, number);
        size_t all = bytes + FN_AEAD_TAG_BYTES;
        for (size_t bit = 0; bit < all * 8; bit += 1 + all / 8) {
            memcpy(forged, sealed, all);
            forged[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(fn_keystream_open(&keystream, number, aad, sizeof aad, forged, all),
                             FN_KEYSTREAM_FORGED);
        }
        assert_int_equal(fn_keystream_open(&keystream, number, aad, sizeof aad, sealed, 15),
                         FN_KEYSTREAM_FORGED);
        assert_int_equal(fn_keystream_open(&keystream, number, aad, sizeof aad, sealed, all),
                         FN_KEYSTREAM_OPENED);
        assert_memory_equal(sealed, text, bytes);
    }
}

static void no_keystream_serves_twice(void **state)
{
    (void)state;
    fn_rng rng;
    fn_rng_init(&rng, 9);
    fn_aead_key key = make_key(&rng);
    fn_keystream keystream;
    fn_keystream_init(&keystream);
    prepare_all(&keystream, &key, 100);
    uint8_t buffer[BUFFER_BYTES] = {0};
    assert_true(fn_keystream_seal(&keystream, 102, NULL, 0, buffer, 64));
    assert_false(fn_keystream_seal(&keystream, 102, NULL, 0, buffer, 64));
    const fn_keystream_slot *slot = &keystream.slots[102 % FN_KEYSTREAM_SLOTS];
    for (size_t i = 0; i < 64 + 64; i++)
        assert_int_equal(slot->run.bytes[i], 0);
    assert_int_equal(keystream.hits, 1);
}

static void skipped_numbers_are_replaced_not_reused(void **state)
{
    (void)state;
    fn_rng rng;
    fn_rng_init(&rng, 10);
    fn_aead_key key = make_key(&rng);
    fn_keystream keystream;
    fn_keystream_init(&keystream);
    prepare_all(&keystream, &key, 0);
    prepare_all(&keystream, &key, 3);
    uint8_t ahead[BUFFER_BYTES] = "same";
    uint8_t plain[BUFFER_BYTES] = "same";
    assert_false(fn_keystream_seal(&keystream, 0, NULL, 0, ahead, 4));
    assert_true(fn_keystream_seal(&keystream, 4, NULL, 0, ahead, 4));
    fn_aead_seal(&key, 4, NULL, 0, plain, 4);
    assert_memory_equal(ahead, plain, 4 + FN_AEAD_TAG_BYTES);
}

static void a_text_longer_than_the_slot_takes_the_plain_path(void **state)
{
    (void)state;
    fn_rng rng;
    fn_rng_init(&rng, 11);
    fn_aead_key key = make_key(&rng);
    fn_keystream keystream;
    fn_keystream_init(&keystream);
    prepare_all(&keystream, &key, 0);
    uint8_t buffer[BUFFER_BYTES] = {0};
    assert_false(fn_keystream_seal(&keystream, 0, NULL, 0, buffer, 65));
    assert_int_equal(keystream.misses, 1);
    prepare_all(&keystream, &key, 0);
    assert_true(fn_keystream_seal(&keystream, 0, NULL, 0, buffer, 65));
}

static void wiping_leaves_nothing(void **state)
{
    (void)state;
    fn_rng rng;
    fn_rng_init(&rng, 12);
    fn_aead_key key = make_key(&rng);
    fn_keystream keystream;
    fn_keystream_init(&keystream);
    prepare_all(&keystream, &key, 0);
    fn_keystream_wipe(&keystream);
    for (uint32_t i = 0; i < FN_KEYSTREAM_SLOTS; i++) {
        assert_int_equal(keystream.slots[i].run.text_bytes, 0);
        for (size_t at = 0; at < sizeof keystream.slots[i].run.bytes; at++)
            assert_int_equal(keystream.slots[i].run.bytes[at], 0);
    }
}

int main(void)
{
    if (!fn_aead_start())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seals_the_vector_of_rfc_8439),
        cmocka_unit_test(makes_the_bytes_of_the_plain_path),
        cmocka_unit_test(opens_what_the_plain_path_sealed_and_nothing_else),
        cmocka_unit_test(no_keystream_serves_twice),
        cmocka_unit_test(skipped_numbers_are_replaced_not_reused),
        cmocka_unit_test(a_text_longer_than_the_slot_takes_the_plain_path),
        cmocka_unit_test(wiping_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
