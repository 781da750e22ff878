#include "crypto/tls.h"

#include "crypto/test_tls.h"

static fn_certificate_pem authority, stranger, leaf, made;

static int make_certificates(void **state)
{
    (void)state;
    test_make_authority("test CA", &authority);
    test_make_authority("another CA", &stranger);
    test_make_leaf(&authority, &leaf);
    return 0;
}

typedef struct outcome {
    fn_failure client;
    fn_failure server;
    bool done;
    fn_tls_info info;
} outcome;

/* Consumes the client context. */
static outcome meet(const fn_certificate_pem *server_pem, fn_tls_context *clients, const char *name)
{
    outcome result;
    test_pair pair = test_pair_meet(test_server_context(server_pem, NULL), clients, name);
    result.client = *fn_tls_failure(pair.client);
    result.server = *fn_tls_failure(pair.server);
    result.done = fn_tls_handshake_done(pair.client);
    fn_tls_describe(pair.client, &result.info);
    test_pair_part(&pair);
    return result;
}

static outcome meet_by_ca(const fn_certificate_pem *server_pem, const fn_certificate_pem *ca,
                          const char *name)
{
    return meet(server_pem, test_client_context(ca), name);
}

static void assert_accepted(const outcome *result)
{
    assert_string_equal(result->client.text, "");
    assert_true(result->done);
}

/* The client refuses with this sentence, and the server hears why: code of its own. */
static void assert_refused(const outcome *result, const char *part, const char *server_part)
{
    assert_false(result->done);
    assert_failure(&result->client, FASTNET_ERR_CERTIFICATE, part);
    assert_failure(&result->server, FASTNET_ERR_CERTIFICATE, server_part);
}

static void test_s1_every_name_of_the_certificate_and_no_other(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool accepted;
    } rows[] = {
        {"localhost", true},    {"LOCALHOST", true},    {"localhost.", true},
        {"127.0.0.1", true},    {"::1", true},          {"0:0:0:0:0:0:0:1", true},
        {"127.0.0.2", false},   {"::2", false},         {"localhost.example", false},
        {"x.localhost", false}, {"test server", false}, {"::ffff:127.0.0.1", true},
        {"localhos", false},    {"1.0.0.127", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        outcome result = meet_by_ca(&leaf, &authority, rows[i].name);
        if (rows[i].accepted) {
            assert_accepted(&result);
            continue;
        }
        assert_refused(&result, rows[i].name, "does not accept our certificate");
        assert_failure(&result.client, FASTNET_ERR_CERTIFICATE, "localhost, 127.0.0.1, ::1");
        assert_failure(&result.client, FASTNET_ERR_CERTIFICATE, "fastnet cert --name");
    }
}

static void test_wildcards(void **state)
{
    (void)state;
    static const char *const names[] = {"*.play.example"};
    test_make_certificate(FN_CERTIFICATE_LEAF, "x", names, 1, NOW - DAY, NOW + DAY, &authority,
                          &made);
    outcome one = meet_by_ca(&made, &authority, "eu.play.example");
    assert_accepted(&one);
    outcome none = meet_by_ca(&made, &authority, "play.example");
    assert_refused(&none, "*.play.example", "certificate");
    outcome two = meet_by_ca(&made, &authority, "a.b.play.example");
    assert_refused(&two, "*.play.example", "certificate");
}

/* SPEC's openssl line: CN=localhost, no SAN, CA:TRUE, self-signed; the file itself is the CA. */
static void test_the_plain_openssl_certificate(void **state)
{
    (void)state;
    test_make_certificate(FN_CERTIFICATE_PLAIN, "localhost", NULL, 0, NOW - DAY, NOW + 365 * DAY,
                          NULL, &made);
    outcome by_name = meet_by_ca(&made, &made, "localhost");
    assert_accepted(&by_name);
    outcome by_address = meet_by_ca(&made, &made, "127.0.0.1");
    assert_refused(&by_address,
                   "is for 'localhost', not for '127.0.0.1': connect by a name that it carries, or "
                   "make one that carries this (fastnet cert --name 127.0.0.1)",
                   "does not accept our certificate");
}

/* A self-signed leaf that may sign nothing is its own trust anchor too. */
static void test_self_signed_leaf_as_ca_file(void **state)
{
    (void)state;
    test_make_leaf(NULL, &made);
    outcome result = meet_by_ca(&made, &made, "localhost");
    assert_accepted(&result);
    /* Naming a leaf that a CA signed trusts that leaf, and not the CA's others. */
    result = meet_by_ca(&leaf, &leaf, "localhost");
    assert_accepted(&result);
    test_make_leaf(&authority, &made);
    result = meet_by_ca(&made, &leaf, "localhost");
    assert_refused(&result, "issued by 'CN=test CA', which is not trusted", "issuer");
}

static void test_s1_expired(void **state)
{
    (void)state;
    static const char *const names[] = {"localhost"};
    test_make_certificate(FN_CERTIFICATE_LEAF, "old", names, 1, NOW - 2 * DAY, NOW - DAY,
                          &authority, &made);
    outcome result = meet_by_ca(&made, &authority, "localhost");
    assert_refused(&result, "(CN=old) expired on 2027-01-14 08:00:00 UTC", "expired");
    /* To the second. */
    test_make_certificate(FN_CERTIFICATE_LEAF, "old", names, 1, NOW - DAY, NOW - 1, &authority,
                          &made);
    result = meet_by_ca(&made, &authority, "localhost");
    assert_refused(&result, "expired on 2027-01-15 07:59:59 UTC", "expired");
    test_make_certificate(FN_CERTIFICATE_LEAF, "fresh", names, 1, NOW, NOW + 1, &authority, &made);
    result = meet_by_ca(&made, &authority, "localhost");
    assert_accepted(&result);
}

static void test_s1_expired_authority(void **state)
{
    (void)state;
    static fn_certificate_pem old;
    test_make_certificate(FN_CERTIFICATE_AUTHORITY, "old CA", NULL, 0, NOW - 9 * DAY, NOW - DAY,
                          NULL, &old);
    test_make_leaf(&old, &made);
    outcome result = meet_by_ca(&made, &old, "localhost");
    assert_refused(&result, "(CN=old CA) expired on", "expired");
}

static void test_s1_not_yet_valid(void **state)
{
    (void)state;
    static const char *const names[] = {"localhost"};
    test_make_certificate(FN_CERTIFICATE_LEAF, "young", names, 1, NOW + DAY, NOW + 2 * DAY,
                          &authority, &made);
    outcome result = meet_by_ca(&made, &authority, "localhost");
    assert_refused(&result,
                   "(CN=young) is not yet valid: it begins on 2027-01-16 08:00:00 UTC, and the "
                   "clock here says 2027-01-15 08:00:00 UTC",
                   "certificate");
}

static void test_s1_unknown_issuer(void **state)
{
    (void)state;
    outcome result = meet_by_ca(&leaf, &stranger, "localhost");
    assert_refused(&result, "was issued by 'CN=test CA', which is not trusted here",
                   "does not trust the issuer");
}

/* Same name, other key: a forged CA must not pass for the real one. */
static void test_s1_authority_of_the_same_name(void **state)
{
    (void)state;
    static fn_certificate_pem impostor;
    test_make_authority("test CA", &impostor);
    test_make_leaf(&impostor, &made);
    outcome result = meet_by_ca(&made, &authority, "localhost");
    assert_refused(&result,
                   "signed by another 'CN=test CA' than the trusted one (same name, other key)",
                   "issuer");
    /* As `fastnet cert` writes them: with the CA behind. */
    test_append(&made, &impostor);
    result = meet_by_ca(&made, &authority, "localhost");
    assert_refused(&result,
                   "signed by another 'CN=test CA' than the trusted one (same name, other key)",
                   "issuer");
    /* Self-signed, made anew, and the client still has the old one. */
    static fn_certificate_pem older;
    test_make_leaf(NULL, &older);
    test_make_leaf(NULL, &made);
    result = meet_by_ca(&made, &older, "localhost");
    assert_refused(&result,
                   "signed by another 'CN=test server' than the trusted one (same name, other key)",
                   "issuer");
}

/* The root is trusted, and the server's file holds cert.pem in place of fullchain.pem. */
static void test_s1_missing_intermediate(void **state)
{
    (void)state;
    static fn_certificate_pem root, middle, wrong;
    test_make_keyed(FN_CERTIFICATE_PLAIN, FN_CERTIFICATE_KEY_P256, "root", NULL, &root);
    test_make_keyed(FN_CERTIFICATE_AUTHORITY, FN_CERTIFICATE_KEY_P256, "middle", &root, &middle);
    test_make_keyed(FN_CERTIFICATE_AUTHORITY, FN_CERTIFICATE_KEY_P256, "unused", &root, &wrong);
    test_make_leaf(&middle, &made);
    outcome result = meet_by_ca(&made, &root, "localhost");
    assert_refused(&result,
                   "issued by 'CN=middle', which is not trusted here, and it came without its "
                   "issuer's: an intermediate must come from the server (its file must hold the "
                   "full chain, fullchain.pem)",
                   "issuer");
    test_append(&made, &middle);
    result = meet_by_ca(&made, &root, "localhost");
    assert_accepted(&result);
    /* The whole chain came, and nobody here knows its root. */
    result = meet_by_ca(&made, &stranger, "localhost");
    assert_refused(&result,
                   "(CN=test server) was issued by 'CN=root', which is not trusted here: name that "
                   "authority's certificate",
                   "issuer");
}

static void test_s1_self_signed(void **state)
{
    (void)state;
    test_make_leaf(NULL, &made);
    fn_certificate_info info;
    char pin[FN_CERTIFICATE_PIN_TEXT_BYTES];
    fn_certificate_read(made.certificate, made.certificate_bytes, &info, NULL);
    fn_certificate_pin_format(info.pin, pin);
    outcome result = meet_by_ca(&made, &authority, "localhost");
    assert_refused(&result, "(CN=test server) is self-signed and not trusted", "issuer");
    assert_failure(&result.client, FASTNET_ERR_CERTIFICATE, pin);
}

/* The default: neither CA nor pin means the system's roots, which never signed ours. */
static void test_s1_system_roots_do_not_know_ours(void **state)
{
    (void)state;
    const fn_tls_config config = {.alpn = NULL};
    fn_tls_context *clients = fn_tls_context_create_client(&config, NULL);
    assert_non_null(clients);
    outcome result = meet(&leaf, clients, "localhost");
    assert_refused(&result, "not trusted here", "issuer");
}

/* A leaf must not act as an authority, whatever it signed. */
static void test_s1_leaf_cannot_sign(void **state)
{
    (void)state;
    static fn_certificate_pem chain;
    test_make_leaf(&leaf, &chain);
    test_append(&chain, &leaf);
    outcome result = meet_by_ca(&chain, &authority, "localhost");
    assert_false(result.done);
    assert_int_equal(result.client.code, FASTNET_ERR_CERTIFICATE);
}

static fn_tls_context *pinned(const fn_certificate_pem *first, const fn_certificate_pem *second)
{
    uint8_t pins[2][FN_CERTIFICATE_PIN_BYTES];
    fn_certificate_info info;
    fn_certificate_read(first->certificate, first->certificate_bytes, &info, NULL);
    memcpy(pins[0], info.pin, sizeof pins[0]);
    fn_certificate_read(second->certificate, second->certificate_bytes, &info, NULL);
    memcpy(pins[1], info.pin, sizeof pins[1]);
    const fn_tls_trust trust = {.pins = pins[0], .pins_count = 2};
    const fn_tls_config config = {.trust = &trust};
    return fn_tls_context_create_client(&config, NULL);
}

static void test_pins_replace_chain_name_and_dates(void **state)
{
    (void)state;
    static const char *const names[] = {"elsewhere.example"};
    test_make_certificate(FN_CERTIFICATE_LEAF, "old", names, 1, NOW - 9 * DAY, NOW - DAY, NULL,
                          &made);
    outcome result = meet(&made, pinned(&made, &authority), "10.1.2.3");
    assert_accepted(&result);
    result = meet(&made, pinned(&authority, &made), NULL);
    assert_accepted(&result);
}

static void test_s1_pin_mismatch_names_the_actual_pin(void **state)
{
    (void)state;
    fn_certificate_info info;
    char pin[FN_CERTIFICATE_PIN_TEXT_BYTES];
    fn_certificate_read(leaf.certificate, leaf.certificate_bytes, &info, NULL);
    fn_certificate_pin_format(info.pin, pin);
    outcome result = meet(&leaf, pinned(&authority, &stranger), "localhost");
    assert_refused(&result, "none of the 2 pinned", "does not accept our certificate");
    assert_failure(&result.client, FASTNET_ERR_CERTIFICATE, pin);
}

static void test_insecure_is_another_function(void **state)
{
    (void)state;
    const fn_tls_config config = {.alpn = NULL};
    outcome result =
        meet(&leaf, fn_tls_context_create_client_insecure(&config, NULL), "wrong.example");
    assert_accepted(&result);
    assert_string_equal(result.info.peer.subject, "CN=test server");
}

static void test_a_name_is_needed_to_verify(void **state)
{
    (void)state;
    fn_tls_context *clients = test_client_context(&authority);
    static char longest[300];
    memset(longest, 'a', sizeof longest - 1);
    const char *const names[] = {NULL, "", longest};
    for (size_t i = 0; i < 3; i++) {
        fn_failure failure;
        const fn_tls_options options = {.server_name = names[i], .unix_time_s = NOW};
        assert_null(fn_tls_create(clients, &options, &failure));
        assert_int_equal(failure.code, FASTNET_ERR_ARGUMENT);
    }
    fn_tls_context_release(clients);
}

/* Control characters in a hostile certificate do not reach the sentence. */
/* OpenSSL takes ".example" for every name below it: the owner of one would pass for the others. */
static void test_attack_a_name_with_a_leading_dot_matches_nobody(void **state)
{
    (void)state;
    static const char *const names[] = {"evil.play.example"};
    fn_failure failure;
    const fn_tls_options options = {.server_name = ".play.example", .unix_time_s = NOW};
    test_make_certificate(FN_CERTIFICATE_LEAF, "x", names, 1, NOW - DAY, NOW + DAY, &authority,
                          &made);
    fn_tls_context *clients = test_client_context(&authority);
    fn_tls *client = fn_tls_create(clients, &options, &failure);
    if (client != NULL) {
        fn_tls_destroy(client);
        fn_tls_context_release(clients);
        outcome result = meet_by_ca(&made, &authority, ".play.example");
        assert_false(result.done);
        fail_msg("a name with a leading dot was taken");
    }
    assert_failure(&failure, FASTNET_ERR_ARGUMENT, "begins with a dot");
    fn_tls_context_release(clients);
}

static void test_hostile_subject_is_printed_safely(void **state)
{
    (void)state;
    static const char *const names[] = {"localhost"};
    test_make_certificate(FN_CERTIFICATE_LEAF, "evil\n\x1b[31mADMIN: all is well", names, 1, NOW,
                          NOW + DAY, NULL, &made);
    outcome result = meet_by_ca(&made, &authority, "localhost");
    assert_int_equal(result.client.code, FASTNET_ERR_CERTIFICATE);
    for (const char *c = result.client.text; *c != '\0'; c++)
        assert_in_range(*c, 0x20, 0x7e);
}

static outcome meet_mutually(const fn_certificate_pem *client_pem, const fn_certificate_pem *ca)
{
    outcome result;
    const fn_tls_trust server_trust = {.ca_pem = ca->certificate,
                                       .ca_pem_bytes = ca->certificate_bytes};
    const fn_tls_trust client_trust = {.ca_pem = authority.certificate,
                                       .ca_pem_bytes = authority.certificate_bytes};
    fn_tls_identity identity = {0};
    fn_tls_config config = {.trust = &client_trust};
    if (client_pem != NULL) {
        identity = test_identity(client_pem);
        config.identity = &identity;
    }
    test_pair pair = test_pair_meet(test_server_context(&leaf, &server_trust),
                                    fn_tls_context_create_client(&config, NULL), "localhost");
    result.client = *fn_tls_failure(pair.client);
    result.server = *fn_tls_failure(pair.server);
    result.done = fn_tls_handshake_done(pair.server);
    fn_tls_describe(pair.server, &result.info);
    test_pair_part(&pair);
    return result;
}

static void test_client_certificates(void **state)
{
    (void)state;
    test_make_certificate(FN_CERTIFICATE_LEAF, "player one", NULL, 0, NOW - DAY, NOW + DAY,
                          &stranger, &made);
    outcome with = meet_mutually(&made, &stranger);
    assert_true(with.done);
    assert_string_equal(with.info.peer.subject, "CN=player one");
    outcome without = meet_mutually(NULL, &stranger);
    assert_true(without.done);
    assert_false(without.info.peer_certified);
    outcome wrong = meet_mutually(&made, &authority);
    assert_false(wrong.done);
    assert_failure(&wrong.server, FASTNET_ERR_CERTIFICATE,
                   "the client's certificate (CN=player one) was issued by 'CN=another CA'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_s1_every_name_of_the_certificate_and_no_other),
        cmocka_unit_test(test_wildcards),
        cmocka_unit_test(test_the_plain_openssl_certificate),
        cmocka_unit_test(test_self_signed_leaf_as_ca_file),
        cmocka_unit_test(test_s1_expired),
        cmocka_unit_test(test_s1_expired_authority),
        cmocka_unit_test(test_s1_not_yet_valid),
        cmocka_unit_test(test_s1_unknown_issuer),
        cmocka_unit_test(test_s1_authority_of_the_same_name),
        cmocka_unit_test(test_s1_missing_intermediate),
        cmocka_unit_test(test_s1_self_signed),
        cmocka_unit_test(test_s1_system_roots_do_not_know_ours),
        cmocka_unit_test(test_s1_leaf_cannot_sign),
        cmocka_unit_test(test_pins_replace_chain_name_and_dates),
        cmocka_unit_test(test_s1_pin_mismatch_names_the_actual_pin),
        cmocka_unit_test(test_insecure_is_another_function),
        cmocka_unit_test(test_a_name_is_needed_to_verify),
        cmocka_unit_test(test_attack_a_name_with_a_leading_dot_matches_nobody),
        cmocka_unit_test(test_hostile_subject_is_printed_safely),
        cmocka_unit_test(test_client_certificates),
    };
    return cmocka_run_group_tests(tests, make_certificates, NULL);
}
