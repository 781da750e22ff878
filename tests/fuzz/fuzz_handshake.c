/*
 * The handshake, client and server, from the first byte on TCP to the end: TLS is real, what is
 * said is the input's choice. The first byte says who talks:
 *
 *   0  bytes from nobody to a server: all that comes before TLS
 *   1  a TLS client that says what it likes to a server (framing, HELLO, ATTACH)
 *   2  a TLS server that says what it likes to a client (WELCOME, REJECT)
 *   3  a client and a server on a network that the input controls, see OPERATION_MAP
 *
 * Memory is counted, and frames are looked through for secrets when they
 * are given back (core/test_handshake.h).
 */
#include "fuzz.h"

#include "core/test_handshake.h"

enum { OPERATIONS_MAX = 200, PIECE_BYTES_MAX = 64 };

static void prepare(void)
{
    static bool opened;
    if (!opened) {
        world_open(NULL);
        opened = true;
    }
    world_reset(NULL);
}

/* What must hold of a handshake at any time. */
static void check_one(const fn_handshake *handshake)
{
    FUZZ_CHECK(fn_handshake_room(handshake) <= FN_HANDSHAKE_ROOM_BYTES_MAX);
    const fn_failure *failure = fn_handshake_failure(handshake);
    const fn_handshake_result *result = fn_handshake_get_result(handshake);
    if (handshake->state == FN_HANDSHAKE_FAILED)
        FUZZ_CHECK(failure->code < 0 && failure->text[0] != '\0');
    if (handshake->state == FN_HANDSHAKE_DECIDING || handshake->state == FN_HANDSHAKE_ESTABLISHED) {
        FUZZ_CHECK(fn_limits_check(&result->limits) == NULL);
        FUZZ_CHECK(result->token_bytes <= FN_HELLO_TOKEN_BYTES_MAX);
    }
}

static void finish(void)
{
    FUZZ_CHECK(world_clean(NULL) == 0);
}

/* --- nobody --- */

static void talk_raw(const uint8_t *data, size_t bytes)
{
    while (bytes > 0) {
        size_t room = fn_handshake_room(&w.server);
        size_t piece = fn_min_size(fn_min_size(bytes, room), 1 + data[0] % PIECE_BYTES_MAX);
        if (piece == 0 && !fn_handshake_wants_step(&w.server))
            break;
        fn_handshake_receive(&w.server, w.now_ns, data, piece);
        fn_handshake_step(&w.server, w.now_ns, NULL);
        check_one(&w.server);
        data += piece;
        bytes -= piece;
        w.now_ns += FN_NS_PER_MS;
    }
    fn_handshake_receive_end(&w.server);
    fn_handshake_step(&w.server, w.now_ns, NULL);
    check_one(&w.server);
    FUZZ_CHECK(w.server.state == FN_HANDSHAKE_FAILED || bytes > 0);
}

/* --- one real side, and bare TLS that says what is in the input --- */

static void talk_bare(side bare, side real, const uint8_t *data, size_t bytes)
{
    uint8_t out[1024];
    talk(bare, real, TAPE_BYTES);
    while (bytes > 0) {
        size_t written = 0;
        size_t piece = fn_min_size(bytes, 1 + data[0]);
        if (fn_tls_write(bare.tls, data, piece, &written) != FASTNET_OK || written == 0)
            break;
        talk(bare, real, TAPE_BYTES);
        bare_read(&bare, out, sizeof out);
        check_one(real.handshake);
        if (real.handshake->state == FN_HANDSHAKE_DECIDING)
            accept_client();
        if (real.handshake->state == FN_HANDSHAKE_ATTACHING && real.handshake->is_server) {
            uint8_t key[FN_SECRETS_BYTES] = {data[0]};
            FUZZ_CHECK(!fn_handshake_attach_verify(real.handshake, key));
            fn_handshake_attach_answer(real.handshake, w.now_ns, false);
        }
        data += written;
        bytes -= written;
    }
    w.now_ns += 10 * SECOND;
    fn_handshake_step(real.handshake, w.now_ns, NULL);
    check_one(real.handshake);
    fn_tls_destroy(bare.tls);
}

static void talk_to_server(const uint8_t *data, size_t bytes)
{
    talk_bare(bare_client(w.clients), server_side(), data, bytes);
}

static void talk_to_client(const uint8_t *data, size_t bytes)
{
    start_client();
    talk_bare(bare_server(w.servers), client_side(), data, bytes);
    FUZZ_CHECK(w.client.state != FN_HANDSHAKE_STREAM);
}

/* --- two real sides --- */

typedef struct wire {
    uint8_t bytes[TAPE_BYTES];
    size_t count;
} wire;

static wire wires[2]; /* [sender]; 0 = client */

static fn_handshake *side_of(int which)
{
    return which == 0 ? &w.client : &w.server;
}

static void op_step(int which, uint8_t argument)
{
    (void)argument;
    bool announced = fn_handshake_wants_private_key(side_of(which));
    bool used = false;
    fn_handshake_step(side_of(which), w.now_ns, &used);
    FUZZ_CHECK(announced || !used);
}

static void op_transmit(int which, uint8_t argument)
{
    wire *to = &wires[which];
    size_t capacity = fn_min_size(argument == 0xff ? 16384 : argument + 1u, TAPE_BYTES - to->count);
    to->count += fn_handshake_transmit(side_of(which), to->bytes + to->count, capacity);
}

static void op_deliver(int which, uint8_t argument)
{
    wire *from = &wires[which];
    fn_handshake *to = side_of(1 - which);
    size_t bytes = fn_min_size(from->count, fn_handshake_room(to));
    bytes = fn_min_size(bytes, argument == 0xff ? 16384 : argument + 1u);
    fn_handshake_receive(to, w.now_ns, from->bytes, bytes);
    from->count -= bytes;
    memmove(from->bytes, from->bytes + bytes, from->count);
}

static void op_damage(int which, uint8_t argument)
{
    wire *from = &wires[which];
    if (from->count > 0)
        from->bytes[(size_t)argument * 5 % from->count] ^= 1;
}

static void op_end(int which, uint8_t argument)
{
    if (argument >= 128)
        fn_handshake_receive_end(side_of(which));
}

static void op_time(int which, uint8_t argument)
{
    (void)which;
    w.now_ns += (uint64_t)argument * argument * 100 * FN_NS_PER_US;
}

static void op_close(int which, uint8_t argument)
{
    if (argument >= 128)
        fn_handshake_close(side_of(which), w.now_ns);
}

static void op_decide(int which, uint8_t argument)
{
    static const char *const hosts[] = {"", "play.example", "bad\nhost"};
    int code = which == 0
                   ? fn_handshake_accept(&w.server, w.now_ns, argument, 0x51525354, 7777,
                                         hosts[argument % 3])
                   : fn_handshake_reject(&w.server, w.now_ns, FASTNET_ERR_REJECTED, argument, "no");
    FUZZ_CHECK(code == FASTNET_OK || code == FASTNET_ERR_STATE || code == FASTNET_ERR_ARGUMENT);
}

/* Everything that either side can do, as an owner would. */
static void op_pump(int which, uint8_t argument)
{
    for (int i = 0; i <= argument % 8; i++) {
        int from = (which + i) % 2;
        op_step(from, 0);
        op_transmit(from, 0xff);
        op_deliver(from, 0xff);
        op_step(1 - from, 0);
    }
}

/* In the order of their numbers on the input: append only, or the corpus means something else. */
#define OPERATION_MAP(X) \
    X(step)              \
    X(transmit)          \
    X(deliver)           \
    X(pump)              \
    X(decide)            \
    X(time)              \
    X(damage)            \
    X(end)               \
    X(close)

typedef void (*operation)(int which, uint8_t argument);

static const operation operations[] = {
#define X(name) op_##name,
    OPERATION_MAP(X)
#undef X
};

static void check_secrets(bool honest)
{
    fn_secrets ours, theirs;
    bool a = fn_handshake_take_secrets(&w.client, &ours);
    bool b = fn_handshake_take_secrets(&w.server, &theirs);
    FUZZ_CHECK(!a || !b || !honest || memcmp(&ours, &theirs, sizeof ours) == 0);
    fn_secrets again;
    FUZZ_CHECK(!fn_handshake_take_secrets(&w.client, &again));
}

static void talk_both_ways(const uint8_t *data, size_t bytes)
{
    wires[0].count = wires[1].count = 0;
    start_client();
    bool honest = true;
    fn_reader reader = fn_reader_make(data, bytes);
    for (int i = 0; i < OPERATIONS_MAX && fn_reader_left(&reader) >= 2; i++) {
        uint8_t what = fn_read_u8(&reader);
        uint8_t argument = fn_read_u8(&reader);
        operation run = operations[(what >> 1) % FN_ARRAY_COUNT(operations)];
        honest &= run != op_damage;
        run(what & 1, argument);
        check_one(&w.client);
        check_one(&w.server);
    }
    check_secrets(honest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static void (*const talks[])(const uint8_t *data, size_t bytes) = {
        talk_raw, talk_to_server, talk_to_client, talk_both_ways};
    if (bytes == 0 || data[0] >= FN_ARRAY_COUNT(talks))
        return 0;
    prepare();
    talks[data[0]](data + 1, bytes - 1);
    finish();
    return 0;
}
