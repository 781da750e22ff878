#include "crypto/aead_run.h"

#include "crypto/aead.h"

#include "base/rng.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { BUFFER_BYTES = FN_AEAD_RUN_TEXT_BYTES + FN_AEAD_TAG_BYTES };

static const fn_aead_key key = {.key = {1, 2, 3}, .iv = {4, 5, 6}};

static bool is_zero(const fn_aead_run *run)
{
    static const uint8_t zero[sizeof run->bytes];
    return memcmp(run->bytes, zero, sizeof zero) == 0;
}

/* Whatever is made beyond what was asked for is keystream of the same nonce. */
static void every_length_is_served_with_the_keystream_of_rfc_8439(void **state)
{
    (void)state;
    static uint8_t expected[FN_AEAD_RUN_BLOCK_BYTES + FN_AEAD_RUN_TEXT_BYTES];
    static const uint64_t number = 0x1122334455667788;
    uint8_t nonce[FN_AEAD_IV_BYTES] = {4, 5, 6};
    for (int i = 0; i < 8; i++)
        nonce[11 - i] ^= (uint8_t)(number >> 8 * i);
    crypto_stream_chacha20_ietf(expected, sizeof expected, nonce, key.key);
    for (size_t text_bytes = 0; text_bytes <= FN_AEAD_RUN_TEXT_BYTES; text_bytes++) {
        fn_aead_run run = {.text_bytes = 0};
        fn_aead_run_make(&run, &key, number, text_bytes);
        assert_in_range(run.text_bytes, text_bytes, FN_AEAD_RUN_TEXT_BYTES);
        size_t made = FN_AEAD_RUN_BLOCK_BYTES + run.text_bytes;
        assert_memory_equal(run.bytes, expected, made);
        fn_aead_run_wipe(&run);
        assert_int_equal(run.text_bytes, 0);
        assert_true(is_zero(&run));
    }
}

static void what_was_used_is_wiped(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes <= FN_AEAD_RUN_TEXT_BYTES; bytes += 23) {
        uint8_t buffer[BUFFER_BYTES] = {0};
        uint8_t aad[FN_AEAD_RUN_AAD_BYTES_MAX] = {7};
        fn_aead_run run;
        memset(&run, 0, sizeof run);
        fn_aead_run_make(&run, &key, 9, bytes);
        fn_aead_run_seal(&run, aad, sizeof aad, buffer, bytes);
        assert_true(is_zero(&run));
        fn_aead_run_make(&run, &key, 9, bytes);
        assert_true(fn_aead_run_open(&run, aad, sizeof aad, buffer, bytes));
        assert_true(is_zero(&run));
    }
}

static void a_forgery_leaves_run_and_buffer_as_they_are(void **state)
{
    (void)state;
    uint8_t good[BUFFER_BYTES] = "text";
    uint8_t forged[BUFFER_BYTES];
    uint8_t copy[BUFFER_BYTES];
    fn_aead_run run;
    fn_aead_run_make(&run, &key, 9, 100);
    fn_aead_run_seal(&run, NULL, 0, good, 100);
    fn_aead_run_make(&run, &key, 9, 100);
    for (size_t bit = 0; bit < 8 * (100 + FN_AEAD_TAG_BYTES); bit++) {
        memcpy(forged, good, sizeof forged);
        forged[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memcpy(copy, forged, sizeof copy);
        assert_false(fn_aead_run_open(&run, NULL, 0, forged, 100));
        assert_memory_equal(forged, copy, sizeof copy);
    }
    assert_true(fn_aead_run_open(&run, NULL, 0, good, 100));
    assert_string_equal((const char *)good, "text");
}

int main(void)
{
    if (!fn_aead_start())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_is_served_with_the_keystream_of_rfc_8439),
        cmocka_unit_test(what_was_used_is_wiped),
        cmocka_unit_test(a_forgery_leaves_run_and_buffer_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
