/*
 * A session between UDP and TCP, as its owner drives it: datagrams are lost or pass, a stream
 * comes, is full, and dies, on either side at its own time. Deadlines are kept, nothing is sent on
 * a path that is gone, and when all is well again everything reliable arrives.
 *
 * Input: one byte of choices, then operations of two bytes: see OPERATION_MAP.
 */
#include "fuzz.h"

#define PAIR_POOL_BYTES ((size_t)2 << 20)
#include "core/test_conn_link.h"

#include "base/result.h"

enum { OPERATIONS_MAX = 100, SECONDS_MAX = 40, HEAL_SECONDS = 30, BLOCK_SECONDS = 10 };

typedef struct story {
    conn_link link;
    uint32_t sent[2]; /* on the ordered channel */
    uint32_t received[2];
    bool over;
} story;

static void on_event(void *context, int side, const fn_event *event)
{
    story *told = context;
    if (event->type == FN_EVENT_CLOSED) {
        FUZZ_CHECK(event->result == FASTNET_ERR_TIMEOUT || event->result == FASTNET_OK);
        told->over = true;
    }
    if (event->type != FN_EVENT_MESSAGE || event->channel != FASTNET_CHANNEL_RELIABLE_ORDERED)
        return;
    FUZZ_CHECK(event->bytes >= 4 && fn_load_be32(event->data) == told->received[1 - side]++);
}

static bool stream_is_up(const story *told, int side)
{
    return told->link.streams[side] != LINK_NO_STREAM;
}

static void op_send(story *told, int side, uint8_t argument)
{
    static uint8_t data[4000];
    fn_conn *conn = told->link.pair.sides[side].conn;
    bool ordered = (argument & 1) == 0;
    uint8_t channel = ordered ? FASTNET_CHANNEL_RELIABLE_ORDERED : FASTNET_CHANNEL_UNRELIABLE;
    fn_store_be32(data, told->sent[side]);
    int code = fn_conn_send(conn, channel, data, 4 + (size_t)argument * 15, NULL);
    told->sent[side] += code == FASTNET_OK && ordered;
}

static void op_run(story *told, int side, uint8_t argument)
{
    (void)side;
    link_run(&told->link, (uint64_t)argument * argument * 40 * FN_NS_PER_US);
}

static void op_udp(story *told, int side, uint8_t argument)
{
    told->link.loss_permille[side] = argument < 128 ? 1000 : (uint32_t)(255 - argument) * 4;
}

static void op_stream_up(story *told, int side, uint8_t argument)
{
    (void)side;
    if (argument < 128 &&
        !fn_conn_wants_stream(told->link.pair.sides[0].conn, told->link.pair.now_ns))
        return;
    if (stream_is_up(told, 0) || stream_is_up(told, 1))
        return;
    link_stream_up(&told->link);
    for (int end = 0; end < 2; end++) {
        fn_conn_state state = fn_conn_get_state(told->link.pair.sides[end].conn);
        FUZZ_CHECK(stream_is_up(told, end) || state >= FN_CONN_CLOSING);
    }
}

static void op_stream_down(story *told, int side, uint8_t argument)
{
    (void)side, (void)argument;
    link_stream_down(&told->link);
}

/* One side notices the end before the other. */
static void op_stream_lost(story *told, int side, uint8_t argument)
{
    (void)argument;
    int path = told->link.streams[side];
    if (path == LINK_NO_STREAM)
        return;
    fn_conn_stream_lost(told->link.pair.sides[side].conn, told->link.pair.now_ns, (uint8_t)path);
    told->link.streams[side] = LINK_NO_STREAM;
    FUZZ_CHECK(fn_conn_path(told->link.pair.sides[side].conn) != path);
}

static void op_writable(story *told, int side, uint8_t argument)
{
    uint8_t path = stream_is_up(told, side) ? (uint8_t)told->link.streams[side] : argument;
    fn_conn_stream_writable(told->link.pair.sides[side].conn, path, (argument & 1) != 0);
}

static void op_stall(story *told, int side, uint8_t argument)
{
    (void)side;
    told->link.stream_stalled = (argument & 1) != 0;
}

static void op_address(story *told, int side, uint8_t argument)
{
    (void)side;
    told->link.address = argument % 4;
}

static void op_new_path(story *told, int side, uint8_t argument)
{
    (void)side, (void)argument;
    fn_conn_path_add(told->link.pair.sides[0].conn, told->link.pair.now_ns);
}

/* In the order of their numbers on the input: append only, or the corpus means something else. */
#define OPERATION_MAP(X) \
    X(send)              \
    X(run)               \
    X(udp)               \
    X(stream_up)         \
    X(stream_down)       \
    X(stream_lost)       \
    X(writable)          \
    X(stall)             \
    X(address)           \
    X(new_path)

typedef void (*operation)(story *told, int side, uint8_t argument);

static const operation operations[] = {
#define X(name) op_##name,
    OPERATION_MAP(X)
#undef X
};

static void check_received(const story *told)
{
    for (int side = 0; side < 2 && !told->over; side++)
        FUZZ_CHECK(told->received[side] == told->sent[side]);
}

/* UDP is well again; the stream gets out of the way. */
static void heal(story *told)
{
    conn_link *link = &told->link;
    link->loss_permille[0] = link->loss_permille[1] = 0;
    link->stream_stalled = false;
    link_stream_down(link);
    for (int i = 0; i < HEAL_SECONDS && !told->over; i++) {
        if (fn_conn_wants_stream(link->pair.sides[0].conn, link->pair.now_ns))
            link_stream_up(link);
        link_run(link, FN_NS_PER_S);
    }
    check_received(told);
}

/* Whatever has happened before: when UDP goes silent once more, a
 * stream is wanted, and is enough. */
static void block(story *told)
{
    conn_link *link = &told->link;
    link_stream_down(link);
    link->loss_permille[0] = link->loss_permille[1] = 1000;
    op_send(told, 0, 0);
    op_send(told, 1, 0);
    bool wanted = false;
    for (int i = 0; i < 10 * BLOCK_SECONDS && !wanted && !told->over; i++) {
        link_run(link, FN_NS_PER_S / 10);
        wanted = fn_conn_wants_stream(link->pair.sides[0].conn, link->pair.now_ns);
    }
    FUZZ_CHECK(wanted || told->over);
    link_stream_up(link);
    link_run(link, BLOCK_SECONDS * FN_NS_PER_S);
    check_received(told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static story told;
    memset(&told, 0, sizeof told);
    fn_reader reader = fn_reader_make(data, bytes);
    uint8_t choices = fn_read_u8(&reader);
    fn_conn_config client = pair_config(true, pair_secrets);
    fn_conn_config server = pair_config(false, pair_secrets);
    client.memory_cap_bytes = server.memory_cap_bytes = PAIR_POOL_BYTES;
    client.stream_after_ns = (choices & 1) != 0 ? FN_NEVER : 1500 * FN_NS_PER_MS;
    link_open_with(&told.link, &client, &server, choices);
    told.link.on_event = on_event;
    told.link.context = &told;
    uint64_t end_ns = told.link.pair.now_ns + SECONDS_MAX * FN_NS_PER_S;
    for (int i = 0; i < OPERATIONS_MAX && fn_reader_left(&reader) >= 2; i++) {
        uint8_t what = fn_read_u8(&reader);
        uint8_t argument = fn_read_u8(&reader);
        if (told.over || told.link.pair.now_ns > end_ns)
            break;
        operations[(what >> 1) % FN_ARRAY_COUNT(operations)](&told, what & 1, argument);
    }
    heal(&told);
    if (!told.over && client.stream_after_ns != FN_NEVER)
        block(&told);
    link_close(&told.link);
    return 0;
}
