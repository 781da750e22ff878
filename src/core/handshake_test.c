#include "core/handshake.h"

#include "core/test_handshake.h"

static void both_sides_learn_the_same(void **state)
{
    (void)state;
    w.client_config.limits = (fn_limits){1000, 5000, 1024, 64, 0, 1200};
    w.client_config.application_build = 9;
    establish_both(TAPE_BYTES);
    const fn_handshake_result *at_client = fn_handshake_get_result(&w.client);
    const fn_handshake_result *at_server = fn_handshake_get_result(&w.server);
    assert_int_equal(at_server->receiver_id, 0xc1c2c3c4);
    assert_int_equal(at_client->receiver_id, 0x51525354);
    assert_int_equal(at_server->peer_id, 0x00010002);
    assert_int_equal(at_client->peer_id, 0x00010002);
    assert_int_equal(at_server->application_build, 9);
    assert_int_equal(at_client->udp_port, 7777);
    assert_string_equal(at_client->udp_host, "play.example");
    assert_string_equal(at_client->certificate_subject, "CN=test server");
    assert_string_equal(at_server->certificate_subject, "");
    assert_false(at_client->resumed);
    assert_int_equal(at_client->agreed.message_bytes_max, 1000);
    assert_int_equal(at_server->agreed.message_bytes_max, 1000);
    assert_int_equal(at_client->agreed.idle_timeout_ms, 30000);
    assert_int_equal(at_server->agreed.idle_timeout_ms, 30000);
    assert_int_equal(at_server->agreed.send_window_bytes, 5000);
    assert_int_equal(at_client->agreed.send_datagram_bytes_max, 1452);
    assert_true(at_client->connect_deadline_ns == w.now_ns + 5 * SECOND);
    assert_true(at_server->connect_deadline_ns == w.now_ns + 5 * SECOND);
    assert_int_equal(w.key_operations, 1);
}

static void any_chunking_will_do(void **state)
{
    static const size_t pieces[] = {1, 2, 3, 7, 64, 1000, 5000};
    for (size_t i = 0; i < FN_ARRAY_COUNT(pieces); i++) {
        fn_secrets one, other;
        establish_both(pieces[i]);
        assert_true(fn_handshake_take_secrets(&w.client, &one));
        assert_true(fn_handshake_take_secrets(&w.server, &other));
        assert_memory_equal(&one, &other, sizeof one);
        assert_int_equal(world_clean(state), 0);
        world_reset(state);
    }
}

static void secrets_are_handed_over_once_and_erased(void **state)
{
    (void)state;
    fn_secrets secrets, zero;
    memset(&zero, 0, sizeof zero);
    assert_false(fn_handshake_take_secrets(&w.server, &secrets));
    establish_both(TAPE_BYTES);
    assert_true(fn_handshake_take_secrets(&w.server, &secrets));
    assert_memory_not_equal(secrets.client_to_server, secrets.server_to_client, 32);
    assert_memory_not_equal(secrets.client_to_server, secrets.attach_key, 32);
    assert_memory_equal(&w.server.secrets, &zero, sizeof zero);
    assert_false(fn_handshake_take_secrets(&w.server, &secrets));
    assert_true(w.client.secrets_there);
    fn_handshake_destroy(&w.client);
    assert_memory_equal(&w.client.secrets, &zero, sizeof zero);
}

/* Derived here from the definition in PROTOCOL.md section 4, on a bare TLS connection's side. */
static void derive_bare(side *at, const char *label, const uint8_t *hello, size_t hello_bytes,
                        const uint8_t *welcome, size_t welcome_bytes, fn_secrets *out)
{
    uint8_t context[32], root[32];
    fn_secrets_context(hello + 5, hello_bytes - 5, welcome + 5, welcome_bytes - 5, context);
    assert_int_equal(fn_tls_export(at->tls, label, context, 32, root), FASTNET_OK);
    fn_secrets_derive(root, out);
}

static void assert_nowhere(const fn_secrets *secrets, const uint8_t *bytes, size_t count)
{
    assert_false(occurs(bytes, count, secrets->client_to_server, 32));
    assert_false(occurs(bytes, count, secrets->server_to_client, 32));
    assert_false(occurs(bytes, count, secrets->attach_key, 32));
}

/* The bare client sees every byte inside TLS, the tapes hold every byte outside. */
static void s2_keys_are_exported_not_sent(void **state)
{
    (void)state;
    uint8_t hello[FN_HELLO_FRAME_BYTES_MAX], welcome[FN_HELLO_FRAME_BYTES_MAX];
    fn_hello said = make_hello();
    size_t hello_bytes = frame_hello(&said, hello);
    side client = bare_client(w.clients);
    talk(client, server_side(), TAPE_BYTES);
    bare_write(&client, hello, hello_bytes);
    talk(client, server_side(), TAPE_BYTES);
    accept_client();
    talk(client, server_side(), TAPE_BYTES);
    size_t welcome_bytes = bare_read(&client, welcome, sizeof welcome);

    fn_secrets ours, theirs;
    derive_bare(&client, "EXPORTER-fastnet1 client-server", hello, hello_bytes, welcome,
                welcome_bytes, &ours);
    assert_true(fn_handshake_take_secrets(&w.server, &theirs));
    assert_memory_equal(&ours, &theirs, sizeof ours);
    assert_nowhere(&ours, hello, hello_bytes);
    assert_nowhere(&ours, welcome, welcome_bytes);
    assert_nowhere(&ours, w.to_server.bytes, w.to_server.count);
    assert_nowhere(&ours, w.to_client.bytes, w.to_client.count);

    hello[hello_bytes - 1] ^= 1;
    derive_bare(&client, "EXPORTER-fastnet1 client-server", hello, hello_bytes, welcome,
                welcome_bytes, &ours);
    assert_memory_not_equal(ours.client_to_server, theirs.client_to_server, 32);
    assert_memory_not_equal(ours.server_to_client, theirs.server_to_client, 32);
    hello[hello_bytes - 1] ^= 1;
    derive_bare(&client, "EXPORTER-fastnet1 p2p", hello, hello_bytes, welcome, welcome_bytes,
                &ours);
    assert_memory_not_equal(ours.client_to_server, theirs.client_to_server, 32);
    fn_tls_destroy(client.tls);
}

static void s2_a_client_derives_the_same(void **state)
{
    (void)state;
    uint8_t hello[FN_HELLO_FRAME_BYTES_MAX], welcome[FN_HELLO_FRAME_BYTES_MAX];
    side server = bare_server(w.servers);
    start_client();
    talk(client_side(), server, TAPE_BYTES);
    size_t hello_bytes = bare_read(&server, hello, sizeof hello);
    fn_welcome said = make_welcome();
    size_t welcome_bytes = frame_welcome(&said, welcome);
    bare_write(&server, welcome, welcome_bytes);
    talk(client_side(), server, TAPE_BYTES);
    fn_secrets ours, theirs;
    derive_bare(&server, "EXPORTER-fastnet1 client-server", hello, hello_bytes, welcome,
                welcome_bytes, &ours);
    assert_true(fn_handshake_take_secrets(&w.client, &theirs));
    assert_memory_equal(&ours, &theirs, sizeof ours);
    assert_nowhere(&ours, hello, hello_bytes);
    fn_tls_destroy(server.tls);
}

static void s2_other_uses_give_other_keys(void **state)
{
    (void)state;
    fn_secrets one, other;
    w.client_config.exporter = FN_SECRETS_EXPORTER_P2P;
    establish_both(TAPE_BYTES);
    fn_handshake_take_secrets(&w.client, &one);
    fn_handshake_take_secrets(&w.server, &other);
    assert_memory_not_equal(one.client_to_server, other.client_to_server, 32);
    assert_memory_not_equal(one.attach_key, other.attach_key, 32);
}

/* --- rejects --------------------------------------------------------------------------- */

static void reject_for_another_application(void **state)
{
    (void)state;
    w.client_config.application_id = "gamf";
    start_client();
    talk_both(TAPE_BYTES);
    assert_failed(&w.client, FASTNET_ERR_VERSION, "application ids differ");
    assert_failed(&w.server, FASTNET_ERR_VERSION, "application ids differ");
}

static void reject_for_other_channels(void **state)
{
    (void)state;
    w.client_config.channel_table_hash[31] ^= 1;
    start_client();
    talk_both(TAPE_BYTES);
    assert_failed(&w.client, FASTNET_ERR_CHANNELS, "channel tables");
}

static void reject_for_limits_out_of_range(void **state)
{
    (void)state;
    w.client_config.limits.replay_window_packets = 1000;
    start_client();
    talk_both(TAPE_BYTES);
    assert_failed(&w.client, FASTNET_ERR_PROTOCOL, "replay_window_packets");
}

static void reject_when_full(void **state)
{
    (void)state;
    start_client();
    talk_both(TAPE_BYTES);
    assert_int_equal(fn_handshake_reject(&w.server, w.now_ns, FASTNET_ERR_FULL, 0, NULL),
                     FASTNET_OK);
    talk_both(TAPE_BYTES);
    assert_failed(&w.client, FASTNET_ERR_FULL, fastnet_result_text(FASTNET_ERR_FULL));
    assert_int_equal(fn_handshake_app_code(&w.client), 0);
}

static void reject_by_the_application_carries_code_and_text(void **state)
{
    (void)state;
    start_client();
    talk_both(TAPE_BYTES);
    assert_int_equal(fn_handshake_reject(&w.server, w.now_ns, FASTNET_ERR_REJECTED, 0x80000042,
                                         "wrong password, f\xc3\xbcr immer"),
                     FASTNET_OK);
    assert_failed(&w.server, FASTNET_ERR_REJECTED, "wrong password");
    assert_false(fn_handshake_finished(&w.server, w.now_ns));
    talk_both(3);
    assert_int_equal(w.client.state, FN_HANDSHAKE_FAILED);
    assert_string_equal(fn_handshake_failure(&w.client)->text, "wrong password, f\xc3\xbcr immer");
    assert_int_equal(fn_handshake_app_code(&w.client), 0x80000042);
    assert_true(fn_handshake_finished(&w.client, w.now_ns));
    /* The server waits for the client to hang up, but not for ever. */
    assert_false(fn_handshake_finished(&w.server, w.now_ns));
    assert_true(fn_handshake_finished(&w.server, w.now_ns + SECOND));
    fn_handshake_receive_end(&w.server);
    assert_true(fn_handshake_finished(&w.server, w.now_ns));
    assert_int_equal(fn_handshake_reject(&w.server, w.now_ns, FASTNET_ERR_FULL, 0, ""),
                     FASTNET_ERR_STATE);
    assert_int_equal(fn_handshake_accept(&w.server, w.now_ns, 1, 2, 3, ""), FASTNET_ERR_STATE);
}

static void reject_text_is_cut(void **state)
{
    (void)state;
    char text[400];
    memset(text, 'x', sizeof text);
    text[399] = '\0';
    start_client();
    talk_both(TAPE_BYTES);
    fn_handshake_reject(&w.server, w.now_ns, FASTNET_ERR_REJECTED, 1, text);
    talk_both(TAPE_BYTES);
    assert_int_equal(strlen(fn_handshake_failure(&w.client)->text), 256);
}

/* --- token, accept --------------------------------------------------------------------- */

static void token_is_seen_while_deciding(void **state)
{
    static const size_t lengths[] = {0, 1, 2047, 2048};
    uint8_t token[2049];
    for (size_t i = 0; i < sizeof token; i++)
        token[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < FN_ARRAY_COUNT(lengths); i++) {
        w.target.token = token;
        w.target.token_bytes = lengths[i];
        start_client();
        talk_both(100);
        assert_int_equal(w.server.state, FN_HANDSHAKE_DECIDING);
        assert_int_equal(w.server.result.token_bytes, lengths[i]);
        assert_memory_equal(w.server.result.token, token, lengths[i]);
        accept_client();
        assert_null(w.server.result.token);
        assert_int_equal(w.server.result.token_bytes, 0);
        world_clean(state);
        world_reset(state);
    }
    fn_failure failure;
    w.target.token = token;
    w.target.token_bytes = 2049;
    assert_int_equal(fn_handshake_init_client(&w.client, &w.client_config, &w.target, &failure),
                     FASTNET_ERR_ARGUMENT);
    assert_non_null(strstr(failure.text, "token"));
}

static void client_arguments_are_checked(void **state)
{
    (void)state;
    fn_failure failure;
    w.target.server_name = NULL;
    assert_int_equal(fn_handshake_init_client(&w.client, &w.client_config, &w.target, &failure),
                     FASTNET_ERR_ARGUMENT);
    w.target.server_name = "localhost";
    w.client_config.application_id =
        "12345678901234567890123456789012345678901234567890123456789012345";
    assert_int_equal(fn_handshake_init_client(&w.client, &w.client_config, &w.target, &failure),
                     FASTNET_ERR_ARGUMENT);
    w.client_config.application_id++;
    assert_int_equal(fn_handshake_init_client(&w.client, &w.client_config, &w.target, &failure),
                     FASTNET_OK);
}

static void accept_checks_what_it_advertises(void **state)
{
    (void)state;
    char host[300];
    memset(host, 'h', sizeof host);
    host[256] = '\0';
    start_client();
    talk_both(TAPE_BYTES);
    assert_int_equal(fn_handshake_accept(&w.server, w.now_ns, 1, 2, 0, ""), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fn_handshake_accept(&w.server, w.now_ns, 1, 2, 3, "a b"),
                     FASTNET_ERR_ARGUMENT);
    assert_int_equal(fn_handshake_accept(&w.server, w.now_ns, 1, 2, 3, host), FASTNET_ERR_ARGUMENT);
    host[255] = '\0';
    assert_int_equal(fn_handshake_accept(&w.server, w.now_ns, 1, 2, 3, host), FASTNET_OK);
    talk_both(TAPE_BYTES);
    assert_string_equal(w.client.result.udp_host, host);
}

/* --- ends ------------------------------------------------------------------------------ */

static void close_says_goodbye_and_the_session_stays(void **state)
{
    (void)state;
    establish_both(TAPE_BYTES);
    assert_true(fn_handshake_deadline_ns(&w.client) == FN_NEVER);
    fn_handshake_close(&w.client, w.now_ns);
    assert_int_equal(w.client.state, FN_HANDSHAKE_CLOSED);
    assert_false(fn_handshake_finished(&w.client, w.now_ns));
    talk_both(TAPE_BYTES);
    assert_true(fn_handshake_finished(&w.client, w.now_ns));
    assert_int_equal(w.server.state, FN_HANDSHAKE_ESTABLISHED);
    fn_secrets secrets;
    assert_true(fn_handshake_take_secrets(&w.server, &secrets));
    fn_handshake_close(&w.server, w.now_ns);
    assert_true(fn_handshake_finished(&w.server, w.now_ns + SECOND));
    fn_handshake_close(&w.server, w.now_ns);
    assert_int_equal(w.server.state, FN_HANDSHAKE_CLOSED);
}

static void close_gives_up_before_there_is_a_session(void **state)
{
    (void)state;
    start_client();
    fn_handshake_close(&w.client, w.now_ns);
    assert_failed(&w.client, FASTNET_ERR_CANCELLED, "cancelled");
    fn_handshake_close(&w.server, w.now_ns);
    assert_failed(&w.server, FASTNET_ERR_CANCELLED, "cancelled");
    assert_true(fn_handshake_finished(&w.server, w.now_ns));
}

static void cutting_tcp_does_not_cut_the_session(void **state)
{
    (void)state;
    establish_both(TAPE_BYTES);
    fn_handshake_receive_end(&w.client);
    fn_handshake_receive_end(&w.server);
    talk_both(TAPE_BYTES);
    assert_int_equal(w.client.state, FN_HANDSHAKE_ESTABLISHED);
    assert_int_equal(w.server.state, FN_HANDSHAKE_ESTABLISHED);
    /* Nor does a forged record. */
    world_clean(state);
    world_reset(state);
    establish_both(TAPE_BYTES);
    static const uint8_t forged[40] = {23, 3, 3, 0, 35};
    side server = server_side();
    side_receive(&server, forged, sizeof forged);
    assert_int_equal(w.server.state, FN_HANDSHAKE_ESTABLISHED);
}

static void a_lost_connection_ends_the_handshake(void **state)
{
    (void)state;
    start_client();
    fn_handshake_step(&w.client, w.now_ns, NULL);
    fn_handshake_receive_end(&w.client);
    assert_true(fn_handshake_wants_step(&w.client));
    fn_handshake_step(&w.client, w.now_ns, NULL);
    assert_failed(&w.client, FASTNET_ERR_CLOSED, "server");

    fn_handshake_destroy(&w.client);
    start_client();
    talk_both(TAPE_BYTES);
    fn_handshake_receive_end(&w.server);
    fn_handshake_receive_end(&w.client);
    talk_both(TAPE_BYTES);
    assert_failed(&w.server, FASTNET_ERR_CLOSED, "client");
    assert_failed(&w.client, FASTNET_ERR_CLOSED, "server");
    assert_null(w.server.result.token);
}

/* The REJECT that arrived before the end of the connection counts. */
static void an_answer_before_the_end_counts(void **state)
{
    (void)state;
    static uint8_t wire[TAPE_BYTES];
    start_client();
    talk_both(TAPE_BYTES);
    fn_handshake_reject(&w.server, w.now_ns, FASTNET_ERR_REJECTED, 5, "no");
    size_t bytes = fn_handshake_transmit(&w.server, wire, sizeof wire);
    fn_handshake_receive(&w.client, w.now_ns, wire, bytes);
    fn_handshake_receive_end(&w.client);
    fn_handshake_step(&w.client, w.now_ns, NULL);
    assert_failed(&w.client, FASTNET_ERR_REJECTED, "no");
    assert_int_equal(fn_handshake_app_code(&w.client), 5);
}

static void a_session_is_resumed_with_new_keys(void **state)
{
    static uint8_t blob[FN_TLS_SESSION_BYTES_MAX];
    size_t blob_bytes = 0;
    fn_secrets first, second;
    establish_both(TAPE_BYTES);
    assert_int_equal(fn_handshake_session(&w.client, blob, sizeof blob, &blob_bytes), FASTNET_OK);
    assert_int_equal(fn_handshake_session(&w.server, blob, sizeof blob, &blob_bytes),
                     FASTNET_ERR_STATE);
    fn_handshake_take_secrets(&w.client, &first);
    world_clean(state);
    world_reset(state);
    w.target.session = blob;
    w.target.session_bytes = blob_bytes;
    establish_both(TAPE_BYTES);
    assert_true(w.client.result.resumed);
    assert_true(w.server.result.resumed);
    assert_int_equal(w.key_operations, 0);
    fn_handshake_take_secrets(&w.client, &second);
    assert_memory_not_equal(first.client_to_server, second.client_to_server, 32);
}

static void every_failed_allocation_is_survived(void **state)
{
    for (uint32_t at = 1;; at++) {
        fn_failure failure = {.code = FASTNET_OK};
        w.memory.fail_at = at;
        int code = fn_handshake_init_client(&w.client, &w.client_config, &w.target, &failure);
        if (code == FASTNET_OK) {
            talk_both(TAPE_BYTES);
            if (w.memory.calls < at) {
                assert_int_equal(w.server.state, FN_HANDSHAKE_DECIDING);
                return;
            }
            assert_failed(&w.server, FASTNET_ERR_MEMORY, "memory");
        } else {
            assert_int_equal(code, FASTNET_ERR_MEMORY);
        }
        assert_int_equal(world_clean(state), 0);
        world_reset(state);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_reset, world_clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_sides_learn_the_same),
        TEST(any_chunking_will_do),
        TEST(secrets_are_handed_over_once_and_erased),
        TEST(s2_keys_are_exported_not_sent),
        TEST(s2_a_client_derives_the_same),
        TEST(s2_other_uses_give_other_keys),
        TEST(reject_for_another_application),
        TEST(reject_for_other_channels),
        TEST(reject_for_limits_out_of_range),
        TEST(reject_when_full),
        TEST(reject_by_the_application_carries_code_and_text),
        TEST(reject_text_is_cut),
        TEST(token_is_seen_while_deciding),
        TEST(client_arguments_are_checked),
        TEST(accept_checks_what_it_advertises),
        TEST(close_says_goodbye_and_the_session_stays),
        TEST(close_gives_up_before_there_is_a_session),
        TEST(cutting_tcp_does_not_cut_the_session),
        TEST(a_lost_connection_ends_the_handshake),
        TEST(an_answer_before_the_end_counts),
        TEST(a_session_is_resumed_with_new_keys),
        TEST(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
