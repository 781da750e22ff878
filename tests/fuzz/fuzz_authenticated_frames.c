/*
 * A hostile peer inside the session: it has the keys and seals whatever it likes. It may close its
 * own session, nothing more: no crash, no memory above the cap, none left behind, never more than
 * the events that a datagram can carry.
 *
 * Input: one byte of choices, then records of {what u8, length u8, frames}: see the enum.
 */
#include "fuzz.h"

#include "crypto/aead.h"

#define PAIR_POOL_BYTES ((size_t)1 << 20)
#include "base/result.h"
#include "core/test_conn_pair.h"

enum {
    FLIP = 0x01,      /* the next key phase, whether or not it is time */
    SKIP = 0x02,      /* leave numbers out */
    ELSEWHERE = 0x04, /* from an unknown address */
    LATER = 0x08,     /* time passes first */
    LONG = 0x10,      /* padded to a full datagram */
    SENDS = 0x20,     /* the application under attack sends something */
    CAP_BYTES = PAIR_POOL_BYTES
};

typedef struct hostile_peer {
    conn_pair pair;
    fn_send_keys keys;
    uint64_t next;
    int target;
} hostile_peer;

static void start(hostile_peer *attack, uint8_t choices)
{
    fn_conn_config client = pair_config(true, pair_secrets);
    fn_conn_config server = pair_config(false, pair_secrets);
    client.memory_cap_bytes = CAP_BYTES;
    server.memory_cap_bytes = CAP_BYTES;
    pair_open_with(&attack->pair, &client, &server);
    pair_pump(&attack->pair, NULL, NULL);
    attack->target = choices & 1;
    int peer = 1 - attack->target;
    FUZZ_CHECK(fn_conn_get_state(attack->pair.sides[attack->target].conn) == FN_CONN_CONNECTED);
    fn_send_keys_init(&attack->keys, pair_secrets[peer], attack->pair.now_ns);
    attack->next = attack->pair.sides[peer].conn->sent.next;
}

static void answer(hostile_peer *attack)
{
    pair_drain(&attack->pair, attack->target, NULL, NULL);
    for (int i = 0; pair_transmit(&attack->pair, attack->target); i++)
        FUZZ_CHECK(i < 10000);
    FUZZ_CHECK(fn_pool_used_bytes(&attack->pair.sides[attack->target].pool) <= CAP_BYTES);
}

static void pass_time(hostile_peer *attack, uint8_t amount)
{
    attack->pair.now_ns += ((uint64_t)amount + 1) * 4 * FN_NS_PER_MS;
    fn_conn_tick(attack->pair.sides[attack->target].conn, attack->pair.now_ns);
    answer(attack);
}

static void deliver(hostile_peer *attack, uint8_t what, const uint8_t *frames, size_t bytes)
{
    uint8_t datagram[PAIR_DATAGRAM_BYTES];
    uint32_t id = attack->target == PAIR_SERVER ? 0x22222222 : 0x11111111;
    size_t header = fn_header_encode(datagram, id, attack->keys.phase, attack->next, 4);
    if (bytes > 0)
        memcpy(datagram + header, frames, bytes);
    if ((what & LONG) != 0) {
        memset(datagram + header + bytes, FN_FRAME_PADDING, 1200 - bytes);
        bytes = 1200;
    }
    fn_send_keys_seal(&attack->keys, attack->next, datagram, header, datagram + header, bytes);
    attack->next += (what & SKIP) != 0 ? 100 : 1;
    pair_side *side = &attack->pair.sides[attack->target];
    uint8_t path = (what & ELSEWHERE) != 0 ? FN_CONN_PATH_UNKNOWN : side->path_known;
    fn_conn_receive(side->conn, attack->pair.now_ns, &path, datagram,
                    header + bytes + FN_WIRE_TAG_BYTES);
    answer(attack); /* before the datagram's buffer goes */
}

static void run_record(hostile_peer *attack, uint8_t what, const uint8_t *frames, size_t bytes)
{
    pair_side *side = &attack->pair.sides[attack->target];
    if ((what & FLIP) != 0)
        fn_send_keys_update(&attack->keys, attack->next, attack->pair.now_ns);
    if ((what & LATER) != 0)
        pass_time(attack, (uint8_t)bytes);
    if ((what & SENDS) != 0) {
        static const uint8_t message[3000];
        fn_conn_send(side->conn, bytes % 4, message, bytes * 11, NULL);
        answer(attack);
    }
    deliver(attack, what, frames, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static hostile_peer attack;
    fn_reader reader = fn_reader_make(data, bytes);
    FUZZ_CHECK(fn_aead_start()); /* as an endpoint does: the code that packets really meet */
    start(&attack, fn_read_u8(&reader));
    for (int i = 0; i < 200 && fn_reader_left(&reader) >= 2; i++) {
        uint8_t what = fn_read_u8(&reader);
        size_t length = fn_read_u8(&reader);
        length = fn_min_size(length, fn_reader_left(&reader));
        run_record(&attack, what, fn_read_bytes(&reader, length), length);
    }
    for (int i = 0; i < 8; i++)
        pass_time(&attack, 255);
    pair_side *side = &attack.pair.sides[attack.target];
    fn_conn_withdraw(side->conn);
    pair_close(&attack.pair);
    FUZZ_CHECK(fn_pool_used_bytes(&side->pool) == 0);
    return 0;
}
