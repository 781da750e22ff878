#include "crypto/hash.h"

#include "base/rng.h"
#include "crypto/test_hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_digest(const uint8_t actual[FN_HASH_BYTES], const char *expected)
{
    uint8_t bytes[FN_HASH_BYTES];
    assert_int_equal(test_hex(expected, bytes, sizeof bytes), FN_HASH_BYTES);
    assert_memory_equal(actual, bytes, FN_HASH_BYTES);
}

/* FIPS 180-4's examples. */
static void test_sha256_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *digest;
    } vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint8_t out[FN_HASH_BYTES];
        fn_hash_once(vectors[i].text, strlen(vectors[i].text), out);
        assert_digest(out, vectors[i].digest);
    }
    uint8_t out[FN_HASH_BYTES];
    fn_hash_once(NULL, 0, out);
    assert_digest(out, vectors[0].digest);
}

static void test_sha256_of_a_million_a(void **state)
{
    (void)state;
    uint8_t chunk[1000], out[FN_HASH_BYTES];
    memset(chunk, 'a', sizeof chunk);
    fn_hash hash;
    fn_hash_start(&hash);
    for (int i = 0; i < 1000; i++)
        fn_hash_add(&hash, chunk, sizeof chunk);
    fn_hash_finish(&hash, out);
    assert_digest(out, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_pieces_make_the_same_digest(void **state)
{
    (void)state;
    uint8_t data[300], whole[FN_HASH_BYTES], pieces[FN_HASH_BYTES];
    fn_rng rng;
    fn_rng_init(&rng, 2);
    fn_rng_bytes(&rng, data, sizeof data);
    fn_hash_once(data, sizeof data, whole);
    for (size_t cut = 0; cut <= sizeof data; cut++) {
        fn_hash hash;
        fn_hash_start(&hash);
        fn_hash_add(&hash, data, cut);
        fn_hash_add(&hash, NULL, 0);
        fn_hash_add(&hash, data + cut, sizeof data - cut);
        fn_hash_finish(&hash, pieces);
        assert_memory_equal(pieces, whole, sizeof whole);
    }
}

/* RFC 4231 test cases 1, 2, 3 and 6 (a key longer than a block). */
static void test_hmac_vectors(void **state)
{
    (void)state;
    uint8_t key[131], data[50], out[FN_HASH_BYTES];
    memset(key, 0x0b, 20);
    fn_hmac_once(key, 20, "Hi There", 8, out);
    assert_digest(out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    fn_hmac_once((const uint8_t *)"Jefe", 4, "what do ya want for nothing?", 28, out);
    assert_digest(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    memset(data, 0xdd, sizeof data);
    fn_hmac_once(key, 20, data, sizeof data, out);
    assert_digest(out, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    fn_hmac_once(key, sizeof key, "Test Using Larger Than Block-Size Key - Hash Key First", 54,
                 out);
    assert_digest(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_hmac_verify(void **state)
{
    (void)state;
    const uint8_t key[] = {1, 2, 3};
    uint8_t code[FN_HASH_BYTES];
    fn_hmac_once(key, sizeof key, "message", 7, code);
    assert_true(fn_hmac_verify(key, sizeof key, "message", 7, code));
    assert_false(fn_hmac_verify(key, sizeof key, "massage", 7, code));
    assert_false(fn_hmac_verify(key, sizeof key - 1, "message", 7, code));
    for (size_t bit = 0; bit < 8 * sizeof code; bit++) {
        code[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(fn_hmac_verify(key, sizeof key, "message", 7, code));
        code[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256_vectors),
        cmocka_unit_test(test_sha256_of_a_million_a),
        cmocka_unit_test(test_pieces_make_the_same_digest),
        cmocka_unit_test(test_hmac_vectors),
        cmocka_unit_test(test_hmac_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
