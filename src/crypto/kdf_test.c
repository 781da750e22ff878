#include "crypto/kdf.h"

#include "crypto/test_hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_hex(const uint8_t *actual, size_t bytes, const char *expected)
{
    uint8_t expected_bytes[128];
    assert_int_equal(test_hex(expected, expected_bytes, sizeof expected_bytes), bytes);
    assert_memory_equal(actual, expected_bytes, bytes);
}

static void fill_from(uint8_t *out, size_t bytes, uint8_t first)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(first + i);
}

/* RFC 5869 appendix A, the SHA-256 cases. */
static void test_rfc5869_case_1(void **state)
{
    (void)state;
    uint8_t input[22], salt[13], info[10], secret[32], out[42];
    memset(input, 0x0b, sizeof input);
    fill_from(salt, sizeof salt, 0);
    fill_from(info, sizeof info, 0xf0);
    fn_kdf_extract(salt, sizeof salt, input, sizeof input, secret);
    assert_hex(secret, 32, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
    fn_kdf_expand(secret, info, sizeof info, out, sizeof out);
    assert_hex(out, sizeof out,
               "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
               "34007208d5b887185865");
}

static void test_rfc5869_case_2(void **state)
{
    (void)state;
    uint8_t input[80], salt[80], info[80], secret[32], out[82];
    fill_from(input, sizeof input, 0);
    fill_from(salt, sizeof salt, 0x60);
    fill_from(info, sizeof info, 0xb0);
    fn_kdf_extract(salt, sizeof salt, input, sizeof input, secret);
    assert_hex(secret, 32, "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244");
    fn_kdf_expand(secret, info, sizeof info, out, sizeof out);
    assert_hex(out, sizeof out,
               "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
               "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
               "cc30c58179ec3e87c14c01d5c1f3434f1d87");
}

static void test_rfc5869_case_3(void **state)
{
    (void)state;
    uint8_t input[22], secret[32], out[42];
    memset(input, 0x0b, sizeof input);
    fn_kdf_extract(NULL, 0, input, sizeof input, secret);
    assert_hex(secret, 32, "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
    fn_kdf_expand(secret, NULL, 0, out, sizeof out);
    assert_hex(out, sizeof out,
               "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
               "9d201395faa4b61a96c8");
}

/* Expected values computed with Python's hmac module from the definition in kdf.h. */
static void test_labels(void **state)
{
    (void)state;
    uint8_t secret[32], out[50];
    fill_from(secret, sizeof secret, 0);
    fn_aead_key key;
    fn_kdf_traffic_key(secret, &key);
    assert_hex(key.key, 32, "9bf678348142039cd9090a8ef176c6eca90963424ccd0daf7fc779265b88b0b2");
    assert_hex(key.iv, 12, "8a9ed09026ff221fe040984d");
    fn_kdf_expand_label(secret, "test", (const uint8_t *)"context", 7, out, sizeof out);
    assert_hex(out, sizeof out,
               "9836eab3fb5b2a9e3cdc7f8cbc35b179e74a6e2c74f0c9297678f484b5aa62db"
               "2fc88fc57040a468434a87d7c66fec7b6099");
    fn_kdf_next_secret(secret, out);
    assert_hex(out, 32, "ad1e50ea4f88507cff87a43f6323b7232fc8436bc7fb037b9b3a17fbb370fb27");
    fn_kdf_next_secret(secret, secret);
    assert_memory_equal(secret, out, sizeof secret);
}

/* The length is part of the info: a shorter output is not the beginning of a longer one. */
static void test_length_is_bound(void **state)
{
    (void)state;
    uint8_t secret[32] = {1}, shorter[16], longer[32];
    fn_kdf_expand_label(secret, "key", NULL, 0, shorter, sizeof shorter);
    fn_kdf_expand_label(secret, "key", NULL, 0, longer, sizeof longer);
    assert_memory_not_equal(shorter, longer, sizeof shorter);
}

static void test_longest_label_and_context(void **state)
{
    (void)state;
    uint8_t secret[32] = {1}, context[FN_KDF_CONTEXT_BYTES_MAX] = {0}, out[32];
    char label[FN_KDF_LABEL_BYTES_MAX + 1];
    memset(label, 'l', sizeof label - 1);
    label[sizeof label - 1] = '\0';
    fn_kdf_expand_label(secret, label, context, sizeof context, out, sizeof out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc5869_case_1),  cmocka_unit_test(test_rfc5869_case_2),
        cmocka_unit_test(test_rfc5869_case_3),  cmocka_unit_test(test_labels),
        cmocka_unit_test(test_length_is_bound), cmocka_unit_test(test_longest_label_and_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
