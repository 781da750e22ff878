/*
 * For tests only: a client and a server handshake, or either of them and a bare TLS connection that
 * says whatever a test wants, joined by buffers. Time is a number; memory is counted.
 */
#ifndef FN_CORE_TEST_HANDSHAKE_H
#define FN_CORE_TEST_HANDSHAKE_H

#include "base/bytes.h"
#include "base/rng.h"
#include "base/units.h"
#include "core/channel_table.h"
#include "core/handshake.h"
#include "crypto/test_tls.h"

#include <stdlib.h>

#define SECOND FN_NS_PER_S

enum {
    TAPE_BYTES = 256 * 1024,
    FRAMES_BYTES = 2 * FN_HELLO_FRAME_BYTES_MAX, /* a block that held a token */
};

/* Everything that went one way. */
typedef struct tape {
    uint8_t bytes[TAPE_BYTES];
    size_t count;
} tape;

/* Counts what is out, and refuses the allocation number `fail_at` (0 = none). */
typedef struct counted_memory {
    size_t out_bytes;
    size_t most_bytes;
    uint32_t calls;
    uint32_t fail_at;
} counted_memory;

/* One end: a handshake, or bare TLS. */
typedef struct side {
    fn_handshake *handshake;
    fn_tls *tls;
    tape *sent;
} side;

typedef struct world {
    fn_certificate_pem authority, leaf;
    fn_tls_context *servers, *clients;
    counted_memory memory;
    fn_handshake_config server_config, client_config;
    fn_handshake_target target;
    fn_handshake server, client;
    tape to_server, to_client;
    uint64_t now_ns;
    uint32_t key_operations;
} world;

static world w;

static inline void *counted_alloc(void *user, size_t size_bytes, size_t alignment)
{
    counted_memory *memory = user;
    (void)alignment;
    if (++memory->calls == memory->fail_at)
        return NULL;
    memory->out_bytes += size_bytes;
    memory->most_bytes = fn_max_size(memory->most_bytes, memory->out_bytes);
    void *block = malloc(size_bytes);
    assert_non_null(block);
    memset(block, 0xee, size_bytes);
    return block;
}

static inline void counted_free(void *user, void *block, size_t size_bytes)
{
    counted_memory *memory = user;
    assert_true(memory->out_bytes >= size_bytes);
    for (size_t i = 0; size_bytes == FRAMES_BYTES && i < size_bytes; i++)
        assert_int_equal(((uint8_t *)block)[i], 0);
    memory->out_bytes -= size_bytes;
    free(block);
}

static inline int world_open(void **state)
{
    (void)state;
    test_make_authority("test CA", &w.authority);
    test_make_leaf(&w.authority, &w.leaf);
    w.servers = test_server_context(&w.leaf, NULL);
    w.clients = test_client_context(&w.authority);
    return 0;
}

static inline int world_close(void **state)
{
    (void)state;
    fn_tls_context_release(w.servers);
    fn_tls_context_release(w.clients);
    return 0;
}

static inline fn_handshake_config make_config(fn_tls_context *server_tls)
{
    fn_handshake_config config = {
        .memory = {.user = &w.memory, .alloc = counted_alloc, .free = counted_free},
        .server_tls = server_tls,
        .application_id = "game",
        .application_build = 7,
        .limits = {262144, 1048576, 4096, 1024, 30000, 1452},
        .exporter = FN_SECRETS_EXPORTER_CLIENT_SERVER,
        .timeout_ns = 5 * SECOND,
        .decide_timeout_ns = 3 * SECOND,
    };
    fn_channel_table_hash(fn_channel_table_default, 4, config.channel_table_hash);
    return config;
}

/* A fresh server in WAITING; the client is made by start_client. */
static inline int world_reset(void **state)
{
    (void)state;
    memset(&w.memory, 0, sizeof w.memory);
    w.to_server.count = w.to_client.count = 0;
    w.now_ns = 1000 * SECOND;
    w.key_operations = 0;
    w.server_config = make_config(w.servers);
    w.client_config = make_config(NULL);
    w.target = (fn_handshake_target){.tls = w.clients,
                                     .server_name = "localhost",
                                     .unix_time_s = NOW,
                                     .deadline_ns = w.now_ns + 5 * SECOND,
                                     .receiver_id = 0xc1c2c3c4};
    fn_handshake_init_server(&w.server, &w.server_config, NOW, w.now_ns);
    memset(&w.client, 0, sizeof w.client);
    w.client.config = &w.client_config;
    return 0;
}

/* Nothing may be left over, whatever happened. */
static inline int world_clean(void **state)
{
    (void)state;
    fn_handshake_destroy(&w.server);
    fn_handshake_destroy(&w.client);
    return w.memory.out_bytes == 0 ? 0 : -1;
}

static inline void start_client(void)
{
    fn_failure failure = {.text = ""};
    if (fn_handshake_init_client(&w.client, &w.client_config, &w.target, &failure) != FASTNET_OK)
        fail_msg("%s", failure.text);
}

/* --- bytes ---------------------------------------------------------------------------- */

static inline side server_side(void)
{
    return (side){.handshake = &w.server, .sent = &w.to_client};
}

static inline side client_side(void)
{
    return (side){.handshake = &w.client, .sent = &w.to_server};
}

static inline void side_step(side *at)
{
    if (at->tls != NULL) {
        fn_tls_step(at->tls, NULL);
        return;
    }
    bool announced = fn_handshake_wants_private_key(at->handshake);
    bool used = false;
    fn_handshake_step(at->handshake, w.now_ns, &used);
    assert_true(announced || !used);
    w.key_operations += used;
}

static inline void side_receive(side *at, const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        size_t taken;
        if (at->tls != NULL) {
            if (fn_tls_receive(at->tls, bytes, count, &taken) != FASTNET_OK)
                return;
        } else {
            taken = fn_min_size(count, fn_handshake_room(at->handshake));
            fn_handshake_receive(at->handshake, w.now_ns, bytes, taken);
        }
        side_step(at);
        bytes += taken;
        count -= taken;
    }
}

static inline size_t side_transmit(side *at, uint8_t *out, size_t capacity)
{
    size_t bytes = at->tls != NULL ? fn_tls_transmit(at->tls, out, capacity)
                                   : fn_handshake_transmit(at->handshake, out, capacity);
    assert_true(at->sent->count + bytes <= TAPE_BYTES);
    memcpy(at->sent->bytes + at->sent->count, out, bytes);
    at->sent->count += bytes;
    return bytes;
}

/* Carries what one side has to say, in pieces. */
static inline size_t carry(side *from, side *to, size_t piece)
{
    static uint8_t wire[TAPE_BYTES];
    size_t bytes = side_transmit(from, wire, sizeof wire);
    for (size_t at = 0; at < bytes; at += piece)
        side_receive(to, wire + at, fn_min_size(piece, bytes - at));
    return bytes;
}

/* Until nobody has anything more to say. */
static inline void talk(side a, side b, size_t piece)
{
    side_step(&a);
    side_step(&b);
    while (carry(&a, &b, piece) + carry(&b, &a, piece) > 0) {
    }
}

static inline void talk_both(size_t piece)
{
    talk(client_side(), server_side(), piece);
}

static inline void accept_client(void)
{
    assert_int_equal(
        fn_handshake_accept(&w.server, w.now_ns, 0x00010002, 0x51525354, 7777, "play.example"),
        FASTNET_OK);
}

/* From nothing to ESTABLISHED on both sides. */
static inline void establish_both(size_t piece)
{
    start_client();
    talk_both(piece);
    assert_int_equal(w.server.state, FN_HANDSHAKE_DECIDING);
    accept_client();
    talk_both(piece);
    assert_int_equal(w.server.state, FN_HANDSHAKE_ESTABLISHED);
    assert_int_equal(w.client.state, FN_HANDSHAKE_ESTABLISHED);
}

static inline void assert_failed(const fn_handshake *handshake, int code, const char *part)
{
    assert_int_equal(handshake->state, FN_HANDSHAKE_FAILED);
    assert_failure(fn_handshake_failure(handshake), code, part);
}

static inline bool occurs(const uint8_t *haystack, size_t count, const uint8_t *needle,
                          size_t bytes)
{
    for (size_t at = 0; at + bytes <= count; at++) {
        if (memcmp(haystack + at, needle, bytes) == 0)
            return true;
    }
    return false;
}

/* --- bare TLS on one side ------------------------------------------------------------- */

static inline side bare_client(fn_tls_context *context)
{
    return (side){.tls = test_tls(context, "localhost"), .sent = &w.to_server};
}

static inline side bare_server(fn_tls_context *context)
{
    return (side){.tls = test_tls(context, NULL), .sent = &w.to_client};
}

static inline void bare_write(side *at, const uint8_t *bytes, size_t count)
{
    size_t written = 0;
    assert_int_equal(fn_tls_write(at->tls, bytes, count, &written), FASTNET_OK);
    assert_int_equal(written, count);
}

static inline size_t bare_read(side *at, uint8_t *out, size_t capacity)
{
    size_t count = 0;
    fn_tls_read(at->tls, out, capacity, &count);
    return count;
}

/* A HELLO as the test's server wants it; tests spoil it. */
static inline fn_hello make_hello(void)
{
    fn_hello hello = {.versions = {1},
                      .version_count = 1,
                      .application_id = (const uint8_t *)"game",
                      .application_id_bytes = 4,
                      .application_build = 9,
                      .receiver_id = 0xc1c2c3c4,
                      .limits = {1000, 5000, 1024, 64, 0, 1200}};
    fn_channel_table_hash(fn_channel_table_default, 4, hello.channel_table_hash);
    return hello;
}

static inline size_t frame_hello(const fn_hello *hello, uint8_t out[FN_HELLO_FRAME_BYTES_MAX])
{
    fn_writer writer = fn_writer_make(out, FN_HELLO_FRAME_BYTES_MAX);
    fn_hello_frame_begin(&writer);
    fn_hello_encode(&writer, hello);
    fn_hello_frame_end(&writer, FN_HELLO_TYPE_HELLO);
    return fn_writer_bytes(&writer);
}

static inline fn_welcome make_welcome(void)
{
    return (fn_welcome){.version = 1,
                        .peer_id = 3,
                        .receiver_id = 0x51525354,
                        .udp_port = 7777,
                        .limits = {1000, 5000, 1024, 64, 0, 1200}};
}

static inline size_t frame_welcome(const fn_welcome *welcome, uint8_t out[FN_HELLO_FRAME_BYTES_MAX])
{
    fn_writer writer = fn_writer_make(out, FN_HELLO_FRAME_BYTES_MAX);
    fn_hello_frame_begin(&writer);
    fn_welcome_encode(&writer, welcome);
    fn_hello_frame_end(&writer, FN_HELLO_TYPE_WELCOME);
    return fn_writer_bytes(&writer);
}

#endif
