#include "crypto/secrets.h"

#include "crypto/test_hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_hex(const uint8_t actual[32], const char *expected)
{
    uint8_t bytes[32];
    assert_int_equal(test_hex(expected, bytes, sizeof bytes), 32);
    assert_memory_equal(actual, bytes, 32);
}

/* Expected values computed with Python's hashlib and hmac from the definitions in secrets.h. */
static void test_known_values(void **state)
{
    (void)state;
    uint8_t exporter[32], out[32], zero[32] = {0};
    fn_secrets_context((const uint8_t *)"HELLO", 5, (const uint8_t *)"WELCOME", 7, out);
    assert_hex(out, "601ba2594659bdd9befb5dd01776015967f26610923859e748ec23cfa45ff0b9");

    for (size_t i = 0; i < sizeof exporter; i++)
        exporter[i] = (uint8_t)i;
    fn_secrets secrets;
    fn_secrets_derive(exporter, &secrets);
    assert_hex(secrets.client_to_server,
               "13b1985db181d673ba9eee76f8902cf39b649d9b26d7a36655c7d08977c8804b");
    assert_hex(secrets.server_to_client,
               "9d6100611c54762c1bda294d21d894c60e71b20df2fc736a446c9200f1ea4196");
    assert_hex(secrets.attach_key,
               "72ec5aedf0c7e5de2db7c3b6fcf9f8026795bc796d0f385d5e786f2432f00a9d");
    assert_memory_equal(exporter, zero, sizeof exporter);

    fn_secrets_wipe(&secrets);
    assert_memory_equal(secrets.attach_key, zero, sizeof zero);
}

/* Without the lengths these two would be the same bytes. */
static void test_context_binds_the_border(void **state)
{
    (void)state;
    uint8_t one[32], other[32];
    fn_secrets_context((const uint8_t *)"abc", 3, (const uint8_t *)"de", 2, one);
    fn_secrets_context((const uint8_t *)"ab", 2, (const uint8_t *)"cde", 3, other);
    assert_memory_not_equal(one, other, sizeof one);
}

static void test_attach_proof(void **state)
{
    (void)state;
    uint8_t key[32], exporter[32], proof[32];
    for (size_t i = 0; i < 32; i++) {
        key[i] = (uint8_t)i;
        exporter[i] = (uint8_t)(32 + i);
    }
    fn_secrets_attach_proof(key, exporter, proof);
    assert_hex(proof, "62215de7bddcea7e2c4047ff6bb94f8d18262fc8b3f3648134bb7d44158ff84d");
    assert_true(fn_secrets_attach_verify(key, exporter, proof));
    exporter[0] ^= 1;
    assert_false(fn_secrets_attach_verify(key, exporter, proof));
    exporter[0] ^= 1;
    key[31] ^= 1;
    assert_false(fn_secrets_attach_verify(key, exporter, proof));
}

static void test_labels_are_all_different(void **state)
{
    (void)state;
    for (int i = 0; i < FN_SECRETS_EXPORTER_COUNT; i++) {
        const char *label = fn_secrets_exporter_label((fn_secrets_exporter)i);
        assert_memory_equal(label, "EXPORTER-fastnet1 ", 18);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(label, fn_secrets_exporter_label((fn_secrets_exporter)j));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_context_binds_the_border),
        cmocka_unit_test(test_attach_proof),
        cmocka_unit_test(test_labels_are_all_different),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
