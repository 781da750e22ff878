#include "crypto/tls.h"

#include "base/bytes.h"
#include "base/cursor.h"
#include "crypto/test_tls.h"

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

typedef struct blob {
    uint8_t bytes[FN_TLS_SESSION_BYTES_MAX];
    size_t count;
} blob;

typedef struct visit {
    const char *name;
    const blob *session; /* NULL = none */
    int64_t now;
    fn_tls_context *clients;
    fn_tls_context *servers;
    blob *ticket;                /* out; NULL = not wanted */
    bool resumed;                /* out */
    bool key_used;               /* out: by the server */
    uint8_t exporter[32];        /* out */
    uint8_t server_flight[8192]; /* out: the first */
    size_t server_flight_bytes;
} visit;

static void server_answers(visit *v, fn_tls *client, fn_tls *server)
{
    size_t consumed = 0;
    fn_tls_step(client, NULL);
    static uint8_t wire[WIRE_BYTES];
    size_t bytes = fn_tls_transmit(client, wire, sizeof wire);
    fn_tls_receive(server, wire, bytes, &consumed);
    fn_tls_step(server, &v->key_used);
    v->server_flight_bytes = fn_tls_transmit(server, v->server_flight, sizeof v->server_flight);
    fn_tls_receive(client, v->server_flight, v->server_flight_bytes, &consumed);
}

static void run(visit *v)
{
    const fn_tls_options options = {
        .server_name = v->name,
        .unix_time_s = v->now,
        .session = v->session != NULL ? v->session->bytes : NULL,
        .session_bytes = v->session != NULL ? v->session->count : 0,
    };
    fn_tls_info info;
    uint8_t none[16];
    size_t count = 0;
    fn_tls *server = test_tls(v->servers, NULL);
    fn_tls *client = fn_tls_create(v->clients, &options, NULL);
    assert_non_null(client);
    server_answers(v, client, server);
    test_handshake(client, server, WIRE_BYTES);
    assert_established(client, server);
    assert_int_equal(fn_tls_read(client, none, sizeof none, &count), FASTNET_OK);
    assert_int_equal(fn_tls_describe(client, &info), FASTNET_OK);
    v->resumed = info.resumed;
    assert_int_equal(info.peer_certified, true);
    assert_string_equal(info.alpn, "fastnet/1");
    assert_int_equal(fn_tls_export(client, "EXPORTER-x", NULL, 0, v->exporter), FASTNET_OK);
    if (v->ticket != NULL)
        assert_int_equal(
            fn_tls_session(client, v->ticket->bytes, sizeof v->ticket->bytes, &v->ticket->count),
            FASTNET_OK);
    fn_tls_destroy(client);
    fn_tls_destroy(server);
}

static visit make_visit(const char *name, const blob *session, blob *ticket)
{
    visit v;
    memset(&v, 0, sizeof v);
    v.name = name;
    v.session = session;
    v.ticket = ticket;
    v.now = NOW;
    v.clients = clients;
    v.servers = servers;
    return v;
}

/* Looks for an extension in the ServerHello at the beginning of a
 * flight (RFC 8446 section 4.1.3). */
static bool server_hello_has(const visit *v, uint16_t extension)
{
    fn_reader reader = fn_reader_make(v->server_flight, v->server_flight_bytes);
    fn_read_bytes(&reader, 5 + 4 + 2 + 32); /* record, message header, version, random */
    fn_read_bytes(&reader, fn_read_u8(&reader));
    fn_read_bytes(&reader, 2 + 1); /* cipher, compression */
    size_t left = fn_read_u16(&reader);
    while (left >= 4 && !reader.failed) {
        uint16_t kind = fn_read_u16(&reader);
        size_t bytes = fn_read_u16(&reader);
        fn_read_bytes(&reader, bytes);
        if (kind == extension)
            return true;
        left -= 4 + bytes;
    }
    return false;
}

enum { EXTENSION_PRE_SHARED_KEY = 41, EXTENSION_KEY_SHARE = 51 };

static void test_resumption_saves_the_signature_and_keeps_dhe(void **state)
{
    (void)state;
    static blob first_ticket, second_ticket;
    static visit first, second, third;
    first = make_visit("localhost", NULL, &first_ticket);
    run(&first);
    assert_false(first.resumed);
    assert_true(first.key_used);
    assert_false(server_hello_has(&first, EXTENSION_PRE_SHARED_KEY));

    second = make_visit("localhost", &first_ticket, &second_ticket);
    run(&second);
    assert_true(second.resumed);
    assert_false(second.key_used);
    assert_true(server_hello_has(&second, EXTENSION_PRE_SHARED_KEY));
    assert_true(server_hello_has(&second, EXTENSION_KEY_SHARE));
    assert_memory_not_equal(first.exporter, second.exporter, sizeof first.exporter);

    third = make_visit("localhost", &second_ticket, NULL);
    run(&third);
    assert_true(third.resumed);
}

/* Each row would let a session skip a check that a full handshake makes. */
static void test_s1_session_that_does_not_fit_is_not_offered(void **state)
{
    (void)state;
    static blob ticket;
    static visit v;
    const fn_tls_config config = {.alpn = NULL};
    fn_tls_context *insecure = fn_tls_context_create_client_insecure(&config, NULL);
    fn_tls_context *same_trust = test_client_context(&authority);

    v = make_visit("localhost", NULL, &ticket);
    v.clients = insecure;
    run(&v);
    v = make_visit("localhost", &ticket, NULL); /* made insecurely, used by a verifying client */
    run(&v);
    assert_false(v.resumed);

    v = make_visit("localhost", NULL, &ticket);
    run(&v);
    v = make_visit("127.0.0.1", &ticket, NULL); /* another name */
    run(&v);
    assert_false(v.resumed);
    v = make_visit("localhost", &ticket, NULL); /* another context with the same trust is fine */
    v.clients = same_trust;
    run(&v);
    assert_true(v.resumed);
    fn_tls_context_release(insecure);
    fn_tls_context_release(same_trust);
}

/* A resumed handshake shows no certificate: its dates are checked from the blob. */
static void test_s1_session_of_an_expired_certificate(void **state)
{
    (void)state;
    static blob ticket;
    static visit v;
    v = make_visit("localhost", NULL, &ticket);
    run(&v);
    const int64_t times[] = {NOW + 30 * DAY + 1, NOW - DAY - 1};
    for (size_t i = 0; i < 2; i++) {
        const fn_tls_options options = {.server_name = "localhost",
                                        .unix_time_s = times[i],
                                        .session = ticket.bytes,
                                        .session_bytes = ticket.count};
        fn_tls *server = test_tls(servers, NULL);
        fn_tls *client = fn_tls_create(clients, &options, NULL);
        test_handshake(client, server, WIRE_BYTES);
        assert_int_equal(fn_tls_failure(client)->code, FASTNET_ERR_CERTIFICATE);
        fn_tls_destroy(client);
        fn_tls_destroy(server);
    }
}

/* After a reload the old tickets are worth nothing, and nobody notices but by a full handshake. */
static void test_ticket_of_another_context(void **state)
{
    (void)state;
    static blob ticket;
    static visit v;
    v = make_visit("localhost", NULL, &ticket);
    run(&v);
    v = make_visit("localhost", &ticket, NULL);
    v.servers = test_server_context(&leaf, NULL);
    run(&v);
    assert_false(v.resumed);
    assert_true(v.key_used);
    fn_tls_context_release(v.servers);
}

static void test_malformed_blobs_are_ignored(void **state)
{
    (void)state;
    static blob ticket, bad;
    static visit v;
    v = make_visit("localhost", NULL, &ticket);
    run(&v);
    /* Cut at every 61st byte, and with every 29th byte damaged. */
    for (size_t cut = 0; cut < ticket.count; cut += 61) {
        bad = ticket;
        bad.count = cut;
        v = make_visit("localhost", &bad, NULL);
        run(&v);
        assert_false(v.resumed);
    }
    for (size_t at = 0; at < ticket.count; at += 29) {
        bad = ticket;
        bad.bytes[at] ^= 0x55;
        v = make_visit("localhost", &bad, NULL);
        const fn_tls_options options = {.server_name = "localhost",
                                        .unix_time_s = NOW,
                                        .session = bad.bytes,
                                        .session_bytes = bad.count};
        fn_tls *client = fn_tls_create(clients, &options, NULL);
        assert_non_null(client);
        fn_tls_step(client, NULL);
        fn_tls_destroy(client);
    }
}

static void test_small_buffer_and_no_ticket(void **state)
{
    (void)state;
    uint8_t out[40];
    size_t count = 0;
    fn_tls *server = test_tls(servers, NULL);
    fn_tls *client = test_tls(clients, "localhost");
    test_handshake(client, server, WIRE_BYTES);
    assert_int_equal(fn_tls_session(client, out, sizeof out, &count), FASTNET_ERR_NOT_FOUND);
    fn_tls_read(client, out, sizeof out, &count);
    assert_int_equal(fn_tls_session(client, out, sizeof out, &count), FASTNET_ERR_TOO_LARGE);
    assert_int_equal(count, 0);
    assert_int_equal(fn_tls_session(server, out, sizeof out, &count), FASTNET_ERR_NOT_FOUND);
    fn_tls_destroy(client);
    fn_tls_destroy(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resumption_saves_the_signature_and_keeps_dhe),
        cmocka_unit_test(test_s1_session_that_does_not_fit_is_not_offered),
        cmocka_unit_test(test_s1_session_of_an_expired_certificate),
        cmocka_unit_test(test_ticket_of_another_context),
        cmocka_unit_test(test_malformed_blobs_are_ignored),
        cmocka_unit_test(test_small_buffer_and_no_ticket),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
