#include "crypto/aead.h"

#include "base/bytes.h"
#include "base/rng.h"
#include "crypto/test_hex.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

typedef struct vector {
    const char *key, *nonce, *aad, *text, *sealed;
} vector;

static const vector vectors[] = {
    {
        /* RFC 8439 section 2.8.2 */
        "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
        "070000004041424344454647",
        "50515253c0c1c2c3c4c5c6c7",
        "4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
        "73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
        "6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
        "637265656e20776f756c642062652069742e",
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
        "3ff4def08e4b7a9de576d26586cec64b6116"
        "1ae10b594f09e26a7e902ecbd0600691",
    },
    {
        /* RFC 8439 appendix A.5 */
        "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
        "000000000102030405060708",
        "f33388860000000000004e91",
        "496e7465726e65742d4472616674732061726520647261667420646f63756d65"
        "6e74732076616c696420666f722061206d6178696d756d206f6620736978206d"
        "6f6e74687320616e64206d617920626520757064617465642c207265706c6163"
        "65642c206f72206f62736f6c65746564206279206f7468657220646f63756d65"
        "6e747320617420616e792074696d652e20497420697320696e617070726f7072"
        "6961746520746f2075736520496e7465726e65742d4472616674732061732072"
        "65666572656e6365206d6174657269616c206f7220746f206369746520746865"
        "6d206f74686572207468616e206173202fe2809c776f726b20696e2070726f67"
        "726573732e2fe2809d",
        "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2"
        "4c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf"
        "332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855"
        "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4"
        "b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523e"
        "af4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a"
        "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10"
        "49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29"
        "a6ad5cb4022b02709b"
        "eead9d67890cbb22392336fea1851f38",
    },
};

enum { VECTOR_BYTES_MAX = 512 };

/* The same nonce, reached with different packet numbers: the IV is the nonce xor the number. */
static fn_aead_key vector_key(const vector *v, uint64_t packet_number)
{
    fn_aead_key key;
    test_hex(v->key, key.key, sizeof key.key);
    test_hex(v->nonce, key.iv, sizeof key.iv);
    for (int i = 0; i < 8; i++)
        key.iv[11 - i] ^= (uint8_t)(packet_number >> (8 * i));
    return key;
}

static void test_vectors(void **state)
{
    (void)state;
    const uint64_t numbers[] = {0, 1, 0x0102030405060708, UINT64_MAX};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++) {
            const vector *v = &vectors[i];
            fn_aead_key key = vector_key(v, numbers[n]);
            uint8_t aad[32], text[VECTOR_BYTES_MAX], sealed[VECTOR_BYTES_MAX];
            uint8_t buffer[VECTOR_BYTES_MAX];
            size_t aad_bytes = test_hex(v->aad, aad, sizeof aad);
            size_t text_bytes = test_hex(v->text, text, sizeof text);
            size_t sealed_bytes = test_hex(v->sealed, sealed, sizeof sealed);
            assert_int_equal(sealed_bytes, text_bytes + FN_AEAD_TAG_BYTES);

            memcpy(buffer, text, text_bytes);
            fn_aead_seal(&key, numbers[n], aad, aad_bytes, buffer, text_bytes);
            assert_memory_equal(buffer, sealed, sealed_bytes);
            assert_true(fn_aead_open(&key, numbers[n], aad, aad_bytes, buffer, sealed_bytes));
            assert_memory_equal(buffer, text, text_bytes);
        }
    }
}

static void test_every_length_round_trips_and_stays_inside(void **state)
{
    (void)state;
    fn_rng rng;
    fn_rng_init(&rng, 1);
    fn_aead_key key;
    fn_rng_bytes(&rng, &key, sizeof key);
    for (size_t length = 0; length <= 200; length++) {
        uint8_t text[200], buffer[200 + FN_AEAD_TAG_BYTES + 1], aad[16];
        fn_rng_bytes(&rng, text, sizeof text);
        fn_rng_bytes(&rng, aad, sizeof aad);
        size_t aad_bytes = length % (sizeof aad + 1);
        memcpy(buffer, text, length);
        buffer[length + FN_AEAD_TAG_BYTES] = 0xa5;
        fn_aead_seal(&key, length, aad_bytes > 0 ? aad : NULL, aad_bytes, buffer, length);
        assert_int_equal(buffer[length + FN_AEAD_TAG_BYTES], 0xa5);
        assert_true(fn_aead_open(&key, length, aad, aad_bytes, buffer, length + FN_AEAD_TAG_BYTES));
        assert_memory_equal(buffer, text, length);
    }
}

/* --- the same bytes, whoever computes them --- */

enum { COMPARED_BYTES_MAX = 1500, COMPARED_AAD_BYTES_MAX = 20 };

typedef struct packet {
    fn_aead_key key;
    uint64_t number;
    uint8_t nonce[FN_AEAD_IV_BYTES];
    uint8_t aad[COMPARED_AAD_BYTES_MAX];
    size_t aad_bytes;
    uint8_t text[COMPARED_BYTES_MAX];
    size_t text_bytes;
} packet;

static void draw_packet(fn_rng *rng, size_t text_bytes, packet *p)
{
    fn_rng_bytes(rng, p, sizeof *p);
    p->text_bytes = text_bytes;
    p->aad_bytes = text_bytes % (COMPARED_AAD_BYTES_MAX + 1);
    memcpy(p->nonce, p->key.iv, sizeof p->nonce);
    for (int i = 0; i < 8; i++)
        p->nonce[11 - i] ^= (uint8_t)(p->number >> (8 * i));
}

static void seal_by_libsodium(const packet *p, uint8_t *out)
{
    crypto_aead_chacha20poly1305_ietf_encrypt_detached(out, out + p->text_bytes, NULL, p->text,
                                                       p->text_bytes, p->aad, p->aad_bytes, NULL,
                                                       p->nonce, p->key.key);
}

static void seal_by_openssl(const packet *p, uint8_t *out)
{
    int written = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    assert_int_equal(
        EVP_EncryptInit_ex(context, EVP_chacha20_poly1305(), NULL, p->key.key, p->nonce), 1);
    assert_int_equal(EVP_EncryptUpdate(context, NULL, &written, p->aad, (int)p->aad_bytes), 1);
    assert_int_equal(EVP_EncryptUpdate(context, out, &written, p->text, (int)p->text_bytes), 1);
    assert_int_equal(EVP_EncryptFinal_ex(context, out + p->text_bytes, &written), 1);
    assert_int_equal(
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, FN_AEAD_TAG_BYTES, out + p->text_bytes),
        1);
    EVP_CIPHER_CTX_free(context);
}

static void test_libsodium_and_openssl_make_the_same_bytes(void **state)
{
    (void)state;
    static packet p;
    static uint8_t ours[COMPARED_BYTES_MAX + FN_AEAD_TAG_BYTES];
    static uint8_t theirs[2][COMPARED_BYTES_MAX + FN_AEAD_TAG_BYTES];
    fn_rng rng;
    fn_rng_init(&rng, 8439);
    for (size_t bytes = 0; bytes <= COMPARED_BYTES_MAX; bytes++) {
        size_t all = bytes + FN_AEAD_TAG_BYTES;
        draw_packet(&rng, bytes, &p);
        seal_by_libsodium(&p, theirs[0]);
        seal_by_openssl(&p, theirs[1]);
        memcpy(ours, p.text, bytes);
        fn_aead_seal(&p.key, p.number, p.aad, p.aad_bytes, ours, bytes);
        assert_memory_equal(ours, theirs[0], all);
        assert_memory_equal(ours, theirs[1], all);
        assert_true(fn_aead_open(&p.key, p.number, p.aad, p.aad_bytes, ours, all));
        assert_memory_equal(ours, p.text, bytes);
        theirs[0][bytes % all] ^= 1;
        assert_false(fn_aead_open(&p.key, p.number, p.aad, p.aad_bytes, theirs[0], all));
    }
}

/* Any single flipped bit of text, tag or aad, a wrong packet number, and any shortening. */
static void test_forgeries_are_refused_and_show_nothing(void **state)
{
    (void)state;
    const fn_aead_key key = {.key = {1, 2, 3}, .iv = {9}};
    enum { TEXT = 40, AAD = 9, SEALED = TEXT + FN_AEAD_TAG_BYTES };
    uint8_t text[TEXT], good[SEALED], aad[AAD];
    memset(text, 'p', sizeof text);
    memset(aad, 'a', sizeof aad);
    memcpy(good, text, sizeof text);
    fn_aead_seal(&key, 7, aad, AAD, good, TEXT);

    for (size_t bit = 0; bit < 8 * (SEALED + AAD); bit++) {
        uint8_t sealed[SEALED], bad_aad[AAD];
        memcpy(sealed, good, sizeof sealed);
        memcpy(bad_aad, aad, sizeof aad);
        uint8_t *victim = bit / 8 < SEALED ? &sealed[bit / 8] : &bad_aad[bit / 8 - SEALED];
        *victim ^= (uint8_t)(1u << bit % 8);
        assert_false(fn_aead_open(&key, 7, bad_aad, AAD, sealed, SEALED));
        assert_memory_not_equal(sealed, text, TEXT);
    }
    for (size_t length = 0; length < SEALED; length++) {
        uint8_t sealed[SEALED];
        memcpy(sealed, good, sizeof sealed);
        assert_false(fn_aead_open(&key, 7, aad, AAD, sealed, length));
    }
    uint8_t sealed[SEALED];
    memcpy(sealed, good, sizeof sealed);
    assert_false(fn_aead_open(&key, 8, aad, AAD, sealed, SEALED));
}

static void test_wipe(void **state)
{
    (void)state;
    fn_aead_key key, zero;
    memset(&key, 0xff, sizeof key);
    memset(&zero, 0, sizeof zero);
    fn_aead_key_wipe(&key);
    assert_memory_equal(&key, &zero, sizeof key);
}

int main(void)
{
    if (!fn_aead_start() || !fn_aead_start())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_every_length_round_trips_and_stays_inside),
        cmocka_unit_test(test_libsodium_and_openssl_make_the_same_bytes),
        cmocka_unit_test(test_forgeries_are_refused_and_show_nothing),
        cmocka_unit_test(test_wipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
