#include "crypto/tls_context.h"

#include "crypto/test_tls.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

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
    const fn_tls_identity identity = {chain, chain_bytes, key, key_bytes};
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
    const fn_tls_identity identity = {leaf.certificate, leaf.certificate_bytes, leaf.key,
                                      leaf.key_bytes};
    const fn_tls_config config = {.identity = &identity, .alpn = "fastnet-other/1"};
    fn_tls_context *servers = fn_tls_context_create_server(&config, NULL);
    fn_tls_context *clients = test_client_context(&authority);
    fn_tls *server = test_tls(servers, NULL), *client = test_tls(clients, "localhost");
    test_handshake(client, server, WIRE_BYTES);
    assert_failure(fn_tls_failure(server), FASTNET_ERR_PROTOCOL,
                   "'fastnet/1'; this server speaks only fastnet-other/1");
    assert_failure(fn_tls_failure(client), FASTNET_ERR_PROTOCOL, "does not speak the FastNet");
    fn_tls_destroy(client);
    fn_tls_destroy(server);
    fn_tls_context_release(clients);
    fn_tls_context_release(servers);
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
        cmocka_unit_test(test_release_of_nothing),
    };
    return cmocka_run_group_tests(tests, make_certificates, NULL);
}
