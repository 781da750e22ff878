#include "crypto/tls_context.h"

#include "crypto/test_tls.h"

#include <openssl/core_dispatch.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

static fn_certificate_pem authority, leaf, other;

static int make_certificates(void **state)
{
    (void)state;
    test_make_authority("test CA", &authority);
    test_make_leaf(&authority, &leaf);
    test_make_leaf(&authority, &other);
    return 0;
}

static void assert_server_refused(const char *chain, size_t chain_bytes, const char *key,
                                  size_t key_bytes, const char *part)
{
    const fn_tls_identity identity = {.chain_pem = chain,
                                      .chain_pem_bytes = chain_bytes,
                                      .key_pem = key,
                                      .key_pem_bytes = key_bytes};
    const fn_tls_config config = {.identity = &identity};
    fn_failure failure;
    assert_null(fn_tls_context_create_server(&config, &failure));
    assert_failure(&failure, FASTNET_ERR_CERTIFICATE, part);
}

static void test_bad_identities(void **state)
{
    (void)state;
    const fn_tls_config none = {.alpn = NULL};
    fn_failure failure;
    assert_null(fn_tls_context_create_server(&none, &failure));
    assert_failure(&failure, FASTNET_ERR_CERTIFICATE, "needs a certificate");

    const char *cert = leaf.certificate, *key = leaf.key;
    size_t cert_bytes = leaf.certificate_bytes, key_bytes = leaf.key_bytes;
    assert_server_refused(NULL, 0, key, key_bytes, "no PEM certificate in the certificate file");
    assert_server_refused("hello", 5, key, key_bytes, "no PEM certificate");
    assert_server_refused(key, key_bytes, cert, cert_bytes, "no PEM certificate");
    assert_server_refused(cert, cert_bytes - 30, key, key_bytes, "malformed (certificate 1");
    assert_server_refused(cert, cert_bytes, NULL, 0, "not a PEM private key");
    assert_server_refused(cert, cert_bytes, "hello", 5, "not a PEM private key");
    assert_server_refused(cert, cert_bytes, key, key_bytes - 30, "not a PEM private key");
    assert_server_refused(cert, cert_bytes, other.key, other.key_bytes,
                          "the private key does not belong to the certificate");
}

static void test_chain_with_a_broken_second_certificate(void **state)
{
    (void)state;
    static char chain[2 * FN_CERTIFICATE_PEM_BYTES_MAX];
    memcpy(chain, leaf.certificate, leaf.certificate_bytes);
    memcpy(chain + leaf.certificate_bytes, authority.certificate, authority.certificate_bytes);
    assert_server_refused(chain, leaf.certificate_bytes + authority.certificate_bytes / 2, leaf.key,
                          leaf.key_bytes, "malformed (certificate 2");
}

/* A protected key is refused at once; nothing asks the terminal for a password. */
static void test_key_with_a_password(void **state)
{
    (void)state;
    BIO *in = BIO_new_mem_buf(leaf.key, (int)leaf.key_bytes);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    BIO *out = BIO_new(BIO_s_mem());
    char *text = NULL;
    assert_int_equal(
        PEM_write_bio_PKCS8PrivateKey(out, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL), 1);
    long bytes = BIO_get_mem_data(out, &text);
    assert_server_refused(leaf.certificate, leaf.certificate_bytes, text, (size_t)bytes,
                          "protected by a password");
    BIO_free(in);
    BIO_free(out);
    EVP_PKEY_free(key);
}

static void test_bad_trust(void **state)
{
    (void)state;
    static uint8_t pins[(FN_TLS_PINS_MAX + 1) * FN_CERTIFICATE_PIN_BYTES];
    static char two[2 * FN_CERTIFICATE_PEM_BYTES_MAX];
    memcpy(two, authority.certificate, authority.certificate_bytes);
    memcpy(two + authority.certificate_bytes, leaf.certificate, leaf.certificate_bytes);
    const struct {
        fn_tls_trust trust;
        int code;
        const char *part;
    } rows[] = {
        {{.ca_pem = "", .ca_pem_bytes = 0},
         FASTNET_ERR_CERTIFICATE,
         "no PEM certificate in the CA"},
        {{.ca_pem = "x", .ca_pem_bytes = 1},
         FASTNET_ERR_CERTIFICATE,
         "no PEM certificate in the CA"},
        {{.ca_pem = two, .ca_pem_bytes = authority.certificate_bytes + 100},
         FASTNET_ERR_CERTIFICATE,
         "malformed (certificate 2"},
        {{.pins = pins, .pins_count = FN_TLS_PINS_MAX + 1}, FASTNET_ERR_ARGUMENT, "pins"},
        {{.pins = NULL, .pins_count = 1}, FASTNET_ERR_ARGUMENT, "pins"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const fn_tls_config config = {.trust = &rows[i].trust};
        fn_failure failure;
        assert_null(fn_tls_context_create_client(&config, &failure));
        assert_failure(&failure, rows[i].code, rows[i].part);
    }
}

static void test_bad_alpn(void **state)
{
    (void)state;
    static char longest[257];
    memset(longest, 'a', 256);
    const char *const names[] = {"", longest};
    for (size_t i = 0; i < 2; i++) {
        const fn_tls_config config = {.alpn = names[i]};
        fn_failure failure;
        assert_null(fn_tls_context_create_client(&config, &failure));
        assert_failure(&failure, FASTNET_ERR_ARGUMENT, "ALPN");
    }
}

/* Protocols of the same library keep apart by their ALPN. */
static void test_other_alpn(void **state)
{
    (void)state;
    const fn_tls_identity identity = test_identity(&leaf);
    const fn_tls_config config = {.identity = &identity, .alpn = "fastnet-other/1"};
    test_pair pair = test_pair_meet(fn_tls_context_create_server(&config, NULL),
                                    test_client_context(&authority), "localhost");
    assert_failure(fn_tls_failure(pair.server), FASTNET_ERR_PROTOCOL,
                   "'fastnet/1'; this server speaks only fastnet-other/1");
    assert_failure(fn_tls_failure(pair.client), FASTNET_ERR_PROTOCOL, "does not speak the FastNet");
    test_pair_part(&pair);
}

/* --- a provider that knows no X25519, as FIPS providers do --- */

static OSSL_PROVIDER *whole; /* the default provider, in a library context of its own */

static const OSSL_ALGORITHM *query_without_x25519(void *context, int operation, int *no_cache)
{
    static OSSL_ALGORITHM rows[64];
    (void)context;
    const OSSL_ALGORITHM *from = OSSL_PROVIDER_query_operation(whole, operation, no_cache);
    if (operation != OSSL_OP_KEYMGMT && operation != OSSL_OP_KEYEXCH)
        return from;
    size_t count = 0;
    for (; from->algorithm_names != NULL; from++) {
        assert_true(count + 1 < sizeof rows / sizeof rows[0]);
        if (strstr(from->algorithm_names, "X25519") == NULL)
            rows[count++] = *from;
    }
    rows[count] = (OSSL_ALGORITHM){0};
    *no_cache = 1; /* `rows` serves every operation */
    return rows;
}

static int capabilities(void *context, const char *capability, OSSL_CALLBACK *take, void *user)
{
    (void)context;
    return OSSL_PROVIDER_get_capabilities(whole, capability, take, user);
}

static int provider_without_x25519(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                                   const OSSL_DISPATCH **out, void **context)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query_without_x25519},
        {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))capabilities},
        {0, NULL},
    };
    (void)handle, (void)in;
    *out = functions;
    *context = OSSL_PROVIDER_get0_provider_ctx(whole);
    return 1;
}

/* OpenSSL refuses a whole list of groups for one name that it does not know. */
static void test_p256_alone_where_the_provider_knows_no_x25519(void **state)
{
    (void)state;
    OSSL_LIB_CTX *source = OSSL_LIB_CTX_new();
    OSSL_LIB_CTX *limited = OSSL_LIB_CTX_new();
    whole = OSSL_PROVIDER_load(source, "default");
    assert_non_null(whole);
    assert_int_equal(OSSL_PROVIDER_add_builtin(limited, "without-x25519", provider_without_x25519),
                     1);
    OSSL_PROVIDER *provider = OSSL_PROVIDER_load(limited, "without-x25519");
    assert_non_null(provider);
    OSSL_LIB_CTX *before = OSSL_LIB_CTX_set0_default(limited);
    SSL_CTX *probe = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_set1_groups_list(probe, "X25519:P-256"), 0);
    SSL_CTX_free(probe);

    test_pair pair = test_pair_meet(test_server_context(&leaf, NULL),
                                    test_client_context(&authority), "localhost");
    assert_established(pair.client, pair.server);
    assert_says(pair.client, pair.server, "without X25519");
    test_pair_part(&pair);

    OSSL_LIB_CTX_set0_default(before);
    OSSL_PROVIDER_unload(provider);
    OSSL_LIB_CTX_free(limited);
    OSSL_PROVIDER_unload(whole);
    OSSL_LIB_CTX_free(source);
}

static void test_release_of_nothing(void **state)
{
    (void)state;
    fn_tls_context_release(NULL);
    fn_tls_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_identities),
        cmocka_unit_test(test_chain_with_a_broken_second_certificate),
        cmocka_unit_test(test_key_with_a_password),
        cmocka_unit_test(test_bad_trust),
        cmocka_unit_test(test_bad_alpn),
        cmocka_unit_test(test_other_alpn),
        cmocka_unit_test(test_p256_alone_where_the_provider_knows_no_x25519),
        cmocka_unit_test(test_release_of_nothing),
    };
    return cmocka_run_group_tests(tests, make_certificates, NULL);
}
