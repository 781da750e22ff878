#include "crypto/tls.h"

#include "base/rng.h"
#include "crypto/secrets.h"
#include "crypto/test_tls.h"

typedef struct fixture {
    fn_tls_context *servers, *clients;
    fn_tls *server, *client;
} fixture;

static fn_certificate_pem authority, leaf;

static int make_certificates(void **state)
{
    (void)state;
    test_make_authority("test CA", &authority);
    test_make_leaf(&authority, &leaf);
    return 0;
}

static int set_up(void **state)
{
    static fixture f;
    f.servers = test_server_context(&leaf, NULL);
    f.clients = test_client_context(&authority);
    f.server = test_tls(f.servers, NULL);
    f.client = test_tls(f.clients, "localhost");
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    fn_tls_destroy(f->client);
    fn_tls_destroy(f->server);
    fn_tls_context_release(f->clients);
    fn_tls_context_release(f->servers);
    return 0;
}

static void test_handshake_and_both_directions(void **state)
{
    fixture *f = *state;
    fn_tls_info info;
    assert_int_equal(fn_tls_describe(f->client, &info), FASTNET_ERR_STATE);
    test_handshake(f->client, f->server, WIRE_BYTES);
    assert_established(f->client, f->server);
    assert_says(f->client, f->server, "hello");
    assert_says(f->server, f->client, "welcome");
    assert_int_equal(fn_tls_describe(f->client, &info), FASTNET_OK);
    assert_string_equal(info.alpn, "fastnet/1");
    assert_true(info.peer_certified);
    assert_false(info.resumed);
    assert_string_equal(info.peer.subject, "CN=test server");
    assert_memory_equal(info.cipher, "TLS_", 4);
    assert_int_equal(fn_tls_describe(f->server, &info), FASTNET_OK);
    assert_false(info.peer_certified);
}

static void test_one_byte_at_a_time(void **state)
{
    fixture *f = *state;
    test_handshake(f->client, f->server, 1);
    assert_established(f->client, f->server);
    assert_says(f->client, f->server, "slowly");
}

static void test_no_plain_text_before_the_handshake(void **state)
{
    fixture *f = *state;
    uint8_t out[32] = {0};
    size_t count = 1;
    assert_int_equal(fn_tls_read(f->client, out, sizeof out, &count), FASTNET_ERR_STATE);
    assert_int_equal(fn_tls_write(f->client, out, sizeof out, &count), FASTNET_ERR_STATE);
    assert_int_equal(fn_tls_export(f->client, "x", NULL, 0, out), FASTNET_ERR_STATE);
    assert_int_equal(fn_tls_session(f->client, out, sizeof out, &count), FASTNET_ERR_NOT_FOUND);
    assert_int_equal(fn_tls_pending_output(f->client), 0);
}

/* The hello is judged complete exactly when the server could begin, and the private key is used in
 * exactly one step, which was announced. */
static void test_s6_private_key_operation_is_announced(void **state)
{
    fixture *f = *state;
    static uint8_t wire[WIRE_BYTES];
    bool key_used = true;
    fn_tls_step(f->client, &key_used);
    assert_false(key_used);
    size_t bytes = fn_tls_transmit(f->client, wire, sizeof wire);
    for (size_t at = 0; at < bytes; at++) {
        size_t consumed = 0;
        assert_int_equal(fn_tls_record_complete(wire, at), FN_TLS_RECORD_MORE);
        fn_tls_receive(f->server, wire + at, 1, &consumed);
        assert_int_equal(consumed, 1);
        assert_true(fn_tls_may_sign(f->server));
        if (at + 1 == bytes)
            break;
        assert_int_equal(fn_tls_step(f->server, &key_used), FASTNET_OK);
        assert_false(key_used);
        assert_false(fn_tls_may_sign(f->server));
    }
    assert_int_equal(fn_tls_record_complete(wire, bytes), FN_TLS_RECORD_COMPLETE);
    assert_int_equal(fn_tls_step(f->server, &key_used), FASTNET_OK);
    assert_true(key_used);
    test_carry(f->server, f->client, WIRE_BYTES);
    assert_false(fn_tls_may_sign(f->client));
    size_t consumed = 0;
    bytes = fn_tls_transmit(f->client, wire, sizeof wire);
    fn_tls_receive(f->server, wire, bytes, &consumed);
    assert_false(fn_tls_may_sign(f->server));
    assert_int_equal(fn_tls_step(f->server, &key_used), FASTNET_OK);
    assert_false(key_used);
    assert_established(f->client, f->server);
}

static void export_both(fixture *f, const char *label, const char *context, uint8_t out[32])
{
    uint8_t other[32];
    const uint8_t *bytes = (const uint8_t *)context;
    size_t count = strlen(context);
    assert_int_equal(fn_tls_export(f->client, label, bytes, count, out), FASTNET_OK);
    assert_int_equal(fn_tls_export(f->server, label, bytes, count, other), FASTNET_OK);
    assert_memory_equal(out, other, sizeof other);
}

/* Equal on both sides; different for every label, every context and every connection. */
static void test_s2_keys_come_from_the_exporter(void **state)
{
    fixture *f = *state;
    uint8_t values[FN_SECRETS_EXPORTER_COUNT + 2][32];
    size_t count = 0;
    test_handshake(f->client, f->server, WIRE_BYTES);
    for (; count < FN_SECRETS_EXPORTER_COUNT; count++)
        export_both(f, fn_secrets_exporter_label((fn_secrets_exporter)count), "context",
                    values[count]);
    const char *label = fn_secrets_exporter_label(FN_SECRETS_EXPORTER_CLIENT_SERVER);
    export_both(f, label, "another context", values[count++]);
    tear_down(state);
    set_up(state);
    test_handshake(f->client, f->server, WIRE_BYTES);
    export_both(f, label, "context", values[count++]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(values[i], values[j], 32);
    }
}

/* No context and an empty context are the same in TLS 1.3. */
static void test_empty_context(void **state)
{
    fixture *f = *state;
    uint8_t one[32], other[32];
    test_handshake(f->client, f->server, WIRE_BYTES);
    assert_int_equal(fn_tls_export(f->client, "EXPORTER-x", NULL, 0, one), FASTNET_OK);
    assert_int_equal(fn_tls_export(f->server, "EXPORTER-x", (const uint8_t *)"", 0, other),
                     FASTNET_OK);
    assert_memory_equal(one, other, sizeof one);
}

static void test_tampered_record_ends_the_connection(void **state)
{
    fixture *f = *state;
    static uint8_t wire[WIRE_BYTES];
    uint8_t out[16];
    size_t count = 0;
    test_handshake(f->client, f->server, WIRE_BYTES);
    fn_tls_write(f->client, (const uint8_t *)"secret", 6, &count);
    size_t bytes = fn_tls_transmit(f->client, wire, sizeof wire);
    wire[bytes - 1] ^= 1;
    fn_tls_receive(f->server, wire, bytes, &count);
    assert_int_equal(fn_tls_read(f->server, out, sizeof out, &count), FASTNET_ERR_PROTOCOL);
    assert_int_equal(count, 0);
    assert_failure(fn_tls_failure(f->server), FASTNET_ERR_PROTOCOL, "damaged or forged");
    assert_int_equal(fn_tls_write(f->server, out, 1, &count), FASTNET_ERR_PROTOCOL);
    /* The other side hears of it. */
    test_carry(f->server, f->client, WIRE_BYTES);
    assert_int_equal(fn_tls_read(f->client, out, sizeof out, &count), FASTNET_ERR_PROTOCOL);
    assert_failure(fn_tls_failure(f->client), FASTNET_ERR_PROTOCOL, "bad_record_mac");
}

/* Whichever byte of whichever flight is damaged: never a handshake that looks complete on both
 * sides with different views, never a crash, always a sentence or a wait. */
static void test_any_damaged_handshake_byte(void **state)
{
    fixture *f = *state;
    static uint8_t wire[WIRE_BYTES];
    for (size_t victim = 0; victim < 900; victim += 7) {
        tear_down(state);
        set_up(state);
        size_t consumed = 0;
        fn_tls_step(f->client, NULL);
        test_carry(f->client, f->server, WIRE_BYTES);
        size_t bytes = fn_tls_transmit(f->server, wire, sizeof wire);
        assert_true(bytes > 0);
        wire[victim % bytes] ^= 0x10;
        fn_tls_receive(f->client, wire, bytes, &consumed);
        int code = fn_tls_step(f->client, NULL);
        assert_false(code == FASTNET_OK && fn_tls_handshake_done(f->client) &&
                     victim % bytes >= 5 + 4 + 2 + 32);
        if (code != FASTNET_OK)
            assert_true(strlen(fn_tls_failure(f->client)->text) > 20);
    }
}

static void test_garbage_in_both_roles(void **state)
{
    fixture *f = *state;
    fn_rng rng;
    fn_rng_init(&rng, 6);
    for (int round = 0; round < 200; round++) {
        uint8_t bytes[300];
        size_t consumed = 0;
        fn_tls_context *context = round % 2 == 0 ? f->servers : f->clients;
        fn_tls *tls = test_tls(context, "localhost");
        fn_rng_bytes(&rng, bytes, sizeof bytes);
        if (round % 4 >= 2)
            memcpy(bytes, "\x16\x03\x03\x00\x80", 5);
        fn_tls_step(tls, NULL);
        fn_tls_receive(tls, bytes, sizeof bytes, &consumed);
        assert_int_equal(fn_tls_step(tls, NULL), FASTNET_ERR_PROTOCOL);
        assert_false(fn_tls_handshake_done(tls));
        fn_tls_destroy(tls);
    }
    fn_tls *client = test_tls(f->clients, "localhost");
    size_t consumed = 0;
    fn_tls_step(client, NULL);
    fn_tls_receive(client, (const uint8_t *)"HTTP/1.1 400 Bad Request\r\n\r\n", 28, &consumed);
    assert_int_equal(fn_tls_step(client, NULL), FASTNET_ERR_PROTOCOL);
    assert_failure(fn_tls_failure(client), FASTNET_ERR_PROTOCOL, "does not speak TLS");
    fn_tls_destroy(client);
}

/* After every prefix of the whole exchange, the end of the transport
 * is an error, never a success. */
static void test_truncation_is_noticed(void **state)
{
    fixture *f = *state;
    static uint8_t wire[WIRE_BYTES];
    fn_tls_step(f->client, NULL);
    size_t bytes = fn_tls_transmit(f->client, wire, sizeof wire);
    size_t consumed = 0;
    fn_tls_receive(f->server, wire, bytes - 1, &consumed);
    assert_int_equal(fn_tls_step(f->server, NULL), FASTNET_OK);
    fn_tls_receive_end(f->server);
    assert_int_equal(fn_tls_step(f->server, NULL), FASTNET_ERR_CLOSED);
    assert_failure(fn_tls_failure(f->server), FASTNET_ERR_CLOSED, "during the TLS handshake");

    tear_down(state);
    set_up(state);
    uint8_t out[16];
    size_t count = 0;
    test_handshake(f->client, f->server, WIRE_BYTES);
    fn_tls_write(f->client, (const uint8_t *)"last words", 10, &count);
    test_carry(f->client, f->server, WIRE_BYTES);
    fn_tls_receive_end(f->server);
    assert_int_equal(fn_tls_read(f->server, out, sizeof out, &count), FASTNET_OK);
    assert_int_equal(count, 10);
    assert_int_equal(fn_tls_read(f->server, out, sizeof out, &count), FASTNET_ERR_CLOSED);
    assert_failure(fn_tls_failure(f->server), FASTNET_ERR_CLOSED, "without a TLS goodbye");
}

static void test_proper_close_delivers_first(void **state)
{
    fixture *f = *state;
    uint8_t out[16];
    size_t count = 0;
    test_handshake(f->client, f->server, WIRE_BYTES);
    fn_tls_write(f->client, (const uint8_t *)"bye", 3, &count);
    fn_tls_close(f->client);
    fn_tls_close(f->client);
    assert_int_equal(fn_tls_write(f->client, (const uint8_t *)"x", 1, &count), FASTNET_ERR_STATE);
    test_carry(f->client, f->server, WIRE_BYTES);
    assert_int_equal(fn_tls_read(f->server, out, sizeof out, &count), FASTNET_OK);
    assert_int_equal(count, 3);
    assert_int_equal(fn_tls_read(f->server, out, sizeof out, &count), FASTNET_ERR_CLOSED);
    assert_failure(fn_tls_failure(f->server), FASTNET_ERR_CLOSED, "the client closed");
    uint8_t exported[32];
    /* The exporter outlives the close: keys may still be derived. */
    assert_int_equal(fn_tls_export(f->server, "EXPORTER-x", NULL, 0, exported), FASTNET_OK);
}

/* A writer that nobody drains and a reader that nobody reads hold a stated number of bytes. */
static void test_buffers_are_bounded(void **state)
{
    fixture *f = *state;
    static uint8_t data[WIRE_BYTES], wire[WIRE_BYTES], out[WIRE_BYTES];
    size_t written = 0, consumed = 0, received = 0;
    fn_rng rng;
    fn_rng_init(&rng, 7);
    fn_rng_bytes(&rng, data, sizeof data);
    test_handshake(f->client, f->server, WIRE_BYTES);
    size_t sent = 0;
    while (received < sizeof data) {
        assert_int_equal(fn_tls_write(f->client, data + sent, sizeof data - sent, &written),
                         FASTNET_OK);
        sent += written;
        assert_in_range(fn_tls_pending_output(f->client), 0, FN_TLS_OUTPUT_BYTES_MAX + 256);
        size_t bytes = fn_tls_transmit(f->client, wire, sizeof wire);
        for (size_t at = 0; at < bytes; at += consumed) {
            size_t count = 0;
            assert_int_equal(fn_tls_receive(f->server, wire + at, bytes - at, &consumed),
                             FASTNET_OK);
            assert_in_range(consumed, 0, FN_TLS_INPUT_BYTES_MAX);
            do {
                assert_int_equal(
                    fn_tls_read(f->server, out + received, sizeof out - received, &count),
                    FASTNET_OK);
                received += count;
            } while (count > 0);
        }
    }
    assert_memory_equal(out, data, sizeof data);
    for (size_t total = 0, step = 1; step > 0; total += step) {
        fn_tls_receive(f->server, wire, 5000, &step);
        assert_in_range(total, 0, FN_TLS_INPUT_BYTES_MAX);
    }
}

static void test_a_context_outlives_its_release(void **state)
{
    fixture *f = *state;
    /* A reload: new context, the old one released while a handshake on it is under way. */
    fn_tls_step(f->client, NULL);
    test_carry(f->client, f->server, WIRE_BYTES);
    fn_tls_context *old = f->servers;
    f->servers = test_server_context(&leaf, NULL);
    fn_tls_context_release(old);
    test_handshake(f->client, f->server, WIRE_BYTES);
    assert_established(f->client, f->server);
    assert_says(f->client, f->server, "still here");
}

static void collect_key_log(void *user, const char *line)
{
    char *all = user;
    strncat(all, line, 4096 - strlen(all) - 1);
    strncat(all, "\n", 4096 - strlen(all) - 1);
}

static void test_key_log(void **state)
{
    fixture *f = *state;
    static char lines[4096];
    const fn_tls_trust trust = {.ca_pem = authority.certificate,
                                .ca_pem_bytes = authority.certificate_bytes};
    const fn_tls_config config = {
        .trust = &trust, .key_log = collect_key_log, .key_log_user = lines};
    fn_tls_context *context = fn_tls_context_create_client(&config, NULL);
    fn_tls *client = test_tls(context, "localhost");
    test_handshake(client, f->server, WIRE_BYTES);
    assert_established(client, f->server);
    assert_non_null(strstr(lines, "CLIENT_TRAFFIC_SECRET_0 "));
    assert_non_null(strstr(lines, "EXPORTER_SECRET "));
    fn_tls_destroy(client);
    fn_tls_context_release(context);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_handshake_and_both_directions),
        CASE(test_one_byte_at_a_time),
        CASE(test_no_plain_text_before_the_handshake),
        CASE(test_s6_private_key_operation_is_announced),
        CASE(test_s2_keys_come_from_the_exporter),
        CASE(test_empty_context),
        CASE(test_tampered_record_ends_the_connection),
        CASE(test_any_damaged_handshake_byte),
        CASE(test_garbage_in_both_roles),
        CASE(test_truncation_is_noticed),
        CASE(test_proper_close_delivers_first),
        CASE(test_buffers_are_bounded),
        CASE(test_a_context_outlives_its_release),
        CASE(test_key_log),
    };
    return cmocka_run_group_tests(tests, make_certificates, NULL);
}
