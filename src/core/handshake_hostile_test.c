#include "core/handshake.h"

#include "core/admission.h"
#include "core/test_handshake.h"

/* --- S1: whom a client believes --------------------------------------------------------- */

static fn_tls_context *pinned_context(const uint8_t pin[FN_CERTIFICATE_PIN_BYTES])
{
    const fn_tls_trust trust = {.pins = pin, .pins_count = 1};
    const fn_tls_config config = {.trust = &trust};
    fn_failure failure;
    fn_tls_context *context = fn_tls_context_create_client(&config, &failure);
    assert_non_null(context);
    return context;
}

/* The server never hears HELLO, and each side has a sentence. */
static void assert_not_believed(const char *part)
{
    start_client();
    talk_both(TAPE_BYTES);
    assert_failed(&w.client, FASTNET_ERR_CERTIFICATE, part);
    assert_int_equal(w.server.state, FN_HANDSHAKE_FAILED);
    assert_true(strlen(fn_handshake_failure(&w.server)->text) > 0);
    assert_int_equal(w.server.result.receiver_id, 0);
}

static void s1_unknown_authority_is_refused(void **state)
{
    (void)state;
    static fn_certificate_pem other;
    test_make_authority("another CA", &other);
    w.target.tls = test_client_context(&other);
    assert_not_believed("certificate");
    fn_tls_context_release(w.target.tls);
}

static void s1_wrong_name_is_refused(void **state)
{
    (void)state;
    w.target.server_name = "play.example";
    assert_not_believed("play.example");
}

static void s1_expired_is_refused(void **state)
{
    (void)state;
    w.target.unix_time_s = NOW + 60 * DAY;
    assert_not_believed("expired");
}

static void s1_self_signed_is_refused(void **state)
{
    (void)state;
    static fn_certificate_pem own;
    static const char *const names[] = {"localhost"};
    test_make_certificate(FN_CERTIFICATE_LEAF, "impostor", names, 1, NOW - DAY, NOW + DAY, NULL,
                          &own);
    w.server_config.server_tls = test_server_context(&own, NULL);
    assert_not_believed("");
    fn_tls_context_release(w.server_config.server_tls);
}

static void s1_pin_is_all_that_counts(void **state)
{
    fn_certificate_info info;
    assert_int_equal(fn_certificate_read(w.leaf.certificate, w.leaf.certificate_bytes, &info, NULL),
                     FASTNET_OK);
    w.target.tls = pinned_context(info.pin);
    w.target.server_name = "some.other.name";
    w.target.unix_time_s = NOW + 60 * DAY;
    establish_both(TAPE_BYTES);
    fn_tls_context_release(w.target.tls);
    assert_int_equal(world_clean(state), 0);
    world_reset(state);
    info.pin[0] ^= 1;
    w.target.tls = pinned_context(info.pin);
    assert_not_believed("pin");
    fn_tls_context_release(w.target.tls);
}

static void s1_insecure_is_a_separate_context(void **state)
{
    (void)state;
    const fn_tls_config config = {.alpn = NULL};
    w.target.tls = fn_tls_context_create_client_insecure(&config, NULL);
    w.target.server_name = "play.example";
    establish_both(TAPE_BYTES);
    assert_string_equal(w.client.result.certificate_subject, "CN=test server");
    fn_tls_context_release(w.target.tls);
}

static fn_tls_context *client_with_alpn(const char *alpn)
{
    const fn_tls_trust trust = {.ca_pem = w.authority.certificate,
                                .ca_pem_bytes = w.authority.certificate_bytes};
    const fn_tls_config config = {.alpn = alpn, .trust = &trust};
    return fn_tls_context_create_client(&config, NULL);
}

static void wrong_alpn_is_refused_by_both(void **state)
{
    fn_tls_context *context = client_with_alpn("http/1.1");
    side client = bare_client(context);
    talk(client, server_side(), TAPE_BYTES);
    assert_failed(&w.server, FASTNET_ERR_PROTOCOL, "ALPN");
    fn_tls_destroy(client.tls);
    fn_tls_context_release(context);
    world_clean(state);
    world_reset(state);

    const fn_tls_identity identity = test_identity(&w.leaf);
    const fn_tls_config config = {.alpn = "http/1.1", .identity = &identity};
    context = fn_tls_context_create_server(&config, NULL);
    side server = bare_server(context);
    start_client();
    talk(client_side(), server, TAPE_BYTES);
    assert_int_equal(w.client.state, FN_HANDSHAKE_FAILED);
    assert_int_equal(fn_handshake_failure(&w.client)->code, FASTNET_ERR_PROTOCOL);
    fn_tls_destroy(server.tls);
    fn_tls_context_release(context);
}

/* --- garbage and old TLS ----------------------------------------------------------------- */

/* A TLS 1.2 ClientHello with one cipher suite and no extensions. */
static size_t old_client_hello(uint8_t out[64])
{
    static const uint8_t head[] = {22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3};
    static const uint8_t tail[] = {0, 0, 2, 0xc0, 0x2f, 1, 0};
    memset(out, 0x5a, 64);
    memcpy(out, head, sizeof head);
    memcpy(out + sizeof head + 32, tail, sizeof tail);
    return sizeof head + 32 + sizeof tail;
}

static void tls_1_2_is_refused(void **state)
{
    (void)state;
    uint8_t hello[64], answer[64];
    size_t bytes = old_client_hello(hello);
    side server = server_side();
    side_receive(&server, hello, bytes);
    assert_failed(&w.server, FASTNET_ERR_VERSION, "TLS 1.3");
    bytes = fn_handshake_transmit(&w.server, answer, sizeof answer);
    assert_int_equal(bytes, 7);
    assert_int_equal(answer[0], 21); /* an alert: fatal, protocol_version */
    assert_int_equal(answer[5], 2);
    assert_int_equal(answer[6], 70);
    assert_int_equal(w.key_operations, 0);
}

typedef struct garbage_case {
    const char *bytes;
    size_t count;
} garbage_case;

#define GARBAGE(text)          \
    {                          \
        text, sizeof(text) - 1 \
    }

static void s6_garbage_ends_at_once_without_tls(void **state)
{
    static const garbage_case cases[] = {
        GARBAGE("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        GARBAGE("SSH-2.0-OpenSSH_9.2\r\n"),
        GARBAGE("\0\0\0\0\0\0\0\0"),
        GARBAGE("\xff\xff\xff\xff\xff\xff\xff\xff"),
        GARBAGE("\x17\x03\x03\x00\x10\x00\x00\x00"),         /* application data first */
        GARBAGE("\x15\x03\x03\x00\x02\x02\x28"),             /* an alert first */
        GARBAGE("\x16\x03\x01\x00\x04\x02\x00\x00\x00"),     /* a ServerHello */
        GARBAGE("\x16\x03\x01\xff\xff\x01\x00\xff\xff\x03"), /* a record longer than any */
        GARBAGE("\x16\x03\x01\x00\x40\x01\xff\xff\xff\x03"), /* a ClientHello of 16 MiB */
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(cases); i++) {
        side server = server_side();
        side_receive(&server, (const uint8_t *)cases[i].bytes, cases[i].count);
        assert_failed(&w.server, FASTNET_ERR_PROTOCOL, "");
        assert_true(strlen(fn_handshake_failure(&w.server)->text) > 0);
        assert_true(fn_handshake_finished(&w.server, w.now_ns));
        assert_null(w.server.tls);
        assert_int_equal(w.memory.out_bytes, 0);
        fn_handshake_destroy(&w.server);
        world_reset(state);
    }
}

/* Whatever the bytes, it stays within its memory and ends by the deadline at the latest. */
static void s6_random_bytes_end_by_the_deadline(void **state)
{
    fn_rng rng;
    for (uint64_t seed = 0; seed < 300; seed++) {
        uint8_t bytes[20000] = {22, 3, 1};
        fn_rng_init(&rng, seed);
        fn_rng_bytes(&rng, bytes + seed % 10, sizeof bytes - 10);
        side server = server_side();
        side_receive(&server, bytes, fn_rng_below(&rng, sizeof bytes));
        assert_true(w.memory.most_bytes <= 3 * FN_TLS_HELLO_BYTES_MAX);
        w.now_ns += 5 * SECOND;
        fn_handshake_step(&w.server, w.now_ns, NULL);
        assert_int_equal(w.server.state, FN_HANDSHAKE_FAILED);
        assert_int_equal(w.server.raw_bytes, 0);
        assert_int_equal(world_clean(state), 0);
        world_reset(state);
    }
}

static void a_server_that_speaks_no_tls_is_named(void **state)
{
    static const garbage_case cases[] = {
        GARBAGE("HTTP/1.1 400 Bad Request\r\n\r\n"),
        GARBAGE("SSH-2.0-OpenSSH_9.2\r\n"),
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(cases); i++) {
        start_client();
        side client = client_side();
        side_step(&client);
        side_receive(&client, (const uint8_t *)cases[i].bytes, cases[i].count);
        assert_failed(&w.client, FASTNET_ERR_PROTOCOL, "does not speak TLS");
        world_clean(state);
        world_reset(state);
    }
}

/* One bit, anywhere in what both say: it never connects two sides that think differently. */
static void flipped_bits_never_connect_differently(void **state)
{
    fn_rng rng;
    static uint8_t wire[TAPE_BYTES];
    for (uint64_t seed = 0; seed < 150; seed++) {
        fn_rng_init(&rng, seed);
        uint64_t victim = fn_rng_below(&rng, 2600); /* about all that both say */
        uint64_t passed = 0;
        start_client();
        side sides[2] = {client_side(), server_side()};
        side_step(&sides[0]);
        for (int turn = 0; turn < 12; turn++) {
            side *from = &sides[turn % 2], *to = &sides[1 - turn % 2];
            size_t bytes = side_transmit(from, wire, sizeof wire);
            if (victim >= passed && victim < passed + bytes)
                wire[victim - passed] ^= (uint8_t)(1u << fn_rng_below(&rng, 8));
            passed += bytes;
            side_receive(to, wire, bytes);
            if (w.server.state == FN_HANDSHAKE_DECIDING)
                accept_client();
        }
        fn_secrets one, other;
        if (fn_handshake_take_secrets(&w.client, &one) &&
            fn_handshake_take_secrets(&w.server, &other))
            assert_memory_equal(&one, &other, sizeof one);
        assert_int_equal(world_clean(state), 0);
        world_reset(state);
    }
}

/* --- S6: time, memory, work -------------------------------------------------------------- */

static void s6_silence_costs_nothing_and_times_out(void **state)
{
    (void)state;
    assert_int_equal(w.memory.calls, 0);
    assert_null(w.server.tls);
    assert_false(fn_handshake_wants_step(&w.server));
    assert_false(fn_handshake_wants_private_key(&w.server));
    assert_true(fn_handshake_deadline_ns(&w.server) == w.now_ns + 5 * SECOND);
    fn_handshake_step(&w.server, w.now_ns + 5 * SECOND - 1, NULL);
    assert_int_equal(w.server.state, FN_HANDSHAKE_WAITING);
    fn_handshake_step(&w.server, w.now_ns + 5 * SECOND, NULL);
    assert_failed(&w.server, FASTNET_ERR_TIMEOUT, "client");
    assert_true(fn_handshake_finished(&w.server, w.now_ns + 5 * SECOND));
    assert_int_equal(w.memory.calls, 0);
}

/* Each byte is progress; only a deadline that no byte moves ends this. */
static void s6_one_byte_a_second_ends_at_the_deadline(void **state)
{
    (void)state;
    static uint8_t wire[TAPE_BYTES];
    uint64_t start_ns = w.now_ns;
    start_client();
    fn_handshake_step(&w.client, w.now_ns, NULL);
    size_t bytes = fn_handshake_transmit(&w.client, wire, sizeof wire);
    side server = server_side();
    size_t sent = 0;
    while (w.server.state == FN_HANDSHAKE_WAITING && sent < bytes) {
        side_receive(&server, wire + sent++, 1);
        w.now_ns += SECOND;
    }
    assert_failed(&w.server, FASTNET_ERR_TIMEOUT, "client");
    assert_true(w.now_ns <= start_ns + 7 * SECOND);
    assert_int_equal(w.server.raw_bytes, 0);
    assert_true(fn_handshake_finished(&w.server, w.now_ns));
}

/* Stopping after any byte of either side's part leaves a server that ends at its deadline. */
static void s6_stalling_anywhere_times_out(void **state)
{
    static uint8_t wire[TAPE_BYTES];
    for (size_t limit = 1; limit < 1500; limit += 37) {
        uint64_t start_ns = w.now_ns;
        start_client();
        side client = client_side(), server = server_side();
        side_step(&client);
        for (size_t said = 0; said < limit;) {
            size_t bytes = side_transmit(&client, wire, fn_min_size(limit - said, sizeof wire));
            side_receive(&server, wire, bytes);
            said += bytes;
            if (carry(&server, &client, TAPE_BYTES) + bytes == 0)
                break;
        }
        bool decides = w.server.state == FN_HANDSHAKE_DECIDING;
        assert_true(w.server.state <= FN_HANDSHAKE_DECIDING);
        w.now_ns = start_ns + (decides ? 3 : 5) * SECOND - 1;
        fn_handshake_step(&w.server, w.now_ns, NULL);
        assert_true(w.server.state <= FN_HANDSHAKE_DECIDING);
        fn_handshake_step(&w.server, ++w.now_ns, NULL);
        assert_failed(&w.server, decides ? FASTNET_ERR_REJECTED : FASTNET_ERR_TIMEOUT, "in time");
        assert_int_equal(world_clean(state), 0);
        world_reset(state);
    }
}

static void deciding_has_a_clock_of_its_own(void **state)
{
    (void)state;
    uint64_t start_ns = w.now_ns;
    start_client();
    w.now_ns += 4 * SECOND;
    talk_both(TAPE_BYTES);
    assert_int_equal(w.server.state, FN_HANDSHAKE_DECIDING);
    assert_true(fn_handshake_deadline_ns(&w.server) == start_ns + 7 * SECOND);
    w.now_ns += 2 * SECOND;
    accept_client();
    assert_true(w.server.result.connect_deadline_ns == w.now_ns + SECOND);
}

static void undecided_clients_hear_of_it(void **state)
{
    (void)state;
    w.target.deadline_ns = w.now_ns + 60 * SECOND;
    start_client();
    talk_both(TAPE_BYTES);
    w.now_ns += 3 * SECOND;
    side server = server_side();
    side_step(&server);
    assert_false(fn_handshake_finished(&w.server, w.now_ns));
    talk_both(TAPE_BYTES);
    assert_failed(&w.client, FASTNET_ERR_REJECTED, "did not decide");
}

static void a_client_times_out_too(void **state)
{
    (void)state;
    start_client();
    fn_handshake_step(&w.client, w.now_ns, NULL);
    fn_handshake_step(&w.client, w.now_ns + 5 * SECOND, NULL);
    assert_failed(&w.client, FASTNET_ERR_TIMEOUT, "the server did not complete the TLS handshake");
    fn_handshake_destroy(&w.client);

    start_client();
    talk_both(TAPE_BYTES);
    assert_int_equal(w.client.state, FN_HANDSHAKE_HELLO);
    fn_handshake_step(&w.client, w.now_ns + 5 * SECOND, NULL);
    assert_failed(&w.client, FASTNET_ERR_TIMEOUT, "the server completed TLS");
    assert_true(fn_handshake_finished(&w.client, w.now_ns + 5 * SECOND));
}

static void s6_no_tls_object_before_a_whole_client_hello(void **state)
{
    (void)state;
    static uint8_t wire[TAPE_BYTES];
    start_client();
    fn_handshake_step(&w.client, w.now_ns, NULL);
    size_t bytes = fn_handshake_transmit(&w.client, wire, sizeof wire);
    for (size_t at = 0; at < bytes; at++) {
        assert_false(fn_handshake_wants_private_key(&w.server));
        assert_null(w.server.tls);
        fn_handshake_receive(&w.server, w.now_ns, wire + at, 1);
    }
    assert_true(fn_handshake_wants_step(&w.server));
    assert_true(fn_handshake_wants_private_key(&w.server));
    assert_null(w.server.tls);
    bool used = false;
    fn_handshake_step(&w.server, w.now_ns, &used);
    assert_true(used);
    assert_int_equal(w.server.state, FN_HANDSHAKE_TLS);
    assert_false(fn_handshake_wants_private_key(&w.server));
}

/* Nothing is signed for a client that hung up behind its ClientHello. */
static void s6_no_signature_for_the_departed(void **state)
{
    (void)state;
    static uint8_t wire[TAPE_BYTES];
    start_client();
    fn_handshake_step(&w.client, w.now_ns, NULL);
    size_t bytes = fn_handshake_transmit(&w.client, wire, sizeof wire);
    fn_handshake_receive(&w.server, w.now_ns, wire, bytes);
    fn_handshake_receive_end(&w.server);
    assert_false(fn_handshake_wants_private_key(&w.server));
    bool used = true;
    fn_handshake_step(&w.server, w.now_ns, &used);
    assert_false(used);
    assert_failed(&w.server, FASTNET_ERR_CLOSED, "client");
    assert_null(w.server.tls);
}

enum { JOINS = 6 };

static fn_handshake joiners[JOINS], joined[JOINS];

/* Poll by poll: a whole crowd of ClientHellos is served one signature at a time. */
static void s6_one_private_key_operation_a_poll(void **state)
{
    (void)state;
    static uint8_t wire[TAPE_BYTES];
    for (int i = 0; i < JOINS; i++) {
        assert_int_equal(fn_handshake_init_client(&joiners[i], &w.client_config, &w.target, NULL),
                         FASTNET_OK);
        fn_handshake_init_server(&joined[i], &w.server_config, NOW, w.now_ns);
        fn_handshake_step(&joiners[i], w.now_ns, NULL);
        size_t bytes = fn_handshake_transmit(&joiners[i], wire, sizeof wire);
        fn_handshake_receive(&joined[i], w.now_ns, wire, bytes);
    }
    for (int poll = 1; poll <= JOINS; poll++) {
        fn_work_budget budget;
        int begun = 0;
        fn_work_budget_begin(&budget, w.now_ns);
        for (int i = 0; i < JOINS; i++) {
            bool used = false;
            if (fn_work_budget_may_step(&budget, w.now_ns,
                                        fn_handshake_wants_private_key(&joined[i])))
                fn_handshake_step(&joined[i], w.now_ns, &used);
            fn_work_budget_charge(&budget, used);
            begun += joined[i].state == FN_HANDSHAKE_TLS;
        }
        assert_int_equal(begun, poll);
    }
    for (int i = 0; i < JOINS; i++) {
        fn_handshake_destroy(&joiners[i]);
        fn_handshake_destroy(&joined[i]);
    }
}

/* --- S7: what is said inside TLS ---------------------------------------------------------- */

/* What the server says to a frame sequence: the REJECT, and its own view. */
static void assert_server_rejects(const uint8_t *bytes, size_t count, int code, const char *part)
{
    uint8_t answer[FN_HELLO_FRAME_BYTES_MAX];
    fn_reject reject;
    side client = bare_client(w.clients);
    talk(client, server_side(), TAPE_BYTES);
    bare_write(&client, bytes, count);
    talk(client, server_side(), TAPE_BYTES);
    assert_failed(&w.server, code, part);
    size_t said = bare_read(&client, answer, sizeof answer);
    assert_true(said > 5);
    assert_int_equal(answer[0], FN_HELLO_TYPE_REJECT);
    assert_int_equal(fn_reject_decode(answer + 5, said - 5, &reject, NULL), FASTNET_OK);
    assert_int_equal(reject.result, -code);
    assert_int_equal(fn_tls_failure(client.tls)->code, FASTNET_OK);
    assert_int_equal(bare_read(&client, answer, sizeof answer), 0);
    assert_int_equal(fn_tls_failure(client.tls)->code, FASTNET_ERR_CLOSED);
    fn_tls_destroy(client.tls);
    assert_int_equal(world_clean(NULL), 0);
    world_reset(NULL);
}

static void s7_server_refuses_bad_frames(void **state)
{
    (void)state;
    static const uint8_t too_long[] = {1, 0, 0, 0x10, 1};
    static const uint8_t huge[] = {1, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t unknown[] = {99, 0, 0, 0, 1};
    static const uint8_t zero[] = {0, 0, 0, 0, 0};
    static const uint8_t welcome[] = {2, 0, 0, 0, 0};
    static const uint8_t empty[] = {1, 0, 0, 0, 0};
    static const uint8_t attached[] = {5, 0, 0, 0, 0};
    static const uint8_t gone[] = {6, 0, 0, 0, 0};
    int bad = FASTNET_ERR_PROTOCOL;
    assert_server_rejects(too_long, sizeof too_long, bad, "4097 bytes");
    assert_server_rejects(huge, sizeof huge, bad, "at most 4096");
    assert_server_rejects(unknown, sizeof unknown, bad, "unknown type 99");
    assert_server_rejects(zero, sizeof zero, bad, "unknown type 0");
    assert_server_rejects(welcome, sizeof welcome, bad, "type 2 is not expected");
    assert_server_rejects(empty, sizeof empty, bad, "HELLO is malformed");
    assert_server_rejects(attached, sizeof attached, bad, "type 5 is not expected");
    assert_server_rejects(gone, sizeof gone, bad, "type 6 is not expected");
}

static void s7_server_refuses_bad_hellos(void **state)
{
    (void)state;
    uint8_t bytes[FN_HELLO_FRAME_BYTES_MAX + 16];
    fn_hello hello = make_hello();
    hello.versions[0] = 2;
    size_t count = frame_hello(&hello, bytes);
    assert_server_rejects(bytes, count, FASTNET_ERR_VERSION, "protocol version 1");

    hello = make_hello();
    hello.application_id_bytes = 0;
    count = frame_hello(&hello, bytes);
    assert_server_rejects(bytes, count, FASTNET_ERR_VERSION, "application");

    hello.application_id = (const uint8_t *)"games";
    hello.application_id_bytes = 5;
    count = frame_hello(&hello, bytes);
    assert_server_rejects(bytes, count, FASTNET_ERR_VERSION, "application");

    hello = make_hello();
    hello.channel_table_hash[0] ^= 0x80;
    count = frame_hello(&hello, bytes);
    assert_server_rejects(bytes, count, FASTNET_ERR_CHANNELS, "channel");

    hello = make_hello();
    hello.limits.datagram_bytes_max = 1199;
    count = frame_hello(&hello, bytes);
    assert_server_rejects(bytes, count, FASTNET_ERR_PROTOCOL, "datagram_bytes_max");

    /* Form comes before version, version before channels, channels before limits. */
    hello.channel_table_hash[0] ^= 0x80;
    count = frame_hello(&hello, bytes);
    assert_server_rejects(bytes, count, FASTNET_ERR_CHANNELS, "channel");
    hello.versions[0] = 2;
    count = frame_hello(&hello, bytes);
    assert_server_rejects(bytes, count, FASTNET_ERR_VERSION, "version");
    bytes[4]++; /* the frame is one byte longer: half an extension */
    bytes[count] = 0;
    assert_server_rejects(bytes, count + 1, FASTNET_ERR_PROTOCOL, "extensions");
}

static void s7_nothing_may_follow_hello(void **state)
{
    (void)state;
    uint8_t bytes[FN_HELLO_FRAME_BYTES_MAX + 1];
    fn_hello hello = make_hello();
    size_t count = frame_hello(&hello, bytes);
    bytes[count] = 0;
    assert_server_rejects(bytes, count + 1, FASTNET_ERR_PROTOCOL, "more than the handshake has");

    /* Later, while the application decides. */
    side client = bare_client(w.clients);
    talk(client, server_side(), TAPE_BYTES);
    bare_write(&client, bytes, count);
    talk(client, server_side(), TAPE_BYTES);
    assert_int_equal(w.server.state, FN_HANDSHAKE_DECIDING);
    bare_write(&client, bytes, count);
    talk(client, server_side(), TAPE_BYTES);
    assert_failed(&w.server, FASTNET_ERR_PROTOCOL, "more than the handshake has");
    fn_tls_destroy(client.tls);
}

static void s7_nothing_may_follow_welcome(void **state)
{
    (void)state;
    uint8_t bytes[FN_HELLO_FRAME_BYTES_MAX];
    fn_secrets secrets;
    fn_hello hello = make_hello();
    size_t count = frame_hello(&hello, bytes);
    side client = bare_client(w.clients);
    talk(client, server_side(), TAPE_BYTES);
    bare_write(&client, bytes, count);
    talk(client, server_side(), TAPE_BYTES);
    accept_client();
    talk(client, server_side(), TAPE_BYTES);
    bare_write(&client, bytes, 1);
    talk(client, server_side(), TAPE_BYTES);
    assert_failed(&w.server, FASTNET_ERR_PROTOCOL, "the client sent more");
    assert_false(fn_handshake_take_secrets(&w.server, &secrets));
    fn_tls_destroy(client.tls);
}

/* What a client makes of what a bare server says after HELLO. */
static void hear(const uint8_t *bytes, size_t count, size_t piece)
{
    side server = bare_server(w.servers);
    start_client();
    talk(client_side(), server, TAPE_BYTES);
    assert_int_equal(w.client.state, FN_HANDSHAKE_HELLO);
    bare_write(&server, bytes, count);
    talk(client_side(), server, piece);
    fn_tls_destroy(server.tls);
}

static void assert_client_refuses(const uint8_t *bytes, size_t count, int code, const char *part)
{
    fn_secrets secrets;
    hear(bytes, count, 1000);
    assert_failed(&w.client, code, part);
    assert_false(fn_handshake_take_secrets(&w.client, &secrets));
    assert_true(fn_handshake_finished(&w.client, w.now_ns));
    assert_int_equal(world_clean(NULL), 0);
    world_reset(NULL);
}

static void s7_client_refuses_bad_answers(void **state)
{
    (void)state;
    static const uint8_t too_long[] = {2, 0, 0, 0x10, 1};
    static const uint8_t unknown[] = {7, 0, 0, 0, 0};
    static const uint8_t hello_type[] = {1, 0, 0, 0, 0};
    static const uint8_t empty[] = {2, 0, 0, 0, 0};
    static const uint8_t short_reject[] = {3, 0, 0, 0, 4, 0, 0, 0, 12};
    int bad = FASTNET_ERR_PROTOCOL;
    assert_client_refuses(too_long, sizeof too_long, bad, "4097 bytes");
    assert_client_refuses(unknown, sizeof unknown, bad, "unknown type 7");
    assert_client_refuses(hello_type, sizeof hello_type, bad, "not expected from a server");
    assert_client_refuses(empty, sizeof empty, bad, "WELCOME is malformed");
    assert_client_refuses(short_reject, sizeof short_reject, bad, "REJECT is malformed");

    uint8_t bytes[FN_HELLO_FRAME_BYTES_MAX + 1];
    fn_welcome welcome = make_welcome();
    welcome.version = 2;
    size_t count = frame_welcome(&welcome, bytes);
    assert_client_refuses(bytes, count, FASTNET_ERR_VERSION, "version 2");
    welcome = make_welcome();
    welcome.limits.message_window = 63;
    count = frame_welcome(&welcome, bytes);
    assert_client_refuses(bytes, count, bad, "message_window");
    welcome = make_welcome();
    count = frame_welcome(&welcome, bytes);
    bytes[count] = 9;
    assert_client_refuses(bytes, count + 1, bad, "the server sent more");
    bytes[5 + 10] = bytes[5 + 11] = 0;
    assert_client_refuses(bytes, count, bad, "UDP port");
}

static void reject_texts_cannot_forge_log_lines(void **state)
{
    (void)state;
    static const uint8_t reject[] = {3, 0, 0, 0, 15, 0,   0, 0,    200, 0,
                                     0, 0, 1, 0, 5,  'a', 0, '\n', 27,  0x7f};
    hear(reject, sizeof reject, TAPE_BYTES);
    assert_int_equal(w.client.state, FN_HANDSHAKE_FAILED);
    assert_int_equal(fn_handshake_failure(&w.client)->code, FASTNET_ERR_REJECTED);
    assert_string_equal(fn_handshake_failure(&w.client)->text, "a????");
}

/* Any bytes at all inside TLS: an end, and nothing left over. */
static void s7_random_frames_end_the_handshake(void **state)
{
    fn_rng rng;
    for (uint64_t seed = 0; seed < 60; seed++) {
        uint8_t bytes[5000];
        fn_rng_init(&rng, seed);
        fn_rng_bytes(&rng, bytes, sizeof bytes);
        bytes[0] = (uint8_t)(1 + seed % 3);
        bytes[1] = bytes[2] = 0;
        bytes[3] &= 0x0f;
        bool to_client = seed % 2 == 0;
        if (to_client) {
            hear(bytes, sizeof bytes, 700);
        } else {
            side client = bare_client(w.clients);
            talk(client, server_side(), TAPE_BYTES);
            bare_write(&client, bytes, sizeof bytes);
            talk(client, server_side(), 700);
            fn_tls_destroy(client.tls);
        }
        assert_int_equal(to_client ? w.client.state : w.server.state, FN_HANDSHAKE_FAILED);
        assert_int_equal(world_clean(state), 0);
        world_reset(state);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_reset, world_clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(s1_unknown_authority_is_refused),
        TEST(s1_wrong_name_is_refused),
        TEST(s1_expired_is_refused),
        TEST(s1_self_signed_is_refused),
        TEST(s1_pin_is_all_that_counts),
        TEST(s1_insecure_is_a_separate_context),
        TEST(wrong_alpn_is_refused_by_both),
        TEST(tls_1_2_is_refused),
        TEST(s6_garbage_ends_at_once_without_tls),
        TEST(s6_random_bytes_end_by_the_deadline),
        TEST(a_server_that_speaks_no_tls_is_named),
        TEST(flipped_bits_never_connect_differently),
        TEST(s6_silence_costs_nothing_and_times_out),
        TEST(s6_one_byte_a_second_ends_at_the_deadline),
        TEST(s6_stalling_anywhere_times_out),
        TEST(deciding_has_a_clock_of_its_own),
        TEST(undecided_clients_hear_of_it),
        TEST(a_client_times_out_too),
        TEST(s6_no_tls_object_before_a_whole_client_hello),
        TEST(s6_no_signature_for_the_departed),
        TEST(s6_one_private_key_operation_a_poll),
        TEST(s7_server_refuses_bad_frames),
        TEST(s7_server_refuses_bad_hellos),
        TEST(s7_nothing_may_follow_hello),
        TEST(s7_nothing_may_follow_welcome),
        TEST(s7_client_refuses_bad_answers),
        TEST(reject_texts_cannot_forge_log_lines),
        TEST(s7_random_frames_end_the_handshake),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
