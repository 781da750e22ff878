#include "core/handshake.h"

#include "core/test_handshake.h"

static const uint8_t key[FN_SECRETS_BYTES] = {1, 2, 3};
static const uint8_t other_key[FN_SECRETS_BYTES] = {1, 2, 4};

enum { SESSION_ID = 0x51525354, FRAME_BYTES = 41 };

/* A new TLS connection that says ATTACH. */
static void start_attaching(size_t piece)
{
    w.target.attach_key = key;
    w.target.attach_id = SESSION_ID;
    start_client();
    talk_both(piece);
    assert_int_equal(w.client.state, FN_HANDSHAKE_ATTACHING);
    assert_int_equal(w.server.state, FN_HANDSHAKE_ATTACHING);
}

static void answer(bool attached)
{
    fn_handshake_attach_answer(&w.server, w.now_ns, attached);
    talk_both(TAPE_BYTES);
}

static void assert_stream_carries(fn_handshake *from, fn_handshake *to, const char *text)
{
    uint8_t out[64];
    size_t bytes = strlen(text);
    assert_int_equal(fn_handshake_stream_write(from, w.now_ns, (const uint8_t *)text, bytes),
                     bytes);
    talk_both(TAPE_BYTES);
    assert_int_equal(fn_handshake_stream_read(to, w.now_ns, out, sizeof out), bytes);
    assert_memory_equal(out, text, bytes);
}

static void assert_is_stream(void)
{
    assert_int_equal(w.client.state, FN_HANDSHAKE_STREAM);
    assert_int_equal(w.server.state, FN_HANDSHAKE_STREAM);
    assert_stream_carries(&w.client, &w.server, "up");
    assert_stream_carries(&w.server, &w.client, "down");
    assert_true(fn_handshake_deadline_ns(&w.client) == FN_NEVER);
    assert_true(fn_handshake_deadline_ns(&w.server) == FN_NEVER);
}

static void a_new_connection_is_attached(void **state)
{
    static const size_t pieces[] = {1, 7, TAPE_BYTES};
    for (size_t i = 0; i < FN_ARRAY_COUNT(pieces); i++) {
        start_attaching(pieces[i]);
        assert_int_equal(fn_handshake_attach_id(&w.server), SESSION_ID);
        assert_true(fn_handshake_attach_verify(&w.server, key));
        answer(true);
        assert_is_stream();
        assert_int_equal(world_clean(state), 0);
        world_reset(state);
    }
}

static void the_first_connection_is_attached_too(void **state)
{
    (void)state;
    fn_secrets at_client, at_server;
    establish_both(TAPE_BYTES);
    assert_true(fn_handshake_take_secrets(&w.client, &at_client));
    assert_true(fn_handshake_take_secrets(&w.server, &at_server));
    assert_int_equal(
        fn_handshake_attach(&w.client, w.now_ns + SECOND, SESSION_ID, at_client.attach_key),
        FASTNET_OK);
    talk_both(3);
    assert_int_equal(w.server.state, FN_HANDSHAKE_ATTACHING);
    assert_int_equal(fn_handshake_attach_id(&w.server), SESSION_ID);
    assert_true(fn_handshake_attach_verify(&w.server, at_server.attach_key));
    answer(true);
    assert_is_stream();
}

static void what_follows_attached_at_once_is_not_lost(void **state)
{
    (void)state;
    uint8_t out[16];
    start_attaching(TAPE_BYTES);
    fn_handshake_attach_answer(&w.server, w.now_ns, true);
    fn_handshake_stream_write(&w.server, w.now_ns, (const uint8_t *)"first", 5);
    talk_both(TAPE_BYTES);
    assert_int_equal(w.client.state, FN_HANDSHAKE_STREAM);
    assert_int_equal(fn_handshake_stream_read(&w.client, w.now_ns, out, sizeof out), 5);
    assert_memory_equal(out, "first", 5);
}

static void gone_says_so_and_ends(void **state)
{
    (void)state;
    start_attaching(TAPE_BYTES);
    answer(false);
    assert_failed(&w.client, FASTNET_ERR_GONE, "does not know this session");
    assert_int_equal(w.server.state, FN_HANDSHAKE_CLOSED);
    assert_true(fn_handshake_finished(&w.client, w.now_ns));
    assert_false(fn_handshake_finished(&w.server, w.now_ns)); /* the client closes first */
    fn_handshake_receive_end(&w.server);
    assert_true(fn_handshake_finished(&w.server, w.now_ns));
}

static void s9_a_proof_holds_for_its_own_key_only(void **state)
{
    (void)state;
    start_attaching(TAPE_BYTES);
    assert_false(fn_handshake_attach_verify(&w.server, other_key));
    assert_false(fn_handshake_attach_verify(&w.server, NULL));
    assert_true(fn_handshake_attach_verify(&w.server, key));
}

/* Says bytes on a bare TLS connection; the server's view of them is in w.server. */
static void say_bare(const uint8_t *bytes, size_t count)
{
    side client = bare_client(w.clients);
    talk(client, server_side(), TAPE_BYTES);
    bare_write(&client, bytes, count);
    talk(client, server_side(), TAPE_BYTES);
    fn_tls_destroy(client.tls);
}

/* A thief who got hold of a whole ATTACH message, with its proof, says it on his own connection. */
static void s9_a_proof_is_worth_nothing_on_another_connection(void **state)
{
    uint8_t stolen[FRAME_BYTES] = {FN_HELLO_TYPE_ATTACH, 0, 0, 0, 36};
    start_attaching(TAPE_BYTES);
    assert_true(fn_handshake_attach_verify(&w.server, key));
    fn_store_be32(stolen + 5, fn_handshake_attach_id(&w.server));
    memcpy(stolen + 9, w.server.attach_secret, FN_SECRETS_BYTES);
    world_clean(state);
    world_reset(state);
    say_bare(stolen, sizeof stolen);
    assert_int_equal(w.server.state, FN_HANDSHAKE_ATTACHING);
    assert_int_equal(fn_handshake_attach_id(&w.server), SESSION_ID);
    assert_false(fn_handshake_attach_verify(&w.server, key));
}

static void s9_neither_key_nor_proof_is_on_the_wire(void **state)
{
    (void)state;
    start_attaching(TAPE_BYTES);
    assert_false(occurs(w.to_server.bytes, w.to_server.count, key, sizeof key));
    assert_false(
        occurs(w.to_server.bytes, w.to_server.count, w.server.attach_secret, FN_SECRETS_BYTES));
}

static void s7_attach_of_a_wrong_length_is_refused(void **state)
{
    static const uint8_t lengths[] = {0, 1, 35, 37, 255};
    for (size_t i = 0; i < FN_ARRAY_COUNT(lengths); i++) {
        uint8_t bytes[5 + 255] = {FN_HELLO_TYPE_ATTACH, 0, 0, 0, lengths[i]};
        say_bare(bytes, 5 + (size_t)lengths[i]);
        assert_failed(&w.server, FASTNET_ERR_PROTOCOL, "wrong length");
        assert_int_equal(world_clean(state), 0);
        world_reset(state);
    }
}

static void s7_nothing_may_follow_attach(void **state)
{
    (void)state;
    uint8_t bytes[FRAME_BYTES + 1] = {FN_HELLO_TYPE_ATTACH, 0, 0, 0, 36};
    say_bare(bytes, sizeof bytes);
    assert_failed(&w.server, FASTNET_ERR_PROTOCOL, "more than the handshake has");
}

static void s7_attach_after_welcome_is_checked_alike(void **state)
{
    static const uint8_t lengths[] = {0, 35, 37, 255};
    for (size_t i = 0; i < FN_ARRAY_COUNT(lengths); i++) {
        uint8_t hello_bytes[FN_HELLO_FRAME_BYTES_MAX];
        uint8_t bytes[5 + 255] = {FN_HELLO_TYPE_ATTACH, 0, 0, 0, lengths[i]};
        fn_hello hello = make_hello();
        side client = bare_client(w.clients);
        talk(client, server_side(), TAPE_BYTES);
        bare_write(&client, hello_bytes, frame_hello(&hello, hello_bytes));
        talk(client, server_side(), TAPE_BYTES);
        accept_client();
        talk(client, server_side(), TAPE_BYTES);
        bare_write(&client, bytes, 5 + (size_t)lengths[i]);
        talk(client, server_side(), TAPE_BYTES);
        assert_failed(&w.server, FASTNET_ERR_PROTOCOL, "wrong length");
        fn_tls_destroy(client.tls);
        assert_int_equal(world_clean(state), 0);
        world_reset(state);
    }
}

static void s7_a_client_refuses_other_answers(void **state)
{
    static const uint8_t answers[][5] = {
        {FN_HELLO_TYPE_WELCOME, 0, 0, 0, 0},  {FN_HELLO_TYPE_ATTACH, 0, 0, 0, 36},
        {FN_HELLO_TYPE_ATTACHED, 0, 0, 0, 1}, {FN_HELLO_TYPE_GONE, 0xff, 0xff, 0xff, 0xff},
        {FN_HELLO_TYPE_REJECT, 0, 0, 0, 10},
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(answers); i++) {
        w.target.attach_key = key;
        start_client();
        side server = bare_server(w.servers);
        talk(client_side(), server, TAPE_BYTES);
        bare_write(&server, answers[i], sizeof answers[i]);
        talk(client_side(), server, TAPE_BYTES);
        assert_failed(&w.client, FASTNET_ERR_PROTOCOL, "");
        fn_tls_destroy(server.tls);
        assert_int_equal(world_clean(state), 0);
        world_reset(state);
    }
}

static void an_attachment_nobody_answers_times_out(void **state)
{
    (void)state;
    start_attaching(TAPE_BYTES);
    w.now_ns += 5 * SECOND;
    fn_handshake_step(&w.client, w.now_ns, NULL);
    assert_failed(&w.client, FASTNET_ERR_TIMEOUT, "");
}

static void the_end_of_the_stream_is_told_after_its_bytes(void **state)
{
    (void)state;
    uint8_t out[16];
    start_attaching(TAPE_BYTES);
    answer(true);
    fn_handshake_stream_write(&w.server, w.now_ns, (const uint8_t *)"last", 4);
    talk_both(TAPE_BYTES);
    fn_handshake_receive_end(&w.client);
    fn_handshake_step(&w.client, w.now_ns, NULL);
    assert_int_equal(fn_handshake_stream_read(&w.client, w.now_ns, out, sizeof out), 4);
    assert_int_equal(w.client.state, FN_HANDSHAKE_STREAM);
    assert_int_equal(fn_handshake_stream_read(&w.client, w.now_ns, out, sizeof out), 0);
    assert_failed(&w.client, FASTNET_ERR_CLOSED, "stream ended");
    assert_true(fn_handshake_finished(&w.client, w.now_ns));
}

static void a_lost_connection_cannot_be_attached(void **state)
{
    (void)state;
    establish_both(TAPE_BYTES);
    fn_handshake_receive_end(&w.client);
    assert_int_equal(fn_handshake_attach(&w.client, w.now_ns + SECOND, SESSION_ID, key),
                     FASTNET_ERR_STATE);
    assert_int_equal(fn_handshake_attach(&w.server, w.now_ns + SECOND, SESSION_ID, key),
                     FASTNET_ERR_STATE);
    assert_int_equal(w.client.state, FN_HANDSHAKE_ESTABLISHED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_reset, world_clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_connection_is_attached),
        TEST(the_first_connection_is_attached_too),
        TEST(what_follows_attached_at_once_is_not_lost),
        TEST(gone_says_so_and_ends),
        TEST(s9_a_proof_holds_for_its_own_key_only),
        TEST(s9_a_proof_is_worth_nothing_on_another_connection),
        TEST(s9_neither_key_nor_proof_is_on_the_wire),
        TEST(s7_attach_of_a_wrong_length_is_refused),
        TEST(s7_nothing_may_follow_attach),
        TEST(s7_attach_after_welcome_is_checked_alike),
        TEST(s7_a_client_refuses_other_answers),
        TEST(an_attachment_nobody_answers_times_out),
        TEST(the_end_of_the_stream_is_told_after_its_bytes),
        TEST(a_lost_connection_cannot_be_attached),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
