#include "crypto/certificate.h"

#include "crypto/test_pinned.h"
#include "crypto/test_tls.h"

static fn_certificate_pem authority, leaf, other;

static int make_authority(void **state)
{
    (void)state;
    test_make_authority("test CA", &authority);
    return 0;
}

static void test_leaf_carries_what_was_asked(void **state)
{
    (void)state;
    fn_certificate_info info;
    test_make_leaf(&authority, &leaf);
    assert_int_equal(fn_certificate_read(leaf.certificate, leaf.certificate_bytes, &info, NULL),
                     FASTNET_OK);
    assert_string_equal(info.subject, "CN=test server");
    assert_string_equal(info.issuer, "CN=test CA");
    assert_string_equal(info.names, "localhost, 127.0.0.1, ::1");
    assert_true(info.names_in_san);
    assert_false(info.self_signed);
    assert_int_equal(info.not_before_unix_s, NOW - DAY);
    assert_int_equal(info.not_after_unix_s, NOW + 30 * DAY);
}

static void test_without_names_there_is_no_san(void **state)
{
    (void)state;
    fn_certificate_info info;
    test_make_certificate(FN_CERTIFICATE_PLAIN, "localhost", NULL, 0, NOW, NOW + DAY, NULL, &leaf);
    assert_int_equal(fn_certificate_read(leaf.certificate, leaf.certificate_bytes, &info, NULL),
                     FASTNET_OK);
    assert_string_equal(info.names, "localhost");
    assert_false(info.names_in_san);
    assert_true(info.self_signed);
}

static void test_every_key_kind_makes_a_usable_identity(void **state)
{
    (void)state;
    const fn_certificate_key_kind kinds[] = {FN_CERTIFICATE_KEY_P256, FN_CERTIFICATE_KEY_ED25519,
                                             FN_CERTIFICATE_KEY_RSA_2048};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *const names[] = {"localhost"};
        const fn_certificate_request request = {.key_kind = kinds[i],
                                                .common_name = "x",
                                                .names = names,
                                                .names_count = 1,
                                                .not_before_unix_s = NOW - DAY,
                                                .not_after_unix_s = NOW + DAY};
        assert_int_equal(fn_certificate_create(&request, &authority, &leaf, NULL), FASTNET_OK);
        test_pair pair = test_pair_meet(test_server_context(&leaf, NULL),
                                        test_client_context(&authority), "localhost");
        assert_established(pair.client, pair.server);
        test_pair_part(&pair);
    }
}

static void test_pins(void **state)
{
    (void)state;
    fn_certificate_info one, two;
    char text[FN_CERTIFICATE_PIN_TEXT_BYTES];
    uint8_t parsed[FN_CERTIFICATE_PIN_BYTES];
    test_make_leaf(&authority, &leaf);
    test_make_leaf(&authority, &other);
    fn_certificate_read(leaf.certificate, leaf.certificate_bytes, &one, NULL);
    fn_certificate_read(other.certificate, other.certificate_bytes, &two, NULL);
    assert_memory_not_equal(one.pin, two.pin, sizeof one.pin);

    fn_certificate_pin_format(one.pin, text);
    assert_int_equal(strlen(text), FN_CERTIFICATE_PIN_TEXT_BYTES - 1);
    assert_true(fn_certificate_pin_parse(text, parsed));
    assert_memory_equal(parsed, one.pin, sizeof parsed);
    assert_true(fn_certificate_pin_parse(text + strlen("sha256:"), parsed));
    text[strlen(text) - 1] = '\0';
    assert_false(fn_certificate_pin_parse(text, parsed));
    assert_false(fn_certificate_pin_parse("", parsed));
    memset(text, 'g', 64);
    text[64] = '\0';
    assert_false(fn_certificate_pin_parse(text, parsed));
    memset(text, 'F', 64);
    assert_true(fn_certificate_pin_parse(text, parsed));
}

/* The expected pin was computed with
 * `openssl x509 -pubkey | openssl pkey -pubin -outform der | sha256sum`. */
static void test_pin_matches_the_openssl_command(void **state)
{
    (void)state;
    fn_certificate_info info;
    char text[FN_CERTIFICATE_PIN_TEXT_BYTES];
    assert_int_equal(fn_certificate_read(test_pinned_pem, strlen(test_pinned_pem), &info, NULL),
                     FASTNET_OK);
    fn_certificate_pin_format(info.pin, text);
    assert_string_equal(text, test_pinned_pin);
    assert_string_equal(info.subject, test_pinned_subject);
    assert_int_equal(info.not_after_unix_s, test_pinned_not_after);
}

static void test_bad_requests(void **state)
{
    (void)state;
    static char longest[256];
    memset(longest, 'a', sizeof longest - 1);
    const char *const bad_names[] = {"",     "a b",      "x,DNS:evil.example", "a..b", ".a",
                                     "a.",   "1.2.3.4.", "http://x",           "a\n",  "*",
                                     longest};
    for (size_t i = 0; i < sizeof bad_names / sizeof bad_names[0]; i++) {
        const fn_certificate_request request = {
            .common_name = "x", .names = &bad_names[i], .names_count = 1, .not_after_unix_s = NOW};
        fn_failure failure;
        assert_int_equal(fn_certificate_create(&request, NULL, &leaf, &failure),
                         FASTNET_ERR_ARGUMENT);
        assert_failure(&failure, FASTNET_ERR_ARGUMENT, "neither a host name nor an IP address");
    }
    const fn_certificate_request requests[] = {
        {.common_name = NULL, .not_after_unix_s = NOW},
        {.common_name = "", .not_after_unix_s = NOW},
        {.common_name = longest, .not_after_unix_s = NOW},
        {.common_name = "x", .not_before_unix_s = NOW, .not_after_unix_s = NOW},
        {.common_name = "x", .not_before_unix_s = -1, .not_after_unix_s = NOW},
        {.common_name = "x", .not_after_unix_s = INT64_MAX},
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
        assert_int_equal(fn_certificate_create(&requests[i], NULL, &leaf, NULL),
                         FASTNET_ERR_ARGUMENT);
}

static void test_issuer_whose_key_does_not_match(void **state)
{
    (void)state;
    static fn_certificate_pem mixed;
    const fn_certificate_request request = {.common_name = "x", .not_after_unix_s = NOW};
    fn_failure failure;
    test_make_authority("other CA", &other);
    mixed = authority;
    memcpy(mixed.key, other.key, sizeof mixed.key);
    mixed.key_bytes = other.key_bytes;
    assert_int_equal(fn_certificate_create(&request, &mixed, &leaf, &failure),
                     FASTNET_ERR_CERTIFICATE);
    assert_failure(&failure, FASTNET_ERR_CERTIFICATE, "does not belong to");
    mixed.certificate_bytes = 0;
    assert_int_equal(fn_certificate_create(&request, &mixed, &leaf, &failure),
                     FASTNET_ERR_CERTIFICATE);
    mixed = authority;
    mixed.key_bytes = 30;
    assert_int_equal(fn_certificate_create(&request, &mixed, &leaf, &failure),
                     FASTNET_ERR_CERTIFICATE);
    assert_failure(&failure, FASTNET_ERR_CERTIFICATE, "not a PEM private key");
}

static void test_reading_what_is_no_certificate(void **state)
{
    (void)state;
    fn_certificate_info info;
    fn_failure failure;
    assert_int_equal(fn_certificate_read("", 0, &info, &failure), FASTNET_ERR_CERTIFICATE);
    assert_int_equal(fn_certificate_read("hello", 5, &info, &failure), FASTNET_ERR_CERTIFICATE);
    assert_failure(&failure, FASTNET_ERR_CERTIFICATE, "no PEM certificate");
    /* Cut anywhere, it is never read as a whole one. */
    for (size_t bytes = 0; bytes + 26 < authority.certificate_bytes; bytes += 13)
        assert_int_equal(fn_certificate_read(authority.certificate, bytes, &info, &failure),
                         FASTNET_ERR_CERTIFICATE);
}

static void test_time_text(void **state)
{
    (void)state;
    char text[FN_CERTIFICATE_TIME_TEXT_BYTES];
    fn_certificate_time_format(NOW, text);
    assert_string_equal(text, "2027-01-15 08:00:00 UTC");
    fn_certificate_time_format(0, text);
    assert_string_equal(text, "1970-01-01 00:00:00 UTC");
}

static void test_wipe(void **state)
{
    (void)state;
    test_make_authority("x", &other);
    fn_certificate_wipe(&other);
    for (size_t i = 0; i < sizeof other; i++)
        assert_int_equal(((const uint8_t *)&other)[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaf_carries_what_was_asked),
        cmocka_unit_test(test_without_names_there_is_no_san),
        cmocka_unit_test(test_every_key_kind_makes_a_usable_identity),
        cmocka_unit_test(test_pins),
        cmocka_unit_test(test_pin_matches_the_openssl_command),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_issuer_whose_key_does_not_match),
        cmocka_unit_test(test_reading_what_is_no_certificate),
        cmocka_unit_test(test_time_text),
        cmocka_unit_test(test_wipe),
    };
    return cmocka_run_group_tests(tests, make_authority, NULL);
}
