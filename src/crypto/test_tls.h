/*
 * For tests only: certificates made once per program, and two connections joined in memory.
 * NOW is the time of every test; nothing here looks at a clock.
 */
#ifndef FN_CRYPTO_TEST_TLS_H
#define FN_CRYPTO_TEST_TLS_H

#include "base/result.h"
#include "crypto/certificate.h"
#include "crypto/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1800000000) /* 2027-01-15 08:00:00 UTC */
#define DAY INT64_C(86400)

enum { WIRE_BYTES = 256 * 1024 };

static inline void test_make_certificate(fn_certificate_role role, const char *common_name,
                                         const char *const *names, size_t names_count,
                                         int64_t not_before, int64_t not_after,
                                         const fn_certificate_pem *issuer, fn_certificate_pem *out)
{
    const fn_certificate_request request = {
        .role = role,
        .key_kind = FN_CERTIFICATE_KEY_P256,
        .common_name = common_name,
        .names = names,
        .names_count = names_count,
        .not_before_unix_s = not_before,
        .not_after_unix_s = not_after,
    };
    fn_failure failure;
    if (fn_certificate_create(&request, issuer, out, &failure) != FASTNET_OK)
        fail_msg("%s", failure.text);
}

/* For localhost, valid around NOW, with a key of that kind. */
static inline void test_make_keyed(fn_certificate_role role, fn_certificate_key_kind kind,
                                   const char *common_name, const fn_certificate_pem *issuer,
                                   fn_certificate_pem *out)
{
    static const char *const names[] = {"localhost"};
    bool leaf = role == FN_CERTIFICATE_LEAF;
    const fn_certificate_request request = {
        .role = role,
        .key_kind = kind,
        .common_name = common_name,
        .names = leaf ? names : NULL,
        .names_count = leaf ? 1 : 0,
        .not_before_unix_s = NOW - DAY,
        .not_after_unix_s = NOW + 60 * DAY,
    };
    fn_failure failure;
    if (fn_certificate_create(&request, issuer, out, &failure) != FASTNET_OK)
        fail_msg("%s", failure.text);
}

/* Puts the second file's certificates behind the first's. */
static inline void test_append(fn_certificate_pem *to, const fn_certificate_pem *more)
{
    assert_true(to->certificate_bytes + more->certificate_bytes < sizeof to->certificate);
    memcpy(to->certificate + to->certificate_bytes, more->certificate, more->certificate_bytes + 1);
    to->certificate_bytes += more->certificate_bytes;
}

static inline void test_make_authority(const char *common_name, fn_certificate_pem *out)
{
    test_make_certificate(FN_CERTIFICATE_AUTHORITY, common_name, NULL, 0, NOW - DAY,
                          NOW + 3650 * DAY, NULL, out);
}

/* For localhost, 127.0.0.1 and ::1, valid for a month around NOW. */
static inline void test_make_leaf(const fn_certificate_pem *issuer, fn_certificate_pem *out)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "::1"};
    test_make_certificate(FN_CERTIFICATE_LEAF, "test server", names, 3, NOW - DAY, NOW + 30 * DAY,
                          issuer, out);
}

/* Borrows from `pem`. */
static inline fn_tls_identity test_identity(const fn_certificate_pem *pem)
{
    return (fn_tls_identity){.chain_pem = pem->certificate,
                             .chain_pem_bytes = pem->certificate_bytes,
                             .key_pem = pem->key,
                             .key_pem_bytes = pem->key_bytes};
}

static inline fn_tls_context *test_server_context(const fn_certificate_pem *pem,
                                                  const fn_tls_trust *trust)
{
    const fn_tls_identity identity = test_identity(pem);
    const fn_tls_config config = {.identity = &identity, .trust = trust};
    fn_failure failure;
    fn_tls_context *context = fn_tls_context_create_server(&config, &failure);
    if (context == NULL)
        fail_msg("%s", failure.text);
    return context;
}

static inline fn_tls_context *test_client_context(const fn_certificate_pem *ca)
{
    const fn_tls_trust trust = {.ca_pem = ca->certificate, .ca_pem_bytes = ca->certificate_bytes};
    const fn_tls_config config = {.trust = &trust};
    fn_failure failure;
    fn_tls_context *context = fn_tls_context_create_client(&config, &failure);
    if (context == NULL)
        fail_msg("%s", failure.text);
    return context;
}

static inline fn_tls *test_tls(fn_tls_context *context, const char *name)
{
    const fn_tls_options options = {.server_name = name, .unix_time_s = NOW};
    fn_failure failure;
    fn_tls *tls = fn_tls_create(context, &options, &failure);
    if (tls == NULL)
        fail_msg("%s", failure.text);
    return tls;
}

/* Carries everything that `from` has to say to `to`, at most `piece` bytes at a time with a step
 * after each. Returns how many bytes moved. */
static inline size_t test_carry(fn_tls *from, fn_tls *to, size_t piece)
{
    static uint8_t wire[WIRE_BYTES];
    size_t bytes = fn_tls_transmit(from, wire, sizeof wire);
    for (size_t at = 0; at < bytes;) {
        size_t left = bytes - at;
        size_t consumed = 0;
        if (fn_tls_receive(to, wire + at, left < piece ? left : piece, &consumed) != FASTNET_OK)
            break;
        fn_tls_step(to, NULL);
        if (consumed == 0)
            break;
        at += consumed;
    }
    return bytes;
}

/* Until nobody has anything more to say. Failures stay in the two objects. */
static inline void test_handshake(fn_tls *client, fn_tls *server, size_t piece)
{
    fn_tls_step(client, NULL);
    while (test_carry(client, server, piece) + test_carry(server, client, piece) > 0) {
    }
}

/* A client and a server that have said all they had to say. */
typedef struct test_pair {
    fn_tls_context *servers;
    fn_tls_context *clients;
    fn_tls *server;
    fn_tls *client;
} test_pair;

/* Takes the two contexts; the client connects to `name`. */
static inline test_pair test_pair_meet(fn_tls_context *servers, fn_tls_context *clients,
                                       const char *name)
{
    test_pair pair = {servers, clients, test_tls(servers, NULL), test_tls(clients, name)};
    test_handshake(pair.client, pair.server, WIRE_BYTES);
    return pair;
}

static inline void test_pair_part(test_pair *pair)
{
    fn_tls_destroy(pair->client);
    fn_tls_destroy(pair->server);
    fn_tls_context_release(pair->clients);
    fn_tls_context_release(pair->servers);
}

static inline void assert_established(const fn_tls *client, const fn_tls *server)
{
    assert_string_equal(fn_tls_failure(client)->text, "");
    assert_string_equal(fn_tls_failure(server)->text, "");
    assert_true(fn_tls_handshake_done(client));
    assert_true(fn_tls_handshake_done(server));
}

/* Code and a part of the sentence. */
static inline void assert_failure(const fn_failure *failure, int code, const char *part)
{
    if (failure->code != code || strstr(failure->text, part) == NULL)
        fail_msg("expected %d '...%s...', got %d '%s'", code, part, failure->code, failure->text);
}

/* Everything that `text` says arrives at the other side unchanged. */
static inline void assert_says(fn_tls *from, fn_tls *to, const char *text)
{
    uint8_t out[256];
    size_t written = 0;
    size_t read = 0;
    assert_int_equal(fn_tls_write(from, (const uint8_t *)text, strlen(text), &written), FASTNET_OK);
    assert_int_equal(written, strlen(text));
    test_carry(from, to, WIRE_BYTES);
    assert_int_equal(fn_tls_read(to, out, sizeof out, &read), FASTNET_OK);
    assert_int_equal(read, strlen(text));
    assert_memory_equal(out, text, read);
}

#endif
