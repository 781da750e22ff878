/* Our side against other people's TLS: older versions, other protocols, other settings. The foreign
 * side is OpenSSL used directly. */
#include "crypto/tls.h"

#include "crypto/test_tls.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>

static fn_certificate_pem authority, leaf;
static fn_tls_context *servers, *clients;

static int set_up(void **state)
{
    (void)state;
    test_make_authority("test CA", &authority);
    test_make_leaf(&authority, &leaf);
    servers = test_server_context(&leaf, NULL);
    clients = test_client_context(&authority);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fn_tls_context_release(servers);
    fn_tls_context_release(clients);
    return 0;
}

/* --- the foreign side --- */

typedef struct foreign {
    SSL_CTX *context;
    SSL *ssl;
    BIO *input, *output;
} foreign;

static void foreign_identity(SSL_CTX *context)
{
    BIO *bio = BIO_new_mem_buf(leaf.certificate, (int)leaf.certificate_bytes);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    bio = BIO_new_mem_buf(leaf.key, (int)leaf.key_bytes);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static foreign foreign_make(bool server, int version_max)
{
    foreign f;
    f.context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    SSL_CTX_set_max_proto_version(f.context, version_max);
    if (server)
        foreign_identity(f.context);
    return f;
}

static void foreign_start(foreign *f, bool server)
{
    f->ssl = SSL_new(f->context);
    f->input = BIO_new(BIO_s_mem());
    f->output = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(f->input, -1);
    BIO_set_mem_eof_return(f->output, -1);
    SSL_set_bio(f->ssl, f->input, f->output);
    if (server)
        SSL_set_accept_state(f->ssl);
    else
        SSL_set_connect_state(f->ssl);
}

static void foreign_free(foreign *f)
{
    SSL_free(f->ssl);
    SSL_CTX_free(f->context);
}

static size_t carry_to_foreign(fn_tls *from, foreign *to)
{
    static uint8_t wire[WIRE_BYTES];
    size_t bytes = fn_tls_transmit(from, wire, sizeof wire);
    if (bytes > 0)
        BIO_write(to->input, wire, (int)bytes);
    return bytes;
}

static size_t carry_from_foreign(foreign *from, fn_tls *to)
{
    static uint8_t wire[WIRE_BYTES];
    size_t consumed = 0;
    int bytes = BIO_read(from->output, wire, sizeof wire);
    if (bytes <= 0)
        return 0;
    fn_tls_receive(to, wire, (size_t)bytes, &consumed);
    return (size_t)bytes;
}

static void converse(fn_tls *ours, foreign *theirs)
{
    size_t moved;
    do {
        fn_tls_step(ours, NULL);
        moved = carry_to_foreign(ours, theirs);
        SSL_do_handshake(theirs->ssl);
        moved += carry_from_foreign(theirs, ours);
    } while (moved > 0);
}

/* The alert that the foreign side received, or -1. */
static int alert_seen = -1;

static void note_alert(const SSL *ssl, int where, int value)
{
    (void)ssl;
    if (where == SSL_CB_READ_ALERT)
        alert_seen = value & 0xff;
}

static fn_failure meet_foreign_client(foreign *client)
{
    fn_tls *server = test_tls(servers, NULL);
    alert_seen = -1;
    foreign_start(client, false);
    SSL_set_info_callback(client->ssl, note_alert);
    converse(server, client);
    fn_failure failure = *fn_tls_failure(server);
    assert_int_equal(failure.code == FASTNET_OK, fn_tls_handshake_done(server));
    fn_tls_destroy(server);
    return failure;
}

static fn_failure meet_foreign_server(foreign *server)
{
    fn_tls *client = test_tls(clients, "localhost");
    alert_seen = -1;
    foreign_start(server, true);
    SSL_set_info_callback(server->ssl, note_alert);
    converse(client, server);
    fn_failure failure = *fn_tls_failure(client);
    assert_int_equal(failure.code == FASTNET_OK, fn_tls_handshake_done(client));
    fn_tls_destroy(client);
    return failure;
}

/* --- versions --- */

static void test_client_of_tls_1_2(void **state)
{
    (void)state;
    foreign client = foreign_make(false, TLS1_2_VERSION);
    SSL_CTX_set_alpn_protos(client.context,
                            (const unsigned char *)"\x09"
                                                   "fastnet/1",
                            10);
    fn_failure failure = meet_foreign_client(&client);
    assert_failure(&failure, FASTNET_ERR_VERSION, "the client offers only TLS versions below 1.3");
    assert_int_equal(alert_seen, SSL_AD_PROTOCOL_VERSION);
    foreign_free(&client);
}

static void test_server_of_tls_1_2(void **state)
{
    (void)state;
    foreign server = foreign_make(true, TLS1_2_VERSION);
    fn_failure failure = meet_foreign_server(&server);
    assert_failure(&failure, FASTNET_ERR_VERSION, "TLS 1.3");
    foreign_free(&server);
}

/* The version is what stands in the way, whatever else is missing. */
static void test_client_of_tls_1_2_without_alpn(void **state)
{
    (void)state;
    foreign client = foreign_make(false, TLS1_2_VERSION);
    fn_failure failure = meet_foreign_client(&client);
    assert_failure(&failure, FASTNET_ERR_VERSION, "the client offers only TLS versions below 1.3");
    foreign_free(&client);
}

/* A server that answers with 1.2 although it was not offered. */
static void test_server_that_insists_on_tls_1_2(void **state)
{
    (void)state;
    static const uint8_t hello[] = {
        22, 3,  3,  0,  42, 2,  0,  0,  38, 3,  3,  1,  2,    3,    4,  5,
        6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18,   19,   20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 0,  0xc0, 0x2f, 0,
    };
    fn_tls *client = test_tls(clients, "localhost");
    size_t consumed = 0;
    fn_tls_step(client, NULL);
    fn_tls_receive(client, hello, sizeof hello, &consumed);
    assert_int_equal(fn_tls_step(client, NULL), FASTNET_ERR_VERSION);
    assert_failure(fn_tls_failure(client), FASTNET_ERR_VERSION,
                   "the server offers only TLS versions below 1.3");
    fn_tls_destroy(client);
}

/* --- ALPN --- */

static void test_client_of_another_protocol(void **state)
{
    (void)state;
    foreign client = foreign_make(false, TLS1_3_VERSION);
    SSL_CTX_set_alpn_protos(client.context, (const unsigned char *)"\x02h2\x08http/1.1", 12);
    fn_failure failure = meet_foreign_client(&client);
    assert_failure(&failure, FASTNET_ERR_PROTOCOL,
                   "asked for the application protocol (ALPN) 'h2'; this server speaks only "
                   "fastnet/1");
    assert_int_equal(alert_seen, SSL_AD_NO_APPLICATION_PROTOCOL);
    foreign_free(&client);
}

static void test_client_without_alpn(void **state)
{
    (void)state;
    foreign client = foreign_make(false, TLS1_3_VERSION);
    fn_failure failure = meet_foreign_client(&client);
    assert_failure(&failure, FASTNET_ERR_PROTOCOL, "no application protocol (ALPN)");
    assert_int_equal(alert_seen, SSL_AD_NO_APPLICATION_PROTOCOL);
    foreign_free(&client);
}

static void test_client_that_lists_ours_second(void **state)
{
    (void)state;
    foreign client = foreign_make(false, TLS1_3_VERSION);
    SSL_CTX_set_alpn_protos(client.context,
                            (const unsigned char *)"\x02h2\x09"
                                                   "fastnet/1",
                            13);
    fn_failure failure = meet_foreign_client(&client);
    assert_int_equal(failure.code, FASTNET_OK);
    foreign_free(&client);
}

static void test_server_without_alpn(void **state)
{
    (void)state;
    foreign server = foreign_make(true, TLS1_3_VERSION);
    fn_failure failure = meet_foreign_server(&server);
    assert_failure(&failure, FASTNET_ERR_PROTOCOL,
                   "the server did not agree to the application protocol (ALPN) fastnet/1");
    foreign_free(&server);
}

static int refuse_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
                       const unsigned char *in, unsigned in_bytes, void *user)
{
    (void)ssl, (void)out, (void)out_bytes, (void)in, (void)in_bytes, (void)user;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void test_server_of_another_protocol(void **state)
{
    (void)state;
    foreign server = foreign_make(true, TLS1_3_VERSION);
    SSL_CTX_set_alpn_select_cb(server.context, refuse_alpn, NULL);
    fn_failure failure = meet_foreign_server(&server);
    assert_failure(&failure, FASTNET_ERR_PROTOCOL,
                   "the server ended the TLS connection: it does not speak the FastNet protocol");
    foreign_free(&server);
}

/* --- settings --- */

/* A client that guessed the wrong group gets a HelloRetryRequest,
 * without a private-key operation. */
static void test_hello_retry_request(void **state)
{
    (void)state;
    foreign client = foreign_make(false, TLS1_3_VERSION);
    SSL_CTX_set_alpn_protos(client.context,
                            (const unsigned char *)"\x09"
                                                   "fastnet/1",
                            10);
    SSL_CTX_set1_groups_list(client.context, "ffdhe2048:P-256");
    foreign_start(&client, false);
    fn_tls *server = test_tls(servers, NULL);
    bool key_used = true;
    SSL_do_handshake(client.ssl);
    carry_from_foreign(&client, server);
    assert_true(fn_tls_may_sign(server));
    assert_int_equal(fn_tls_step(server, &key_used), FASTNET_OK);
    assert_false(key_used);
    assert_false(fn_tls_may_sign(server));
    assert_true(carry_to_foreign(server, &client) > 0);
    SSL_do_handshake(client.ssl);
    carry_from_foreign(&client, server);
    assert_true(fn_tls_may_sign(server));
    assert_int_equal(fn_tls_step(server, &key_used), FASTNET_OK);
    assert_true(key_used);
    converse(server, &client);
    assert_true(fn_tls_handshake_done(server));
    fn_tls_destroy(server);
    foreign_free(&client);
}

/* The client chooses the group, and the server pays: P-384 costs it 20 times as much as P-256, a
 * finite-field group milliseconds. A client that has nothing else is refused. */
static void test_attack_client_with_expensive_groups_only(void **state)
{
    (void)state;
    static const char *const lists[] = {"P-384", "P-521", "P-384:P-521:X448", "ffdhe8192"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        foreign client = foreign_make(false, TLS1_3_VERSION);
        SSL_CTX_set_alpn_protos(client.context,
                                (const unsigned char *)"\x09"
                                                       "fastnet/1",
                                10);
        assert_int_equal(SSL_CTX_set1_groups_list(client.context, lists[i]), 1);
        fn_failure failure = meet_foreign_client(&client);
        assert_failure(&failure, FASTNET_ERR_PROTOCOL,
                       "the client exchanges keys neither by X25519 nor by P-256");
        assert_int_equal(alert_seen, SSL_AD_HANDSHAKE_FAILURE);
        foreign_free(&client);
    }
}

/* Offering one beside ours, or guessing it first, gains nothing: ours is taken. */
static void test_client_with_an_expensive_group_first(void **state)
{
    (void)state;
    foreign client = foreign_make(false, TLS1_3_VERSION);
    SSL_CTX_set_alpn_protos(client.context,
                            (const unsigned char *)"\x09"
                                                   "fastnet/1",
                            10);
    SSL_CTX_set1_groups_list(client.context, "P-384:P-256");
    fn_failure failure = meet_foreign_client(&client);
    assert_int_equal(failure.code, FASTNET_OK);
    assert_int_equal(SSL_get_negotiated_group(client.ssl), NID_X9_62_prime256v1);
    foreign_free(&client);
}

/* --- alerts --- */

static void test_every_alert_has_a_code_and_a_sentence(void **state)
{
    (void)state;
    static const struct {
        int alert;
        int code;
    } rows[] = {
        {SSL_AD_HANDSHAKE_FAILURE, FASTNET_ERR_PROTOCOL},
        {SSL_AD_CERTIFICATE_EXPIRED, FASTNET_ERR_CERTIFICATE},
        {SSL_AD_UNKNOWN_CA, FASTNET_ERR_CERTIFICATE},
        {SSL_AD_ACCESS_DENIED, FASTNET_ERR_REJECTED},
        {SSL_AD_PROTOCOL_VERSION, FASTNET_ERR_VERSION},
        {SSL_AD_CERTIFICATE_REQUIRED, FASTNET_ERR_CERTIFICATE},
        {SSL_AD_NO_APPLICATION_PROTOCOL, FASTNET_ERR_PROTOCOL},
    };
    for (int alert = 1; alert < 256; alert++) {
        const uint8_t record[] = {21, 3, 3, 0, 2, 2, (uint8_t)alert};
        fn_tls *client = test_tls(clients, "localhost");
        size_t consumed = 0;
        fn_tls_step(client, NULL);
        fn_tls_receive(client, record, sizeof record, &consumed);
        int code = fn_tls_step(client, NULL);
        assert_true(code < 0);
        assert_failure(fn_tls_failure(client), code, "the server ended the TLS connection");
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            if (rows[i].alert == alert)
                assert_int_equal(code, rows[i].code);
        }
        fn_tls_destroy(client);
    }
}

static void test_close_notify_during_the_handshake(void **state)
{
    (void)state;
    const uint8_t record[] = {21, 3, 3, 0, 2, 1, 0};
    fn_tls *client = test_tls(clients, "localhost");
    size_t consumed = 0;
    fn_tls_step(client, NULL);
    fn_tls_receive(client, record, sizeof record, &consumed);
    assert_int_equal(fn_tls_step(client, NULL), FASTNET_ERR_CLOSED);
    assert_failure(fn_tls_failure(client), FASTNET_ERR_CLOSED, "during the handshake");
    fn_tls_destroy(client);
}

/* --- after the handshake --- */

/* Each costs key derivations and asks for a record in answer: a peer that floods a server with
 * them, never reading, must neither fill its memory nor take its time. */
static void test_attack_key_updates_whose_answers_are_never_read(void **state)
{
    (void)state;
    fn_tls *server = test_tls(servers, NULL);
    foreign client = foreign_make(false, TLS1_3_VERSION);
    SSL_CTX_set_alpn_protos(client.context,
                            (const unsigned char *)"\x09"
                                                   "fastnet/1",
                            10);
    foreign_start(&client, false);
    converse(server, &client);
    assert_true(fn_tls_handshake_done(server));
    for (int i = 0; i < 1000; i++) {
        SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(client.ssl);
    }
    carry_from_foreign(&client, server);
    uint8_t out[16];
    size_t bytes = 0;
    assert_int_equal(fn_tls_read(server, out, sizeof out, &bytes), FASTNET_ERR_PROTOCOL);
    assert_failure(fn_tls_failure(server), FASTNET_ERR_PROTOCOL, "floods TLS with key updates");
    assert_in_range(fn_tls_pending_output(server), 1, 2 * FN_TLS_LATE_MESSAGES_MAX * 32);
    fn_tls_destroy(server);
    foreign_free(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_of_tls_1_2),
        cmocka_unit_test(test_client_of_tls_1_2_without_alpn),
        cmocka_unit_test(test_server_of_tls_1_2),
        cmocka_unit_test(test_server_that_insists_on_tls_1_2),
        cmocka_unit_test(test_client_of_another_protocol),
        cmocka_unit_test(test_client_without_alpn),
        cmocka_unit_test(test_client_that_lists_ours_second),
        cmocka_unit_test(test_server_without_alpn),
        cmocka_unit_test(test_server_of_another_protocol),
        cmocka_unit_test(test_hello_retry_request),
        cmocka_unit_test(test_attack_client_with_expensive_groups_only),
        cmocka_unit_test(test_client_with_an_expensive_group_first),
        cmocka_unit_test(test_every_alert_has_a_code_and_a_sentence),
        cmocka_unit_test(test_close_notify_during_the_handshake),
        cmocka_unit_test(test_attack_key_updates_whose_answers_are_never_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
