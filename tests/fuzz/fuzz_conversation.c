/*
 * Two honest connections on a network that the input controls, step by step: what is sent, which
 * datagram arrives when, twice, damaged, from elsewhere or never; time, key updates, new paths,
 * closing. Messages are judged as the simulator judges them. If nobody closed and nobody gave up,
 * everything reliable arrives once the network is healthy.
 *
 * Input: one byte of choices, then operations of two bytes: see OPERATION_MAP.
 */
#include "fuzz.h"

#include "crypto/aead.h"

#define PAIR_POOL_BYTES ((size_t)4 << 20)
#include "base/result.h"
#include "core/test_conn_pair.h"
#include "stream.h"

enum {
    WIRE_MAX = 32, /* datagrams on their way, per direction; the oldest is lost beyond */
    OPERATIONS_MAX = 600,
    HEAL_STEPS_MAX = 20000,
    SMALL_MEMORY_BYTES = 512 << 10
};

typedef struct wire_item {
    size_t bytes; /* 0 = none */
    uint8_t data[PAIR_DATAGRAM_BYTES];
} wire_item;

typedef struct conversation {
    conn_pair pair;
    fn_stream streams[2][4];
    wire_item wire[2][WIRE_MAX]; /* [sender] */
    uint32_t next_slot[2];
    bool closed[2]; /* by its own application */
    bool over[2];   /* CLOSED was reported */
    size_t cap_bytes;
} conversation;

static void on_event(void *context, int side, const fn_event *event)
{
    conversation *talk = context;
    FUZZ_CHECK(!talk->over[side]);
    switch (event->type) {
    case FN_EVENT_MESSAGE: {
        FUZZ_CHECK(event->channel < 4);
        const char *complaint = fn_stream_receive(&talk->streams[1 - side][event->channel],
                                                  talk->pair.now_ns, event->data, event->bytes);
        if (complaint != NULL)
            fprintf(stderr, "%s\n", complaint);
        FUZZ_CHECK(complaint == NULL);
        break;
    }
    case FN_EVENT_DELIVERED:
    case FN_EVENT_LOST: {
        const char *complaint = fn_stream_tell(&talk->streams[side][event->channel], event->tag,
                                               event->type == FN_EVENT_DELIVERED);
        FUZZ_CHECK(complaint == NULL);
        break;
    }
    case FN_EVENT_CLOSED:
        /* Honest peers never break the protocol. */
        FUZZ_CHECK(event->result != FASTNET_ERR_PROTOCOL);
        FUZZ_CHECK(!talk->closed[side]);
        talk->over[side] = true;
        break;
    default:
        break;
    }
}

static void settle(conversation *talk, int side)
{
    pair_drain(&talk->pair, side, on_event, talk);
    FUZZ_CHECK(fn_pool_used_bytes(&talk->pair.sides[side].pool) <= talk->cap_bytes);
}

/* --- operations; side is 0 or 1, argument is a byte of the input --- */

static void op_send(conversation *talk, int side, uint8_t argument)
{
    static uint8_t data[20000];
    uint8_t channel = argument & 3;
    uint32_t kind = argument >> 2 & 7;
    static const uint32_t sizes[] = {0, 5, 9, 100, 1024, 1025, 5000, 20000};
    bool tagged = (argument & 0x20) != 0;
    fn_stream *stream = &talk->streams[side][channel];
    fn_stream_content(stream, stream->count, data, sizes[kind]);
    fn_send_options options = {.tagged = tagged, .tag = stream->count};
    int result = fn_conn_send(talk->pair.sides[side].conn, channel, data, sizes[kind], &options);
    FUZZ_CHECK(result == FASTNET_OK || result == FASTNET_ERR_BACKPRESSURE ||
               result == FASTNET_ERR_STATE);
    if (result != FASTNET_OK)
        return;
    fn_stream_sent(stream, talk->pair.now_ns, sizes[kind], tagged);
    stream->messages[stream->count - 1].left = true; /* what leaves is not looked at here */
    settle(talk, side);
}

static void op_transmit(conversation *talk, int side, uint8_t argument)
{
    for (int i = 0; i <= argument % 16 && pair_transmit(&talk->pair, side); i++) {
        wire_item *item = &talk->wire[side][talk->next_slot[side]++ % WIRE_MAX];
        item->bytes = talk->pair.last_bytes;
        memcpy(item->data, talk->pair.last, item->bytes);
    }
}

static wire_item *pick(conversation *talk, int sender, uint8_t argument)
{
    wire_item *item = &talk->wire[sender][argument % WIRE_MAX];
    return item->bytes > 0 ? item : NULL;
}

static fn_conn_received deliver(conversation *talk, int sender, const wire_item *item)
{
    uint8_t buffer[PAIR_DATAGRAM_BYTES];
    fn_conn_received received =
        pair_deliver(&talk->pair, 1 - sender, item->data, item->bytes, buffer);
    settle(talk, 1 - sender);
    return received;
}

static void op_deliver(conversation *talk, int side, uint8_t argument)
{
    wire_item *item = pick(talk, side, argument);
    if (item == NULL)
        return;
    deliver(talk, side, item);
    item->bytes = 0;
}

/* All that is on the wire, oldest slot first. */
static void op_deliver_all(conversation *talk, int side, uint8_t argument)
{
    (void)argument;
    for (uint32_t i = 0; i < WIRE_MAX; i++)
        op_deliver(talk, side, (uint8_t)((talk->next_slot[side] + i) % WIRE_MAX));
}

static void op_duplicate(conversation *talk, int side, uint8_t argument)
{
    wire_item *item = pick(talk, side, argument);
    if (item == NULL)
        return;
    deliver(talk, side, item);
    FUZZ_CHECK(deliver(talk, side, item) == FN_CONN_DROPPED);
}

static void op_drop(conversation *talk, int side, uint8_t argument)
{
    wire_item *item = pick(talk, side, argument);
    if (item != NULL)
        item->bytes = 0;
}

static void op_damage(conversation *talk, int side, uint8_t argument)
{
    wire_item *item = pick(talk, side, argument);
    if (item == NULL)
        return;
    wire_item damaged = *item;
    size_t bit = (size_t)argument * 37 % (damaged.bytes * 8);
    damaged.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    FUZZ_CHECK(deliver(talk, side, &damaged) == FN_CONN_DROPPED);
    damaged = *item;
    damaged.bytes -= 1 + argument % damaged.bytes;
    if (damaged.bytes > 0)
        FUZZ_CHECK(deliver(talk, side, &damaged) == FN_CONN_DROPPED);
}

static void op_elsewhere(conversation *talk, int side, uint8_t argument)
{
    wire_item *item = pick(talk, side, argument);
    if (item == NULL || side != PAIR_CLIENT)
        return;
    /* The server's owner knows one address only; another one is a stranger to it. */
    pair_side *server = &talk->pair.sides[PAIR_SERVER];
    uint8_t known = server->path_known;
    server->path_known = FN_CONN_PATH_UNKNOWN;
    deliver(talk, side, item);
    if (server->path_known == FN_CONN_PATH_UNKNOWN || (argument & 0x20) == 0)
        server->path_known = known;
    item->bytes = 0;
}

static void op_time(conversation *talk, int side, uint8_t argument)
{
    (void)side;
    talk->pair.now_ns += (uint64_t)(argument + 1) * (argument + 1) * 20 * FN_NS_PER_US;
    for (int i = 0; i < 2; i++) {
        fn_conn_tick(talk->pair.sides[i].conn, talk->pair.now_ns);
        settle(talk, i);
    }
}

static void op_new_path(conversation *talk, int side, uint8_t argument)
{
    (void)argument;
    int path = fn_conn_path_add(talk->pair.sides[side].conn, talk->pair.now_ns);
    FUZZ_CHECK(side == PAIR_CLIENT || path < 0);
    if (path >= 0)
        talk->pair.sides[side].path_known = (uint8_t)path;
}

static void op_too_big(conversation *talk, int side, uint8_t argument)
{
    fn_conn_path_too_big(talk->pair.sides[side].conn, fn_conn_path(talk->pair.sides[side].conn),
                         1200 + argument);
}

static void op_rate(conversation *talk, int side, uint8_t argument)
{
    fn_conn_set_rate_max(talk->pair.sides[side].conn, (uint64_t)argument * 1000);
}

static void op_close(conversation *talk, int side, uint8_t argument)
{
    if (argument < 200 || talk->over[side])
        return;
    fn_conn_close(talk->pair.sides[side].conn, talk->pair.now_ns, argument, "bye",
                  (argument & 1) != 0 ? FN_NS_PER_S : 0);
    talk->closed[side] = true;
}

/* In the order of their numbers on the input: append only, or the corpus means something else. */
#define OPERATION_MAP(X) \
    X(send)              \
    X(transmit)          \
    X(deliver)           \
    X(deliver_all)       \
    X(time)              \
    X(duplicate)         \
    X(drop)              \
    X(damage)            \
    X(elsewhere)         \
    X(new_path)          \
    X(too_big)           \
    X(rate)              \
    X(close)

typedef void (*operation)(conversation *talk, int side, uint8_t argument);

static const operation operations[] = {
#define X(name) op_##name,
    OPERATION_MAP(X)
#undef X
};

/* --- the whole conversation --- */

static void start(conversation *talk, uint8_t choices)
{
    static const uint64_t updates[] = {64, 200, 1000, 1 << 20};
    talk->cap_bytes = (choices & 4) != 0 ? SMALL_MEMORY_BYTES : PAIR_POOL_BYTES;
    fn_conn_config configs[2];
    for (int i = 0; i < 2; i++) {
        fn_limits limits = pair_limits();
        limits.message_bytes_max = 65536;
        limits.receive_window_bytes = 70000;
        limits.replay_window_packets = 1024;
        limits.message_window = 64;
        configs[i] = pair_config(i == PAIR_CLIENT, pair_secrets);
        configs[i].limits = fn_limits_agree(&limits, &limits);
        configs[i].key_update_packets = updates[choices & 3];
        configs[i].memory_cap_bytes = talk->cap_bytes;
    }
    pair_open_with(&talk->pair, &configs[PAIR_CLIENT], &configs[PAIR_SERVER]);
    for (int side = 0; side < 2; side++) {
        talk->closed[side] = talk->over[side] = false;
        talk->next_slot[side] = 0;
        memset(talk->wire[side], 0, sizeof talk->wire[side]);
        for (uint8_t channel = 0; channel < 4; channel++)
            fn_stream_init(&talk->streams[side][channel], (uint64_t)(side * 4 + channel), channel);
    }
    if ((choices & 8) == 0)
        pair_pump(&talk->pair, on_event, talk);
}

static bool is_complete(const conversation *talk)
{
    for (int side = 0; side < 2; side++) {
        for (int channel = 0; channel < 4; channel++) {
            if (!fn_stream_complete(&talk->streams[side][channel]))
                return false;
        }
    }
    return true;
}

/* From here on every datagram arrives at once. The client's last path is the one that works. */
static void heal(conversation *talk)
{
    for (int side = 0; side < 2; side++)
        fn_conn_set_rate_max(talk->pair.sides[side].conn, 0);
    for (int i = 0; i < HEAL_STEPS_MAX && !is_complete(talk); i++) {
        if (talk->over[0] || talk->over[1])
            return;
        pair_run(&talk->pair, 10 * FN_NS_PER_MS, on_event, talk);
    }
    FUZZ_CHECK(is_complete(talk));
}

static void finish(conversation *talk)
{
    pair_close(&talk->pair);
    for (int side = 0; side < 2; side++) {
        FUZZ_CHECK(fn_pool_used_bytes(&talk->pair.sides[side].pool) == 0);
        for (int channel = 0; channel < 4; channel++)
            fn_stream_free(&talk->streams[side][channel]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static conversation talk;
    fn_reader reader = fn_reader_make(data, bytes);
    FUZZ_CHECK(fn_aead_start()); /* as an endpoint does: the code that packets really meet */
    start(&talk, fn_read_u8(&reader));
    for (int i = 0; i < OPERATIONS_MAX && fn_reader_left(&reader) >= 2; i++) {
        uint8_t what = fn_read_u8(&reader);
        uint8_t argument = fn_read_u8(&reader);
        operations[(what >> 1) % FN_ARRAY_COUNT(operations)](&talk, what & 1, argument);
    }
    if (!talk.closed[0] && !talk.closed[1] && !talk.over[0] && !talk.over[1])
        heal(&talk);
    finish(&talk);
    return 0;
}
