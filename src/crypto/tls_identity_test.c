#include "crypto/test_tls.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

static fn_certificate_pem authority, leaf, other, made;

static int make_certificates(void **state)
{
    (void)state;
    test_make_authority("test CA", &authority);
    test_make_leaf(&authority, &leaf);
    test_make_leaf(&authority, &other);
    return 0;
}

/* --- what is refused --- */

static void assert_refused(const fn_certificate_pem *chain, const fn_certificate_pem *key,
                           const char *sentence)
{
    const fn_tls_identity identity = {
        .chain_pem = chain->certificate,
        .chain_pem_bytes = chain->certificate_bytes,
        .key_pem = key->key,
        .key_pem_bytes = key->key_bytes,
        .chain_name = "/srv/cert.pem",
        .key_name = "/srv/key.pem",
    };
    const fn_tls_config config = {.identity = &identity};
    fn_failure failure;
    assert_null(fn_tls_context_create_server(&config, &failure));
    assert_failure(&failure, FASTNET_ERR_CERTIFICATE, sentence);
    assert_int_equal(strncmp(failure.text, sentence, 20), 0);
}

static void test_a_curve_that_tls_1_3_cannot_use(void **state)
{
    (void)state;
    test_make_keyed(FN_CERTIFICATE_LEAF, FN_CERTIFICATE_KEY_SECP256K1, "x", &authority, &made);
    assert_refused(&made, &made,
                   "certificate '/srv/cert.pem': TLS 1.3 cannot use a key on this curve "
                   "(secp256k1): make one on P-256");
}

/* Any key: an issuer does not look at what it certifies. */
static void certify(EVP_PKEY *key)
{
    static char text[FN_CERTIFICATE_KEY_PEM_BYTES_MAX];
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    int bytes = BIO_read(bio, text, sizeof text - 1);
    assert_true(bytes > 0);
    const fn_certificate_request request = {.common_name = "x",
                                            .not_before_unix_s = NOW - DAY,
                                            .not_after_unix_s = NOW + 60 * DAY,
                                            .key_pem = text,
                                            .key_pem_bytes = (size_t)bytes};
    fn_failure failure;
    if (fn_certificate_create(&request, &authority, &made, &failure) != FASTNET_OK)
        fail_msg("%s", failure.text);
    memcpy(made.key, text, (size_t)bytes + 1);
    made.key_bytes = (size_t)bytes;
    BIO_free(bio);
    EVP_PKEY_free(key);
}

static void test_other_keys_that_tls_1_3_cannot_use(void **state)
{
    (void)state;
    certify(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "brainpoolP256r1"));
    assert_refused(&made, &made,
                   "certificate '/srv/cert.pem': TLS 1.3 cannot use a key on this "
                   "curve (brainpoolP256r1)");
    certify(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp224r1"));
    assert_refused(&made, &made,
                   "certificate '/srv/cert.pem': TLS 1.3 cannot use a key on this "
                   "curve (secp224r1)");
    certify(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024));
    assert_refused(&made, &made,
                   "certificate '/srv/cert.pem': an RSA key of 1024 bits is too short");
}

/* The right curve, written down in numbers: TLS has no name for that. */
static void test_a_curve_with_explicit_parameters(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    assert_int_equal(EVP_PKEY_set_utf8_string_param(key, "encoding", "explicit"), 1);
    certify(key);
    assert_refused(&made, &made,
                   "certificate '/srv/cert.pem': TLS 1.3 cannot use a key on this "
                   "curve (explicit parameters)");
}

static void test_errors_name_the_file_that_is_wrong(void **state)
{
    (void)state;
    static fn_certificate_pem nothing;
    assert_refused(&nothing, &leaf, "certificate '/srv/cert.pem': there is no PEM certificate");
    assert_refused(&leaf, &nothing, "private key '/srv/key.pem': the private key is not a PEM");
    assert_refused(&leaf, &other,
                   "private key '/srv/key.pem': the private key does not belong to the certificate "
                   "'/srv/cert.pem': they are from different pairs");
}

static void test_the_intermediate_before_the_leaf(void **state)
{
    (void)state;
    made = authority;
    test_append(&made, &leaf);
    assert_refused(&made, &leaf,
                   "certificate '/srv/cert.pem': the certificates are in the wrong order: the one "
                   "that the private key belongs to is certificate 2 of the file");
}

/* --- what works --- */

/* The curve of a key exchange costs the server; the curve of a certificate is its own business. */
static void test_chains_on_every_curve_of_tls_1_3_verify(void **state)
{
    (void)state;
    static const fn_certificate_key_kind kinds[] = {FN_CERTIFICATE_KEY_P384,
                                                    FN_CERTIFICATE_KEY_P521};
    static fn_certificate_pem root, middle;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        test_make_keyed(FN_CERTIFICATE_PLAIN, kinds[i], "root", NULL, &root);
        test_make_keyed(FN_CERTIFICATE_AUTHORITY, kinds[i], "middle", &root, &middle);
        test_make_keyed(FN_CERTIFICATE_LEAF, kinds[i], "leaf", &middle, &made);
        test_append(&made, &middle);
        test_pair pair = test_pair_meet(test_server_context(&made, NULL),
                                        test_client_context(&root), "localhost");
        assert_established(pair.client, pair.server);
        test_pair_part(&pair);
    }
}

/* --- what is remarked --- */

typedef struct remarks {
    int count;
    fn_tls_identity_part part;
    char text[FN_FAILURE_TEXT_BYTES];
} remarks;

static void keep(void *user, fn_tls_identity_part part, const char *sentence)
{
    remarks *all = user;
    all->count++;
    all->part = part;
    strcpy(all->text, sentence);
}

static remarks review(const fn_certificate_pem *pem, int64_t now)
{
    remarks all = {0};
    fn_tls_context *context = test_server_context(pem, NULL);
    fn_tls_identity_review(context, now, keep, &all);
    fn_tls_context_release(context);
    return all;
}

static void assert_remark(const remarks *all, fn_tls_identity_part part, const char *text)
{
    if (all->count != 1 || all->part != part || strstr(all->text, text) == NULL)
        fail_msg("expected one '...%s...', got %d, the last '%s'", text, all->count, all->text);
}

static void test_a_good_identity_gets_no_remark(void **state)
{
    (void)state;
    static const fn_certificate_key_kind kinds[] = {
        FN_CERTIFICATE_KEY_P256, FN_CERTIFICATE_KEY_ED25519, FN_CERTIFICATE_KEY_RSA_2048};
    assert_int_equal(review(&leaf, NOW).count, 0);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        test_make_keyed(FN_CERTIFICATE_LEAF, kinds[i], "x", &authority, &made);
        assert_int_equal(review(&made, NOW).count, 0);
    }
    remarks none = {0};
    fn_tls_context *client = test_client_context(&authority);
    fn_tls_identity_review(client, NOW, keep, &none);
    assert_int_equal(none.count, 0);
    fn_tls_context_release(client);
}

/* Of four primes, which are found in a tenth of the time that two take. */
static EVP_PKEY *rsa_4096(void)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    assert_int_equal(EVP_PKEY_keygen_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(context, 4096), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_primes(context, 4), 1);
    assert_int_equal(EVP_PKEY_generate(context, &key), 1);
    EVP_PKEY_CTX_free(context);
    return key;
}

static void test_slow_keys_are_remarked(void **state)
{
    (void)state;
    test_make_keyed(FN_CERTIFICATE_LEAF, FN_CERTIFICATE_KEY_P384, "x", &authority, &made);
    remarks all = review(&made, NOW);
    assert_remark(&all, FN_TLS_IDENTITY_KEY, "signs with this P-384 key");
    test_make_keyed(FN_CERTIFICATE_LEAF, FN_CERTIFICATE_KEY_P521, "x", &authority, &made);
    all = review(&made, NOW);
    assert_remark(&all, FN_TLS_IDENTITY_KEY, "signs with this P-521 key");
    certify(rsa_4096());
    all = review(&made, NOW);
    assert_remark(&all, FN_TLS_IDENTITY_KEY, "signs with this RSA key of 4096 bits");
}

static void test_dates_are_remarked(void **state)
{
    (void)state;
    static const struct {
        int64_t now;
        const char *text; /* NULL = none */
    } rows[] = {
        {NOW - 2 * DAY, "CN=test server is not valid before 2027-01-14 08:00:00 UTC"},
        {NOW, NULL},
        {NOW + 19 * DAY, NULL}, /* 31 days of life, 11 left */
        {NOW + 20 * DAY, "CN=test server expires on 2027-02-14 08:00:00 UTC: renew it"},
        {NOW + 30 * DAY, "expires on"},
        {NOW + 30 * DAY + 1, "CN=test server expired on 2027-02-14 08:00:00 UTC"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        remarks all = review(&leaf, rows[i].now);
        if (rows[i].text == NULL)
            assert_int_equal(all.count, 0);
        else
            assert_remark(&all, FN_TLS_IDENTITY_CHAIN, rows[i].text);
    }
    /* Long-lived: from two weeks before the end, not a third of ten years. */
    test_make_certificate(FN_CERTIFICATE_LEAF, "old", NULL, 0, NOW - DAY, NOW + 900 * DAY,
                          &authority, &made);
    assert_int_equal(review(&made, NOW + 885 * DAY).count, 0);
    remarks soon = review(&made, NOW + 887 * DAY);
    assert_remark(&soon, FN_TLS_IDENTITY_CHAIN, "expires on");
}

static void test_an_expired_intermediate_is_remarked(void **state)
{
    (void)state;
    static fn_certificate_pem old;
    test_make_certificate(FN_CERTIFICATE_AUTHORITY, "old CA", NULL, 0, NOW - 9 * DAY, NOW - DAY,
                          NULL, &old);
    test_make_leaf(&old, &made);
    test_append(&made, &old);
    remarks all = review(&made, NOW);
    assert_remark(&all, FN_TLS_IDENTITY_CHAIN, "CN=old CA expired on");
}

/* Gives `made` one more extension, and signs it anew. */
static void amend(int remove_nid, int nid, const char *value)
{
    BIO *bio = BIO_new_mem_buf(made.certificate, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    bio = BIO_new_mem_buf(authority.key, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    int at = X509_get_ext_by_NID(certificate, remove_nid, -1);
    if (at >= 0)
        X509_EXTENSION_free(X509_delete_ext(certificate, at));
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, certificate);
    int bytes = BIO_read(bio, made.certificate, sizeof made.certificate - 1);
    assert_true(bytes > 0);
    made.certificate[bytes] = '\0';
    made.certificate_bytes = (size_t)bytes;
    BIO_free(bio);
    X509_EXTENSION_free(extension);
    EVP_PKEY_free(key);
    X509_free(certificate);
}

/* cert.pem in place of fullchain.pem. */
static void test_a_missing_intermediate_is_remarked(void **state)
{
    (void)state;
    made = leaf;
    amend(NID_undef, NID_info_access, "caIssuers;URI:http://ca.example/");
    remarks all = review(&made, NOW);
    assert_remark(&all, FN_TLS_IDENTITY_CHAIN, "no intermediate");
    test_append(&made, &authority);
    assert_int_equal(review(&made, NOW).count, 0);
}

static void test_an_address_among_the_host_names_is_remarked(void **state)
{
    (void)state;
    made = leaf;
    amend(NID_subject_alt_name, NID_subject_alt_name, "DNS:localhost,DNS:192.0.2.7");
    remarks all = review(&made, NOW);
    assert_remark(&all, FN_TLS_IDENTITY_CHAIN, "the address 192.0.2.7 stands among the host names");
    amend(NID_subject_alt_name, NID_subject_alt_name, "DNS:192.0.2.7,IP:192.0.2.7");
    assert_int_equal(review(&made, NOW).count, 0);
    test_make_certificate(FN_CERTIFICATE_PLAIN, "192.0.2.8", NULL, 0, NOW - DAY, NOW + 90 * DAY,
                          NULL, &made);
    all = review(&made, NOW);
    assert_remark(&all, FN_TLS_IDENTITY_CHAIN, "192.0.2.8");
}

static void assert_client_says(const char *name, const char *sentence)
{
    test_pair pair =
        test_pair_meet(test_server_context(&made, NULL), test_client_context(&authority), name);
    assert_failure(fn_tls_failure(pair.client), FASTNET_ERR_CERTIFICATE, sentence);
    test_pair_part(&pair);
}

static void test_a_client_says_that_the_address_stands_in_the_wrong_place(void **state)
{
    (void)state;
    made = leaf;
    amend(NID_subject_alt_name, NID_subject_alt_name, "DNS:localhost,DNS:192.0.2.7");
    assert_client_says("192.0.2.7",
                       "carries 192.0.2.7 as a host name (a DNS entry or the common name) only: an "
                       "address must stand in an IP entry (fastnet cert --name 192.0.2.7 makes");
    assert_client_says("192.0.2.8", "is for 'localhost, 192.0.2.7', not for '192.0.2.8'");
    test_make_certificate(FN_CERTIFICATE_LEAF, "2001:db8::7", NULL, 0, NOW - DAY, NOW + DAY,
                          &authority, &made);
    assert_client_says("2001:DB8:0::7", "carries 2001:db8::7 as a host name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_curve_that_tls_1_3_cannot_use),
        cmocka_unit_test(test_other_keys_that_tls_1_3_cannot_use),
        cmocka_unit_test(test_a_curve_with_explicit_parameters),
        cmocka_unit_test(test_errors_name_the_file_that_is_wrong),
        cmocka_unit_test(test_the_intermediate_before_the_leaf),
        cmocka_unit_test(test_chains_on_every_curve_of_tls_1_3_verify),
        cmocka_unit_test(test_a_good_identity_gets_no_remark),
        cmocka_unit_test(test_slow_keys_are_remarked),
        cmocka_unit_test(test_dates_are_remarked),
        cmocka_unit_test(test_an_expired_intermediate_is_remarked),
        cmocka_unit_test(test_a_missing_intermediate_is_remarked),
        cmocka_unit_test(test_an_address_among_the_host_names_is_remarked),
        cmocka_unit_test(test_a_client_says_that_the_address_stands_in_the_wrong_place),
    };
    return cmocka_run_group_tests(tests, make_certificates, NULL);
}
