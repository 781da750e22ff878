/*
 * Attaching: a real client and a real server join a session over a new TLS connection, or over the
 * one that carried WELCOME, and then sealed datagrams go over it, each behind its length
 * (PROTOCOL.md section 11.4). The input chooses: who knows which key, what is done when, what the
 * client says before and after, how the stream is cut. What comes out is what went in, or the
 * stream has ended.
 *
 * Input: one byte of choices, then operations of two bytes: see OPERATION_MAP.
 */
#include "fuzz.h"

#include "core/test_handshake.h"
#include "core/wire.h"

enum { OPERATIONS_MAX = 120, DATAGRAM_BYTES_MAX = 1452, FRAME_BYTES_MAX = 2 + DATAGRAM_BYTES_MAX };

enum choice {
    LATE = 1,      /* over the connection that brought WELCOME */
    OTHER_KEY = 2, /* the client has the wrong key */
    NOBODY = 4,    /* the server does not know the session */
    RAW = 8        /* what goes over the stream is the input's, not framed */
};

/* One direction of the stream. */
typedef struct way {
    uint8_t in[FRAME_BYTES_MAX];
    size_t in_bytes;
    uint8_t next_sent; /* datagrams are numbered, and all of one byte */
    uint8_t next_received;
    bool over;
} way;

static way ways[2]; /* [sender]; 0 = client */
static uint8_t choices;
static const uint8_t attach_key[FN_SECRETS_BYTES] = {7, 7, 7};

static fn_handshake *side_of(int which)
{
    return which == 0 ? &w.client : &w.server;
}

static void answer(void)
{
    static const uint8_t other_key[FN_SECRETS_BYTES] = {8};
    if (w.server.state != FN_HANDSHAKE_ATTACHING)
        return;
    FUZZ_CHECK(fn_handshake_attach_id(&w.server) == 0x51525354);
    bool known = (choices & NOBODY) == 0;
    bool proven = fn_handshake_attach_verify(&w.server, known ? attach_key : NULL);
    FUZZ_CHECK(proven == (known && (choices & OTHER_KEY) == 0));
    FUZZ_CHECK(!fn_handshake_attach_verify(&w.server, other_key) || (choices & OTHER_KEY) != 0);
    fn_handshake_attach_answer(&w.server, w.now_ns, proven);
}

/* --- the stream, as its owner reads it --- */

static size_t datagram_bytes(uint8_t number)
{
    return FN_WIRE_DATAGRAM_BYTES_MIN + number * 5u;
}

static void take_datagram(way *from, uint32_t bytes)
{
    if ((choices & RAW) == 0) {
        FUZZ_CHECK(bytes == datagram_bytes(from->next_received));
        for (uint32_t i = 0; i < bytes; i++)
            FUZZ_CHECK(from->in[FN_WIRE_STREAM_LENGTH_BYTES + i] == from->next_received);
    }
    from->next_received++;
    from->in_bytes = 0;
}

static void op_read(int which, uint8_t argument)
{
    way *from = &ways[1 - which];
    for (int i = 0; i <= argument % 8 && !from->over; i++) {
        uint32_t bytes = 0;
        size_t wanted = FN_WIRE_STREAM_LENGTH_BYTES;
        if (from->in_bytes >= wanted) {
            FUZZ_CHECK(fn_stream_length_decode(from->in, DATAGRAM_BYTES_MAX, &bytes));
            wanted += bytes;
        }
        size_t got = fn_handshake_stream_read(side_of(which), w.now_ns, from->in + from->in_bytes,
                                              wanted - from->in_bytes);
        FUZZ_CHECK(got <= wanted - from->in_bytes);
        from->in_bytes += got;
        if (bytes > 0 && from->in_bytes == wanted)
            take_datagram(from, bytes);
        else if (from->in_bytes == FN_WIRE_STREAM_LENGTH_BYTES &&
                 !fn_stream_length_decode(from->in, DATAGRAM_BYTES_MAX, &bytes))
            from->over = true;
        FUZZ_CHECK(!from->over || (choices & RAW) != 0);
    }
}

static void op_write(int which, uint8_t argument)
{
    way *to = &ways[which];
    uint8_t frame[FRAME_BYTES_MAX];
    size_t bytes = datagram_bytes(to->next_sent);
    fn_stream_length_encode(frame, bytes);
    memset(frame + FN_WIRE_STREAM_LENGTH_BYTES, to->next_sent, bytes);
    bytes += FN_WIRE_STREAM_LENGTH_BYTES;
    if ((choices & RAW) != 0) {
        memset(frame, argument, sizeof frame);
        frame[0] = argument & 7;
        bytes = 1 + argument;
    }
    if (side_of(which)->state != FN_HANDSHAKE_STREAM)
        return;
    for (size_t at = 0; at < bytes;) {
        size_t piece = fn_min_size(bytes - at, 1 + argument);
        size_t written = fn_handshake_stream_write(side_of(which), w.now_ns, frame + at, piece);
        FUZZ_CHECK(written <= piece);
        at += written;
        if (written < piece)
            talk_both(TAPE_BYTES);
        if (side_of(which)->state != FN_HANDSHAKE_STREAM)
            return;
    }
    to->next_sent++;
}

/* --- the rest --- */

static void op_talk(int which, uint8_t argument)
{
    (void)which;
    talk_both(1 + (size_t)argument * 8);
    if (w.server.state == FN_HANDSHAKE_DECIDING)
        accept_client();
}

static void op_answer(int which, uint8_t argument)
{
    (void)which, (void)argument;
    answer();
}

static void op_attach(int which, uint8_t argument)
{
    (void)which, (void)argument;
    uint8_t key[FN_SECRETS_BYTES];
    memcpy(key, attach_key, sizeof key);
    key[0] ^= (choices & OTHER_KEY) != 0;
    fn_handshake_state before = w.client.state;
    int code = fn_handshake_attach(&w.client, w.now_ns + SECOND, 0x51525354, key);
    FUZZ_CHECK(code == FASTNET_OK || code == FASTNET_ERR_STATE);
    FUZZ_CHECK(code != FASTNET_OK || before == FN_HANDSHAKE_ESTABLISHED);
}

static void op_end(int which, uint8_t argument)
{
    if (argument >= 128)
        fn_handshake_receive_end(side_of(which));
    else if (argument >= 64)
        fn_handshake_close(side_of(which), w.now_ns);
}

static void op_time(int which, uint8_t argument)
{
    (void)which;
    w.now_ns += (uint64_t)argument * argument * 100 * FN_NS_PER_US;
    fn_handshake_step(&w.client, w.now_ns, NULL);
    fn_handshake_step(&w.server, w.now_ns, NULL);
}

/* In the order of their numbers on the input: append only, or the corpus means something else. */
#define OPERATION_MAP(X) \
    X(talk)              \
    X(answer)            \
    X(write)             \
    X(read)              \
    X(attach)            \
    X(time)              \
    X(end)

typedef void (*operation)(int which, uint8_t argument);

static const operation operations[] = {
#define X(name) op_##name,
    OPERATION_MAP(X)
#undef X
};

static void start(void)
{
    static bool opened;
    static uint8_t key[FN_SECRETS_BYTES];
    if (!opened)
        world_open(NULL);
    opened = true;
    world_reset(NULL);
    memset(ways, 0, sizeof ways);
    memcpy(key, attach_key, sizeof key);
    key[0] ^= (choices & OTHER_KEY) != 0;
    if ((choices & LATE) == 0) {
        w.target.attach_key = key;
        w.target.attach_id = 0x51525354;
    }
    start_client();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fn_reader reader = fn_reader_make(data, bytes);
    choices = fn_read_u8(&reader);
    start();
    for (int i = 0; i < OPERATIONS_MAX && fn_reader_left(&reader) >= 2; i++) {
        uint8_t what = fn_read_u8(&reader);
        uint8_t argument = fn_read_u8(&reader);
        /* What went over one connection so far must fit the tape of the test. */
        if (w.to_server.count + w.to_client.count > TAPE_BYTES / 2)
            break;
        operations[(what >> 1) % FN_ARRAY_COUNT(operations)](what & 1, argument);
        bool stream = w.server.state == FN_HANDSHAKE_STREAM;
        FUZZ_CHECK(!stream || (choices & (OTHER_KEY | NOBODY)) == 0);
        FUZZ_CHECK(w.client.state != FN_HANDSHAKE_STREAM || (choices & OTHER_KEY) == 0);
    }
    FUZZ_CHECK(world_clean(NULL) == 0);
    return 0;
}
